//! Counts gRPC calls: begun here, ended where their trailers pass.

use super::super::ResponseBody;
use super::super::body::grpc_code;
use super::super::call::{Call, Handler, Protocol};
use crate::metrics::Metrics;
use http::Response;
use std::sync::Arc;

pub(crate) struct Count<S> {
    pub(crate) inner: S,
    pub(crate) metrics: Arc<Metrics>,
}

impl<S: Handler> Handler for Count<S> {
    type Body = S::Body;

    async fn handle<'a>(&'a self, call: Call<'a>) -> Response<ResponseBody<S::Body>> {
        // Paths that name no method have no series: a stranger's list of paths must not fill memory.
        let (Some(method), Protocol::Grpc | Protocol::GrpcWeb) = (call.method, call.protocol) else {
            return self.inner.handle(call).await;
        };
        let version = call.request.headers().get("client-api-version");
        self.metrics.grpc.count_client(version.map(|v| v.as_bytes()), method.grpc_type());
        let counted = method.start();
        let response = self.inner.handle(call).await;
        match grpc_code(response.headers()) {
            Some(code) => {
                counted.finish(code);
                response
            }
            None => {
                let (parts, body) = response.into_parts();
                let body = body.metered(counted, &parts.headers);
                Response::from_parts(parts, body)
            }
        }
    }
}
