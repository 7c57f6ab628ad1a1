//! A call with one message each way: the hot path.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, header};
use http_body::Body;
use keyport_api::error::Error;
use keyport_api::json::{self, FromJson, ToJson};
use prost::Message;
use tonic::Status;

use super::GatewayOptions;
use super::body::{self, BoxError, GatewayBody};
use super::metadata::{self, CallHeaders};
use super::refusal::{JSON, Refusal};
use crate::http::deadline::within;

/// Reads the message, calls the service, writes the answer into one buffer of known length.
pub(super) async fn call<B, Req, Resp, F>(
    options: &GatewayOptions,
    parts: Parts,
    body: B,
    invoke: impl FnOnce(tonic::Request<Req>) -> F,
) -> Response<GatewayBody>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    Req: Message + FromJson,
    Resp: ToJson,
    F: Future<Output = Result<tonic::Response<Resp>, Status>>,
{
    let answer = async {
        let (request, timeout) = request(options, parts, body).await?;
        let answer = within(timeout, invoke(request)).await.ok_or_else(Refusal::timed_out)?;
        answer.map_err(Refusal::from)
    };
    match answer.await {
        Ok(answer) => render(&answer),
        Err(refusal) => refusal.response(),
    }
}

/// The message of a request, with what its headers say, and the time the caller gives us.
pub(super) async fn request<B, Req>(
    options: &GatewayOptions,
    parts: Parts,
    body: B,
) -> Result<(tonic::Request<Req>, Option<Duration>), Refusal>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    Req: Message + FromJson,
{
    let text = body::collect(std::pin::pin!(body), options.max_json_bytes()).await?;
    let headers = CallHeaders::read(&parts.headers)?;
    let message = json::from_slice(&text).map_err(Status::from)?;
    check_size(options, text.len(), &message)?;
    Ok((tonic::Request::from_parts(headers.metadata, parts.extensions, message), headers.timeout))
}

/// Refuses a message that gRPC would refuse. JSON is longer than protobuf, so most need not be measured.
pub(super) fn check_size(options: &GatewayOptions, text_len: usize, message: &impl Message) -> Result<(), Status> {
    let limit = options.max_message_bytes;
    if text_len <= limit {
        return Ok(());
    }
    match message.encoded_len() {
        size if size > limit => Err(Error::MessageTooLarge { size, limit }.into()),
        _ => Ok(()),
    }
}

fn render<T: ToJson>(answer: &tonic::Response<T>) -> Response<GatewayBody> {
    let body = match json::to_vec(answer.get_ref()) {
        Ok(body) => body,
        Err(error) => return Refusal::from(Status::from(error)).response(),
    };
    let mut response = Response::new(GatewayBody::Full(body.into()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, JSON);
    if !answer.metadata().is_empty() {
        metadata::write_headers(answer.metadata(), headers);
    }
    response
}
