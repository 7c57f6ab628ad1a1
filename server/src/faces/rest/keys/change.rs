//! What a patch makes of a value.

use bytes::Bytes;
use json_patch::{Patch, PatchErrorKind, PatchOperation};
use serde_json::Value;

use super::same::is_same;
use crate::faces::rest::failure::Failure;

/// How deep JSON may nest: as deep as it is read.
const MOST_DEPTH: usize = 120;
/// Operations of a patch.
const MOST_OPERATIONS: usize = 1000;
/// Values that a patch may look at to find out what it moves.
const MOST_LOOKED_AT: usize = 2_000_000;

/// Changes of a value that is no document, by the query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Arithmetic {
    #[default]
    None,
    Increment(i64),
    Append,
}

/// See the module's text.
#[derive(Debug)]
pub(super) enum Change {
    /// RFC 7396.
    Merge {
        patch: Value,
        size: usize,
    },
    /// RFC 6902.
    Patch {
        patch: Patch,
        size: usize,
    },
    Increment(i64),
    Append(Bytes),
}

/// Why nothing can be made of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Impossible {
    /// It would be larger than any value.
    TooLarge,
    /// It is not what the patch is for.
    State(String),
}

impl Change {
    /// None for what is no patch by its media type.
    ///
    /// # Errors
    /// One that is malformed.
    pub(super) fn of(arithmetic: Arithmetic, media_type: &str, body: &Bytes) -> Result<Option<Change>, Failure> {
        let name = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let malformed = |error: serde_json::Error| Failure::Malformed(format!("the patch is malformed: {error}"));
        let size = body.len();
        Ok(Some(match (arithmetic, &*name) {
            (Arithmetic::Increment(_), _) if !body.is_empty() => {
                return Err(Failure::Malformed("increment takes no body".into()));
            }
            (Arithmetic::Increment(by), _) => Change::Increment(by),
            (Arithmetic::Append, _) => Change::Append(body.clone()),
            (Arithmetic::None, "application/merge-patch+json") => {
                Change::Merge { patch: exact(body).map_err(Failure::Malformed)?, size }
            }
            (Arithmetic::None, "application/json-patch+json") => {
                let patch: Patch =
                    serde_json::from_value(exact(body).map_err(Failure::Malformed)?).map_err(malformed)?;
                if patch.0.len() > MOST_OPERATIONS {
                    return Err(Failure::Malformed(format!("a patch of more than {MOST_OPERATIONS} operations")));
                }
                Change::Patch { patch, size }
            }
            _ => return Ok(None),
        }))
    }

    /// Of what comes with it, in bytes.
    pub(super) fn size(&self) -> usize {
        match self {
            Change::Merge { size, .. } | Change::Patch { size, .. } => *size,
            Change::Increment(_) => 0,
            Change::Append(bytes) => bytes.len(),
        }
    }

    /// What is made of a value, or of none, in so many bytes at most.
    ///
    /// # Errors
    /// See there.
    pub(super) fn apply(&self, value: Option<&[u8]>, most_bytes: usize) -> Result<Bytes, Impossible> {
        let changed = match self {
            Change::Increment(by) => increment(value, *by)?.into(),
            Change::Append(more) => [value.unwrap_or_default(), more].concat(),
            Change::Merge { patch, .. } => {
                let mut document = value.map_or(Ok(Value::Null), document)?;
                json_patch::merge(&mut document, patch);
                document.to_string().into()
            }
            Change::Patch { patch, .. } => {
                let mut document = document(value.ok_or_else(|| state("there is no such key"))?)?;
                let size = value.map_or(0, <[u8]>::len);
                step_by_step(&mut document, patch, size, most_bytes)?;
                document.to_string().into()
            }
        };
        if changed.len() > most_bytes { Err(Impossible::TooLarge) } else { Ok(changed.into()) }
    }
}

/// One operation after the other: a few that copy what copies have made would fill any memory.
fn step_by_step(document: &mut Value, patch: &Patch, mut size: usize, most_bytes: usize) -> Result<(), Impossible> {
    let mut looked_at = 0;
    for (at, operation) in patch.0.iter().enumerate() {
        let failed =
            |path: &str, kind: &PatchErrorKind| state(&format!("operation {at} failed at path '{path}': {kind}"));
        let (path, put) = match operation {
            PatchOperation::Add(add) => (&add.path, Some(&add.value)),
            PatchOperation::Replace(replace) => (&replace.path, Some(&replace.value)),
            PatchOperation::Copy(copy) => (&copy.path, document.pointer(copy.from.as_str())),
            PatchOperation::Move(moved) => (&moved.path, document.pointer(moved.from.as_str())),
            PatchOperation::Remove(removed) => (&removed.path, None),
            PatchOperation::Test(test) => {
                // The library has 1 and 1.0 for two.
                let why = match document.pointer(test.path.as_str()) {
                    Some(found) if is_same(found, &test.value) => continue,
                    Some(_) => PatchErrorKind::TestFailed,
                    None => PatchErrorKind::InvalidPointer,
                };
                return Err(failed(test.path.as_str(), &why));
            }
        };
        let put = put.map_or((0, 0), |value| (depth(value, &mut looked_at), bytes(value, operation)));
        if looked_at > MOST_LOOKED_AT {
            return Err(state("the patch moves too much"));
        }
        if path.tokens().count() + put.0 > MOST_DEPTH {
            return Err(state(&format!("{path} would nest more than {MOST_DEPTH} deep")));
        }
        size += put.1;
        // Twice, as what was there may be smaller now.
        if size > most_bytes * 2 {
            return Err(Impossible::TooLarge);
        }
        json_patch::patch(document, std::slice::from_ref(operation))
            .map_err(|error| failed(error.path.as_str(), &error.kind))?;
    }
    Ok(())
}

/// What a value that is put somewhere adds: only copies are more than what the patch has brought.
fn bytes(value: &Value, operation: &PatchOperation) -> usize {
    if matches!(operation, PatchOperation::Copy(_)) { value.to_string().len() } else { 0 }
}

fn depth(value: &Value, looked_at: &mut usize) -> usize {
    *looked_at += 1;
    match value {
        Value::Array(values) => 1 + values.iter().map(|value| depth(value, looked_at)).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(|value| depth(value, looked_at)).max().unwrap_or_default(),
        _ => 1,
    }
}

fn increment(value: Option<&[u8]>, by: i64) -> Result<String, Impossible> {
    let Some(value) = value else { return Ok(by.to_string()) };
    let number = std::str::from_utf8(value).ok().map(str::trim).and_then(|text| text.parse::<i64>().ok());
    let number = number.ok_or_else(|| state("the value is no whole number of 64 bits"))?;
    number.checked_add(by).map(|sum| sum.to_string()).ok_or_else(|| state("the sum is no whole number of 64 bits"))
}

fn document(value: &[u8]) -> Result<Value, Impossible> {
    exact(value).map_err(|why| state(&format!("the value is no document: {why}")))
}

/// JSON, if every number of it is the same once it is written again.
fn exact(text: &[u8]) -> Result<Value, String> {
    let value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    match numbers(text).find(|number| !is_exact(number)) {
        None => Ok(value),
        Some(number) => Err(format!("the number {number} would not stay as it is")),
    }
}

/// The numbers of a text that is JSON, as they are written there.
fn numbers(text: &[u8]) -> impl Iterator<Item = &str> {
    let mut in_string = false;
    let mut escaped = false;
    let is_of_number = move |byte: &u8| {
        if in_string {
            in_string = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            return false;
        }
        in_string = *byte == b'"';
        byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'E' | b'e')
    };
    let parts = text.split({
        let mut is_of_number = is_of_number;
        move |byte| !is_of_number(byte)
    });
    // `true` and `false` have an `e` in them.
    let numbers = parts.filter(|part| part.first().is_some_and(|first| first.is_ascii_digit() || *first == b'-'));
    numbers.filter_map(|part| std::str::from_utf8(part).ok())
}

/// Whole numbers of 64 bits, and others whose shortest text is the same number.
fn is_exact(number: &str) -> bool {
    if number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        return true;
    }
    let Ok(value) = number.parse::<f64>() else { return false };
    value.is_finite() && decimal(&format!("{value:e}")) == decimal(number)
}

/// The digits of a number without the zeros around them, and the power of ten behind the first of them.
fn decimal(number: &str) -> Option<(String, i64)> {
    let unsigned = number.trim_start_matches('-').to_ascii_lowercase();
    let (mantissa, exponent) = unsigned.split_once('e').unwrap_or((&unsigned, "0"));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, part].concat();
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Some((String::new(), 0));
    }
    let leading = i64::try_from(digits.len() - significant.len()).ok()?;
    let places = i64::try_from(whole.len()).ok()?;
    let exponent: i64 = exponent.parse().ok()?;
    Some((significant.trim_end_matches('0').to_owned(), exponent.checked_add(places)?.checked_sub(leading + 1)?))
}

fn state(why: &str) -> Impossible {
    Impossible::State(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 10_000;

    fn apply(media_type: &str, value: Option<&str>, patch: &str) -> Result<String, Impossible> {
        let patch = Bytes::copy_from_slice(patch.as_bytes());
        let change = Change::of(Arithmetic::None, media_type, &patch).unwrap().unwrap();
        let changed = change.apply(value.map(str::as_bytes), MOST)?;
        Ok(String::from_utf8(changed.to_vec()).unwrap())
    }

    #[test]
    fn documents_are_merged() {
        let merge = |value, patch| apply("Application/Merge-Patch+JSON; charset=utf-8", value, patch);
        // The examples of RFC 7396.
        for (value, patch, merged) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ] {
            assert_eq!(merge(Some(value), patch).unwrap(), merged, "{value} {patch}");
        }
        assert_eq!(merge(None, r#"{"a":1,"b":null}"#).unwrap(), r#"{"a":1}"#);
        assert!(matches!(merge(Some("no"), "{}"), Err(Impossible::State(_))));
    }

    #[test]
    fn patches_are_applied_whole_or_not_at_all() {
        let patch = |value, patch| apply("application/json-patch+json", value, patch);
        let document = Some(r#"{"a":{"b":[1,2]}}"#);
        for (operations, changed) in [
            (r#"[{"op":"add","path":"/a/b/1","value":9}]"#, r#"{"a":{"b":[1,9,2]}}"#),
            (r#"[{"op":"move","from":"/a/b","path":"/c"},{"op":"remove","path":"/a"}]"#, r#"{"c":[1,2]}"#),
            (r#"[{"op":"copy","from":"/a/b/0","path":"/a/b/-"}]"#, r#"{"a":{"b":[1,2,1]}}"#),
            (r#"[{"op":"test","path":"/a/b/0","value":1},{"op":"replace","path":"","value":0}]"#, "0"),
        ] {
            assert_eq!(patch(document, operations).unwrap(), changed, "{operations}");
        }
        for operations in [
            r#"[{"op":"test","path":"/a/b/0","value":2}]"#,
            r#"[{"op":"remove","path":"/x"}]"#,
            r#"[{"op":"copy","from":"/x","path":"/y"}]"#,
        ] {
            assert!(matches!(patch(document, operations), Err(Impossible::State(_))), "{operations}");
        }
        assert_eq!(patch(None, "[]"), Err(state("there is no such key")));
        let numbers = r#"[{"op":"test","path":"/a/b","value":[1.0,2e0]},{"op":"remove","path":"/a"}]"#;
        assert_eq!(patch(document, numbers).unwrap(), "{}", "numbers are what they amount to");
        let second = r#"[{"op":"test","path":"/a/b/0","value":1},{"op":"remove","path":"/x"}]"#;
        assert_eq!(patch(document, second), Err(state("operation 1 failed at path '/x': path is invalid")));
    }

    #[test]
    fn copies_of_copies_fill_no_memory_and_no_stack() {
        let patch = |operation: &str, times: usize| {
            apply(
                "application/json-patch+json",
                Some(r#"{"a":["0123456789"]}"#),
                &format!("[{}]", vec![operation; times].join(",")),
            )
        };
        let doubling = r#"{"op":"copy","from":"/a","path":"/a/-"}"#;
        assert_eq!(patch(doubling, 40), Err(Impossible::TooLarge));
        let deeper = r#"{"op":"move","from":"/a","path":"/b"},{"op":"add","path":"/a","value":[]},{"op":"move","from":"/b","path":"/a/0"}"#;
        assert!(patch(deeper, 100).is_ok());
        assert!(matches!(patch(deeper, 130), Err(Impossible::State(_))));
        let many = format!("[{}]", vec![r#"{"op":"test","path":"","value":1}"#; 1001].join(","));
        assert!(Change::of(Arithmetic::None, "application/json-patch+json", &many.into()).is_err());
    }

    #[test]
    fn numbers_stay_as_they_are_or_are_refused() {
        for number in [
            "0",
            "-1",
            "18446744073709551615",
            "-9223372036854775808",
            "1.5",
            "0.1",
            "1e3",
            "1E-7",
            "-0.0",
            "123456789.012345",
        ] {
            assert_eq!(exact(number.as_bytes()).map(drop), Ok(()), "{number}");
        }
        for number in ["18446744073709551617", "1.0000000000000000001", "1e400", "1e-400", "0.123456789012345678"] {
            assert!(exact(format!(r#"{{"a\"1e400":[true,{number}]}}"#).as_bytes()).is_err(), "{number}");
        }
        assert!(exact(br#"{"text":"1e400 \" 1e400","e":false}"#).is_ok());
    }

    #[test]
    fn sums_are_exact() {
        let add = |value: Option<&str>, by| {
            let change = Change::of(Arithmetic::Increment(by), "", &Bytes::new()).unwrap().unwrap();
            change.apply(value.map(str::as_bytes), MOST).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
        };
        assert_eq!(add(Some("41"), 1).as_deref(), Ok("42"));
        assert_eq!(add(Some("-5\n"), -3).as_deref(), Ok("-8"));
        assert_eq!(add(None, 7).as_deref(), Ok("7"));
        for (value, by) in [("x", 1), ("", 1), ("1.5", 1), ("9223372036854775807", 1), ("-9223372036854775808", -1)] {
            assert!(matches!(add(Some(value), by), Err(Impossible::State(_))), "{value}");
        }
        let append = Change::of(Arithmetic::Append, "", &Bytes::from_static(b"c")).unwrap().unwrap();
        assert_eq!(append.apply(Some(b"ab"), 3).unwrap(), "abc");
        assert_eq!(append.apply(None, 3).unwrap(), "c");
        assert_eq!(append.apply(Some(b"abc"), 3), Err(Impossible::TooLarge));
    }
}
