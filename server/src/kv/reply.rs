//! What comes of requests for keys, the keys still shared with the store: the faces encode from there.

use keyport_api::etcdserverpb::response_op::Response;
use keyport_api::etcdserverpb::{
    DeleteRangeResponse, PutResponse, RangeResponse, ResponseHeader, ResponseOp, TxnResponse,
};
use keyport_storage::Record;

/// The answer to a range.
#[derive(Clone, Debug, Default)]
pub struct RangeReply {
    /// The store's revision when the range was read.
    pub revision: i64,
    pub records: Vec<Record>,
    /// Whether the limit cut keys off.
    pub more: bool,
    /// Keys in the range at that revision, whatever limit and filters left of them.
    pub count: i64,
}

/// What is not in a record of a range that was asked for keys alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Bytes of the value.
    pub size: usize,
    /// etcd leaves it out of most of them, too.
    pub lease: i64,
}

/// The answer to a put.
#[derive(Clone, Debug, Default)]
pub struct PutReply {
    /// The store's revision after it.
    pub revision: i64,
    /// What the key is now. On the wire of gRPC it has no place.
    pub record: Option<Record>,
    /// What the key was before, if that was asked for.
    pub previous: Option<Record>,
}

/// The answer to a deletion.
#[derive(Clone, Debug, Default)]
pub struct DeleteReply {
    /// The store's revision after it.
    pub revision: i64,
    /// How many keys were there.
    pub deleted: i64,
    /// What they were, if that was asked for.
    pub previous: Vec<Record>,
}

/// The answer to a transaction.
#[derive(Clone, Debug, Default)]
pub struct TxnReply {
    /// The store's revision after it; 0 for a nested one, as etcd has it.
    pub revision: i64,
    /// Whether all guards held.
    pub succeeded: bool,
    /// Of the branch that was taken, in its order.
    pub replies: Vec<OpReply>,
}

/// The answer to one operation of a transaction.
#[derive(Clone, Debug)]
pub enum OpReply {
    /// With what is left out of each record, where keys alone are asked for.
    Range(RangeReply, Vec<LeftOut>),
    Put(PutReply),
    Delete(DeleteReply),
    Txn(TxnReply),
    /// To an operation without a request.
    Nothing,
}

/// What is read at a revision.
pub trait Dated: Send + 'static {
    /// The store's revision that its header says.
    fn revision(&self) -> i64;
}

/// A reply that is a message on the wire.
pub trait Reply: Dated {
    type Message;

    /// How many elements its lists have. Long ones are not gone through to find out.
    fn elements(&self) -> usize;

    /// Bytes of its records, as the store has them.
    fn bytes(&self) -> usize;

    /// The wire message; copies keys and values.
    fn into_message(self, header: ResponseHeader) -> Self::Message;
}

impl Dated for RangeReply {
    fn revision(&self) -> i64 {
        self.revision
    }
}

impl Reply for RangeReply {
    type Message = RangeResponse;

    fn elements(&self) -> usize {
        self.records.len()
    }

    fn bytes(&self) -> usize {
        bytes_of(&self.records)
    }

    fn into_message(self, header: ResponseHeader) -> RangeResponse {
        let kvs = self.records.iter().map(Record::to_message).collect();
        RangeResponse { header: Some(header), kvs, more: self.more, count: self.count }
    }
}

impl Dated for PutReply {
    fn revision(&self) -> i64 {
        self.revision
    }
}

impl Reply for PutReply {
    type Message = PutResponse;

    fn elements(&self) -> usize {
        usize::from(self.previous.is_some())
    }

    fn bytes(&self) -> usize {
        bytes_of(&self.previous)
    }

    fn into_message(self, header: ResponseHeader) -> PutResponse {
        PutResponse { header: Some(header), prev_kv: self.previous.as_ref().map(Record::to_message) }
    }
}

impl Dated for DeleteReply {
    fn revision(&self) -> i64 {
        self.revision
    }
}

impl Reply for DeleteReply {
    type Message = DeleteRangeResponse;

    fn elements(&self) -> usize {
        self.previous.len()
    }

    fn bytes(&self) -> usize {
        bytes_of(&self.previous)
    }

    fn into_message(self, header: ResponseHeader) -> DeleteRangeResponse {
        let prev_kvs = self.previous.iter().map(Record::to_message).collect();
        DeleteRangeResponse { header: Some(header), deleted: self.deleted, prev_kvs }
    }
}

impl Dated for TxnReply {
    fn revision(&self) -> i64 {
        self.revision
    }
}

impl Reply for TxnReply {
    type Message = TxnResponse;

    fn elements(&self) -> usize {
        self.replies.iter().map(|reply| 1 + reply.elements()).sum()
    }

    fn bytes(&self) -> usize {
        self.replies.iter().map(OpReply::bytes).sum()
    }

    fn into_message(self, header: ResponseHeader) -> TxnResponse {
        let responses = self.replies.into_iter().map(OpReply::into_message).collect();
        TxnResponse { header: Some(header), succeeded: self.succeeded, responses }
    }
}

/// Goes as deep as the request was nested, which is bounded.
impl OpReply {
    fn elements(&self) -> usize {
        match self {
            OpReply::Range(reply, _) => reply.elements(),
            OpReply::Put(reply) => reply.elements(),
            OpReply::Delete(reply) => reply.elements(),
            OpReply::Txn(reply) => reply.elements(),
            OpReply::Nothing => 0,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            OpReply::Range(reply, _) => reply.bytes(),
            OpReply::Put(reply) => reply.bytes(),
            OpReply::Delete(reply) => reply.bytes(),
            OpReply::Txn(reply) => reply.bytes(),
            OpReply::Nothing => 0,
        }
    }

    fn into_message(self) -> ResponseOp {
        let response = match self {
            OpReply::Range(reply, _) => Response::ResponseRange(inner(reply)),
            OpReply::Put(reply) => Response::ResponsePut(inner(reply)),
            OpReply::Delete(reply) => Response::ResponseDeleteRange(inner(reply)),
            OpReply::Txn(reply) => Response::ResponseTxn(inner(reply)),
            OpReply::Nothing => return ResponseOp::default(),
        };
        ResponseOp { response: Some(response) }
    }
}

fn bytes_of<'a>(records: impl IntoIterator<Item = &'a Record>) -> usize {
    records.into_iter().map(|record| record.encoded().len()).sum()
}

fn inner<R: Reply>(reply: R) -> R::Message {
    let header = inner_header(&reply);
    reply.into_message(header)
}

/// What the header of an operation's answer says inside of a transaction's: the revision alone.
pub(crate) fn inner_header(reply: &impl Reply) -> ResponseHeader {
    ResponseHeader { revision: reply.revision(), ..ResponseHeader::default() }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Replies of every kind, of a few records each.
    pub(crate) fn txn(record: impl Strategy<Value = Record> + 'static) -> impl Strategy<Value = TxnReply> {
        let record = record.boxed();
        let records = prop::collection::vec(record.clone(), 0..4);
        let range = (any::<i64>(), records.clone(), any::<bool>(), 0..3_i64)
            .prop_map(|(revision, records, more, count)| RangeReply { revision, records, more, count });
        let put = (any::<i64>(), prop::option::of(record)).prop_map(|(revision, previous)| PutReply {
            revision,
            record: None,
            previous,
        });
        let delete = (any::<i64>(), 0..3_i64, records).prop_map(|(revision, deleted, previous)| DeleteReply {
            revision,
            deleted,
            previous,
        });
        let op = prop_oneof![
            range.prop_map(|reply| OpReply::Range(reply, Vec::new())),
            put.prop_map(OpReply::Put),
            delete.prop_map(OpReply::Delete),
            Just(OpReply::Nothing),
        ];
        let op = op.prop_recursive(2, 8, 3, |inner| of(inner).prop_map(OpReply::Txn));
        of(op)
    }

    fn of(op: impl Strategy<Value = OpReply>) -> impl Strategy<Value = TxnReply> {
        (any::<bool>(), prop::collection::vec(op, 0..4), any::<i64>())
            .prop_map(|(succeeded, replies, revision)| TxnReply { revision, succeeded, replies })
    }
}
