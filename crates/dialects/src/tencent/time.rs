//! Time as this vendor writes it: Unix seconds in requests, the hour of China in answers.

use claviger_core::clock::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// The zone of times in answers and filters. The vendor does not say which it is; UTC+8 is the
/// contract's proposal.
fn zone() -> TimeZone {
    TimeZone::fixed(Offset::constant(8))
}

/// Reads Unix seconds in decimal.
pub(super) fn unix(text: &str) -> Option<Timestamp> {
    // Eleven digits reach the year 5138 and rule out overflow in what is made of it.
    let plain = (1..=11).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let seconds: i64 = if plain {
        text.parse().ok()?
    } else {
        return None;
    };
    Some(Timestamp::from_secs(seconds))
}

fn civil(seconds: i64, zone: &TimeZone) -> DateTime {
    let stamp = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    zone.to_datetime(stamp)
}

/// The UTC day of Unix seconds, `YYYY-MM-DD`.
pub(super) fn day(seconds: i64) -> String {
    let t = civil(seconds, &TimeZone::UTC);
    format!("{:04}-{:02}-{:02}", t.year(), t.month(), t.day())
}

/// Writes `YYYY-MM-DD HH:MM:SS`.
pub(super) fn format(at: Timestamp) -> String {
    let t = civil(at.as_secs(), &zone());
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        t.year(),
        t.month(),
        t.day(),
        t.hour(),
        t.minute(),
        t.second()
    )
}

/// Reads the same form, and nothing else.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let bytes: &[u8; 19] = text.as_bytes().try_into().ok()?;
    let separators = [(4, b'-'), (7, b'-'), (10, b' '), (13, b':'), (16, b':')];
    if separators.iter().any(|(at, byte)| bytes[*at] != *byte) {
        return None;
    }
    let number = |from: usize, to: usize| {
        bytes[from..to].iter().try_fold(0_i16, |sum, byte| {
            byte.is_ascii_digit()
                .then(|| sum * 10 + i16::from(byte - b'0'))
        })
    };
    let two = |from: usize| number(from, from + 2).and_then(|n| i8::try_from(n).ok());
    let civil = DateTime::new(
        number(0, 4)?,
        two(5)?,
        two(8)?,
        two(11)?,
        two(14)?,
        two(17)?,
        0,
    )
    .ok()?;
    let zoned = civil.to_zoned(zone()).ok()?;
    Some(Timestamp::from_secs(zoned.timestamp().as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        for text in ["2018-11-01 17:25:14", "1970-01-01 08:00:00"] {
            assert_eq!(parse(text).map(format).as_deref(), Some(text));
        }
        assert_eq!(parse("1970-01-01 08:00:00"), Some(Timestamp::from_secs(0)));
        for text in [
            "",
            "2018-11-01T17:25:14",
            "2018-11-01 17:25",
            "2018-13-01 17:25:14",
            "2018-02-30 17:25:14",
            "2018-11-01 24:25:14",
            "2018-11-01 17:25:14Z",
            "+018-11-01 17:25:14",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn seconds_and_days() {
        assert_eq!(
            unix("1700000000"),
            Some(Timestamp::from_secs(1_700_000_000))
        );
        assert_eq!(day(1_700_000_000), "2023-11-14");
        for text in ["", "-1", "+1", "1.0", " 1", "1e9", "123456789012"] {
            assert_eq!(unix(text), None, "{text}");
        }
    }
}
