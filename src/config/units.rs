//! Durations, sizes and rates as people write them: `"30s"`, `"7d"`, `"1 MB"`, `"100/s"`.

use std::{num::NonZeroU32, time::Duration};

/// One second.
pub const SECOND: Duration = Duration::from_secs(1);
/// One minute.
pub const MINUTE: Duration = Duration::from_secs(60);
/// One hour.
pub const HOUR: Duration = Duration::from_secs(3_600);
/// One day.
pub const DAY: Duration = Duration::from_secs(86_400);

/// How often something may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// This often…
    pub count: NonZeroU32,
    /// …in this time.
    pub per: Duration,
}

impl Rate {
    /// So many in a second.
    pub const fn per_second(count: NonZeroU32) -> Self {
        Self { count, per: SECOND }
    }
}

/// Units of time in seconds, largest first.
const TIME: &[(&str, u64)] = &[("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// Units of size in bytes, largest first within each of the two systems.
const SIZE: &[(&str, u64)] =
    &[("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// Reads a whole number and a unit.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let (_, factor) = TIME.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*factor).map(Duration::from_secs)
}

/// Reads a whole number and a unit (in any case), or a number of bytes alone.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let factor = match unit {
        "" | "B" => 1,
        _ => SIZE.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?.1,
    };
    number.checked_mul(factor)
}

/// Reads a whole number, a slash and a unit of time.
pub(super) fn parse_rate(text: &str) -> Option<Rate> {
    let (count, unit) = text.split_once('/')?;
    let (_, seconds) = TIME.iter().find(|(name, _)| *name == unit.trim())?;
    Some(Rate { count: count.trim().parse().ok()?, per: Duration::from_secs(*seconds) })
}

/// A rate as it is read.
pub(super) fn show_rate(rate: Rate) -> String {
    format!("{}/{}", rate.count, show_duration(rate.per).trim_start_matches('1'))
}

/// The shortest exact way to write a duration of whole seconds.
pub(super) fn show_duration(duration: Duration) -> String {
    let (number, unit) = largest(duration.as_secs(), TIME).unwrap_or((0, "s"));
    format!("{number}{unit}")
}

/// The shortest exact way to write a size.
pub(super) fn show_size(bytes: u64) -> String {
    match largest(bytes, SIZE) {
        Some((number, unit)) => format!("{number} {unit}"),
        None => format!("{bytes} B"),
    }
}

fn largest(value: u64, units: &[(&'static str, u64)]) -> Option<(u64, &'static str)> {
    let (unit, factor) = units.iter().find(|(_, factor)| value > 0 && value.is_multiple_of(*factor))?;
    Some((value / factor, unit))
}

fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, text[end..].trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, seconds) in [("30s", 30), ("10m", 600), ("24h", 86_400), ("7d", 604_800), (" 5 s ", 5)] {
            assert_eq!(parse_duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "30", "-5s", "1.5h", "5 weeks", "99999999999999999999s", "9999999999999999999d"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        assert_eq!(show_duration(Duration::from_secs(86_400)), "1d");
        assert_eq!(show_duration(Duration::from_secs(90)), "90s");
    }

    #[test]
    fn rates() {
        for (text, count, seconds) in [("100/s", 100, 1), ("6/m", 6, 60), (" 5 / h ", 5, 3_600), ("1/d", 1, 86_400)] {
            let rate = parse_rate(text).unwrap();
            assert_eq!((rate.count.get(), rate.per.as_secs()), (count, seconds), "{text}");
            assert_eq!(show_rate(rate), text.replace(' ', ""));
        }
        for text in ["", "100", "/s", "0/s", "-1/s", "1/10s", "1/week", "1.5/s", "99999999999/s"] {
            assert_eq!(parse_rate(text), None, "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("1 MB", 1_000_000), ("1MiB", 1_048_576), ("64 kb", 64_000), ("512", 512), ("2 GB", 2_000_000_000)]
        {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in ["", "MB", "1 XB", "-1", "1.5 MB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
        assert_eq!(show_size(1_000_000), "1 MB");
        assert_eq!(show_size(1_048_576), "1 MiB");
        assert_eq!(show_size(1_001), "1001 B");
    }
}
