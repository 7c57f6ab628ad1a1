//! String tokens: where they end, and what their escapes stand for.

use std::borrow::Cow;

/// Why there is no string.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The text ends before the closing quote.
    Unterminated,
    /// A control character or a bad escape, `offset` bytes in.
    Invalid { offset: usize, what: &'static str },
}

/// Reads the string that `text` starts with, opening quote included: its content, still to be checked for UTF-8, and
/// the length of the token.
pub(super) fn string(text: &[u8]) -> Result<(Cow<'_, [u8]>, usize), Fault> {
    let body = text.get(1..).unwrap_or_default();
    let plain = plain_length(body);
    match body.get(plain) {
        Some(b'"') => Ok((Cow::Borrowed(body.get(..plain).unwrap_or_default()), plain + 2)),
        Some(b'\\') => unescape(body, plain),
        Some(_) => Err(Fault::Invalid { offset: plain + 1, what: "invalid character in string" }),
        None => Err(Fault::Unterminated),
    }
}

/// How many bytes go by before a quote, a backslash or a control character.
fn plain_length(text: &[u8]) -> usize {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Marks the bytes that are zero; exact up to the first one, which is all that counts.
    let zeros = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
    let (words, tail) = text.as_chunks::<8>();
    let mut at = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(LOW * 0x20) & !word & HIGH;
        let special = zeros(word ^ (LOW * u64::from(b'"'))) | zeros(word ^ (LOW * u64::from(b'\\'))) | control;
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + tail.iter().take_while(|&&byte| byte >= 0x20 && byte != b'"' && byte != b'\\').count()
}

/// The slow way, from the first backslash on.
fn unescape(body: &[u8], plain: usize) -> Result<(Cow<'_, [u8]>, usize), Fault> {
    let mut out = body.get(..plain).unwrap_or_default().to_vec();
    let mut at = plain;
    loop {
        let rest = body.get(at..).unwrap_or_default();
        match rest {
            [b'"', ..] => return Ok((Cow::Owned(out), at + 2)),
            [b'\\', b'u', ..] => {
                let (letter, length) = unicode_escape(rest, at + 1)?;
                out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                at += length;
            }
            [b'\\', letter, ..] => {
                out.push(match letter {
                    b'"' | b'\\' | b'/' => *letter,
                    b'b' => 0x08,
                    b'f' => 0x0c,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    _ => return Err(Fault::Invalid { offset: at + 1, what: "invalid escape code in string" }),
                });
                at += 2;
            }
            [] | [b'\\'] => return Err(Fault::Unterminated),
            [0..0x20, ..] => return Err(Fault::Invalid { offset: at + 1, what: "invalid character in string" }),
            _ => {
                let plain = plain_length(rest);
                out.extend_from_slice(rest.get(..plain).unwrap_or_default());
                at += plain;
            }
        }
    }
}

/// `\uXXXX`, or two of them for a surrogate pair: the letter and the length of the escape.
fn unicode_escape(text: &[u8], offset: usize) -> Result<(char, usize), Fault> {
    let invalid = Fault::Invalid { offset, what: "invalid escape code in string" };
    let unit = |from: usize| -> Result<Option<u32>, Fault> {
        let digits = match text.get(from..from + 6) {
            Some([b'\\', b'u', digits @ ..]) => digits,
            Some(_) => return Ok(None),
            None => return Err(Fault::Unterminated),
        };
        Ok(digits.iter().try_fold(0, |sum, &digit| Some(sum << 4 | char::from(digit).to_digit(16)?)))
    };
    let Some(first) = unit(0)? else { return Err(invalid) };
    if let Some(letter) = char::from_u32(first) {
        return Ok((letter, 6));
    }
    let Some(second @ 0xdc00..0xe000) = unit(6)? else { return Err(invalid) };
    if first >= 0xdc00 {
        return Err(invalid);
    }
    let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    char::from_u32(code).map(|letter| (letter, 12)).ok_or(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<String, Fault> {
        string(text.as_bytes()).map(|(value, length)| {
            assert_eq!(length, text.len());
            String::from_utf8(value.into_owned()).unwrap()
        })
    }

    #[test]
    fn escapes() {
        assert_eq!(read(r#""a\"\\\/\b\f\n\r\tz""#).unwrap(), "a\"\\/\u{8}\u{c}\n\r\tz");
        assert_eq!(read(r#""\u00e9\uD83D\uDE00\u0000""#).unwrap(), "\u{e9}\u{1f600}\0");
    }

    #[test]
    fn faults() {
        for text in [r#"""#, r#""abc"#, r#""\"#, r#""abc\"#, r#""\u12"#, r#""\ud800\u12"#] {
            assert_eq!(read(text), Err(Fault::Unterminated), "{text}");
        }
        for text in [
            r#""\x""#,
            r#""\u12g4""#,
            r#""\ud800     ""#,
            r#""\udc00\ud800""#,
            r#""\ud800\u0041""#,
            "\"a\nb\"",
            "\"abcdefghijk\u{1f}\"",
            "\"\\n\u{1}\"",
        ] {
            assert!(matches!(read(text), Err(Fault::Invalid { .. })), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_serde_json_writes_is_read_back(text: String) {
            prop_assert_eq!(read(&serde_json::to_string(&text).unwrap()).unwrap(), text);
        }

        #[test]
        fn the_fast_scan_agrees_with_the_plain_one(text: Vec<u8>) {
            let plain = text.iter().take_while(|&&byte| byte >= 0x20 && byte != b'"' && byte != b'\\').count();
            prop_assert_eq!(plain_length(&text), plain);
        }

        #[test]
        fn any_bytes_are_safe(text: Vec<u8>) {
            let _ = string(&text);
        }
    }
}
