//! An entry of the log as something that can be shown: what it asks for, with keys as text and values by their length, and
//! without what nobody may see.

use base64_simd::STANDARD;
use keyport_api::etcdserverpb::InternalRaftRequest;
use keyport_api::raftpb::{ConfChange, ConfChangeV2, Entry, EntryType};
use prost::Message;
use serde_json::{Map, Value, json};

use crate::apply::{Command, Proposal};

/// Fields whose bytes are keys, or values, or secrets; without `_`, in small letters.
const KEYS: [&str; 2] = ["key", "rangeend"];
const VALUES: [&str; 1] = ["value"];
const SECRETS: [&str; 3] = ["password", "hashedpassword", "simpletoken"];
const HIDDEN: &str = "(hidden)";

/// How bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    /// Keys and values as text with escapes; else as base64, as in the JSON of the API.
    pub(super) is_readable: bool,
    /// Values themselves, not only how long they are.
    pub(super) values: bool,
}

/// What an entry is.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) kind: String,
    pub(super) author: Option<String>,
    pub(super) request: Value,
}

pub(super) fn shown(entry: &Entry, style: Style) -> Shown {
    let data = entry.data.clone().unwrap_or_default();
    let plain = |kind: &str, request: Value| Shown { kind: kind.to_owned(), author: None, request };
    match entry.r#type() {
        EntryType::EntryConfChange => match ConfChange::decode(data) {
            Ok(change) => plain("ConfChange", conf_change(&change)),
            Err(error) => plain("Unknown", unknown(entry, &error.to_string())),
        },
        EntryType::EntryConfChangeV2 => match ConfChangeV2::decode(data) {
            Ok(change) => plain("ConfChangeV2", json!({ "changes": change.changes.len() })),
            Err(error) => plain("Unknown", unknown(entry, &error.to_string())),
        },
        EntryType::EntryNormal if data.is_empty() => plain("NewTerm", json!({})),
        EntryType::EntryNormal => match Proposal::decode(&data) {
            Ok(proposal) => {
                let author = proposal.author.map(|author| author.user.to_string());
                let kind = proposal.command.name().to_owned();
                Shown { kind, author, request: command(proposal.command, style) }
            }
            Err(error) => plain("Unknown", unknown(entry, &error.to_string())),
        },
    }
}

fn unknown(entry: &Entry, why: &str) -> Value {
    json!({ "bytes": entry.data.as_ref().map_or(0, bytes::Bytes::len), "why": why })
}

fn conf_change(change: &ConfChange) -> Value {
    let context = change.context.clone().unwrap_or_default();
    let member = serde_json::from_slice(&context).unwrap_or(Value::Null);
    json!({ "type": change.r#type().as_str_name(), "nodeId": format!("{:x}", change.node_id()), "member": member })
}

fn command(command: Command, style: Style) -> Value {
    let mut envelope = InternalRaftRequest::default();
    command.put_into(&mut envelope);
    // Every message has a JSON form; the request is the only field.
    let Ok(Value::Object(fields)) = serde_json::to_value(&envelope) else { return Value::Null };
    let mut request = fields.into_iter().next().map_or(Value::Null, |(_, request)| request);
    dress(&mut request, style);
    request
}

fn dress(value: &mut Value, style: Style) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(|element| dress(element, style)),
        Value::Object(fields) => {
            let names: Vec<String> = fields.keys().cloned().collect();
            for name in names {
                dress_field(fields, &name, style);
            }
        }
        _ => {}
    }
}

fn dress_field(fields: &mut Map<String, Value>, name: &str, style: Style) {
    let plain = name.replace('_', "").to_ascii_lowercase();
    let Some(field) = fields.get_mut(name) else { return };
    let Some(text) = field.as_str() else { return dress(field, style) };
    if SECRETS.contains(&plain.as_str()) {
        *field = HIDDEN.into();
    } else if KEYS.contains(&plain.as_str()) && style.is_readable {
        *field = readable(text).into();
    } else if VALUES.contains(&plain.as_str()) {
        match (style.values, style.is_readable) {
            (true, true) => *field = readable(text).into(),
            (true, false) => {}
            (false, _) => {
                let bytes = STANDARD.decode_to_vec(text).map_or(0, |value| value.len());
                fields.remove(name);
                fields.insert(format!("{name}Bytes"), bytes.into());
            }
        }
    }
}

fn readable(base64: &str) -> String {
    STANDARD.decode_to_vec(base64).map_or_else(|_| base64.to_owned(), |bytes| bytes.escape_ascii().to_string())
}

#[cfg(test)]
mod tests {
    use keyport_api::etcdserverpb::*;

    use super::*;
    use crate::apply::Replicated as _;

    const READABLE: Style = Style { is_readable: true, values: false };

    fn entry(request: impl Fn(&mut InternalRaftRequest)) -> Entry {
        let header = RequestHeader { id: 7, username: "alice".into(), auth_revision: 1 };
        let mut envelope = InternalRaftRequest { header: Some(header), ..InternalRaftRequest::default() };
        request(&mut envelope);
        Entry { index: Some(1), term: Some(1), data: Some(envelope.encode_to_vec().into()), ..Entry::default() }
    }

    fn put() -> PutRequest {
        PutRequest { key: "k\n".into(), value: "hush".into(), lease: 5, ..PutRequest::default() }
    }

    #[test]
    fn keys_are_shown_and_values_when_asked_for() {
        let entry = entry(|envelope| envelope.put = Some(put()));
        let found = shown(&entry, READABLE);
        assert_eq!((found.kind.as_str(), found.author.as_deref()), ("Put", Some("alice")));
        assert_eq!(found.request, json!({ "key": "k\\n", "valueBytes": 4, "lease": "5" }));
        let with = |is_readable| shown(&entry, Style { is_readable, values: true }).request;
        assert_eq!(with(true)["value"], "hush");
        assert_eq!((&with(false)["key"], &with(false)["value"]), (&json!("awo="), &json!("aHVzaA==")));
    }

    #[test]
    fn what_is_in_transactions_is_dressed_too() {
        let op = RequestOp { request: Some(request_op::Request::RequestPut(put())) };
        let inner = TxnRequest { success: vec![op], ..TxnRequest::default() };
        let nested = RequestOp { request: Some(request_op::Request::RequestTxn(inner)) };
        let compare = Compare {
            key: "c".into(),
            target_union: Some(compare::TargetUnion::Value("hush".into())),
            ..Compare::default()
        };
        let txn = TxnRequest { compare: vec![compare], failure: vec![nested], ..TxnRequest::default() };
        let text = command(txn.into_command(), READABLE).to_string();
        assert!(text.contains(r#""key":"k\\n""#) && text.contains(r#""key":"c""#), "{text}");
        assert!(!text.contains("hush") && !text.contains(&STANDARD.encode_to_string("hush")), "{text}");
        assert_eq!(text.matches("valueBytes").count(), 2, "{text}");
    }

    #[test]
    fn secrets_are_never_shown() {
        let add = AuthUserAddRequest {
            name: "u".into(),
            password: "hush".into(),
            hashed_password: "$2hush".into(),
            ..AuthUserAddRequest::default()
        };
        let change = AuthUserChangePasswordRequest {
            name: "u".into(),
            password: "hush".into(),
            hashed_password: "$2hush".into(),
        };
        let login =
            InternalAuthenticateRequest { name: "u".into(), password: "hush".into(), simple_token: "hush".into() };
        for command_of in [add.into_command(), change.into_command(), login.into_command()] {
            for style in [READABLE, Style { is_readable: false, values: true }] {
                let text = command(command_of.clone(), style).to_string();
                assert!(text.contains("\"u\"") && !text.contains("hush"), "{text}");
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let nonsense = Entry { data: Some("\u{1}\u{2}".into()), ..entry(|_| {}) };
        let found = shown(&nonsense, READABLE);
        assert_eq!((found.kind.as_str(), &found.request["bytes"]), ("Unknown", &json!(2)));
        let change =
            ConfChange { node_id: Some(0xbeef), context: Some("{\"name\":\"x\"}".into()), ..ConfChange::default() };
        let change = Entry {
            r#type: Some(EntryType::EntryConfChange as i32),
            data: Some(change.encode_to_vec().into()),
            ..Entry::default()
        };
        let request = shown(&change, READABLE).request;
        assert_eq!((&request["nodeId"], &request["member"]["name"]), (&json!("beef"), &json!("x")));
        assert_eq!(shown(&Entry::default(), READABLE).kind, "NewTerm");
    }
}
