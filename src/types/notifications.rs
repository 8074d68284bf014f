//! What somebody wants to be told of while they look at no page, and when not.

use std::fmt;

use chrono::{DateTime, Timelike, Utc};
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Timestamp;

/// Which messages are worth a notification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Worth {
    All,
    /// Those with one's name behind an `@`, and direct messages.
    #[default]
    Mentions,
    None,
}

/// Hours of each day in which nothing is told, where the person lives. They may go over midnight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuietHours {
    pub from: ClockTime,
    pub to: ClockTime,
    pub time_zone: TimeZone,
}

impl QuietHours {
    pub fn cover(&self, at: Timestamp) -> bool {
        let local = DateTime::<Utc>::from(at).with_timezone(&self.time_zone.0);
        let now = (local.hour() * 60 + local.minute()) as u16;
        let (from, to) = (self.from.0, self.to.0);
        if from < to { (from..to).contains(&now) } else { now >= from || now < to }
    }
}

/// Hour and minute, such as `22:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(transparent, extend("pattern" = "^([01][0-9]|2[0-3]):[0-5][0-9]$", "examples" = ["22:00"]))]
pub struct ClockTime(#[schemars(with = "String")] u16);

impl TryFrom<String> for ClockTime {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let number = |digits: &str, below: u16| {
            let number = Some(digits).filter(|digits| digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit()));
            number.and_then(|digits| digits.parse::<u16>().ok()).filter(|number| *number < below)
        };
        let (hours, minutes) = text.split_once(':').unwrap_or_default();
        match (number(hours, 24), number(minutes, 60)) {
            (Some(hours), Some(minutes)) => Ok(Self(hours * 60 + minutes)),
            _ => Err("must be a time from 00:00 to 23:59"),
        }
    }
}

impl From<ClockTime> for String {
    fn from(ClockTime(minutes): ClockTime) -> Self {
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// A time zone by its name in the tz database, such as `Europe/Berlin`.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(transparent, extend("examples" = ["Europe/Berlin"]))]
pub struct TimeZone(#[schemars(with = "String")] Tz);

impl fmt::Debug for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl TryFrom<String> for TimeZone {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self).map_err(|_| "must be the name of a time zone such as Europe/Berlin or UTC")
    }
}

impl From<TimeZone> for String {
    fn from(TimeZone(zone): TimeZone) -> Self {
        zone.name().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(from: &str, to: &str, zone: &str) -> QuietHours {
        let time = |text: &str| ClockTime::try_from(text.to_owned()).unwrap();
        QuietHours { from: time(from), to: time(to), time_zone: TimeZone::try_from(zone.to_owned()).unwrap() }
    }

    fn at(text: &str) -> Timestamp {
        text.parse::<DateTime<Utc>>().unwrap().into()
    }

    #[test]
    fn quiet_hours_may_go_over_midnight() {
        let night = quiet("22:00", "07:00", "UTC");
        let covered = ["21:59", "22:00", "23:30", "00:00", "06:59", "07:00", "12:00"]
            .map(|time| night.cover(at(&format!("2026-11-26T{time}:30Z"))));
        assert_eq!(covered, [false, true, true, true, true, false, false]);
        let noon = quiet("12:00", "13:00", "UTC");
        assert!(noon.cover(at("2026-11-26T12:59:59Z")) && !noon.cover(at("2026-11-26T13:00:00Z")));
    }

    #[test]
    fn they_are_where_the_person_lives_in_summer_and_in_winter() {
        let night = quiet("22:00", "07:00", "Europe/Berlin");
        assert!(night.cover(at("2026-07-01T20:00:00Z")) && !night.cover(at("2026-07-01T19:59:00Z")));
        assert!(night.cover(at("2026-12-01T21:00:00Z")) && !night.cover(at("2026-12-01T20:59:00Z")));
    }

    #[test]
    fn what_is_no_time_or_no_zone_is_refused() {
        for wrong in ["", "22", "22:0", "24:00", "12:60", "+1:00", "22:00:00", " 2:00"] {
            assert!(ClockTime::try_from(wrong.to_owned()).is_err(), "{wrong:?}");
        }
        assert!(TimeZone::try_from("Europe/Nowhere".to_owned()).is_err());
        assert_eq!(String::from(ClockTime::try_from("07:05".to_owned()).unwrap()), "07:05");
    }
}
