//! The calls that carry the load, without anything between the connection and the call.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body::Body;
use keyport_api::bounds::Bounded;
use keyport_api::etcdserverpb::WatchRequest;
use keyport_api::methods::Method;
use prost::Message;
use tonic::codec::CompressionEncoding;
use tonic::server::{Grpc, StreamingService};
use tonic::{Status, Streaming};

use super::keys::Encode;
use super::watch_codec::WatchCodec;
use super::{HotBody, unary};
use crate::bulk::{Aside, LONG};
use crate::calls::{Caller, Calls, KvAnswer, WatchReply, WatchSession};
use crate::faces::kit;

/// The hot methods that are unary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hot {
    Range,
    Put,
    DeleteRange,
    Txn,
}

impl Hot {
    fn of(method: Method) -> Option<Hot> {
        match method {
            Method::Range => Some(Hot::Range),
            Method::Put => Some(Hot::Put),
            Method::DeleteRange => Some(Hot::DeleteRange),
            Method::Txn => Some(Hot::Txn),
            _ => None,
        }
    }
}

/// Answers the hot calls.
#[derive(Clone, Debug)]
pub(crate) struct HotPaths {
    calls: Calls,
    limits: unary::Limits,
}

/// The answer to a hot call: unary ones have a body of their own.
#[derive(Debug)]
pub(crate) enum HotResponse {
    Unary(Response<HotBody>),
    Stream(Response<tonic::body::Body>),
}

impl HotPaths {
    /// `receive_limit` is how many bytes a message may have.
    pub(crate) fn new(calls: Calls, receive_limit: usize) -> HotPaths {
        let limits = unary::Limits { bytes: receive_limit, txn_ops: calls.kv.max_txn_ops() };
        HotPaths { calls, limits }
    }

    /// Serves a call of this method, if it is a hot one; otherwise the request comes back.
    pub(crate) async fn serve<B>(&self, method: Option<Method>, request: Request<B>) -> Result<HotResponse, Request<B>>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        match method {
            Some(Method::Watch) => Ok(HotResponse::Stream(self.watch(request).await)),
            Some(method) if let Some(hot) = Hot::of(method) => {
                Ok(HotResponse::Unary(match self.unary(hot, request).await {
                    Ok(body) => grpc_response(body),
                    Err(status) => status.into_http(),
                }))
            }
            _ => Err(request),
        }
    }

    async fn unary<B>(&self, hot: Hot, request: Request<B>) -> Result<HotBody, Status>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let caller = kit::caller(request.extensions())?;
        let (parts, body) = request.into_parts();
        let kv = &self.calls.kv;
        let aside = self.calls.aside(&caller);
        let read = Reader { headers: &parts.headers, limits: self.limits, aside };
        match hot {
            Hot::Range => write(aside, kv.range(&caller, read.message(body).await?).await?).await,
            Hot::Put => write(aside, kv.put(&caller, read.message(body).await?).await?).await,
            Hot::DeleteRange => write(aside, kv.delete_range(&caller, read.message(body).await?).await?).await,
            Hot::Txn => write(aside, kv.txn(&caller, read.message(body).await?).await?).await,
        }
    }

    async fn watch<B>(&self, request: Request<B>) -> Response<tonic::body::Body>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        let caller = match kit::caller(request.extensions()) {
            Ok(caller) => caller,
            Err(error) => return Status::from(error).into_http(),
        };
        let service = WatchCall { calls: self.calls.clone(), caller };
        let mut grpc = Grpc::new(WatchCodec)
            .accept_compressed(CompressionEncoding::Gzip)
            .max_decoding_message_size(self.limits.bytes);
        grpc.streaming(service, request).await
    }
}

/// Reads the message of one call.
struct Reader<'a> {
    headers: &'a HeaderMap,
    limits: unary::Limits,
    aside: Aside<'a>,
}

impl Reader<'_> {
    async fn message<T, B>(&self, body: B) -> Result<T, Status>
    where
        T: Bounded + Message + Default + 'static,
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        unary::read(body, self.headers, self.limits, self.aside).await
    }
}

/// Here, or aside if going through the list would hold up an event loop.
async fn write(aside: Aside<'_>, answer: KvAnswer<impl Encode>) -> Result<HotBody, Status> {
    let bulk = aside.bulk();
    if answer.reply.elements() <= LONG {
        return HotBody::answer(answer, bulk);
    }
    let bulk = bulk.clone();
    aside.run(move |_| HotBody::answer(answer, &bulk)).await?
}

struct WatchCall {
    calls: Calls,
    caller: Caller,
}

impl StreamingService<WatchRequest> for WatchCall {
    type Response = WatchReply;
    type ResponseStream = WatchSession<Streaming<WatchRequest>>;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Self::ResponseStream>, Status>> + Send + 'static>>;

    fn call(&mut self, request: tonic::Request<Streaming<WatchRequest>>) -> Self::Future {
        let session = self.calls.watch.watch(&self.caller, request.into_inner());
        Box::pin(std::future::ready(session.map(tonic::Response::new).map_err(Status::from)))
    }
}

fn grpc_response(body: HotBody) -> Response<HotBody> {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}
