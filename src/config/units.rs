//! Durations and sizes as people write them: `"30s"`, `"7d"`, `"1 MB"`.

use std::time::Duration;

/// One second.
pub const SECOND: Duration = Duration::from_secs(1);
/// One minute.
pub const MINUTE: Duration = Duration::from_secs(60);
/// One hour.
pub const HOUR: Duration = Duration::from_secs(3_600);
/// One day.
pub const DAY: Duration = Duration::from_secs(86_400);

/// Units of time in seconds, largest first.
const TIME: &[(&str, u64)] = &[("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// Units of size in bytes, largest first within each of the two systems.
const SIZE: &[(&str, u64)] =
    &[("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// Reads a whole number and a unit.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
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
