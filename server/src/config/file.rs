//! The configuration file: YAML, and so JSON too.
//!
//! Unknown keys are passed over in silence, as etcd does; a value of the wrong type is an error with its key.

use super::flags::{self, FileKey, Flag, Kind, Value};
use super::url;
use std::time::Duration;
use yaml_serde::Value as Yaml;

/// Reads the settings in `text`. The message of a failure has no path: the caller adds it.
pub(super) fn parse(text: &str) -> Result<Vec<(&'static Flag, Value)>, String> {
    let document: Yaml = yaml_serde::from_str(text).map_err(|e| e.to_string())?;
    match document {
        Yaml::Null | Yaml::Mapping(_) => {}
        _ => return Err("the document is not a mapping of names to values".to_owned()),
    }
    let mut set = Vec::new();
    for flag in flags::all() {
        let path = match flag.file {
            FileKey::Same => flag.name,
            FileKey::At(path) => path,
            FileKey::None => continue,
        };
        let found = path.split('.').try_fold(&document, |node, key| node.get(key));
        match found {
            None | Some(Yaml::Null) => {}
            Some(node) => set.push((flag, read(flag, node).map_err(|reason| format!("{path}: {reason}"))?)),
        }
    }
    Ok(set)
}

fn read(flag: &Flag, node: &Yaml) -> Result<Value, String> {
    let wrong = |want: &str| format!("want {want}");
    match flag.kind {
        Kind::Bool => node.as_bool().map(Value::Bool).ok_or_else(|| wrong("true or false")),
        Kind::Int => node.as_i64().map(Value::Int).ok_or_else(|| wrong("a whole number")),
        Kind::Uint => node.as_u64().map(Value::Uint).ok_or_else(|| wrong("a whole number of at least 0")),
        Kind::Uint32 => node
            .as_u64()
            .filter(|n| u32::try_from(*n).is_ok())
            .map(Value::Uint)
            .ok_or_else(|| wrong("a whole number of at least 0 and at most 32 bits")),
        Kind::Duration => node
            .as_u64()
            .map(|ns| Value::Duration(Duration::from_nanos(ns)))
            .ok_or_else(|| wrong("a whole number of nanoseconds")),
        Kind::Str | Kind::Choice(_) | Kind::Words => flag.parse(&scalar(node).ok_or_else(|| wrong("a text"))?),
        Kind::List => match node {
            Yaml::Sequence(items) => {
                let words = items.iter().map(scalar).collect::<Option<Vec<_>>>();
                words.map(Value::List).ok_or_else(|| wrong("a list of texts"))
            }
            _ => flag.parse(&scalar(node).ok_or_else(|| wrong("a list of texts"))?),
        },
        Kind::Urls => {
            let text = scalar(node).ok_or_else(|| wrong("a comma-separated text of URLs"))?;
            url::parse_list(&text).map(Value::Urls).map_err(|e| e.to_string())
        }
    }
}

/// A text, or a number written where a text is due (`auto-compaction-retention: 1`).
fn scalar(node: &Yaml) -> Option<String> {
    match node {
        Yaml::String(s) => Some(s.clone()),
        Yaml::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(text: &str, name: &str) -> Option<Value> {
        parse(text).unwrap().into_iter().find(|(f, _)| f.name == name).map(|(_, v)| v)
    }

    #[test]
    fn reads_yaml_and_json() {
        let yaml = "
name: m1
unknown: [1, {a: b}]
heartbeat-interval: 50
backend-batch-interval: 5000000
pre-vote: false
listen-client-urls: http://localhost:1,http://localhost:2
log-outputs: [stderr, /tmp/x]
auto-compaction-retention: 1
wal-dir:
socket-options:
  reuse-port: true
discovery-config:
  client:
    endpoints: [a, b]
";
        assert_eq!(get(yaml, "name"), Some(Value::Str("m1".into())));
        assert_eq!(get(yaml, "heartbeat-interval"), Some(Value::Uint(50)));
        assert_eq!(get(yaml, "backend-batch-interval"), Some(Value::Duration(Duration::from_millis(5))));
        assert_eq!(get(yaml, "pre-vote"), Some(Value::Bool(false)));
        assert_eq!(get(yaml, "log-outputs"), Some(Value::List(vec!["stderr".into(), "/tmp/x".into()])));
        assert_eq!(get(yaml, "auto-compaction-retention"), Some(Value::Str("1".into())));
        assert_eq!(get(yaml, "wal-dir"), None);
        assert_eq!(get(yaml, "socket-reuse-port"), Some(Value::Bool(true)));
        assert_eq!(get(yaml, "discovery-endpoints"), Some(Value::List(vec!["a".into(), "b".into()])));
        assert_eq!(get(r#"{"name": "j", "max-wals": 3}"#, "max-wals"), Some(Value::Uint(3)));
        assert_eq!(parse("").unwrap().len(), 0);
    }

    #[test]
    fn names_the_key_that_is_wrong() {
        assert_eq!(parse("pre-vote: 1").unwrap_err(), "pre-vote: want true or false");
        assert_eq!(
            parse("backend-batch-interval: 10ms").unwrap_err(),
            "backend-batch-interval: want a whole number of nanoseconds"
        );
        assert_eq!(parse("max-wals: -1").unwrap_err(), "max-wals: want a whole number of at least 0");
        assert_eq!(
            parse("listen-peer-urls: x").unwrap_err(),
            "listen-peer-urls: URL scheme must be http, https, unix, or unixs: x"
        );
        assert_eq!(parse("- a").unwrap_err(), "the document is not a mapping of names to values");
        assert!(parse("a: [").is_err());
    }
}
