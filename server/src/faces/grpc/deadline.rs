//! The deadline that a caller sets with `grpc-timeout`.

use std::time::Duration;

use http::HeaderMap;

/// How long the caller is willing to wait; none when it does not say, or not in the protocol's form.
pub(super) fn of(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    // The protocol allows eight digits.
    if number.is_empty() || number.len() > 8 {
        return None;
    }
    let number: u64 = number.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_protocols_form() {
        let of = |text: &str| {
            of(&HeaderMap::from_iter([(http::HeaderName::from_static("grpc-timeout"), text.parse().unwrap())]))
        };
        assert_eq!(of("5S"), Some(Duration::from_secs(5)));
        assert_eq!(of("4999m"), Some(Duration::from_millis(4999)));
        assert_eq!(of("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        for bad in ["", "S", "5", "-5S", "123456789S", "5x"] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
