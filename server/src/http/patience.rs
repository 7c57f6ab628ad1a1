//! How long a caller waits, in gRPC's own form: at most eight digits and a unit.

use std::time::Duration;

use http::HeaderValue;
use keyport_api::error::Error;

/// Reads the value of `grpc-timeout`.
///
/// # Errors
/// `MalformedTimeout`.
pub(super) fn read(value: &HeaderValue) -> Result<Duration, Error> {
    let malformed = Error::MalformedTimeout;
    let text = value.to_str().map_err(|_| malformed)?;
    let (digits, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or(malformed)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed);
    }
    let count: u64 = digits.parse().map_err(|_| malformed)?;
    match unit {
        "H" => Ok(Duration::from_secs(count * 3600)),
        "M" => Ok(Duration::from_secs(count * 60)),
        "S" => Ok(Duration::from_secs(count)),
        "m" => Ok(Duration::from_millis(count)),
        "u" => Ok(Duration::from_micros(count)),
        "n" => Ok(Duration::from_nanos(count)),
        _ => Err(malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_in_every_unit_and_refused_otherwise() {
        let read = |text| read(&HeaderValue::from_static(text));
        for (text, duration) in [
            ("2H", Duration::from_secs(7200)),
            ("99999999H", Duration::from_secs(99_999_999 * 3600)),
            ("3M", Duration::from_secs(180)),
            ("99999999S", Duration::from_secs(99_999_999)),
            ("4999m", Duration::from_millis(4999)),
            ("6u", Duration::from_micros(6)),
            ("0n", Duration::ZERO),
        ] {
            assert_eq!(read(text), Ok(duration), "{text}");
        }
        for text in ["", "5", "S", "-1S", "1s", "123456789S", "1.5S", "5 S", "+5S"] {
            assert_eq!(read(text), Err(Error::MalformedTimeout), "{text}");
        }
    }
}
