//! Counts calls, in gRPC or in JSON: begun here, ended where their answers end.

use super::super::ResponseBody;
use super::super::body::grpc_code;
use super::super::call::{Call, Handler, Protocol};
use crate::metrics::{self, GrpcType, Metrics};
use http::{Response, StatusCode};
use std::sync::Arc;
use tonic::Code;

pub(crate) struct Count<S> {
    pub(crate) inner: S,
    pub(crate) metrics: Arc<Metrics>,
}

impl<S: Handler> Handler for Count<S> {
    type Body = S::Body;

    async fn handle<'a>(&'a self, call: Call<'a>) -> Response<ResponseBody<S::Body>> {
        // Paths that name no method have no series: a stranger's list of paths must not fill memory.
        let Some(method) = call.method else { return self.inner.handle(call).await };
        let version = call.request.headers().get("client-api-version");
        self.metrics.grpc.count_client(version.map(|v| v.as_bytes()), method.grpc_type());
        let counted = method.start();
        let json = call.protocol == Protocol::Http;
        let response = self.inner.handle(call).await;
        if json { count_json(counted, response) } else { count_grpc(counted, response) }
    }
}

fn count_grpc<B>(counted: metrics::Call, response: Response<ResponseBody<B>>) -> Response<ResponseBody<B>> {
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

/// JSON has other bytes than the messages that are counted, so only calls and messages are.
fn count_json<B>(counted: metrics::Call, response: Response<ResponseBody<B>>) -> Response<ResponseBody<B>> {
    let method = counted.method();
    if response.status() != StatusCode::OK {
        counted.finish(response.extensions().get().copied().unwrap_or_else(|| code_of(response.status())));
        return response;
    }
    if method.grpc_type() != GrpcType::Unary {
        return response.map(|body| body.metered_as_text(counted));
    }
    method.received(1, 0);
    method.sent(1, 0);
    counted.finish(Code::Ok);
    response
}

/// The likeliest code behind a status, for answers that do not carry theirs.
fn code_of(status: StatusCode) -> Code {
    match status {
        StatusCode::BAD_REQUEST => Code::InvalidArgument,
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::CONFLICT => Code::AlreadyExists,
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS => Code::ResourceExhausted,
        StatusCode::NOT_IMPLEMENTED | StatusCode::METHOD_NOT_ALLOWED => Code::Unimplemented,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        StatusCode::GATEWAY_TIMEOUT => Code::DeadlineExceeded,
        _ if status.as_u16() == 499 => Code::Cancelled,
        _ => Code::Unknown,
    }
}
