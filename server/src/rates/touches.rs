//! What a request has to do with the keys under a prefix.

use keyport_api::etcdserverpb::request_op::Request;
use keyport_api::etcdserverpb::{
    DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest, WatchCreateRequest,
};
use keyport_storage::{KeyRange, RangeEnd};

/// See the module's text.
pub(crate) trait Touches {
    /// How many operations it is under `prefix`.
    fn operations(&self, prefix: &[u8]) -> u32;
}

/// Whether a key, or one of a range of keys, is under a prefix.
fn is_under(key: &[u8], range_end: &[u8], prefix: &[u8]) -> bool {
    match range_end {
        [] => key.starts_with(prefix),
        // To the end of all keys.
        [0] => key < prefix || key.starts_with(prefix),
        end => (key < prefix || key.starts_with(prefix)) && end > prefix,
    }
}

macro_rules! one_operation {
    ($($Request:ident),*) => {
        $(impl Touches for $Request {
            fn operations(&self, prefix: &[u8]) -> u32 {
                u32::from(is_under(&self.key, &self.range_end, prefix))
            }
        })*
    };
}

one_operation! { RangeRequest, DeleteRangeRequest, WatchCreateRequest }

impl Touches for PutRequest {
    fn operations(&self, prefix: &[u8]) -> u32 {
        u32::from(is_under(&self.key, &[], prefix))
    }
}

impl Touches for TxnRequest {
    /// Of the two branches, that which has more. What is only compared is together as much as one operation.
    fn operations(&self, prefix: &[u8]) -> u32 {
        let compares = self.compare.iter().any(|compare| is_under(&compare.key, &compare.range_end, prefix));
        let of = |branch: &[RequestOp]| {
            let ops = branch.iter().filter_map(|op| op.request.as_ref());
            ops.fold(0_u32, |sum, op| sum.saturating_add(op.operations(prefix)))
        };
        of(&self.success).max(of(&self.failure)).max(u32::from(compares))
    }
}

impl Touches for Request {
    fn operations(&self, prefix: &[u8]) -> u32 {
        match self {
            Request::RequestRange(range) => range.operations(prefix),
            Request::RequestPut(put) => put.operations(prefix),
            Request::RequestDeleteRange(delete) => delete.operations(prefix),
            Request::RequestTxn(nested) => nested.operations(prefix),
        }
    }
}

/// What is looked at together.
impl Touches for [KeyRange] {
    fn operations(&self, prefix: &[u8]) -> u32 {
        let is_under = |range: &KeyRange| match &range.end {
            RangeEnd::Single => is_under(&range.start, &[], prefix),
            RangeEnd::Before(end) => is_under(&range.start, end, prefix),
            RangeEnd::Unbounded => is_under(&range.start, &[0], prefix),
        };
        u32::from(self.iter().any(is_under))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyport_api::etcdserverpb::Compare;

    #[test]
    fn a_range_is_under_what_it_reaches_into() {
        let under = |key: &str, end: &str| is_under(key.as_bytes(), end.as_bytes(), b"/a/");
        for (key, end) in
            [("/a/", ""), ("/a/x", ""), ("/a/x", "/a/y"), ("/", "0"), ("\0", "\0"), ("/a", "/a/\0"), ("/a/z", "\0")]
        {
            assert!(under(key, end), "{key:?} {end:?}");
        }
        for (key, end) in [("/a", ""), ("/b", "\0"), ("/", "/a/"), ("/a0", "/b"), ("", "")] {
            assert!(!under(key, end), "{key:?} {end:?}");
        }
        assert!(is_under(b"anything", b"", b""), "all keys are under the empty prefix");
    }

    #[test]
    fn a_transaction_is_what_its_longer_branch_is() {
        let put = |key: &'static str| PutRequest { key: key.into(), ..PutRequest::default() };
        let op = |request| RequestOp { request: Some(request) };
        let puts = |keys: &[&'static str]| keys.iter().map(|key| op(Request::RequestPut(put(key)))).collect::<Vec<_>>();
        let compare = vec![Compare { key: "a/c".into(), ..Compare::default() }; 5];
        let mut txn = TxnRequest { compare, ..TxnRequest::default() };
        assert_eq!((txn.operations(b"a/"), txn.operations(b"b/")), (1, 0));
        txn.success = puts(&["a/1", "a/2", "b/1"]);
        txn.failure = puts(&["a/1", "b/1", "b/2", "c"]);
        assert_eq!((txn.operations(b"a/"), txn.operations(b"b/"), txn.operations(b"c")), (2, 2, 1));
        let nesting = TxnRequest { success: vec![op(Request::RequestTxn(txn)); 2], ..TxnRequest::default() };
        assert_eq!(nesting.operations(b"a/"), 4);
        assert_eq!(nesting.operations(b""), 8);
    }
}
