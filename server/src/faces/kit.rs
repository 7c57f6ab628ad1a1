//! What faces share.

use std::any::Any;

use http::Extensions;
use keyport_api::error::Error;
use keyport_api::etcdserverpb::response_op::Response;
use keyport_api::etcdserverpb::{DeleteRangeResponse, LeaseLeasesResponse, LeaseTimeToLiveResponse, TxnResponse};
use prost::Message;

use crate::bulk::{LARGE, LONG};
use crate::calls::{Caller, Calls, Claims, Identified};
use crate::http::Call;
use crate::http::layers::Identify;

/// Who asks, as the stack found out.
///
/// # Errors
/// `Unidentified`, for a request that did not come through the stack.
pub(super) fn caller(extensions: &Extensions) -> Result<Caller, Error> {
    Call::get(extensions).and_then(|call| call.caller.clone()).ok_or(Error::Unidentified)
}

/// Whether encoding an answer would hold up an event loop. Finding out does not: a long list is not gone through for it.
pub(super) fn is_large<T: Message + 'static>(answer: &T) -> bool {
    elements(answer) > LONG || answer.encoded_len() > LARGE
}

/// How many elements the lists of an answer have that may be long.
fn elements(answer: &dyn Any) -> usize {
    if let Some(answer) = answer.downcast_ref::<TxnResponse>() {
        of_txn(answer)
    } else if let Some(answer) = answer.downcast_ref::<DeleteRangeResponse>() {
        answer.prev_kvs.len()
    } else if let Some(answer) = answer.downcast_ref::<LeaseLeasesResponse>() {
        answer.leases.len()
    } else if let Some(answer) = answer.downcast_ref::<LeaseTimeToLiveResponse>() {
        answer.keys.len()
    } else {
        0
    }
}

/// As deep as the request was nested, which is bounded.
fn of_txn(answer: &TxnResponse) -> usize {
    let ops = answer.responses.iter().filter_map(|op| op.response.as_ref());
    ops.map(|op| match op {
        Response::ResponseRange(range) => range.kvs.len(),
        Response::ResponseDeleteRange(deleted) => deleted.prev_kvs.len(),
        Response::ResponseTxn(nested) => of_txn(nested),
        Response::ResponsePut(_) => 1,
    })
    .sum()
}

impl Identify for Calls {
    fn identify(&self, claims: &Claims) -> Identified {
        Calls::identify(self, claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyport_api::etcdserverpb::{PutResponse, RangeResponse, ResponseOp};
    use keyport_api::mvccpb::KeyValue;

    #[test]
    fn long_lists_are_large_wherever_they_are() {
        let op = |response| TxnResponse {
            responses: vec![ResponseOp { response: Some(response) }],
            ..TxnResponse::default()
        };
        for (len, large) in [(LONG, false), (LONG + 1, true)] {
            let kvs = vec![KeyValue::default(); len];
            let txn = op(Response::ResponseRange(RangeResponse { kvs: kvs.clone(), ..RangeResponse::default() }));
            assert_eq!(is_large(&op(Response::ResponseTxn(txn))), large);
            assert_eq!(is_large(&DeleteRangeResponse { prev_kvs: kvs, ..DeleteRangeResponse::default() }), large);
        }
        let value = |len: usize| KeyValue { value: vec![0; len].into(), ..KeyValue::default() };
        for (len, large) in [(1, false), (LARGE, true)] {
            assert_eq!(is_large(&PutResponse { prev_kv: Some(value(len)), ..PutResponse::default() }), large);
        }
    }
}
