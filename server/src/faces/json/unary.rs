//! A call with one message each way: the hot path.

use std::future::Future;

use bytes::Bytes;
use http::{Response, header};
use http_body::Body;
use keyport_api::error::Error;
use keyport_api::json::{self, FromJson};
use prost::Message;
use tonic::Status;

use super::GatewayOptions;
use super::answer::Answer;
use super::refusal::{JSON, Refusal};
use crate::bulk::{Aside, LARGE};
use crate::faces::body;
use crate::faces::text::GatewayBody;
use crate::http::BoxError;

/// Reads the message, makes the call, writes the answer into one buffer of known length. A refusal `tells` of fields that were
/// passed over, or does not.
pub(super) async fn call<B, Req, Resp, F, E>(
    options: &GatewayOptions,
    aside: Aside<'_>,
    body: B,
    invoke: impl FnOnce(Req) -> F,
    tells: bool,
) -> Response<GatewayBody>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    Req: Message + FromJson + 'static,
    Resp: Answer,
    F: Future<Output = Result<Resp, E>>,
    E: Into<Status>,
{
    let (request, passed_over) = match request(options, aside, body).await {
        Ok(request) => request,
        Err(refusal) => return refusal.response(),
    };
    match invoke(request).await {
        Ok(answer) => render(aside, answer).await,
        Err(error) if tells => Refusal::from(error.into()).telling(passed_over).response(),
        Err(error) => Refusal::from(error.into()).response(),
    }
}

/// A message, and the names of fields that it does not have.
type Decoded<T> = (T, Vec<Box<str>>);

/// The message of a request.
pub(super) async fn request<B, Req>(
    options: &GatewayOptions,
    aside: Aside<'_>,
    body: B,
) -> Result<Decoded<Req>, Refusal>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    Req: Message + FromJson + 'static,
{
    let text = body::collect(std::pin::pin!(body), options.max_json_bytes()).await?;
    read(options, aside, text).await
}

/// The message that a text is, within the bounds of the gateway; read aside if the text is large.
pub(super) async fn read<T>(options: &GatewayOptions, aside: Aside<'_>, text: Bytes) -> Result<Decoded<T>, Refusal>
where
    T: Message + FromJson + 'static,
{
    if !is_large(&text) {
        return decode(options, &text);
    }
    let options = options.clone();
    aside.run(move |_| decode(&options, &text)).await?
}

/// Whether reading it takes too long for an event loop.
pub(super) fn is_large(text: &[u8]) -> bool {
    text.len() > LARGE
}

/// The message that a text is, within the bounds of the gateway.
pub(super) fn decode<T>(options: &GatewayOptions, text: &[u8]) -> Result<Decoded<T>, Refusal>
where
    T: Message + FromJson,
{
    let (message, passed_over) = json::from_slice_telling(text, options.max_txn_ops).map_err(Status::from)?;
    check_size(options, text.len(), &message)?;
    Ok((message, passed_over))
}

/// Refuses a message that gRPC would refuse. JSON is longer than protobuf, so most need not be measured.
fn check_size(options: &GatewayOptions, text_len: usize, message: &impl Message) -> Result<(), Error> {
    let limit = options.max_message_bytes;
    if text_len <= limit {
        return Ok(());
    }
    match message.encoded_len() {
        size if size > limit => Err(Error::MessageTooLarge { size, limit }),
        _ => Ok(()),
    }
}

async fn render(aside: Aside<'_>, answer: impl Answer) -> Response<GatewayBody> {
    let written = if answer.is_large() {
        let bulk = aside.bulk().clone();
        match aside.run(move |_| answer.into_body(&bulk)).await {
            Ok(written) => written,
            Err(error) => return Refusal::from(error).response(),
        }
    } else {
        answer.into_body(aside.bulk())
    };
    let body = match written {
        Ok(body) => body,
        Err(error) => return Refusal::from(Status::from(error)).response(),
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}
