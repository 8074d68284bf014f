//! Whom a text mentions: `@ann`, or `@"ann lee"` where the name has spaces.

use super::Username;

/// Names that one text mentions at most.
const MOST: usize = 20;

/// Each name once, in the order of the text. Whether there is anybody of that name, a text does not say.
pub fn mentions(text: &str) -> Vec<Username> {
    let mut found: Vec<Username> = Vec::new();
    for (at, _) in text.match_indices('@') {
        // An address like ann@example.com mentions nobody.
        if text[..at].chars().next_back().is_some_and(char::is_alphanumeric) {
            continue;
        }
        let rest = &text[at + 1..];
        let name = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next().unwrap_or_default(),
            None => rest.split(|c: char| c.is_whitespace() || c == '@').next().unwrap_or_default(),
        };
        let name = if rest.starts_with('"') { name } else { name.trim_end_matches(is_punctuation) };
        match Username::try_from(name.to_owned()) {
            Ok(name) if found.len() < MOST && !found.contains(&name) => found.push(name),
            _ => {}
        }
    }
    found
}

fn is_punctuation(c: char) -> bool {
    matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | ')' | ']' | '}' | '\'' | '"' | '…' | '。' | '、' | '！' | '？')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_behind_an_at_are_mentioned() {
        let names = |text| mentions(text).into_iter().map(String::from).collect::<Vec<_>>();
        assert_eq!(names("@ann, ask @\"bob lee\" (or @eve!) and @ann"), ["ann", "bob lee", "eve"]);
        assert_eq!(names("ann@example.com @ @@ @\"\""), [""; 0]);
        assert_eq!(names("@jürgen。"), ["jürgen"]);
    }
}
