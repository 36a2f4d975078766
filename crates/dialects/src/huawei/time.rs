//! This vendor's forms of time, all of them UTC.

use claviger_core::clock::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Reads `X-Sdk-Date`: `YYYYMMDDThhmmssZ`, and nothing else.
pub(super) fn parse_signed(text: &str) -> Option<Timestamp> {
    let bytes: &[u8; 16] = text.as_bytes().try_into().ok()?;
    if bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let mut digits = [0; 14];
    digits[..8].copy_from_slice(&bytes[..8]);
    digits[8..].copy_from_slice(&bytes[9..15]);
    parse_digits(&digits)
}

/// Reads a filter's time: `yyyyMMddHHmmss`.
pub(super) fn parse_plain(text: &str) -> Option<Timestamp> {
    parse_digits(text.as_bytes().try_into().ok()?)
}

fn parse_digits(digits: &[u8; 14]) -> Option<Timestamp> {
    let number = |from: usize, to: usize| {
        digits[from..to].iter().try_fold(0_i16, |sum, byte| {
            byte.is_ascii_digit()
                .then(|| sum * 10 + i16::from(byte - b'0'))
        })
    };
    let two = |from: usize| number(from, from + 2).and_then(|n| i8::try_from(n).ok());
    let civil = DateTime::new(
        number(0, 4)?,
        two(4)?,
        two(6)?,
        two(8)?,
        two(10)?,
        two(12)?,
        0,
    )
    .ok()?;
    let zoned = civil.to_zoned(TimeZone::UTC).ok()?;
    Some(Timestamp::from_secs(zoned.timestamp().as_second()))
}

fn civil(at: Timestamp) -> DateTime {
    let stamp = jiff::Timestamp::from_second(at.as_secs()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    TimeZone::UTC.to_datetime(stamp)
}

/// `YYYYMMDDThhmmssZ`.
pub(super) fn format_signed(at: Timestamp) -> String {
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

/// `2020-06-17T07:38:42.503Z`, as tasks and instances carry it.
pub(super) fn format_millis(at: Timestamp) -> String {
    let t = civil(at);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        t.year(),
        t.month(),
        t.day(),
        t.hour(),
        t.minute(),
        t.second(),
        at.as_millis().rem_euclid(1000)
    )
}

/// The same with six digits, as IAM writes it.
pub(super) fn format_micros(at: Timestamp) -> String {
    format_millis(at).replace('Z', "000Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        let at = Timestamp::from_secs(1_768_464_000);
        assert_eq!(parse_signed("20260115T080000Z"), Some(at));
        assert_eq!(format_signed(at), "20260115T080000Z");
        assert_eq!(parse_plain("20260115080000"), Some(at));
        let at = Timestamp::from_millis(1_592_379_522_503);
        assert_eq!(format_millis(at), "2020-06-17T07:38:42.503Z");
        assert_eq!(format_micros(at), "2020-06-17T07:38:42.503000Z");
    }

    #[test]
    fn malformed() {
        for text in [
            "",
            "20260115T080000",
            "20260115 080000Z",
            "20261315T080000Z",
            "20260115T240000Z",
            "20250229T000000Z",
            "2026011xT080000Z",
            "20260115T080000z",
        ] {
            assert_eq!(parse_signed(text), None, "{text}");
        }
        for text in ["", "2026011508000", "202601150800000", "2026011508000x"] {
            assert_eq!(parse_plain(text), None, "{text}");
        }
    }
}
