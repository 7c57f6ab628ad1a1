//! What a flag is, and how its value is read from the command line and the environment.

use std::time::Duration;

use super::url::Url;
use super::{duration, url};

/// What a flag's value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `--x`, `--x=true`, `--x=false`.
    Bool,
    Int,
    Uint,
    /// A whole number of at most 32 bits.
    Uint32,
    /// `5m0s` on the command line, integer nanoseconds in the file.
    Duration,
    Str,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// Comma separated on the command line and in the file.
    Words,
    /// Comma separated on the command line, a YAML list in the file.
    List,
    /// As [`Kind::List`]; given several times, all of it counts.
    Repeated,
    /// Comma-separated URLs, in the file too.
    Urls,
}

/// The headings of `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Member,
    Raft,
    Listeners,
    Cluster,
    Compaction,
    ClientTls,
    PeerTls,
    Auth,
    Observability,
    General,
}

impl Group {
    pub(super) const ALL: [Group; 10] = [
        Group::Member,
        Group::Raft,
        Group::Listeners,
        Group::Cluster,
        Group::Compaction,
        Group::ClientTls,
        Group::PeerTls,
        Group::Auth,
        Group::Observability,
        Group::General,
    ];

    pub(super) fn title(self) -> &'static str {
        match self {
            Group::Member => "Member and storage",
            Group::Raft => "Raft timing",
            Group::Listeners => "Listeners and limits",
            Group::Cluster => "Clustering",
            Group::Compaction => "Compaction and corruption checks",
            Group::ClientTls => "Client TLS",
            Group::PeerTls => "Peer TLS",
            Group::Auth => "Auth",
            Group::Observability => "Observability and logging",
            Group::General => "General",
        }
    }
}

/// Where a flag's value stands in the configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKey {
    /// Under the flag's own name.
    Same,
    /// At another, dotted path.
    At(&'static str),
    /// Nowhere.
    None,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flag {
    pub name: &'static str,
    pub kind: Kind,
    pub default: &'static str,
    pub help: &'static str,
    pub group: Group,
    pub file: FileKey,
    /// Accepted, but without effect in this release.
    pub inert: bool,
}

impl Flag {
    pub(super) const fn at(mut self, path: &'static str) -> Flag {
        self.file = FileKey::At(path);
        self
    }

    pub(super) const fn not_in_file(mut self) -> Flag {
        self.file = FileKey::None;
        self
    }

    pub(super) const fn inert(mut self) -> Flag {
        self.inert = true;
        self
    }

    /// The variable's name without its `ETCD_` or `KEYPORT_`.
    pub(super) fn env_suffix(&self) -> String {
        self.name.to_ascii_uppercase().replace('-', "_")
    }

    /// Reads a value as the command line and the environment write it.
    pub(super) fn parse(&self, text: &str) -> Result<Value, String> {
        let parsed = match self.kind {
            Kind::Bool => parse_bool(text).map(Value::Bool),
            Kind::Int => parse_int(text).and_then(|n| i64::try_from(n).ok()).map(Value::Int),
            Kind::Uint => parse_int(text).and_then(|n| u64::try_from(n).ok()).map(Value::Uint),
            Kind::Uint32 => parse_int(text).and_then(|n| u32::try_from(n).ok()).map(|n| Value::Uint(u64::from(n))),
            Kind::Duration => duration::parse(text).map(Value::Duration),
            Kind::Str => Some(Value::Str(text.to_owned())),
            Kind::Choice(words) if words.contains(&text) => Some(Value::Str(text.to_owned())),
            Kind::Choice(words) => return Err(format!("must be one of {}", words.join(", "))),
            Kind::Words | Kind::List | Kind::Repeated => Some(Value::List(split(text))),
            Kind::Urls => return url::parse_list(text).map(Value::Urls).map_err(|e| e.to_string()),
        };
        parsed.ok_or_else(|| "parse error".to_owned())
    }
}

fn split(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

/// A whole number, with Go's prefixes for other bases.
pub(super) fn parse_int(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = if let Some(hex) = lower.strip_prefix("0x") {
        (16, hex)
    } else if let Some(binary) = lower.strip_prefix("0b") {
        (2, binary)
    } else if let Some(octal) = lower.strip_prefix("0o") {
        (8, octal)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let n = i128::from_str_radix(digits, radix).ok()?;
    Some(if negative { -n } else { n })
}

/// A flag's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Bool(bool),
    Int(i64),
    Uint(u64),
    Duration(Duration),
    Str(String),
    List(Vec<String>),
    Urls(Vec<Url>),
}

/// A row with its value in the file under its own name.
pub(super) const fn flag(
    group: Group,
    name: &'static str,
    kind: Kind,
    default: &'static str,
    help: &'static str,
) -> Flag {
    Flag { name, kind, default, help, group, file: FileKey::Same, inert: false }
}

/// The spellings of a boolean that Go takes.
pub(super) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (text, n) in
            [("0", 0), ("12", 12), ("-12", -12), ("+1", 1), ("0x10", 16), ("0b11", 3), ("0o17", 15), ("017", 15)]
        {
            assert_eq!(parse_int(text), Some(n), "{text}");
        }
        for text in ["", "-", "0x", "1.0", "1e3", "--1", "0x-1", "a", "09"] {
            assert_eq!(parse_int(text), None, "{text}");
        }
    }
}
