//! Base64 in all the forms that Go's decoder takes: either alphabet, padded or not.

use base64_simd::{STANDARD, STANDARD_NO_PAD};

/// Decodes `text`; `None` if it is no base64.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    // The standard alphabet without line breaks is what nearly everyone sends.
    let usual = if text.len().is_multiple_of(4) { &STANDARD } else { &STANDARD_NO_PAD };
    usual.decode_to_vec(text).ok().or_else(|| decode_leniently(text))
}

/// Line breaks are skipped, `-` or `_` select the URL-safe alphabet, bits left over at the end are ignored. Whether there
/// is to be padding is decided by the length of the text with its line breaks: a padded one with a single line break at
/// its end is refused.
fn decode_leniently(text: &[u8]) -> Option<Vec<u8>> {
    let url_safe = text.iter().any(|byte| matches!(byte, b'-' | b'_'));
    let mut digits: Vec<u8> = text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    if text.len().is_multiple_of(4) {
        if !digits.len().is_multiple_of(4) {
            return None;
        }
        digits.pop_if(|digit| *digit == b'=');
        digits.pop_if(|digit| *digit == b'=');
    }
    if digits.len() % 4 == 1 {
        return None;
    }
    let mut out = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    let (mut bits, mut held) = (0u32, 0u32);
    for digit in digits {
        bits = bits << 6 | u32::from(sextet(digit, url_safe)?);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held & 0xff) as u8);
        }
    }
    Some(out)
}

fn sextet(digit: u8, url_safe: bool) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' if !url_safe => Some(62),
        b'/' if !url_safe => Some(63),
        b'-' if url_safe => Some(62),
        b'_' if url_safe => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64_simd::{URL_SAFE, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    #[test]
    fn oddities_of_the_go_decoder() {
        assert_eq!(decode(b"").as_deref(), Some(&b""[..]));
        assert_eq!(decode(b"YR==").as_deref(), Some(&b"a"[..]), "trailing bits");
        assert_eq!(decode(b"YR").as_deref(), Some(&b"a"[..]), "trailing bits, no padding");
        for text in ["YWJjZGVm\n", "YWJj\r\nZGVm\n", "\nYWJjZGVm", "YWJjZGV\nm", "YWJj\nZGVm\n\n\n\n"] {
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(&b"abcdef"[..]), "line breaks: {text:?}");
        }
        // Padded or not is decided by the length with its line breaks.
        for text in ["YQ\n", "YQ==\n\n\n\n", "Y\nQ=\n=\n\n", "Y\nQ\n\n\n"] {
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(&b"a"[..]), "line breaks: {text:?}");
        }
        for text in ["YQ==\n", "YQ\n==", "YQ=\n=", "YQ=\n==", "YQ=\n\n=", "YQ\r\n", "YWJjZA=\n", "YQ==\t", " YQ=="] {
            assert_eq!(decode(text.as_bytes()), None, "{text:?}");
        }
        for text in ["Y", "YWJjZ", "YQ=", "YQ===", "=", "====", "Y Q=", "YWJ*", "Y=Q=", "-+", "_/", "\u{e4}\u{f6}"] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn all_four_forms_lead_back(data: Vec<u8>) {
            for form in [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD] {
                let text = form.encode_to_string(&data);
                prop_assert_eq!(decode(text.as_bytes()), Some(data.clone()));
                prop_assert_eq!(decode_leniently(text.as_bytes()), Some(data.clone()));
            }
        }
    }
}
