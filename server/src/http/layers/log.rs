//! A line for calls that are slow, and at debug level for all. Of a stream it says how it began: how it ended is counted.
//!
//! Whoever prefers to (`Prefer: server-timing`) is told the same with the answer. It would cost bytes and time on all others.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime};
use std::{iter, mem};

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method as Verb, Request, Response, Uri};
use keyport_api::methods::{Kind, Method};
use pin_project_lite::pin_project;
use tower::{Layer, Service};
use tracing::Level;

use super::super::body::grpc_code;
use super::super::rare::Rare;
use super::super::refusal::code_told;
use super::super::{Call, Connection};
use super::request_id::X_REQUEST_ID;
use crate::steps::Steps;

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
/// What is preferred by who wants to be told.
const TIMED: &str = "server-timing";

/// See the module's text.
#[derive(Clone, Copy, Debug)]
pub struct LogLayer {
    /// What counts as slow.
    pub threshold: Duration,
}

/// See [`LogLayer`].
#[derive(Clone, Debug)]
pub struct Log<S> {
    inner: S,
    threshold: Duration,
}

impl<S> Layer<S> for LogLayer {
    type Service = Log<S>;

    fn layer(&self, inner: S) -> Log<S> {
        Log { inner, threshold: self.threshold }
    }
}

impl<S, B, RB> Service<Request<B>> for Log<S>
where
    S: Service<Request<B>, Response = Response<RB>>,
{
    type Response = Response<RB>;
    type Error = S::Error;
    type Future = Logging<S::Future>;

    super::ready_as_inner!();

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let line = Line::of(&request);
        let mut steps = if line.is_traced || line.is_told { Steps::all() } else { Steps::of_slow(self.threshold) };
        let answer = steps.within(|| self.inner.call(request));
        Logging { answer, line, threshold: self.threshold, steps }
    }
}

pin_project! {
    /// An answer under way.
    #[derive(Debug)]
    pub struct Logging<F> {
        #[pin]
        answer: F,
        line: Line,
        threshold: Duration,
        steps: Steps,
    }
}

impl<F, RB, E> Future for Logging<F>
where
    F: Future<Output = Result<Response<RB>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut response = ready!(this.steps.within(|| this.answer.poll(cx)))?;
        let took = this.line.started.elapsed();
        if took > *this.threshold && this.line.is_short() {
            this.line.write_slow(took, &response, this.steps);
        } else if tracing::enabled!(Level::DEBUG) {
            this.line.write_debug(took, &response);
        }
        if this.line.is_told {
            tell(&mut response, took, this.steps);
        }
        if this.line.is_traced {
            response.extensions_mut().insert(mem::take(this.steps));
        }
        Poll::Ready(Ok(response))
    }
}

/// What is said of a call.
#[derive(Debug)]
struct Line {
    connection: Option<Arc<Connection>>,
    started: Instant,
    method: Option<Method>,
    uri: Option<Uri>,
    verb: Verb,
    is_traced: bool,
    /// Whether the caller wants to know, too.
    is_told: bool,
}

impl Line {
    fn of<B>(request: &Request<B>) -> Line {
        let call = Call::get(request.extensions());
        let method = call.and_then(|call| call.method);
        Line {
            connection: call.map(|call| Arc::clone(&call.connection)),
            started: call.map_or_else(Instant::now, |call| call.started),
            method,
            // Cheap: the bytes are shared.
            uri: method.is_none().then(|| request.uri().clone()),
            verb: request.method().clone(),
            is_traced: call.is_some_and(|call| call.is_traced),
            is_told: Call::may_have(call, Rare::PREFER) && is_preferred(request.headers()),
        }
    }

    /// Whether the answer is due at once: streams and long polls take their time.
    fn is_short(&self) -> bool {
        match self.method {
            Some(method) => method.info().kind == Kind::Unary,
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
        let remote = self.connection.as_ref().and_then(|connection| connection.remote);
        remote.map_or_else(|| "unix".to_owned(), |remote| remote.to_string())
    }

    fn write_slow<B>(&self, took: Duration, response: &Response<B>, steps: &Steps) {
        let start = SystemTime::now().checked_sub(took).map(time::OffsetDateTime::from);
        tracing::warn!(
            "start time" = start.map(|t| t.to_string()).unwrap_or_default(),
            "time spent" = ?took,
            remote = self.remote(),
            "response type" = self.path(),
            status = response.status().as_u16(),
            code = code(response),
            steps = %steps,
            request_id = id(response),
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
            code = code(response),
            request_id = id(response),
            "request stats"
        );
    }
}

fn is_preferred(headers: &HeaderMap) -> bool {
    let values = headers.get_all(PREFER).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(TIMED))
}

/// `Server-Timing`: the time until the answer began, and what it was spent on, in milliseconds.
fn tell<B>(response: &mut Response<B>, took: Duration, steps: &Steps) {
    let field = iter::once(("total", took)).chain(steps.iter().map(|step| (step.name, step.took())));
    let field = field.map(|(name, took)| format!("{};dur={:.3}", name.replace(' ', "-"), took.as_secs_f64() * 1000.0));
    let Ok(field) = HeaderValue::try_from(field.collect::<Vec<_>>().join(", ")) else { return };
    response.headers_mut().insert(SERVER_TIMING, field);
    response.headers_mut().append(PREFERENCE_APPLIED, HeaderValue::from_static(TIMED));
}

/// The code of an answer that says no, by its headers or by who refused.
fn code<B>(response: &Response<B>) -> Option<i32> {
    grpc_code(response.headers()).or_else(|| code_told(response)).map(|code| code as i32)
}

/// The id that a layer below has given it.
fn id<B>(response: &Response<B>) -> &str {
    response.headers().get(X_REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::super::Protocol;
    use super::super::super::refusal::refusal;
    use super::super::request_id::RequestIdLayer;
    use super::*;
    use crate::net::Face;
    use bytes::Bytes;
    use keyport_api::error::Error;
    use parking_lot::Mutex;
    use std::convert::Infallible;
    use tower::{ServiceExt as _, service_fn};

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
        let nothing = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(Bytes::new())) });
        let log = LogLayer { threshold: Duration::ZERO }.layer(RequestIdLayer.layer(nothing));
        let mut connection = Connection::in_process(Face::All);
        connection.remote = Some(([127, 0, 0, 1], 7).into());
        let connection = Arc::new(connection);
        let ask = async |verb: &str, path: &str, method: Option<Method>| {
            let mut request = Request::builder().method(verb).uri(path).header("x-request-id", "abc").body(()).unwrap();
            let call = Call { method, ..Call::of(&request, Arc::clone(&connection)) };
            request.extensions_mut().insert(call);
            log.clone().oneshot(request).await.unwrap();
            String::from_utf8(std::mem::take(&mut *lines.0.lock())).unwrap()
        };
        assert_eq!(ask("GET", "/v3/watch?key=a", None).await, "");
        assert_eq!(ask("POST", "/v3/watch", Some(Method::Watch)).await, "");
        let line = ask("PUT", "/v3/keys/a", None).await;
        for part in [" WARN ", "request stats", "/v3/keys/a", "127.0.0.1:7", "request_id=\"abc\"", "status=200"] {
            assert!(line.contains(part), "{part} in {line}");
        }
        let line = ask("POST", "/v3/kv/put", Some(Method::Put)).await;
        assert!(line.contains("/etcdserverpb.KV/Put"), "{line}");
    }

    #[test]
    fn a_refusal_has_its_code_whatever_it_speaks() {
        for protocol in [Protocol::Grpc, Protocol::GrpcWeb, Protocol::Json, Protocol::Http] {
            let refused: Response<Bytes> = refusal(protocol, &Error::ContextDeadlineExceeded.into());
            assert_eq!(code(&refused), Some(4), "{protocol:?}");
        }
        assert_eq!(code(&Response::new(())), None);
    }
}
