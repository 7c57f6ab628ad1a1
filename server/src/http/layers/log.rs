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

#[cfg(test)]
mod tests {
    use super::super::super::RequestBody;
    use super::super::super::call::Protocol;
    use super::*;
    use crate::metrics::Metrics;
    use crate::net::Face;
    use http::Request;
    use parking_lot::Mutex;
    use std::sync::Arc;

    struct Nothing;

    impl Handler for Nothing {
        type Body = http_body_util::Empty<bytes::Bytes>;

        async fn handle<'a>(&'a self, _: Call<'a>) -> Response<ResponseBody<Self::Body>> {
            Response::new(ResponseBody::whole("done"))
        }
    }

    /// Collects what is logged on this thread.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn only_short_calls_can_be_slow() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        let metrics = Metrics::new(false);
        let remote = Some(([127, 0, 0, 1], 7).into());
        let conn = ConnInfo { remote, face: Face::All };
        let log = Log { inner: Nothing, threshold: Duration::ZERO };
        let ask = async |verb: &str, path: &str, method: Option<&str>| {
            let request = Request::builder().method(verb).uri(path).header("x-request-id", "abc");
            let call = Call {
                request: request.body(RequestBody::empty()).unwrap(),
                conn: &conn,
                protocol: Protocol::Http,
                method: method.map(|path| metrics.grpc.method(path).unwrap()),
                started: Instant::now(),
            };
            log.handle(call).await;
            String::from_utf8(std::mem::take(&mut *lines.0.lock())).unwrap()
        };
        assert_eq!(ask("GET", "/v3/watch?key=a", None).await, "");
        assert_eq!(ask("POST", "/v3/watch", Some("/etcdserverpb.Watch/Watch")).await, "");
        let line = ask("PUT", "/v3/keys/a", None).await;
        for part in [" WARN ", "request stats", "/v3/keys/a", "127.0.0.1:7", "request_id=\"abc\"", "status=200"] {
            assert!(line.contains(part), "{part} in {line}");
        }
        let line = ask("POST", "/v3/kv/put", Some("/etcdserverpb.KV/Put")).await;
        assert!(line.contains("/etcdserverpb.KV/Put"), "{line}");
    }
}
