//! The two forms in which this vendor writes time: `20260102T030405Z` in signatures and
//! `2026-01-02T03:04:05Z` in answers.

use claviger_core::clock::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Reads the form of `X-Date`, and nothing else.
pub(super) fn parse_compact(text: &str) -> Option<Timestamp> {
    let bytes: &[u8; 16] = text.as_bytes().try_into().ok()?;
    if bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let [year, month, day] = [(0, 4), (4, 6), (6, 8)].map(|(a, b)| digits(&bytes[a..b]));
    let [hour, minute, second] = [(9, 11), (11, 13), (13, 15)].map(|(a, b)| digits(&bytes[a..b]));
    utc([year?, month?, day?, hour?, minute?, second?])
}

/// Reads the form of answers, and nothing else; clients send it as a filter.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let bytes: &[u8; 20] = text.as_bytes().try_into().ok()?;
    let separators = [4, 7, 10, 13, 16, 19].map(|at| bytes[at]);
    if separators != *b"--T::Z" {
        return None;
    }
    let [year, month, day] = [(0, 4), (5, 7), (8, 10)].map(|(a, b)| digits(&bytes[a..b]));
    let [hour, minute, second] = [(11, 13), (14, 16), (17, 19)].map(|(a, b)| digits(&bytes[a..b]));
    utc([year?, month?, day?, hour?, minute?, second?])
}

fn digits(bytes: &[u8]) -> Option<i16> {
    bytes.iter().try_fold(0_i16, |sum, byte| {
        byte.is_ascii_digit()
            .then(|| sum * 10 + i16::from(byte - b'0'))
    })
}

fn utc([year, month, day, hour, minute, second]: [i16; 6]) -> Option<Timestamp> {
    let two = |n: i16| i8::try_from(n).ok();
    let civil = DateTime::new(
        year,
        two(month)?,
        two(day)?,
        two(hour)?,
        two(minute)?,
        two(second)?,
        0,
    )
    .ok()?;
    let zoned = civil.to_zoned(TimeZone::UTC).ok()?;
    Some(Timestamp::from_secs(zoned.timestamp().as_second()))
}

/// The epoch if the time is beyond what can be expressed.
fn civil(at: Timestamp) -> DateTime {
    let stamp = jiff::Timestamp::from_second(at.as_secs()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    TimeZone::UTC.to_datetime(stamp)
}

/// Writes the form of `X-Date`.
pub(super) fn format_compact(at: Timestamp) -> String {
    let t = civil(at);
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        t.year(),
        t.month(),
        t.day(),
        t.hour(),
        t.minute(),
        t.second()
    )
}

/// Writes the form of answers.
pub(super) fn format(at: Timestamp) -> String {
    let t = civil(at);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        t.year(),
        t.month(),
        t.day(),
        t.hour(),
        t.minute(),
        t.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        let at = Timestamp::from_secs(1_767_323_045);
        assert_eq!(parse("2026-01-02T03:04:05Z"), Some(at));
        assert_eq!(parse_compact("20260102T030405Z"), Some(at));
        assert_eq!(format(at), "2026-01-02T03:04:05Z");
        assert_eq!(format_compact(at), "20260102T030405Z");
    }

    #[test]
    fn malformed() {
        for text in [
            "",
            "20260102T030405",
            "20260102T030405Z ",
            "20260102 030405Z",
            "20261302T030405Z",
            "20250229T030405Z",
            "20260102T240405Z",
            "20260102T030460Z",
            "+0260102T030405Z",
            "2026-01-02T03:04:05Z",
            "20260102T030405+08:00",
        ] {
            assert_eq!(parse_compact(text), None, "{text}");
        }
        for text in [
            "",
            "2026-01-02 03:04:05Z",
            "2026-01-02T03:04:05+",
            "2026-02-30T03:04:05Z",
            "20260102T030405Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
