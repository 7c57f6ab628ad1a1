//! A call with one message each way: the hot path.

use std::future::Future;

use bytes::Bytes;
use http::{Response, header};
use http_body::Body;
use keyport_api::error::Error;
use keyport_api::json::{self, FromJson, ToJson};
use prost::Message;
use tonic::Status;

use super::GatewayOptions;
use super::body::{self, GatewayBody};
use super::refusal::{JSON, Refusal};
use crate::http::BoxError;

/// Reads the message, makes the call, writes the answer into one buffer of known length.
pub(super) async fn call<B, Req, Resp, F, E>(
    options: &GatewayOptions,
    body: B,
    invoke: impl FnOnce(Req) -> F,
) -> Response<GatewayBody>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    Req: Message + FromJson,
    Resp: ToJson,
    F: Future<Output = Result<Resp, E>>,
    E: Into<Status>,
{
    let request = match request(options, body).await {
        Ok(request) => request,
        Err(refusal) => return refusal.response(),
    };
    match invoke(request).await {
        Ok(answer) => render(&answer),
        Err(error) => Refusal::from(error.into()).response(),
    }
}

/// The message of a request.
pub(super) async fn request<B, Req>(options: &GatewayOptions, body: B) -> Result<Req, Refusal>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    Req: Message + FromJson,
{
    let text = body::collect(std::pin::pin!(body), options.max_json_bytes()).await?;
    decode(options, &text)
}

/// The message that a text is, within the bounds of the gateway.
pub(super) fn decode<T>(options: &GatewayOptions, text: &[u8]) -> Result<T, Refusal>
where
    T: Message + FromJson,
{
    let message = json::from_slice_within(text, options.max_txn_ops).map_err(Status::from)?;
    check_size(options, text.len(), &message)?;
    Ok(message)
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

fn render<T: ToJson>(answer: &T) -> Response<GatewayBody> {
    let body = match json::to_vec(answer) {
        Ok(body) => body,
        Err(error) => return Refusal::from(Status::from(error)).response(),
    };
    let mut response = Response::new(GatewayBody::Full(body.into()));
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}
