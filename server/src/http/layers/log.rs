//! A line for calls that are slow, and at debug level for all.

use super::super::ResponseBody;
use super::super::body::grpc_code;
use super::super::call::{Call, ConnInfo, Handler};
use super::request_id;
use crate::metrics::{GrpcType, Method};
use http::{HeaderValue, Method as Verb, Response, Uri};
use std::time::{Duration, Instant, SystemTime};
use tracing::Level;

pub(crate) struct Log<S> {
    pub(crate) inner: S,
    /// What counts as slow.
    pub(crate) threshold: Duration,
}

impl<S: Handler> Handler for Log<S> {
    type Body = S::Body;

    async fn handle<'a>(&'a self, call: Call<'a>) -> Response<ResponseBody<S::Body>> {
        let line = Line {
            conn: call.conn,
            started: call.started,
            method: call.method,
            // Cheap: the bytes are shared.
            uri: call.method.is_none().then(|| call.request.uri().clone()),
            verb: call.request.method().clone(),
            id: request_id::of(call.request.headers()).cloned(),
        };
        let response = self.inner.handle(call).await;
        let took = line.started.elapsed();
        if took > self.threshold && line.is_short() {
            line.write_slow(took, &response);
        } else if tracing::enabled!(Level::DEBUG) {
            line.write_debug(took, &response);
        }
        response
    }
}

struct Line<'a> {
    conn: &'a ConnInfo,
    started: Instant,
    method: Option<&'static Method>,
    uri: Option<Uri>,
    verb: Verb,
    id: Option<HeaderValue>,
}

impl Line<'_> {
    /// Whether the answer is due at once: streams and long polls take their time.
    fn is_short(&self) -> bool {
        match self.method {
            Some(method) => method.grpc_type() == GrpcType::Unary,
            None => self.verb != Verb::GET,
        }
    }

    fn path(&self) -> &str {
        match (self.method, &self.uri) {
            (Some(method), _) => method.path(),
            (None, Some(uri)) => uri.path(),
            (None, None) => "unknown",
        }
    }

    fn remote(&self) -> String {
        self.conn.remote.map_or_else(|| "unix".to_owned(), |remote| remote.to_string())
    }

    fn id(&self) -> &str {
        self.id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default()
    }

    fn write_slow<B>(&self, took: Duration, response: &Response<B>) {
        let start = SystemTime::now().checked_sub(took).map(time::OffsetDateTime::from);
        tracing::warn!(
            "start time" = start.map(|t| t.to_string()).unwrap_or_default(),
            "time spent" = ?took,
            remote = self.remote(),
            "response type" = self.path(),
            status = response.status().as_u16(),
            code = grpc_code(response.headers()).map(|code| code as i32),
            request_id = self.id(),
            "request stats"
        );
    }

    fn write_debug<B>(&self, took: Duration, response: &Response<B>) {
        tracing::debug!(
            "time spent" = ?took,
            remote = self.remote(),
            method = %self.verb,
            "response type" = self.path(),
            status = response.status().as_u16(),
            code = grpc_code(response.headers()).map(|code| code as i32),
            request_id = self.id(),
            "request stats"
        );
    }
}
