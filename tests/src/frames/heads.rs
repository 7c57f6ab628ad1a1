//! Heads in HPACK: literals on the way out, which need no table; on the way in the status alone.

/// A number with a prefix of so many bits, below `first`'s own.
fn integer(out: &mut Vec<u8>, first: u8, bits: u8, value: usize) {
    let most = (1 << bits) - 1;
    let Some(mut rest) = value.checked_sub(most) else {
        out.push(first | u8::try_from(value).unwrap_or_default());
        return;
    };
    out.push(first | u8::try_from(most).unwrap_or_default());
    while rest >= 128 {
        out.push(0x80 | u8::try_from(rest % 128).unwrap_or_default());
        rest /= 128;
    }
    out.push(u8::try_from(rest).unwrap_or_default());
}

/// A name and a value behind this first byte: 0 for one that no table keeps, 0x40 for one that the table does.
pub fn field(out: &mut Vec<u8>, first: u8, name: &[u8], value: &[u8]) {
    out.push(first);
    for text in [name, value] {
        integer(out, 0, 7, text.len());
        out.extend(text);
    }
}

/// Names and values that no table keeps.
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    fields.iter().for_each(|(name, value)| field(&mut out, 0, name.as_bytes(), value.as_bytes()));
    out
}

/// What every request says first.
pub fn request(method: &str, path: &str) -> Vec<u8> {
    block(&[(":method", method), (":scheme", "http"), (":path", path), (":authority", "localhost")])
}

/// The status in an answer's first head on its connection.
pub(super) fn status(head: &[u8]) -> Option<u16> {
    let mut rest = head;
    // Changes of the table's size stand before everything else.
    while rest.first()? & 0xe0 == 0x20 {
        let (bytes, _) = number(rest, 5)?;
        rest = rest.get(bytes..)?;
    }
    let (first, rest) = rest.split_first()?;
    match first {
        0x88 => Some(200),
        0x89 => Some(204),
        0x8a => Some(206),
        0x8b => Some(304),
        0x8c => Some(400),
        0x8d => Some(404),
        0x8e => Some(500),
        // A literal whose name is the eighth of the static table.
        0x48 | 0x08 | 0x18 => {
            let (bytes, length) = number(rest, 7)?;
            let text = rest.get(bytes..bytes + length)?;
            if rest.first()? & 0x80 == 0 { std::str::from_utf8(text).ok()?.parse().ok() } else { digits(text) }
        }
        _ => None,
    }
}

/// How many bytes a number with such a prefix takes, and the number.
fn number(bytes: &[u8], bits: u8) -> Option<(usize, usize)> {
    let most = (1 << bits) - 1;
    let first = usize::from(*bytes.first()?) & most;
    if first < most {
        return Some((1, first));
    }
    let mut value = most;
    for (at, byte) in bytes.iter().skip(1).take(4).enumerate() {
        value += usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((at + 2, value));
        }
    }
    None
}

/// Three digits in Huffman's code, where 0 to 2 take five bits and the others six.
fn digits(text: &[u8]) -> Option<u16> {
    let bits: Vec<u8> = text.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
    let value = |bits: &[u8]| bits.iter().fold(0u16, |value, bit| value << 1 | u16::from(*bit));
    let (mut at, mut status) = (0, 0);
    for _ in 0..3 {
        let short = value(bits.get(at..at + 5)?);
        let (digit, length) =
            if short < 3 { (short, 5) } else { (value(bits.get(at..at + 6)?).checked_sub(0b01_1001)? + 3, 6) };
        at += length;
        status = status * 10 + digit;
    }
    Some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_in_all_their_spellings() {
        assert_eq!(status(&[0x88]), Some(200));
        assert_eq!(status(&[0x3f, 0xe1, 0x1f, 0x8c]), Some(400), "behind a change of the table's size");
        assert_eq!(status(b"\x48\x03431"), Some(431));
        // The standard's own example: 302.
        assert_eq!(status(&[0x48, 0x82, 0x64, 0x02]), Some(302));
        assert_eq!(status(&[0x82]), None);
    }

    #[test]
    fn numbers_of_any_size() {
        for value in [0, 10, 126, 127, 128, 1337, 100_000] {
            let mut out = Vec::new();
            integer(&mut out, 0, 7, value);
            assert_eq!(number(&out, 7), Some((out.len(), value)));
        }
    }
}
