//! Integers out of JSON numbers, exactly: never by way of a float.

/// An integral number: sign and magnitude.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Integer {
    pub(super) negative: bool,
    pub(super) magnitude: u64,
}

impl Integer {
    pub(super) fn to_i64(self) -> Option<i64> {
        if self.negative { 0i64.checked_sub_unsigned(self.magnitude) } else { i64::try_from(self.magnitude).ok() }
    }

    pub(super) fn to_u64(self) -> Option<u64> {
        (!self.negative).then_some(self.magnitude)
    }
}

/// Splits a JSON number off the front of `text`: its length, or `None` if there is none.
pub(super) fn scan(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| text.get(from..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count();
    let mut at = usize::from(text.first() == Some(&b'-'));
    at += match text.get(at)? {
        b'0' => 1,
        b'1'..=b'9' => digits(at),
        _ => return None,
    };
    if text.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        at += usize::from(matches!(text.get(at), Some(b'+' | b'-')));
        let exponent = digits(at);
        if exponent == 0 {
            return None;
        }
        at += exponent;
    }
    Some(at)
}

/// The integer a JSON number stands for; `None` if it is no number, not integral or has more than 64 bits.
pub(super) fn integer(text: &[u8]) -> Option<Integer> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if let [b'1'..=b'9', ..] | [b'0'] = rest
        && rest.len() < 20
        && rest.iter().all(u8::is_ascii_digit)
    {
        let magnitude = rest.iter().fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        return Some(Integer { negative, magnitude });
    }
    if scan(text)? != text.len() {
        return None;
    }
    magnitude(rest).map(|magnitude| Integer { negative, magnitude })
}

/// Digits, fraction and exponent of a number that has been scanned already.
fn magnitude(text: &[u8]) -> Option<u64> {
    let (mantissa, exponent) = match text.iter().position(|b| matches!(b, b'e' | b'E')) {
        Some(at) => (text.get(..at)?, exponent(text.get(at + 1..)?)),
        None => (text, 0),
    };
    let (whole, fraction) = match mantissa.iter().position(|&b| b == b'.') {
        Some(at) => (mantissa.get(..at)?, mantissa.get(at + 1..)?),
        None => (mantissa, &[][..]),
    };
    // How many of all digits stand before the point once the exponent has moved it.
    let point = i64::try_from(whole.len()).ok()?.saturating_add(exponent);
    let mut sum = 0u64;
    let mut at = 0i64;
    for digit in whole.iter().chain(fraction).map(|digit| u64::from(digit - b'0')) {
        if at < point {
            sum = sum.checked_mul(10)?.checked_add(digit)?;
        } else if digit != 0 {
            return None;
        }
        at += 1;
    }
    while sum != 0 && at < point {
        sum = sum.checked_mul(10)?;
        at += 1;
    }
    Some(sum)
}

/// A signed decimal, clamped far outside of what any mantissa could make up for.
fn exponent(text: &[u8]) -> i64 {
    const LIMIT: i64 = 1 << 40;
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let size = digits.iter().fold(0i64, |sum, digit| (sum * 10 + i64::from(digit - b'0')).min(LIMIT));
    if negative { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(text: &str) -> Option<i128> {
        integer(text.as_bytes()).map(|n| i128::from(n.magnitude) * if n.negative { -1 } else { 1 })
    }

    #[test]
    fn integral_values_in_any_notation() {
        for (text, expected) in [
            ("0", 0),
            ("-0", 0),
            ("7", 7),
            ("-7", -7),
            ("1.0", 1),
            ("1.000e0", 1),
            ("1e0", 1),
            ("5e1", 50),
            ("5E+1", 50),
            ("1.25e2", 125),
            ("1250e-1", 125),
            ("0e999999999999999999999", 0),
            ("0.0e-5", 0),
            ("0.00001e5", 1),
            ("9223372036854775807", i128::from(i64::MAX)),
            ("-9223372036854775808", i128::from(i64::MIN)),
            ("9223372036854775807.00", i128::from(i64::MAX)),
            ("922337203685477580.7e1", i128::from(i64::MAX)),
            ("18446744073709551615", i128::from(u64::MAX)),
        ] {
            assert_eq!(value(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_integer_is_refused() {
        for text in [
            "",
            "-",
            "+1",
            " 1",
            "1 ",
            "01",
            "-01",
            "1.",
            ".5",
            "1.5",
            "1e",
            "1e+",
            "1e-1",
            "125e-1",
            "0x10",
            "NaN",
            "1e20",
            "18446744073709551616",
            "99999999999999999999",
            "1e99999999999999999999",
            "1_000",
            "0.1e-99999999999999999999",
        ] {
            assert_eq!(value(text), None, "{text}");
        }
        assert_eq!(integer(b"9223372036854775808").and_then(Integer::to_i64), None);
        assert_eq!(integer(b"-9223372036854775809").and_then(Integer::to_i64), None);
        assert_eq!(integer(b"-1").and_then(Integer::to_u64), None);
        assert_eq!(integer(b"-0").and_then(Integer::to_u64), None);
    }

    proptest! {
        #[test]
        fn shifting_the_point_changes_nothing(n: i64, shift in 0usize..30) {
            prop_assert_eq!(value(&n.to_string()), Some(i128::from(n)));
            prop_assert_eq!(value(&format!("{n}{}e-{shift}", "0".repeat(shift))), Some(i128::from(n)));
            prop_assert_eq!(value(&format!("{n}.{}e0", "0".repeat(shift + 1))), Some(i128::from(n)));
        }

        #[test]
        fn scanning_any_bytes_is_safe(text: Vec<u8>) {
            if let Some(length) = scan(&text) {
                prop_assert!(length <= text.len());
            }
            integer(&text);
        }
    }
}
