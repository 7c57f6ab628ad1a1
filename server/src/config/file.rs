//! The configuration file: YAML, and so JSON too, as etcd's library reads it.
//!
//! A byte order mark is passed over, and so is whatever follows the first document; keys may be written in capitals.
//! Unknown keys are passed over in silence, as etcd does; a value of the wrong type is an error with its key.

mod scalar;

use std::time::Duration;

use serde::Deserialize as _;
use yaml_serde::{Deserializer, Value as Yaml};

use super::flag::{FileKey, Flag, Kind, Value};
use super::{former, url};

/// Reads the settings in `text`. The message of a failure has no path: the caller adds it.
pub(super) fn parse(text: &str) -> Result<Vec<(&'static Flag, Value)>, String> {
    let document = first_document(text.strip_prefix('\u{feff}').unwrap_or(text)).map_err(|e| e.to_string())?;
    match document {
        Yaml::Null | Yaml::Mapping(_) => {}
        _ => return Err("the document is not a mapping of names to values".to_owned()),
    }
    let mut set = Vec::new();
    for flag in former::all() {
        let path = match flag.file {
            FileKey::Same => flag.name,
            FileKey::At(path) => path,
            FileKey::None => continue,
        };
        let found = path.split('.').try_fold(&document, get);
        match found {
            None | Some(Yaml::Null) => {}
            Some(node) => set.push((flag, read(flag, node).map_err(|reason| format!("{path}: {reason}"))?)),
        }
    }
    Ok(set)
}

/// With its merge keys (`<<`) resolved.
fn first_document(text: &str) -> Result<Yaml, yaml_serde::Error> {
    let mut document = Deserializer::from_str(text).next().map_or(Ok(Yaml::Null), Yaml::deserialize)?;
    document.apply_merge()?;
    Ok(document)
}

fn get<'a>(node: &'a Yaml, key: &str) -> Option<&'a Yaml> {
    let Yaml::Mapping(mapping) = node else { return None };
    let differs_in_case = || mapping.iter().find(|(k, _)| k.as_str().is_some_and(|k| k.eq_ignore_ascii_case(key)));
    mapping.get(key).or_else(|| differs_in_case().map(|(_, value)| value))
}

fn read(flag: &Flag, node: &Yaml) -> Result<Value, String> {
    let unsigned = || scalar::whole(node).and_then(|n| u64::try_from(n).ok());
    let read = match flag.kind {
        Kind::Bool => scalar::boolean(node).map(Value::Bool).ok_or("true or false"),
        Kind::Int => {
            let number = scalar::whole(node).and_then(|n| i64::try_from(n).ok());
            number.map(Value::Int).ok_or("a whole number")
        }
        Kind::Uint => unsigned().map(Value::Uint).ok_or("a whole number of at least 0"),
        Kind::Uint32 => {
            let number = unsigned().filter(|n| u32::try_from(*n).is_ok());
            number.map(Value::Uint).ok_or("a whole number of at least 0 and at most 32 bits")
        }
        Kind::Duration => {
            unsigned().map(|ns| Value::Duration(Duration::from_nanos(ns))).ok_or("a whole number of nanoseconds")
        }
        Kind::Str | Kind::Choice(_) | Kind::Words => match scalar::text(node) {
            Some(text) => return flag.parse(&text),
            None => Err("a text, in quotes if it looks like something else"),
        },
        Kind::List | Kind::Repeated => match (node, scalar::text(node)) {
            (Yaml::Sequence(items), _) => {
                let words = items.iter().map(scalar::text).collect::<Option<Vec<_>>>();
                words.map(Value::List).ok_or("a list of texts")
            }
            (_, Some(text)) => return flag.parse(&text),
            (_, None) => Err("a list of texts"),
        },
        Kind::Urls => match scalar::text(node) {
            Some(text) => return url::parse_list(&text).map(Value::Urls).map_err(|e| e.to_string()),
            None => Err("a comma-separated text of URLs"),
        },
    };
    read.map_err(|want| format!("want {want}"))
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
        assert_eq!(parse("name: 1e4").unwrap_err(), "name: want a text, in quotes if it looks like something else");
        assert!(parse("max-wals: 1\nmax-wals: 2").unwrap_err().contains("max-wals"));
    }

    #[test]
    fn what_stands_around_the_document() {
        for text in [
            "\u{feff}max-wals: 5",
            "max-wals: 5\n---\nmax-wals: 6",
            "---\nmax-wals: 5\n...\nmax-wals: 6",
            "max-wals: 5\n---\n[ : broken",
            "%YAML 1.1\n---\nmax-wals: 5",
            "MAX-WALS: 5",
            "? max-wals\n: 5",
            "1: 2\ntrue: 3\nmax-wals: 5",
            "<<: {max-wals: 5}",
            "x: &x {max-wals: 5}\n<<: *x",
            "x: &x {max-wals: 6}\n<<: [*x]\nmax-wals: 5",
            "x: &five 5\nmax-wals: *five",
        ] {
            assert_eq!(get(text, "max-wals"), Some(Value::Uint(5)), "{text}");
        }
        for text in ["---\n---\nmax-wals: 6", "~", "{}", "max-wals: ~"] {
            assert_eq!(get(text, "max-wals"), None, "{text}");
        }
        assert_eq!(get("Socket-Options: {Reuse-Port: on}", "socket-reuse-port"), Some(Value::Bool(true)));
    }
}
