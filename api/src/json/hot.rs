//! Writers for the messages of the hot paths: answers of KV, and watch events.
//!
//! They say what pbjson's impls say, member for member in the order of the proto file; the tests compare the two.

use super::writer::{Render, boolean, bytes, close, int64, list, message, open, string, uint64};
use super::{JsonError, ToJson};
use crate::etcdserverpb::{
    DeleteRangeResponse, LeaseKeepAliveResponse, PutResponse, RangeResponse, RangeStreamResponse, ResponseHeader,
    ResponseOp, TxnResponse, WatchResponse, response_op::Response,
};
use crate::mvccpb::event::EventType;
use crate::mvccpb::{Event, KeyValue};

impl Render for ResponseHeader {
    fn render(&self, out: &mut Vec<u8>) {
        open(out);
        uint64(out, "\"cluster_id\":\"", self.cluster_id);
        uint64(out, "\"member_id\":\"", self.member_id);
        int64(out, "\"revision\":\"", self.revision);
        uint64(out, "\"raft_term\":\"", self.raft_term);
        close(out);
    }
}

/// A `KeyValue` whose bytes are somebody else's: written without building the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyValueRef<'a> {
    /// `key`
    pub key: &'a [u8],
    /// `create_revision`
    pub create_revision: i64,
    /// `mod_revision`
    pub mod_revision: i64,
    /// `version`
    pub version: i64,
    /// `value`
    pub value: &'a [u8],
    /// `lease`
    pub lease: i64,
}

impl<'a> From<&'a KeyValue> for KeyValueRef<'a> {
    fn from(kv: &'a KeyValue) -> KeyValueRef<'a> {
        let KeyValue { key, create_revision, mod_revision, version, value, lease } = kv;
        let (create_revision, mod_revision, version, lease) = (*create_revision, *mod_revision, *version, *lease);
        KeyValueRef { key, create_revision, mod_revision, version, value, lease }
    }
}

impl Render for KeyValueRef<'_> {
    fn render(&self, out: &mut Vec<u8>) {
        open(out);
        bytes(out, "\"key\":\"", self.key);
        int64(out, "\"create_revision\":\"", self.create_revision);
        int64(out, "\"mod_revision\":\"", self.mod_revision);
        int64(out, "\"version\":\"", self.version);
        bytes(out, "\"value\":\"", self.value);
        int64(out, "\"lease\":\"", self.lease);
        close(out);
    }

    fn size_hint(&self) -> usize {
        160 + (self.key.len() + self.value.len()) / 3 * 4
    }
}

impl ToJson for KeyValueRef<'_> {
    fn write(&self, out: &mut Vec<u8>) -> Result<(), JsonError> {
        out.reserve(self.size_hint());
        self.render(out);
        Ok(())
    }
}

impl Render for KeyValue {
    fn render(&self, out: &mut Vec<u8>) {
        KeyValueRef::from(self).render(out);
    }

    fn size_hint(&self) -> usize {
        KeyValueRef::from(self).size_hint()
    }
}

impl Render for Event {
    fn render(&self, out: &mut Vec<u8>) {
        open(out);
        match EventType::try_from(self.r#type) {
            Ok(EventType::Put) => {}
            Ok(EventType::Delete) => out.extend_from_slice(b"\"type\":\"DELETE\","),
            Err(_) => {
                out.extend_from_slice(b"\"type\":");
                out.extend_from_slice(itoa::Buffer::new().format(self.r#type).as_bytes());
                out.push(b',');
            }
        }
        message(out, "\"kv\":", self.kv.as_ref());
        message(out, "\"prev_kv\":", self.prev_kv.as_ref());
        close(out);
    }

    fn size_hint(&self) -> usize {
        64 + sizes(&self.kv) + sizes(&self.prev_kv)
    }
}

impl Render for RangeResponse {
    fn render(&self, out: &mut Vec<u8>) {
        open(out);
        message(out, "\"header\":", self.header.as_ref());
        list(out, "\"kvs\":[", &self.kvs);
        boolean(out, "\"more\":true,", self.more);
        int64(out, "\"count\":\"", self.count);
        close(out);
    }

    fn size_hint(&self) -> usize {
        192 + sizes(&self.kvs)
    }
}

impl Render for RangeStreamResponse {
    fn render(&self, out: &mut Vec<u8>) {
        open(out);
        message(out, "\"range_response\":", self.range_response.as_ref());
        close(out);
    }

    fn size_hint(&self) -> usize {
        32 + sizes(&self.range_response)
    }
}

impl Render for PutResponse {
    fn render(&self, out: &mut Vec<u8>) {
        open(out);
        message(out, "\"header\":", self.header.as_ref());
        message(out, "\"prev_kv\":", self.prev_kv.as_ref());
        close(out);
    }

    fn size_hint(&self) -> usize {
        160 + sizes(&self.prev_kv)
    }
}

impl Render for DeleteRangeResponse {
    fn render(&self, out: &mut Vec<u8>) {
        open(out);
        message(out, "\"header\":", self.header.as_ref());
        int64(out, "\"deleted\":\"", self.deleted);
        list(out, "\"prev_kvs\":[", &self.prev_kvs);
        close(out);
    }

    fn size_hint(&self) -> usize {
        192 + sizes(&self.prev_kvs)
    }
}

impl Render for ResponseOp {
    fn render(&self, out: &mut Vec<u8>) {
        open(out);
        match &self.response {
            Some(Response::ResponseRange(range)) => message(out, "\"response_range\":", Some(range)),
            Some(Response::ResponsePut(put)) => message(out, "\"response_put\":", Some(put)),
            Some(Response::ResponseDeleteRange(delete)) => message(out, "\"response_delete_range\":", Some(delete)),
            Some(Response::ResponseTxn(txn)) => message(out, "\"response_txn\":", Some(txn)),
            None => {}
        }
        close(out);
    }

    fn size_hint(&self) -> usize {
        32 + match &self.response {
            Some(Response::ResponseRange(range)) => range.size_hint(),
            Some(Response::ResponsePut(put)) => put.size_hint(),
            Some(Response::ResponseDeleteRange(delete)) => delete.size_hint(),
            Some(Response::ResponseTxn(txn)) => txn.size_hint(),
            None => 0,
        }
    }
}

impl Render for TxnResponse {
    fn render(&self, out: &mut Vec<u8>) {
        open(out);
        message(out, "\"header\":", self.header.as_ref());
        boolean(out, "\"succeeded\":true,", self.succeeded);
        list(out, "\"responses\":[", &self.responses);
        close(out);
    }

    fn size_hint(&self) -> usize {
        192 + sizes(&self.responses)
    }
}

impl Render for WatchResponse {
    fn render(&self, out: &mut Vec<u8>) {
        open(out);
        message(out, "\"header\":", self.header.as_ref());
        int64(out, "\"watch_id\":\"", self.watch_id);
        boolean(out, "\"created\":true,", self.created);
        boolean(out, "\"canceled\":true,", self.canceled);
        int64(out, "\"compact_revision\":\"", self.compact_revision);
        string(out, "\"cancel_reason\":", &self.cancel_reason);
        boolean(out, "\"fragment\":true,", self.fragment);
        list(out, "\"events\":[", &self.events);
        close(out);
    }

    fn size_hint(&self) -> usize {
        320 + self.cancel_reason.len() + sizes(&self.events)
    }
}

impl Render for LeaseKeepAliveResponse {
    fn render(&self, out: &mut Vec<u8>) {
        open(out);
        message(out, "\"header\":", self.header.as_ref());
        int64(out, "\"ID\":\"", self.id);
        int64(out, "\"TTL\":\"", self.ttl);
        close(out);
    }
}

fn sizes<'a, T: Render + 'a>(messages: impl IntoIterator<Item = &'a T>) -> usize {
    messages.into_iter().map(|message| message.size_hint() + 1).sum()
}

macro_rules! to_json {
    ($($message:ident)*) => {$(
        impl ToJson for $message {
            fn write(&self, out: &mut Vec<u8>) -> Result<(), JsonError> {
                out.reserve(self.size_hint());
                self.render(out);
                Ok(())
            }
        }
    )*};
}

// Listed in the build script too, which gives all other messages a `ToJson` through pbjson.
to_json! {
    ResponseHeader KeyValue Event RangeResponse RangeStreamResponse PutResponse DeleteRangeResponse ResponseOp TxnResponse
    WatchResponse LeaseKeepAliveResponse
}
