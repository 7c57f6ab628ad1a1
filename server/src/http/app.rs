//! What stands behind the stack.

use super::RequestBody;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;

/// Any error of a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The faces of the server, by protocol. Futures are part of the connection's task: nothing is boxed or spawned here.
pub trait App: Send + Sync + 'static {
    /// The body of every answer; an enum where there are several.
    type Body: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static;

    /// Answers gRPC in the form that browsers can send.
    fn grpc_web(&self, request: Request<RequestBody>) -> impl Future<Output = Response<Self::Body>> + Send;

    /// Answers gRPC.
    fn grpc(&self, request: Request<RequestBody>) -> impl Future<Output = Response<Self::Body>> + Send;

    /// Answers all other HTTP of a client.
    fn http(&self, request: Request<RequestBody>) -> impl Future<Output = Response<Self::Body>> + Send;

    /// Answers on a listener that is there for metrics and health only.
    fn metrics(&self, request: Request<RequestBody>) -> impl Future<Output = Response<Self::Body>> + Send;
}
