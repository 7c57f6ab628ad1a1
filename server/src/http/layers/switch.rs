//! The end of the stack: gRPC to gRPC, the rest to the rest, by what the listener is for.

use super::super::call::{Call, Handler, Protocol};
use super::super::{App, ResponseBody};
use crate::net::Face;
use http::{HeaderValue, Response, StatusCode};
use std::sync::Arc;

pub(crate) struct Switch<A>(pub(crate) Arc<A>);

impl<A: App> Handler for Switch<A> {
    type Body = A::Body;

    async fn handle<'a>(&'a self, call: Call<'a>) -> Response<ResponseBody<A::Body>> {
        let app = &*self.0;
        let response = match (call.conn.face, call.protocol) {
            (Face::All | Face::Grpc, Protocol::Grpc) => app.grpc(call.request).await,
            (Face::All | Face::Http, Protocol::GrpcWeb) => app.grpc_web(call.request).await,
            (Face::All | Face::Http, Protocol::Http) => app.http(call.request).await,
            (Face::Metrics, _) => app.metrics(call.request).await,
            (Face::Grpc, _) | (Face::Http, Protocol::Grpc) => return unsupported(),
        };
        response.map(ResponseBody::app)
    }
}

/// As a gRPC server answers what is not gRPC.
fn unsupported<B>() -> Response<ResponseBody<B>> {
    let mut response = super::text(StatusCode::UNSUPPORTED_MEDIA_TYPE, "");
    response.headers_mut().insert("grpc-status", HeaderValue::from_static("3"));
    response
        .headers_mut()
        .insert("grpc-message", HeaderValue::from_static("unsupported content type on this listener"));
    response
}
