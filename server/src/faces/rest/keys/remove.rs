//! `DELETE /v3/keys/{key}`.

use http::{Response, StatusCode};
use keyport_api::error::Error;
use keyport_api::etcdserverpb::DeleteRangeRequest;
use keyport_api::etcdserverpb::request_op::Request;

use super::ask::Ask;
use super::swap::swap;
use crate::calls::{Caller, Calls, OpReply};
use crate::faces::rest::failure::Failure;
use crate::faces::rest::shown;
use crate::faces::text::GatewayBody;

pub(super) async fn answer(calls: &Calls, caller: &Caller, ask: Ask) -> Result<Response<GatewayBody>, Failure> {
    let Ask { key, condition, previous, .. } = ask;
    let request = DeleteRangeRequest { key: key.clone(), prev_kv: previous, ..DeleteRangeRequest::default() };
    let reply = if condition.is_none() {
        calls.kv.delete_range(caller, request).await?.reply
    } else {
        match swap(calls, caller, &key, &condition, Request::RequestDeleteRange(request)).await? {
            OpReply::Delete(reply) => reply,
            _ => return Err(Error::ReplyMismatch.into()),
        }
    };
    if reply.deleted == 0 {
        return Err(Failure::Absent(reply.revision));
    }
    let mut response = Response::new(GatewayBody::empty());
    response.headers_mut().insert(shown::REVISION, reply.revision.into());
    match reply.previous.first() {
        Some(previous) => {
            *response.body_mut() = GatewayBody::Full(shown::document_of(previous));
            shown::typed(response.headers_mut());
        }
        None => *response.status_mut() = StatusCode::NO_CONTENT,
    }
    Ok(response)
}
