//! An emoji, as people react with one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_properties::UnicodeEmoji;
use unicode_segmentation::UnicodeSegmentation;

/// Longest sequence, in characters: families, flags of regions.
const LONGEST: usize = 16;

/// One emoji: what is drawn as one picture (UTS 51).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Emoji(String);

impl Emoji {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Emoji {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_one = text.graphemes(true).count() == 1 && text.chars().count() <= LONGEST;
        let is_picture = |c: char| c.is_emoji_char() && !c.is_ascii();
        let is_keycap = text.ends_with('\u{20E3}');
        let belongs = |c: char| c.is_emoji_char_or_emoji_component() || c == '\u{20E3}';
        match is_one && (text.chars().any(is_picture) || is_keycap) && text.chars().all(belongs) {
            true => Ok(Self(text)),
            false => Err("must be one emoji"),
        }
    }
}

impl From<Emoji> for String {
    fn from(emoji: Emoji) -> Self {
        emoji.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_picture_and_nothing_else_is_an_emoji() {
        for good in ["👍", "👍🏽", "❤️", "❤", "👩‍👩‍👧", "🇩🇪", "1️⃣", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "©️"]
        {
            assert!(Emoji::try_from(good.to_string()).is_ok(), "{good}");
        }
        for bad in ["", "a", "1", "#", "👍👍", "👍a", "é", "<", "\u{200d}", "東"] {
            assert!(Emoji::try_from(bad.to_string()).is_err(), "{bad}");
        }
    }
}
