//! Words of a text as search knows them: in any script, whatever their case and accents.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_segmentation::UnicodeSegmentation;

/// Characters of a word that count.
const LONGEST: usize = 64;

/// A word and where in the text it stands, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub place: Range<usize>,
    pub folded: String,
}

/// The words of a text in their order (Unicode TR 29, section 4, and apart at full stops, apostrophes and the like within
/// them). Scripts without spaces give a word a character; emoji are words.
pub fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    for (start, piece) in text.split_word_bound_indices() {
        if !piece.chars().any(char::is_alphanumeric) {
            let is_emoji = piece.chars().any(|c| c.general_category() == GeneralCategory::OtherSymbol);
            found.extend(is_emoji.then(|| word(text, start..start + piece.len())));
            continue;
        }
        let mut begin = None;
        for (at, c) in piece.char_indices().chain([(piece.len(), ' ')]) {
            match (begin, is_of_word(c)) {
                (None, true) if c.is_alphanumeric() => begin = Some(at),
                (Some(from), false) => {
                    found.push(word(text, start + from..start + at));
                    begin = None;
                }
                _ => {}
            }
        }
    }
    found.retain(|word| !word.folded.is_empty());
    found
}

fn word(text: &str, place: Range<usize>) -> Word {
    Word { folded: fold(&text[place.clone()]), place }
}

fn is_of_word(c: char) -> bool {
    use GeneralCategory::*;

    c.is_alphanumeric() || matches!(c.general_category(), NonspacingMark | SpacingMark | EnclosingMark | Format)
}

/// The same for spellings that differ in case, in accents or in compatible characters alone.
fn fold(word: &str) -> String {
    let bare = word.nfkd().filter(|c| !is_accent(*c));
    // By way of the upper case: ß is ss, and a sigma at the end is a sigma.
    let folded = bare.flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    folded.nfkd().filter(|c| !is_accent(*c)).nfc().take(LONGEST).collect()
}

/// Marks that readers look past: Western accents, Hebrew points, Arabic vowels and what stretches a line; and characters
/// that choose between pictures. The vowels of Indic scripts are no accents, and neither are voiced kana.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}' | '\u{20D0}'..='\u{20FF}'
        | '\u{FE20}'..='\u{FE2F}' | '\u{591}'..='\u{5BD}' | '\u{5BF}' | '\u{5C1}'..='\u{5C2}' | '\u{5C4}'..='\u{5C5}'
        | '\u{5C7}' | '\u{610}'..='\u{61A}' | '\u{640}' | '\u{64B}'..='\u{65F}' | '\u{670}' | '\u{6D6}'..='\u{6DC}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{AD}' | '\u{200B}'..='\u{200C}' | '\u{2060}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> Vec<String> {
        words(text).into_iter().map(|word| word.folded).collect()
    }

    #[test]
    fn words_are_found_in_every_script() {
        let texts: &[(&str, &[&str])] = &[
            ("Crème brûlée, s'il vous plaît!", &["creme", "brulee", "s", "il", "vous", "plait"]),
            ("see www.example.com/a_b 3.14", &["see", "www", "example", "com", "a", "b", "3", "14"]),
            ("STRASSE Straße ΣΊΣΥΦΟΣ", &["strasse", "strasse", "σισυφοσ"]),
            ("Ёлка ёлка", &["елка", "елка"]),
            ("שָׁלוֹם עולם", &["שלום", "עולם"]),
            ("السَّلَامُ عليكم", &["السلام", "عليكم"]),
            ("नमस्ते दुनिया", &["नमस्ते", "दुनिया"]),
            ("東京タワー", &["東", "京", "タワー"]),
            ("ｶﾞｷﾞ ガギ", &["ガギ", "ガギ"]),
            ("안녕하세요 세계", &["안녕하세요", "세계"]),
            ("party 🎉🎉 👩‍💻", &["party", "🎉", "🎉", "👩\u{200d}💻"]),
            ("-- … !", &[]),
        ];
        for (text, expected) in texts {
            assert_eq!(folded(text), *expected, "{text}");
        }
    }

    #[test]
    fn a_word_tells_where_it_stands() {
        let text = "ein Ünïcode-Test";
        let places: Vec<_> = words(text).into_iter().map(|word| &text[word.place]).collect();
        assert_eq!(places, ["ein", "Ünïcode", "Test"]);
    }
}
