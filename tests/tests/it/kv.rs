//! Range, put, delete, transactions and compaction over gRPC.

mod compact;
mod delete;
mod put;
mod range;
mod txn;
mod txn_limits;
