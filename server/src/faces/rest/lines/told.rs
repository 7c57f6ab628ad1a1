//! What is said of a line, and of a place in it.

use std::io::Write as _;

use bytes::Bytes;
use keyport_storage::{Record, Versions};

use crate::calls::{First, RangeReply};
use crate::faces::text::write_bytes;

/// How many in a line are told at most.
pub(super) const MOST: i64 = 1000;

/// Nor any more once those have so many bytes.
const MOST_BYTES: usize = 256 * 1024;

/// What a line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Lock,
    Election,
}

impl Kind {
    /// Where they are.
    pub(super) fn path(self) -> &'static str {
        match self {
            Kind::Lock => "/v3/locks/",
            Kind::Election => "/v3/elections/",
        }
    }

    /// What the first is called, and the others.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Kind::Lock => ("holder", "waiters"),
            Kind::Election => ("leader", "candidates"),
        }
    }
}

/// Where all keys of a line are.
pub(super) fn below(name: &[u8]) -> Bytes {
    Bytes::from([name, b"/"].concat())
}

/// A place that is the first one now. (A vector takes everything that is written here and below.)
pub(super) fn taken(name: &[u8], first: &First, lease: i64, ttl: Option<i64>) -> Bytes {
    let mut out = vec![b'{'];
    write_bytes(&mut out, "name", name);
    out.push(b',');
    write_bytes(&mut out, "key", &first.key);
    let _ = write!(out, ",\"revision\":\"{}\",\"lease\":\"{lease}\"", first.revision);
    if let Some(ttl) = ttl {
        let _ = write!(out, ",\"ttl\":\"{ttl}\"");
    }
    out.extend_from_slice(b"}\n");
    out.into()
}

/// Who stands there.
pub(super) fn line(kind: Kind, name: &[u8], reply: &RangeReply) -> Bytes {
    let (first_name, others_name) = kind.names();
    let mut out = vec![b'{'];
    write_bytes(&mut out, "name", name);
    let mut records = reply.records.iter();
    if let Some(first) = records.next() {
        let _ = write!(out, ",\"{first_name}\":");
        out.extend_from_slice(&place(first));
    }
    let _ = write!(out, ",\"{others_name}\":[");
    for (at, record) in records.enumerate() {
        if out.len() >= MOST_BYTES {
            break;
        }
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&place(record));
    }
    let _ = writeln!(out, "],\"count\":\"{}\"}}", reply.count);
    out.into()
}

/// A place of a line.
pub(super) fn place(record: &Record) -> Vec<u8> {
    let Versions { create_revision, lease, .. } = record.versions();
    let mut out = vec![b'{'];
    write_bytes(&mut out, "key", record.key());
    out.push(b',');
    write_bytes(&mut out, "value", record.value());
    let _ = write!(out, ",\"revision\":\"{create_revision}\",\"lease\":\"{lease}\"}}");
    out
}
