//! The answers that have keys, as JSON, written from the store's records.

use std::io::Write as _;

use keyport_api::etcdserverpb::ResponseHeader;
use keyport_api::json::{JsonError, ToJson};
use keyport_storage::Record;

use crate::calls::{DeleteReply, OpReply, PutReply, RangeReply, Reply, TxnReply, inner_header};
use crate::faces::pieces::{Draft, Form, Large};
use crate::faces::text::{around_value, key_value};

/// What is written as an object with a header.
pub(super) trait Encode: Reply {
    /// # Errors
    /// None, for a header that a server makes.
    fn write(self, header: &ResponseHeader, to: &mut Draft) -> Result<(), JsonError>;
}

/// An element of a list is a text of its own.
pub(super) const RECORDS: Form =
    Form { write: write_record, large: Large::InBase64 { head: write_head, tail: write_tail } };

fn write_head(record: &Record, to: &mut Vec<u8>) {
    to.extend_from_slice(&around_value(record).0);
}

fn write_tail(record: &Record, more: bool, to: &mut Vec<u8>) {
    to.extend_from_slice(&around_value(record).1);
    if more {
        to.push(b',');
    }
}

fn write_record(_field: u32, record: &Record, more: bool, to: &mut Vec<u8>) {
    // What is a record already has a JSON form.
    let _ = key_value(record).write(to);
    if more {
        to.push(b',');
    }
}

/// Fields of records need no number here.
const BY_NAME: u32 = 0;

impl Encode for RangeReply {
    fn write(self, header: &ResponseHeader, to: &mut Draft) -> Result<(), JsonError> {
        begin(header, to)?;
        list("kvs", self.records, to);
        if self.more {
            raw(",\"more\":true", to);
        }
        number("count", self.count, to);
        raw("}", to);
        Ok(())
    }
}

impl Encode for PutReply {
    fn write(self, header: &ResponseHeader, to: &mut Draft) -> Result<(), JsonError> {
        begin(header, to)?;
        if let Some(previous) = self.previous {
            raw(",\"prev_kv\":", to);
            to.records(BY_NAME, vec![previous]);
        }
        raw("}", to);
        Ok(())
    }
}

impl Encode for DeleteReply {
    fn write(self, header: &ResponseHeader, to: &mut Draft) -> Result<(), JsonError> {
        begin(header, to)?;
        number("deleted", self.deleted, to);
        list("prev_kvs", self.previous, to);
        raw("}", to);
        Ok(())
    }
}

impl Encode for TxnReply {
    fn write(self, header: &ResponseHeader, to: &mut Draft) -> Result<(), JsonError> {
        begin(header, to)?;
        if self.succeeded {
            raw(",\"succeeded\":true", to);
        }
        let mut before = ",\"responses\":[";
        let any = !self.replies.is_empty();
        for reply in self.replies {
            raw(before, to);
            match reply {
                OpReply::Range(reply, _) => op("response_range", reply, to)?,
                OpReply::Put(reply) => op("response_put", reply, to)?,
                OpReply::Delete(reply) => op("response_delete_range", reply, to)?,
                OpReply::Txn(reply) => op("response_txn", reply, to)?,
                OpReply::Nothing => raw("{}", to),
            }
            before = ",";
        }
        raw(if any { "]}" } else { "}" }, to);
        Ok(())
    }
}

fn begin(header: &ResponseHeader, to: &mut Draft) -> Result<(), JsonError> {
    raw("{\"header\":", to);
    header.write(to.text())
}

fn op(name: &str, reply: impl Encode, to: &mut Draft) -> Result<(), JsonError> {
    // A vector takes everything.
    let _ = write!(to.text(), "{{\"{name}\":");
    let header = inner_header(&reply);
    reply.write(&header, to)?;
    raw("}", to);
    Ok(())
}

fn list(name: &str, records: Vec<Record>, to: &mut Draft) {
    if !records.is_empty() {
        let _ = write!(to.text(), ",\"{name}\":[");
        to.records(BY_NAME, records);
        raw("]", to);
    }
}

fn number(name: &str, number: i64, to: &mut Draft) {
    if number != 0 {
        let _ = write!(to.text(), ",\"{name}\":\"{number}\"");
    }
}

fn raw(text: &str, to: &mut Draft) {
    to.text().extend_from_slice(text.as_bytes());
}
