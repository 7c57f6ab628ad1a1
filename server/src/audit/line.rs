//! One line: what is in it, and how it is written.

use std::fmt::Write as _;
use std::net::IpAddr;

use base64_simd::STANDARD;
use keyport_api::error::{CodeName, Error};
use keyport_storage::{KeyRange, RangeEnd};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tonic::Code;

/// So many keys of a request are named, and how many there are.
const MOST_KEYS: usize = 32;
/// Bytes of a key that are written down.
const MOST_BYTES: usize = 1024;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    /// Nobody, for who says nothing of himself, or nothing that is true.
    pub(crate) user: Option<&'a str>,
    /// None for a unix socket.
    pub(crate) from: Option<IpAddr>,
    /// The path of the RPC, whatever face it came by.
    pub(crate) call: &'a str,
    /// What it was about.
    pub(crate) keys: &'a [KeyRange],
    pub(crate) outcome: Outcome,
}

/// What came of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    /// Done; where it has one, at this revision of the store.
    Done(Option<i64>),
    /// Refused, with a code of gRPC; and if that is known, with these words.
    Refused(Code, Option<Error>),
}

impl Outcome {
    pub(super) fn of(error: Error) -> Outcome {
        Outcome::Refused(error.code(), Some(error))
    }
}

impl Line<'_> {
    /// With the line's end.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut fields = Map::new();
        let now = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
        fields.insert("ts".to_owned(), now.into());
        fields.insert("user".to_owned(), self.user.into());
        fields.insert("from".to_owned(), self.from.map(|from| from.to_canonical().to_string()).into());
        fields.insert("call".to_owned(), self.call.into());
        if !self.keys.is_empty() {
            let named: Vec<Value> = self.keys.iter().take(MOST_KEYS).map(keys).collect();
            fields.insert("keys".to_owned(), named.into());
        }
        if self.keys.len() > MOST_KEYS {
            fields.insert("key_count".to_owned(), self.keys.len().into());
        }
        match self.outcome {
            Outcome::Done(revision) => {
                fields.insert("code".to_owned(), "OK".into());
                if let Some(revision) = revision {
                    fields.insert("revision".to_owned(), revision.into());
                }
            }
            Outcome::Refused(code, error) => {
                fields.insert("code".to_owned(), CodeName(code).to_string().into());
                if let Some(error) = error {
                    fields.insert("error".to_owned(), error.to_string().into());
                }
            }
        }
        let mut line = plain(&Value::Object(fields).to_string()).into_bytes();
        line.push(b'\n');
        line
    }
}

/// JSON leaves some characters as they are that a terminal obeys. Outside of strings there are none.
fn plain(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_control() {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

fn keys(range: &KeyRange) -> Value {
    let mut fields = Map::new();
    name(&mut fields, "key", &range.start);
    match &range.end {
        RangeEnd::Single => {}
        RangeEnd::Before(end) => name(&mut fields, "range_end", end),
        RangeEnd::Unbounded => _ = fields.insert("from_key".to_owned(), json!(true)),
    }
    Value::Object(fields)
}

/// As text, if it is that; as events have it.
fn name(fields: &mut Map<String, Value>, name: &str, key: &[u8]) {
    let cut = key.get(..MOST_BYTES).unwrap_or(key);
    match std::str::from_utf8(cut) {
        Ok(text) => fields.insert(name.to_owned(), text.into()),
        Err(_) => fields.insert(format!("{name}_b64"), STANDARD.encode_to_string(cut).into()),
    };
    if cut.len() < key.len() {
        fields.insert(format!("{name}_bytes"), key.len().into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn written(line: &Line<'_>) -> Value {
        let text = line.to_json();
        assert_eq!(text.last(), Some(&b'\n'));
        assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 1);
        serde_json::from_slice(&text).unwrap()
    }

    #[test]
    fn nothing_in_it_is_obeyed_by_a_terminal() {
        let said = "a\n\u{1b}[2J\u{7f}\u{9b}2J\u{e4}";
        let line = Line {
            user: Some(said),
            from: None,
            call: "c",
            keys: &[KeyRange::new(Bytes::from_static(said.as_bytes()), Bytes::new())],
            outcome: Outcome::Done(None),
        };
        let text = String::from_utf8(line.to_json()).unwrap();
        assert!(!text.trim_end().contains(char::is_control), "{text:?}");
        let line = written(&line);
        assert_eq!((&line["user"], &line["keys"][0]["key"]), (&json!(said), &json!(said)));
    }

    #[test]
    fn a_line_says_who_what_and_how_it_went() {
        let keys = [
            KeyRange::single(Bytes::from("a\n\"")),
            KeyRange::new(Bytes::from(vec![0xff]), Bytes::from("z")),
            KeyRange::new(Bytes::from("k"), Bytes::from("\0")),
        ];
        let line = Line {
            user: Some("alice"),
            from: Some("::ffff:10.0.0.1".parse().unwrap()),
            call: "/etcdserverpb.KV/Range",
            keys: &keys,
            outcome: Outcome::Done(Some(7)),
        };
        let mut value = written(&line);
        assert!(value["ts"].as_str().unwrap().ends_with('Z'));
        value.as_object_mut().unwrap().remove("ts");
        assert_eq!(
            value,
            json!({
                "user": "alice",
                "from": "10.0.0.1",
                "call": "/etcdserverpb.KV/Range",
                "keys": [{ "key": "a\n\"" }, { "key_b64": "/w==", "range_end": "z" }, { "key": "k", "from_key": true }],
                "code": "OK",
                "revision": 7,
            })
        );
        let refused = Line { user: None, from: None, keys: &[], outcome: Outcome::of(Error::PermissionDenied), ..line };
        let value = written(&refused);
        assert_eq!((&value["user"], &value["from"], value.get("keys")), (&Value::Null, &Value::Null, None));
        assert_eq!(
            (&value["code"], &value["error"]),
            (&json!("PermissionDenied"), &json!("etcdserver: permission denied"))
        );
    }

    #[test]
    fn what_a_caller_sends_makes_no_line_long() {
        let keys = vec![KeyRange::single(Bytes::from(vec![b'k'; 100_000])); 1000];
        let line = Line { user: None, from: None, call: "/", keys: &keys, outcome: Outcome::Done(None) };
        let value = written(&line);
        assert_eq!((value["key_count"].as_u64(), value["keys"][0]["key_bytes"].as_u64()), (Some(1000), Some(100_000)));
        assert!(line.to_json().len() < 40_000);
    }
}
