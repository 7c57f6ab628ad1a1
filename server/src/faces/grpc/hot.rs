//! The calls that carry the load, without anything between the connection and the service.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body::Body;
use keyport_api::etcdserverpb::{DeleteRangeRequest, PutRequest, RangeRequest, TxnRequest, WatchRequest};
use tonic::server::{Grpc, StreamingService};
use tonic::{Status, Streaming};

use super::watch_codec::WatchCodec;
use super::{HotBody, deadline, unary};
use crate::calls::Services;
use crate::calls::kv::KvService;
use crate::calls::watch::{WatchService, WatchSession};
use crate::http::deadline::within;

/// A hot call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HotPath {
    Range,
    Put,
    DeleteRange,
    Txn,
    Watch,
}

impl HotPath {
    /// Which hot call a request is, if it is one.
    pub fn of<B>(request: &Request<B>) -> Option<HotPath> {
        match request.uri().path() {
            "/etcdserverpb.KV/Range" => Some(HotPath::Range),
            "/etcdserverpb.KV/Put" => Some(HotPath::Put),
            "/etcdserverpb.KV/Txn" => Some(HotPath::Txn),
            "/etcdserverpb.KV/DeleteRange" => Some(HotPath::DeleteRange),
            "/etcdserverpb.Watch/Watch" => Some(HotPath::Watch),
            _ => None,
        }
    }
}

/// Answers the hot calls.
#[derive(Clone, Debug)]
pub struct HotPaths {
    services: Services,
    /// Bytes that a message may have.
    receive_limit: usize,
}

/// The answer to a hot call: unary ones have a body of their own.
#[derive(Debug)]
pub enum HotResponse {
    Unary(Response<HotBody>),
    Stream(Response<tonic::body::Body>),
}

impl HotPaths {
    pub fn new(services: Services, receive_limit: usize) -> HotPaths {
        HotPaths { services, receive_limit }
    }

    /// Serves a call that [`HotPath::of`] recognised.
    pub async fn serve<B>(&self, path: HotPath, request: Request<B>) -> HotResponse
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        if path == HotPath::Watch {
            return HotResponse::Stream(self.watch(request).await);
        }
        let deadline = deadline::of(request.headers());
        HotResponse::Unary(match within(deadline, self.unary(path, request)).await {
            Some(Ok(body)) => grpc_response(body),
            Some(Err(status)) => status.into_http(),
            None => Status::deadline_exceeded("context deadline exceeded").into_http(),
        })
    }

    async fn unary<B>(&self, path: HotPath, request: Request<B>) -> Result<HotBody, Status>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let kv: &KvService = &self.services.kv;
        match path {
            HotPath::Range => kv.admit_range(&parts.headers)?,
            _ => kv.admit(&parts.headers)?,
        }
        match path {
            HotPath::Range => {
                let request: RangeRequest = unary::read(body, self.receive_limit).await?;
                let (header, reply) = kv.range_shared(request).await?;
                Ok(HotBody::range(&header, reply))
            }
            HotPath::Put => {
                let request: PutRequest = unary::read(body, self.receive_limit).await?;
                Ok(HotBody::message(&kv.put(request).await?))
            }
            HotPath::DeleteRange => {
                let request: DeleteRangeRequest = unary::read(body, self.receive_limit).await?;
                Ok(HotBody::message(&kv.delete_range(request).await?))
            }
            HotPath::Txn => {
                let request: TxnRequest = unary::read(body, self.receive_limit).await?;
                Ok(HotBody::message(&kv.txn(request).await?))
            }
            HotPath::Watch => Err(Status::internal("not a unary call")),
        }
    }

    async fn watch<B>(&self, request: Request<B>) -> Response<tonic::body::Body>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        let service = WatchCall(self.services.watch.clone());
        let mut grpc = Grpc::new(WatchCodec).max_decoding_message_size(self.receive_limit);
        grpc.streaming(service, request).await
    }
}

struct WatchCall(WatchService);

impl StreamingService<WatchRequest> for WatchCall {
    type Response = crate::calls::watch::WatchReply;
    type ResponseStream = WatchSession<Streaming<WatchRequest>>;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Self::ResponseStream>, Status>> + Send + 'static>>;

    fn call(&mut self, request: tonic::Request<Streaming<WatchRequest>>) -> Self::Future {
        let (metadata, _, requests) = request.into_parts();
        let session = self.0.serve(&metadata, requests).map(tonic::Response::new);
        Box::pin(std::future::ready(session))
    }
}

fn grpc_response(body: HotBody) -> Response<HotBody> {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}
