//! What is said of a command in the log: which keys it is about, and how large it is. Values and secrets are left out.

use std::fmt;

use keyport_api::etcdserverpb::{RequestOp, TxnRequest, request_op};
use keyport_storage::{KeyRange, RangeEnd};

use super::Command;

/// Longer keys are cut.
const MOST_BYTES: usize = 64;
/// Operations of a transaction that are shown.
const MOST_OPS: usize = 4;

/// See the module's text.
pub(super) struct Summary<'a>(pub(super) &'a Command);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Command::Put(put) => write!(f, "put {} of {} bytes", Key(&put.key), put.value.len()),
            Command::DeleteRange(delete) => write!(f, "delete {}", ShownKeys(&delete.key, &delete.range_end)),
            Command::Txn(txn) => of_txn(txn, f),
            Command::Compaction(compaction) => write!(f, "compact at {}", compaction.revision),
            Command::LeaseGrant(grant) => write!(f, "grant lease {:x}", grant.id),
            Command::LeaseRevoke(revoke) => write!(f, "revoke lease {:x}", revoke.id),
            other => f.write_str(other.name()),
        }
    }
}

fn of_txn(txn: &TxnRequest, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "compare {}, then", txn.compare.len())?;
    branch(&txn.success, f)?;
    f.write_str(", else")?;
    branch(&txn.failure, f)
}

fn branch(ops: &[RequestOp], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (i, op) in ops.iter().filter_map(|op| op.request.as_ref()).take(MOST_OPS).enumerate() {
        f.write_str(if i > 0 { "; " } else { " " })?;
        match op {
            request_op::Request::RequestRange(range) => write!(f, "range {}", ShownKeys(&range.key, &range.range_end))?,
            request_op::Request::RequestPut(put) => write!(f, "put {} of {} bytes", Key(&put.key), put.value.len())?,
            request_op::Request::RequestDeleteRange(delete) => {
                write!(f, "delete {}", ShownKeys(&delete.key, &delete.range_end))?;
            }
            request_op::Request::RequestTxn(_) => f.write_str("a transaction")?,
        }
    }
    match ops.len() {
        0 => f.write_str(" nothing"),
        all if all > MOST_OPS => write!(f, "; {} more", all - MOST_OPS),
        _ => Ok(()),
    }
}

struct Key<'a>(&'a [u8]);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.get(..MOST_BYTES) {
            Some(start) if self.0.len() > MOST_BYTES => write!(f, "{}...", start.escape_ascii()),
            _ => write!(f, "{}", self.0.escape_ascii()),
        }
    }
}

/// A key, or from where to where a range goes.
pub(crate) struct ShownKeys<'a>(pub(crate) &'a [u8], pub(crate) &'a [u8]);

impl<'a> ShownKeys<'a> {
    pub(crate) fn of(range: &'a KeyRange) -> ShownKeys<'a> {
        let end: &[u8] = match &range.end {
            RangeEnd::Single => &[],
            RangeEnd::Before(end) => end,
            RangeEnd::Unbounded => &[0],
        };
        ShownKeys(&range.start, end)
    }
}

impl fmt::Display for ShownKeys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ShownKeys(start, end) = self;
        if end.is_empty() { Key(start).fmt(f) } else { write!(f, "{} to {}", Key(start), Key(end)) }
    }
}

#[cfg(test)]
mod tests {
    use keyport_api::etcdserverpb::{AuthUserAddRequest, Compare, DeleteRangeRequest, PutRequest};

    use super::*;

    fn put(key: &str) -> PutRequest {
        PutRequest { key: key.as_bytes().to_vec().into(), value: "secret".into(), ..PutRequest::default() }
    }

    #[test]
    fn keys_are_shown_and_values_are_not() {
        let of = |command: &Command| Summary(command).to_string();
        assert_eq!(of(&Command::Put(put("a\n"))), "put a\\n of 6 bytes");
        assert_eq!(of(&Command::Put(put(&"a".repeat(70)))), format!("put {}... of 6 bytes", "a".repeat(64)));
        let delete = DeleteRangeRequest { key: "a".into(), range_end: "b".into(), ..DeleteRangeRequest::default() };
        assert_eq!(of(&Command::DeleteRange(delete)), "delete a to b");
        let op = RequestOp { request: Some(request_op::Request::RequestPut(put("k"))) };
        let txn = TxnRequest { compare: vec![Compare::default()], success: vec![op; 6], failure: Vec::new() };
        let puts = ["put k of 6 bytes"; 4].join("; ");
        assert_eq!(of(&Command::Txn(txn)), format!("compare 1, then {puts}; 2 more, else nothing"));
        let user =
            AuthUserAddRequest { name: "a".to_owned(), password: "secret".to_owned(), ..AuthUserAddRequest::default() };
        assert_eq!(of(&Command::AuthUserAdd(user)), "AuthUserAdd");
    }
}
