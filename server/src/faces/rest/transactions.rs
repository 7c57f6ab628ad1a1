//! `POST /v3/transactions` and `POST /v3/keys:batch`: several operations at one revision, all of them or none.

mod repeated;
mod told;
mod wish;

use bytes::Bytes;
use http::{HeaderMap, Response};
use keyport_openapi::endpoints::Resource;

use super::failure::Failure;
use super::once::Outcome;
use super::shown;
use crate::bulk::{LARGE, LONG};
use crate::calls::{Caller, Calls, KvAnswer, MAX_TXN_LEVELS, Reply, TxnReply};
use crate::faces::fields;
use crate::faces::text::GatewayBody;
use repeated::Repeated;
use wish::{Batch, Transaction};

pub(super) async fn answer(
    calls: &Calls,
    caller: &Caller,
    resource: Resource,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Response<GatewayBody>, Failure> {
    let as_batch = resource == Resource::KeysBatch;
    let repeated = Repeated::of(headers, caller, as_batch, &body)?;
    // What is done once is within a transaction itself.
    let levels = MAX_TXN_LEVELS - usize::from(repeated.is_some());
    let read = move |body: &[u8]| match as_batch {
        true => fields::read::<Batch>(body)?.request(),
        false => fields::read::<Transaction>(body)?.request(levels),
    };
    let request = match body.len() > LARGE {
        true => calls.aside(caller).run(move |_| read(&body)).await??,
        false => read(&body)?,
    };
    let reply = match &repeated {
        Some(repeated) => match repeated.run(calls, caller, request).await? {
            Outcome::Now(reply) => reply,
            Outcome::Before(record) => return repeated.again(&record),
        },
        None => {
            let KvAnswer { reply, .. } = match as_batch {
                true => calls.kv.batch(caller, request).await?,
                false => calls.kv.txn(caller, request).await?,
            };
            reply
        }
    };
    if as_batch && !reply.succeeded {
        return Err(Failure::Unmet);
    }
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
