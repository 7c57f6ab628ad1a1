//! Pieces of JSON output for the writers of the hot paths.
//!
//! Every member is written with a comma behind it; closing the object turns the last one into its brace. Names come as
//! whole literals, quotes and colon included, so that each member starts with one copy.

use base64_simd::STANDARD;

/// A message whose writer cannot fail.
pub(super) trait Render {
    /// Appends the object.
    fn render(&self, out: &mut Vec<u8>);

    /// About how many bytes that takes, for reserving them once.
    fn size_hint(&self) -> usize {
        128
    }
}

pub(super) fn open(out: &mut Vec<u8>) {
    out.push(b'{');
}

pub(super) fn close(out: &mut Vec<u8>) {
    seal(out, b'}');
}

/// Ends an object or array: in place of the last comma, or right after the opening bracket.
fn seal(out: &mut Vec<u8>, bracket: u8) {
    match out.last_mut() {
        Some(last @ b',') => *last = bracket,
        _ => out.push(bracket),
    }
}

/// `head` is `"name":"`, as the number stands in quotes.
pub(super) fn int64(out: &mut Vec<u8>, head: &'static str, value: i64) {
    if value != 0 {
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        out.extend_from_slice(b"\",");
    }
}

/// `head` is `"name":"`, as the number stands in quotes.
pub(super) fn uint64(out: &mut Vec<u8>, head: &'static str, value: u64) {
    if value != 0 {
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        out.extend_from_slice(b"\",");
    }
}

/// `whole` is the member: `"name":true,`.
pub(super) fn boolean(out: &mut Vec<u8>, whole: &'static str, value: bool) {
    if value {
        out.extend_from_slice(whole.as_bytes());
    }
}

/// `head` is `"name":"`.
pub(super) fn bytes(out: &mut Vec<u8>, head: &'static str, value: &[u8]) {
    if !value.is_empty() {
        out.extend_from_slice(head.as_bytes());
        // The encoder reserves exactly what it needs, which would grow a long list byte by byte.
        out.reserve(STANDARD.encoded_length(value.len()));
        STANDARD.encode_append(value, out);
        out.extend_from_slice(b"\",");
    }
}

/// `head` is `"name":`.
pub(super) fn string(out: &mut Vec<u8>, head: &'static str, value: &str) {
    if !value.is_empty() {
        out.extend_from_slice(head.as_bytes());
        // A string always has a JSON form, and a vector takes it.
        let _ = serde_json::to_writer(&mut *out, value);
        out.push(b',');
    }
}

/// `head` is `"name":`.
pub(super) fn message(out: &mut Vec<u8>, head: &'static str, value: Option<&impl Render>) {
    if let Some(value) = value {
        out.extend_from_slice(head.as_bytes());
        value.render(out);
        out.push(b',');
    }
}

/// `head` is `"name":[`.
pub(super) fn list(out: &mut Vec<u8>, head: &'static str, values: &[impl Render]) {
    if values.is_empty() {
        return;
    }
    out.extend_from_slice(head.as_bytes());
    for value in values {
        value.render(out);
        out.push(b',');
    }
    seal(out, b']');
    out.push(b',');
}
