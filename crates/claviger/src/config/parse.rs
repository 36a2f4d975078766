//! One small parser per kind of setting: a text in, a value or a reason in plain words out.

use super::{LogFormat, SyslogTarget};
use claviger_store::Place;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// `500ms`, `30s`, `5m`, `2h`, `90d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration such as 500ms, 30s or 5m");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let millis = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        "d" => number.checked_mul(86_400_000),
        _ => None,
    };
    millis.map(Duration::from_millis).ok_or_else(wrong)
}

/// Between one second and one day: shorter would only load the nodes, longer would hide drift.
pub(super) fn sweep_interval(text: &str) -> Result<Duration, String> {
    let value = duration(text)?;
    if (Duration::from_secs(1)..=Duration::from_secs(86_400)).contains(&value) {
        Ok(value)
    } else {
        Err(format!("{text:?} is not between 1s and 24h"))
    }
}

/// `host:port` with an IP address, `localhost:port`, or `:port` for every address.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let wrong = || format!("{text:?} is not an address such as 127.0.0.1:8379");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    match host {
        "localhost" => Ok(SocketAddr::new(IpAddr::from([127, 0, 0, 1]), port)),
        "" => Ok(SocketAddr::new(IpAddr::from([0, 0, 0, 0]), port)),
        _ => Err(wrong()),
    }
}

/// `sqlite`, `sqlite:PATH`, `postgres://...`. The text is never repeated: there may be a password
/// in it.
pub(super) fn store(text: &str) -> Result<Option<Place>, String> {
    if text == "sqlite" {
        return Ok(None);
    }
    Place::parse(text)
        .map(Some)
        .map_err(|error| error.to_string())
}

/// 32 hexadecimal digits, made lower case.
pub(super) fn project_id(text: &str) -> Result<Option<String>, String> {
    if text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        Ok(Some(text.to_ascii_lowercase()))
    } else {
        Err(format!("{text:?} is not 32 hexadecimal digits"))
    }
}

/// A number within bounds.
pub(super) fn number<T>(text: &str, bounds: &RangeInclusive<T>) -> Result<T, String>
where
    T: FromStr + PartialOrd + Display,
{
    let number = text.parse().ok().filter(|number| bounds.contains(number));
    let (least, most) = (bounds.start(), bounds.end());
    number.ok_or_else(|| format!("{text:?} is not a number from {least} to {most}"))
}

/// `text` or `json`.
pub(super) fn log_format(text: &str) -> Result<Option<LogFormat>, String> {
    match text {
        "text" => Ok(Some(LogFormat::Text)),
        "json" => Ok(Some(LogFormat::Json)),
        _ => Err(format!("{text:?} is neither text nor json")),
    }
}

/// `udp:HOST:PORT` or `unix:PATH`.
pub(super) fn syslog(text: &str) -> Result<Option<SyslogTarget>, String> {
    let target = match text.split_once(':') {
        Some(("udp", address))
            if address
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()) =>
        {
            SyslogTarget::Udp(address.to_owned())
        }
        Some(("unix", path)) if !path.is_empty() => {
            SyslogTarget::Unix(std::path::PathBuf::from(path))
        }
        _ => return Err(format!("{text:?} is neither udp:HOST:PORT nor unix:PATH")),
    };
    Ok(Some(target))
}

/// error, warn, info, debug or trace.
pub(super) fn log_level(text: &str) -> Result<tracing::Level, String> {
    match text {
        "error" => Ok(tracing::Level::ERROR),
        "warn" => Ok(tracing::Level::WARN),
        "info" => Ok(tracing::Level::INFO),
        "debug" => Ok(tracing::Level::DEBUG),
        "trace" => Ok(tracing::Level::TRACE),
        _ => Err(format!(
            "{text:?} is not one of error, warn, info, debug, trace"
        )),
    }
}

/// true or false, as people write it.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(format!("{text:?} is neither true nor false")),
    }
}

/// The public half of a key pair: what fits every cloud's request forms without escaping.
pub(super) fn access_key(text: &str) -> Result<(), String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if (3..=128).contains(&text.len()) && text.bytes().all(fits) {
        Ok(())
    } else {
        Err("it must be 3 to 128 letters, digits, dots, dashes or underscores".to_owned())
    }
}

/// The secret half: the value itself is never repeated.
pub(super) fn secret_key(text: &str) -> Result<(), String> {
    let fits = |b: u8| (0x21..=0x7e).contains(&b);
    if (8..=256).contains(&text.len()) && text.bytes().all(fits) {
        Ok(())
    } else {
        Err("it must be 8 to 256 printable ASCII characters without spaces".to_owned())
    }
}
