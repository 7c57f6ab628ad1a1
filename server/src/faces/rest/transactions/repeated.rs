//! A transaction, or a batch, that may come again. It runs within another one, which does it if it has not been done yet, and then
//! writes down at the same revision which way it went. A repetition is told that, and the revision; what was read then can be
//! read as of that revision.

use bytes::Bytes;
use http::{HeaderMap, Response};
use keyport_api::error::Error;
use keyport_api::etcdserverpb::request_op::Request;
use keyport_api::etcdserverpb::{RequestOp, TxnRequest};
use keyport_storage::Record;
use serde::{Deserialize, Serialize};

use super::told;
use crate::calls::{Caller, Calls, OpReply, TxnReply};
use crate::faces::rest::failure::Failure;
use crate::faces::rest::once::{self, Noted, Once, Outcome};
use crate::faces::rest::shown;
use crate::faces::text::GatewayBody;

/// What records of such requests are behind.
const BESIDE: &[u8] = b"__transactions";

/// See the module's text.
pub(super) struct Repeated {
    once: Once,
    as_batch: bool,
}

/// Which way it went.
#[derive(Serialize, Deserialize)]
struct Done {
    succeeded: bool,
}

impl Repeated {
    /// By the header, if it is there.
    ///
    /// # Errors
    /// `Malformed`.
    pub(super) fn of(
        headers: &HeaderMap,
        caller: &Caller,
        as_batch: bool,
        body: &[u8],
    ) -> Result<Option<Repeated>, Failure> {
        let kind: &[u8] = if as_batch { b"batch" } else { b"transaction" };
        let once = Once::of(headers, caller, BESIDE, &[kind, body])?;
        Ok(once.map(|once| Repeated { once, as_batch }))
    }

    /// Does it, unless it has been done.
    ///
    /// # Errors
    /// As a transaction.
    pub(super) async fn run(
        &self,
        calls: &Calls,
        caller: &Caller,
        request: TxnRequest,
    ) -> Result<Outcome<TxnReply>, Failure> {
        let attempt = |Noted { lease, .. }| async move {
            let around = self.around(request, lease);
            let TxnReply { revision, succeeded, replies } = calls.kv.once(caller, around, self.as_batch).await?.reply;
            match (succeeded, replies.into_iter().next()) {
                (true, Some(OpReply::Txn(mut inner))) => {
                    // The last one is about the record.
                    inner.replies.pop();
                    inner.revision = revision;
                    Ok(Outcome::Now(inner))
                }
                (false, Some(OpReply::Range(found, _))) => {
                    let record = found.records.into_iter().next().ok_or(Error::ReplyMismatch)?;
                    Ok(Outcome::Before(record))
                }
                _ => Err(Error::ReplyMismatch.into()),
            }
        };
        self.once.run(calls, caller, attempt).await
    }

    fn around(&self, mut request: TxnRequest, lease: i64) -> TxnRequest {
        let operation = |request| RequestOp { request: Some(request) };
        let written = |succeeded| operation(Request::RequestPut(self.once.write(Done { succeeded }, lease)));
        request.success.push(written(true));
        request.failure.push(written(false));
        TxnRequest {
            compare: vec![self.once.is_new()],
            success: vec![operation(Request::RequestTxn(request))],
            failure: vec![operation(Request::RequestRange(self.once.look()))],
        }
    }

    /// Answers as the first time.
    ///
    /// # Errors
    /// `Reused`; `Unmet`, where that was the answer.
    pub(super) fn again(&self, record: &Record) -> Result<Response<GatewayBody>, Failure> {
        let Done { succeeded } = self.once.done(record)?;
        if self.as_batch && !succeeded {
            return Err(Failure::Unmet);
        }
        let revision = record.versions().mod_revision;
        let document: Bytes = match self.as_batch {
            true => told::batch_again(revision),
            false => told::transaction_again(succeeded, revision),
        };
        let mut response = shown::json(document);
        response.headers_mut().insert(shown::REVISION, revision.into());
        once::mark(&mut response);
        Ok(response)
    }
}
