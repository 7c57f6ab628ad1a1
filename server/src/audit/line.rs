//! One line: what is in it, and how it is written.

use std::fmt::Write as _;
use std::net::IpAddr;

use keyport_api::error::{CodeName, Error};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tonic::Code;

use super::about::About;
use super::limits::Withheld;
use super::short::{Keys, Short};

/// See the module's text.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// Nobody, for who says nothing of himself, or nothing that is true.
    pub(super) user: Option<&'a Short>,
    /// None for a unix socket.
    pub(super) from: Option<IpAddr>,
    /// The path of the RPC, whatever face it came by.
    pub(super) call: &'a str,
    /// What it was about.
    pub(super) keys: &'a Keys,
    pub(super) about: &'a About,
    pub(super) outcome: Outcome,
    /// At this revision of the store something was read or, if something was, changed.
    pub(super) revision: Option<i64>,
    /// A change was on its way into the log, and what came of it is not known.
    pub(super) may_be_done: bool,
    /// It came after the line that says how the call was answered, or given up.
    pub(super) is_late: bool,
}

/// What came of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    Done,
    /// Refused, with a code of gRPC; and if that is known, with these words.
    Refused(Code, Option<Error>),
}

impl Outcome {
    pub(super) fn of(error: Error) -> Outcome {
        Outcome::Refused(error.code(), Some(error))
    }

    pub(super) fn code(self) -> Code {
        match self {
            Outcome::Done => Code::Ok,
            Outcome::Refused(code, _) => code,
        }
    }
}

impl Line<'_> {
    /// With the line's end.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut fields = begun();
        match self.user {
            Some(user) => user.put(&mut fields, "user"),
            None => _ = fields.insert("user".to_owned(), Value::Null),
        }
        fields.insert("from".to_owned(), self.from.map(|from| from.to_canonical().to_string()).into());
        fields.insert("call".to_owned(), self.call.into());
        self.keys.put(&mut fields);
        self.about.put(&mut fields);
        fields.insert("code".to_owned(), code(self.outcome.code()));
        if let Outcome::Refused(_, Some(error)) = self.outcome {
            fields.insert("error".to_owned(), error.to_string().into());
        }
        if let Some(revision) = self.revision {
            fields.insert("revision".to_owned(), revision.into());
        }
        for (name, is_so) in [("may_be_done", self.may_be_done), ("late", self.is_late)] {
            if is_so {
                fields.insert(name.to_owned(), true.into());
            }
        }
        ended(fields)
    }
}

/// The line in place of those that were not written.
pub(super) fn withheld(withheld: &Withheld) -> Vec<u8> {
    let Withheld { kind, count } = withheld;
    let mut fields = begun();
    fields.insert("user".to_owned(), Value::Null);
    fields.insert("call".to_owned(), kind.call().into());
    fields.insert("code".to_owned(), code(kind.code()));
    fields.insert("more".to_owned(), (*count).into());
    ended(fields)
}

fn code(code: Code) -> Value {
    CodeName(code).to_string().into()
}

fn begun() -> Map<String, Value> {
    let now = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
    Map::from_iter([("ts".to_owned(), now.into())])
}

fn ended(fields: Map<String, Value>) -> Vec<u8> {
    let mut line = plain(&Value::Object(fields).to_string()).into_bytes();
    line.push(b'\n');
    line
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

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use keyport_storage::KeyRange;
    use serde_json::json;

    fn written(line: &Line<'_>) -> Value {
        let text = line.to_json();
        assert_eq!(text.last(), Some(&b'\n'));
        assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 1);
        serde_json::from_slice(&text).unwrap()
    }

    fn line<'a>(user: Option<&'a Short>, keys: &'a Keys, about: &'a About) -> Line<'a> {
        let (from, call, outcome) = (None, "c", Outcome::Done);
        Line { user, from, call, keys, about, outcome, revision: None, may_be_done: false, is_late: false }
    }

    #[test]
    fn nothing_in_it_is_obeyed_by_a_terminal() {
        let said = "a\n\u{1b}[2J\u{7f}\u{9b}2J\u{e4}";
        let keys = Keys::of([KeyRange::new(Bytes::from_static(said.as_bytes()), Bytes::new())]);
        let (user, about) = (Short::of(said), About::default().text("role", said));
        let line = line(Some(&user), &keys, &about);
        let text = String::from_utf8(line.to_json()).unwrap();
        assert!(!text.trim_end().contains(char::is_control), "{text:?}");
        let line = written(&line);
        let said = json!(said);
        assert_eq!((&line["user"], &line["keys"][0]["key"], &line["about"]["role"]), (&said, &said, &said));
    }

    #[test]
    fn a_line_says_who_what_and_how_it_went() {
        let keys = Keys::of([
            KeyRange::single(Bytes::from("a\n\"")),
            KeyRange::new(Bytes::from(vec![0xff]), Bytes::from("z")),
            KeyRange::new(Bytes::from("k"), Bytes::from("\0")),
        ]);
        let (user, about) = (Short::of("alice"), About::default());
        let line = Line {
            from: Some("::ffff:10.0.0.1".parse().unwrap()),
            call: "/etcdserverpb.KV/Range",
            revision: Some(7),
            ..line(Some(&user), &keys, &about)
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
        let none = Keys::default();
        let refused = Line {
            user: None,
            from: None,
            keys: &none,
            outcome: Outcome::of(Error::PermissionDenied),
            may_be_done: true,
            ..line
        };
        let value = written(&refused);
        assert_eq!((&value["user"], &value["from"], value.get("keys")), (&Value::Null, &Value::Null, None));
        assert_eq!(
            (&value["code"], &value["error"], &value["may_be_done"]),
            (&json!("PermissionDenied"), &json!("etcdserver: permission denied"), &json!(true))
        );
    }

    #[test]
    fn what_a_caller_sends_makes_no_line_long() {
        let keys =
            Keys::of((0..1000).map(|n| KeyRange::single(Bytes::from(format!("{n}{}", "\u{1}".repeat(100_000))))));
        let long = "\u{1}".repeat(1_500_000);
        let urls = vec![long.clone(); 1000];
        let (user, about) =
            (Short::of(&long), About::default().text("user", &long).text("role", &long).texts("urls", &urls));
        let line = line(Some(&user), &keys, &about);
        let value = written(&line);
        assert_eq!((value["key_count"].as_u64(), value["keys"][0]["key_bytes"].as_u64()), (Some(1000), Some(100_001)));
        assert_eq!((&value["user_bytes"], &value["about"]["role_bytes"]), (&json!(1_500_000), &json!(1_500_000)));
        let length = line.to_json().len();
        assert!(length < 128 * 1024, "{length}");
    }
}
