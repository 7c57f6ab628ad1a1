//! What requests for keys mean, over any view of the store: shared by those who read and by what applies the log.

pub(crate) mod compare;
pub(crate) mod error;
pub(crate) mod keys;
pub(crate) mod range;
pub(crate) mod reply;
pub(crate) mod txn;

pub(crate) use error::KvError;
pub(crate) use reply::{Dated, DeleteReply, LeftOut, OpReply, PutReply, RangeReply, Reply, TxnReply, inner_header};
