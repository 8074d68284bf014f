//! What is looked for: words, phrases, beginnings of words, by whom, where and when.

use std::ops::Range;

use chrono::{DateTime, NaiveDate};
use serde::Deserialize;

use super::text::{RoomName, Username};
use super::words::{Word, words};
use super::{MessageText, Timestamp};

/// Longest query, in characters.
const LENGTH: usize = 500;
const MOST_TERMS: usize = 16;
/// Words of all terms: scripts without spaces have one a character.
const MOST_WORDS: usize = 40;

/// As in `deploy "last night" secur* from:ann in:ops after:2026-11-01`: a message must have all of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Query {
    pub terms: Vec<Term>,
    /// One of these wrote it.
    pub from: Vec<Username>,
    /// It is in one of these.
    pub rooms: Vec<RoomName>,
    /// At that time or later.
    pub after: Option<Timestamp>,
    /// Earlier than that.
    pub before: Option<Timestamp>,
}

/// Words that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    pub words: Vec<String>,
    /// Whether the last one is the beginning of a word.
    pub open: bool,
}

impl TryFrom<String> for Query {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.chars().count() > LENGTH {
            return Err(format!("must have at most {LENGTH} characters"));
        }
        let mut query = Self::default();
        for part in parts(&text) {
            query.add(part)?;
        }
        let words: usize = query.terms.iter().map(|term| term.words.len()).sum();
        if words > MOST_WORDS || query.terms.len() + query.from.len() + query.rooms.len() > MOST_TERMS {
            return Err(format!("must have at most {MOST_TERMS} words"));
        }
        Ok(query)
    }
}

impl Query {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        let Self { terms, from, rooms, after, before } = self;
        terms.is_empty() && from.is_empty() && rooms.is_empty() && after.is_none() && before.is_none()
    }

    fn add(&mut self, part: Part) -> Result<(), String> {
        match part.key {
            Some("from") => self.from.push(Username::try_from(part.value.to_owned())?),
            Some("in") => self.rooms.push(RoomName::try_from(part.value.to_owned())?),
            Some("after") => self.after = Some(point_in_time(part.value)?),
            Some("before") => self.before = Some(point_in_time(part.value)?),
            _ => {
                let words: Vec<_> = words(part.value).into_iter().map(|word| word.folded).collect();
                let open = part.value.ends_with('*');
                if !words.is_empty() {
                    self.terms.push(Term { words, open });
                }
            }
        }
        Ok(())
    }

    /// Where a text has what is looked for, in bytes and in order; `None` where it has not all of it.
    pub fn find_in(&self, text: &MessageText) -> Option<Vec<Range<usize>>> {
        let words = words(text.as_str());
        let mut places = Vec::new();
        for term in &self.terms {
            let before = places.len();
            let starts = words.windows(term.words.len()).filter(|words| term.is(words));
            places.extend(starts.map(|words| words[0].place.start..words[words.len() - 1].place.end));
            if places.len() == before {
                return None;
            }
        }
        Some(merge(places))
    }
}

impl Term {
    fn is(&self, found: &[Word]) -> bool {
        let last = self.words.len() - 1;
        found.iter().zip(&self.words).enumerate().all(|(place, (found, wanted))| match self.open && place == last {
            true => found.folded.starts_with(wanted),
            false => found.folded == *wanted,
        })
    }
}

/// A piece of a query.
struct Part<'a> {
    /// `from`, say.
    key: Option<&'a str>,
    value: &'a str,
}

/// Apart at spaces that are not in quotes. A quote that is never closed goes to the end.
fn parts(text: &str) -> Vec<Part<'_>> {
    const KEYS: [&str; 4] = ["from", "in", "before", "after"];

    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let key = KEYS.into_iter().find(|key| rest.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')));
        let value = key.map_or(rest, |key| &rest[key.len() + 1..]);
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => match quoted.split_once('"') {
                // A star behind the quote opens its last word.
                Some((_, after)) if after.starts_with('*') => (&quoted[..quoted.len() - after.len() + 1], &after[1..]),
                Some((value, after)) => (value, after),
                None => (quoted, ""),
            },
            None => value.split_at(value.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(value.len())),
        };
        found.push(Part { key, value });
        rest = after.trim_start();
    }
    found
}

/// A day, which begins at midnight in UTC, or a moment (RFC 3339).
fn point_in_time(text: &str) -> Result<Timestamp, String> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|day| day.and_hms_opt(0, 0, 0));
    let moment = || DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.to_utc());
    day.map(|day| day.and_utc())
        .or_else(moment)
        .map(Timestamp::from)
        .ok_or_else(|| "has a date that is none: write it as 2026-11-24, or as 2026-11-24T18:00:00+01:00".to_owned())
}

fn merge(mut places: Vec<Range<usize>>) -> Vec<Range<usize>> {
    places.sort_by_key(|place| place.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(places.len());
    for place in places {
        match merged.last_mut().filter(|last| place.start <= last.end) {
            Some(last) => last.end = last.end.max(place.end),
            None => merged.push(place),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::try_from(text.to_string()).unwrap()
    }

    fn hits(asked: &str, text: &str) -> Option<Vec<String>> {
        let text = MessageText::try_from(text.to_string()).unwrap();
        let places = query(asked).find_in(&text)?;
        Some(places.into_iter().map(|place| text.as_str()[place].to_owned()).collect())
    }

    #[test]
    fn a_query_says_what_by_whom_where_and_when() {
        let found = query(
            r#"deploy "Last Night" secur* from:"ann lee" in:ops after:2026-11-01 before:2026-11-24T18:00:00+01:00"#,
        );
        let term = |words: &[&str], open| Term { words: words.iter().map(|word| word.to_string()).collect(), open };
        assert_eq!(found.terms, [term(&["deploy"], false), term(&["last", "night"], false), term(&["secur"], true)]);
        assert_eq!(found.from[0].as_str(), "ann lee");
        assert_eq!(found.rooms[0].as_str(), "ops");
        assert_eq!(found.after.unwrap().micros(), 1_793_491_200_000_000);
        assert_eq!(found.before.unwrap().micros(), 1_795_539_600_000_000);
        assert!(query("").is_empty() && query(" \"\" ").is_empty());
        assert!(Query::try_from("before:tomorrow".to_string()).is_err());
        assert!(Query::try_from("x".repeat(501)).is_err());
    }

    #[test]
    fn a_text_has_all_of_it_or_is_no_hit() {
        assert_eq!(hits("one two", "two, One"), Some(vec!["two".into(), "One".into()]));
        assert_eq!(hits("one two", "one"), None);
        assert_eq!(hits("\"one two\"", "two one"), None);
        assert_eq!(hits("\"one two\"", "one - two"), Some(vec!["one - two".into()]));
        assert_eq!(hits("secur*", "Security is secure"), Some(vec!["Security".into(), "secure".into()]));
        assert_eq!(hits("\"is sec\"*", "it is secure"), Some(vec!["is secure".into()]));
        assert_eq!(hits("secur", "secure"), None);
        assert_eq!(hits("東京", "私は東京に住む"), Some(vec!["東京".into()]));
        assert_eq!(hits("京東", "私は東京に住む"), None);
        assert_eq!(hits("example.com", "http://example.com/"), Some(vec!["example.com".into()]));
    }
}
