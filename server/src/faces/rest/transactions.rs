//! `POST /v3/transactions` and `POST /v3/keys:batch`: several operations at one revision, all of them or none.

mod told;
mod wish;

use bytes::Bytes;
use http::Response;
use keyport_openapi::endpoints::Resource;

use super::failure::Failure;
use super::shown;
use crate::bulk::{LARGE, LONG};
use crate::calls::{Caller, Calls, KvAnswer, Reply, TxnReply};
use crate::faces::fields;
use crate::faces::text::GatewayBody;
use wish::{Batch, Transaction};

pub(super) async fn answer(
    calls: &Calls,
    caller: &Caller,
    resource: Resource,
    body: Bytes,
) -> Result<Response<GatewayBody>, Failure> {
    let as_batch = resource == Resource::KeysBatch;
    let read = move |body: &[u8]| match as_batch {
        true => fields::read::<Batch>(body)?.request(),
        false => fields::read::<Transaction>(body)?.request(),
    };
    let request = match body.len() > LARGE {
        true => calls.aside(caller).run(move |_| read(&body)).await??,
        false => read(&body)?,
    };
    let KvAnswer { reply, .. } = match as_batch {
        true => calls.kv.batch(caller, request.success).await?,
        false => calls.kv.txn(caller, request).await?,
    };
    let revision = reply.revision;
    let write = move |reply: &TxnReply| if as_batch { told::batch(reply) } else { told::transaction(reply) };
    let document = match reply.elements() > LONG || reply.bytes() > LARGE {
        true => calls.aside(caller).run(move |_| write(&reply)).await?,
        false => write(&reply),
    };
    let mut response = shown::json(document);
    response.headers_mut().insert(shown::REVISION, revision.into());
    Ok(response)
}
