//! What the store has, for people and for those who have no base64: text where it is text.

use std::io::Write as _;

use keyport_storage::{Record, Versions};

/// `{"key", "value", "create_revision", "mod_revision", "version", "lease", "prev_kv"}`, what is zero or absent left out.
pub(in crate::faces) fn write_readable(out: &mut Vec<u8>, kv: &Record, prev_kv: Option<&Record>) {
    out.push(b'{');
    let versions = kv.versions();
    // A deletion has no value; a live key may have an empty one.
    write_fields(out, kv, versions, versions.version > 0);
    if let Some(prev_kv) = prev_kv {
        out.extend_from_slice(b",\"prev_kv\":");
        write_readable(out, prev_kv, None);
    }
    out.push(b'}');
}

/// What is between the braces, with or without the value; the numbers are the record's own.
pub(in crate::faces) fn write_fields(out: &mut Vec<u8>, kv: &Record, versions: Versions, with_value: bool) {
    write_bytes(out, "key", kv.key());
    if with_value {
        out.push(b',');
        write_bytes(out, "value", kv.value());
    }
    write_numbers(out, versions);
}

/// The same of a key whose value is left out, but for its size.
pub(in crate::faces) fn write_outline(out: &mut Vec<u8>, kv: &Record, lease: i64, size: usize) {
    write_bytes(out, "key", kv.key());
    write_numbers(out, Versions { lease, ..kv.versions() });
    // A vector takes everything.
    let _ = write!(out, ",\"size\":\"{size}\"");
}

fn write_numbers(out: &mut Vec<u8>, versions: Versions) {
    let Versions { create_revision, mod_revision, version, lease } = versions;
    for (name, number) in [
        (",\"create_revision\":\"", create_revision),
        (",\"mod_revision\":\"", mod_revision),
        (",\"version\":\"", version),
        (",\"lease\":\"", lease),
    ] {
        if number != 0 {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            out.push(b'"');
        }
    }
}

/// `"name":"…"`, or with what is not UTF-8 `"name_b64":"…"`.
pub(in crate::faces) fn write_bytes(out: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            for part in ["\"", name, "\":"] {
                out.extend_from_slice(part.as_bytes());
            }
            // A string always has a JSON form, and a vector takes it.
            let _ = serde_json::to_writer(out, text);
        }
        Err(_) => {
            let _ = write!(out, "\"{name}_b64\":\"");
            base64_simd::STANDARD.encode_append(bytes, out);
            out.push(b'"');
        }
    }
}
