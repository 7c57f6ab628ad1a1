//! What came of it, operation by operation.

use std::io::Write as _;

use bytes::Bytes;
use keyport_storage::Record;

use crate::calls::{DeleteReply, LeftOut, OpReply, PutReply, RangeReply, TxnReply};
use crate::faces::rest::shown::Written;
use crate::faces::text::{write_outline, write_readable};

/// The answer to a transaction.
pub(super) fn transaction(reply: &TxnReply) -> Bytes {
    let mut out = Vec::with_capacity(256);
    write_transaction(&mut out, reply);
    out.push(b'\n');
    out.into()
}

/// The answer to operations that were done in any case.
pub(super) fn batch(reply: &TxnReply) -> Bytes {
    let mut out = Vec::with_capacity(256);
    out.push(b'{');
    write_revision(&mut out, reply.revision);
    write_results(&mut out, &reply.replies);
    out.extend_from_slice(b"}\n");
    out.into()
}

/// That it was done before, and which way it went.
pub(super) fn transaction_again(succeeded: bool, revision: i64) -> Bytes {
    format!("{{\"succeeded\":{succeeded},\"revision\":\"{revision}\"}}\n").into()
}

/// That it was done before.
pub(super) fn batch_again(revision: i64) -> Bytes {
    format!("{{\"revision\":\"{revision}\"}}\n").into()
}

/// Goes as deep as the request did.
fn write_transaction(out: &mut Vec<u8>, reply: &TxnReply) {
    // A vector takes everything, here and below.
    let _ = write!(out, "{{\"succeeded\":{},", reply.succeeded);
    write_revision(out, reply.revision);
    write_results(out, &reply.replies);
    out.push(b'}');
}

/// A nested transaction has none of its own.
fn write_revision(out: &mut Vec<u8>, revision: i64) {
    if revision != 0 {
        let _ = write!(out, "\"revision\":\"{revision}\",");
    }
}

fn write_results(out: &mut Vec<u8>, replies: &[OpReply]) {
    out.extend_from_slice(b"\"results\":");
    write_list(out, replies, |out, reply| match reply {
        OpReply::Range(reply, left_out) => write_get(out, reply, left_out),
        OpReply::Put(reply) => write_put(out, reply),
        OpReply::Delete(reply) => write_delete(out, reply),
        OpReply::Txn(reply) => {
            out.extend_from_slice(b"{\"transaction\":");
            write_transaction(out, reply);
            out.push(b'}');
        }
        OpReply::Nothing => out.extend_from_slice(b"{}"),
    });
}

fn write_get(out: &mut Vec<u8>, reply: &RangeReply, left_out: &[LeftOut]) {
    out.extend_from_slice(b"{\"get\":{\"keys\":");
    if left_out.is_empty() {
        write_records(out, &reply.records);
    } else {
        let keys: Vec<_> = reply.records.iter().zip(left_out).collect();
        write_list(out, &keys, |out, (record, left_out)| {
            out.push(b'{');
            write_outline(out, record, left_out.lease, left_out.size);
            out.push(b'}');
        });
    }
    let _ = write!(out, ",\"count\":\"{}\"", reply.count);
    if reply.more {
        out.extend_from_slice(b",\"more\":true");
    }
    out.extend_from_slice(b"}}");
}

fn write_put(out: &mut Vec<u8>, reply: &PutReply) {
    out.extend_from_slice(b"{\"put\":");
    match &reply.record {
        Some(kv) => {
            Written { kv, versions: kv.versions(), with_value: false, ttl: None, previous: reply.previous.as_ref() }
                .write(out)
        }
        None => out.extend_from_slice(b"{}"),
    }
    out.push(b'}');
}

fn write_delete(out: &mut Vec<u8>, reply: &DeleteReply) {
    let _ = write!(out, "{{\"delete\":{{\"deleted\":\"{}\"", reply.deleted);
    if !reply.previous.is_empty() {
        out.extend_from_slice(b",\"prev_kvs\":");
        write_records(out, &reply.previous);
    }
    out.extend_from_slice(b"}}");
}

fn write_records(out: &mut Vec<u8>, records: &[Record]) {
    write_list(out, records, |out, record| write_readable(out, record, None));
}

fn write_list<T>(out: &mut Vec<u8>, elements: &[T], mut write: impl FnMut(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (at, element) in elements.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(out, element);
    }
    out.push(b']');
}
