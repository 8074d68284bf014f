//! How often something may be done.

use std::str::FromStr;
use std::time::Duration;

/// `5/s burst 20`: five a second on the average, twenty at once after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// From one to the next, on the average.
    pub interval: Duration,
    pub burst: u32,
}

impl Rate {
    /// As many times over: for what many people share.
    pub fn times(self, factor: u32) -> Self {
        Self { interval: self.interval / factor, burst: self.burst * factor }
    }
}

impl FromStr for Rate {
    type Err = ();

    /// `COUNT/s`, `/m` or `/h`, and a burst that is COUNT where it is left out.
    fn from_str(text: &str) -> Result<Self, ()> {
        let words: Vec<_> = text.split_whitespace().collect();
        let (rate, burst) = match words[..] {
            [rate] => (rate, None),
            [rate, "burst", burst] => (rate, Some(burst)),
            _ => return Err(()),
        };
        let (count, unit) = rate.split_once('/').ok_or(())?;
        let seconds = match unit {
            "s" | "second" => 1,
            "m" | "minute" => 60,
            "h" | "hour" => 3600,
            _ => return Err(()),
        };
        let number = |text: &str| text.parse().ok().filter(|number| (1..=100_000).contains(number)).ok_or(());
        let count: u32 = number(count)?;
        let burst = burst.map_or(Ok(count), number)?;
        Ok(Self { interval: Duration::from_secs(seconds) / count, burst })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_people_say_them() {
        let rate = |text: &str| text.parse::<Rate>();
        assert_eq!(rate("5/s burst 20"), Ok(Rate { interval: Duration::from_millis(200), burst: 20 }));
        assert_eq!(rate("3/hour"), Ok(Rate { interval: Duration::from_secs(1200), burst: 3 }));
        for bad in ["", "5", "0/s", "5/d", "5/s 20", "-1/s", "5/s burst 0"] {
            assert_eq!(rate(bad), Err(()), "{bad}");
        }
    }
}
