//! A plain HTTP client for the JSON gateway and the other endpoints, over HTTP/1.1 or HTTP/2 in the clear.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use crate::wait::within;

/// A text as the gateway spells bytes.
pub fn b64(text: impl AsRef<[u8]>) -> String {
    STANDARD.encode(text)
}

/// The bytes of a field of a JSON answer.
///
/// # Panics
/// If it is not base64.
pub fn unb64(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap_or_default()).expect("base64")
}

/// A client with its own connections.
#[derive(Clone, Debug)]
pub struct Http {
    addr: SocketAddr,
    client: Client<HttpConnector, BoxBody<Bytes, std::convert::Infallible>>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status
    pub status: StatusCode,
    /// The headers
    pub headers: HeaderMap,
    /// The body
    pub body: Bytes,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e} in {} {:?}", self.status, self.text()))
    }

    /// A header's text, empty if absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("")
    }
}

impl Http {
    /// Speaks HTTP/1.1.
    pub fn new(addr: SocketAddr) -> Http {
        Http { addr, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Speaks HTTP/2 without an upgrade.
    pub fn h2c(addr: SocketAddr) -> Http {
        Http { addr, client: Client::builder(TokioExecutor::new()).http2_only(true).build_http() }
    }

    /// Sends a request and reads the head of its answer.
    ///
    /// # Panics
    /// If there is none.
    pub async fn open(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: BoxBody<Bytes, std::convert::Infallible>,
    ) -> http::Response<Incoming> {
        self.try_open(method, path, headers, body).await.unwrap_or_else(|e| panic!("{path}: {e:?}"))
    }

    /// The same of a server that may be away.
    ///
    /// # Errors
    /// When there is no connection, or it ends before there is an answer.
    ///
    /// # Panics
    /// If there is neither an answer nor an end.
    pub async fn try_open(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: BoxBody<Bytes, std::convert::Infallible>,
    ) -> Result<http::Response<Incoming>, hyper_util::client::legacy::Error> {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.addr));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).expect("a well-formed request");
        within(path, self.client.request(request)).await
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Panics
    /// If there is none.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        let answer = self.open(method, path, headers, Full::new(body.into()).boxed()).await;
        let (head, body) = answer.into_parts();
        let body = within(path, body.collect()).await.unwrap_or_else(|e| panic!("{path}: {e:?}")).to_bytes();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    /// POST of a text.
    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        self.send(Method::POST, path, &[("content-type", "application/json")], body).await
    }

    /// POST of JSON that must succeed.
    ///
    /// # Panics
    /// If it does not.
    pub async fn call(&self, path: &str, body: Value) -> Value {
        let answer = self.post(path, body.to_string()).await;
        assert_eq!(answer.status, 200, "{path} {body}: {}", answer.text());
        answer.json()
    }

    /// POST of JSON that must fail: the status and the error object.
    ///
    /// # Panics
    /// If it succeeds.
    pub async fn refused(&self, path: &str, body: impl Into<Bytes>) -> (u16, Value) {
        let answer = self.post(path, body).await;
        assert!(!answer.status.is_success(), "{path}: {}", answer.text());
        (answer.status.as_u16(), answer.json())
    }

    /// POST whose answer is a stream of lines; more of the request can follow with [`Lines::send`].
    pub async fn stream(&self, path: &str, first: impl Into<Bytes>) -> Lines {
        self.stream_with(path, &[], first).await
    }

    /// The same with more headers.
    ///
    /// # Panics
    /// If one of them is none.
    pub async fn stream_with(&self, path: &str, headers: &[(&str, &str)], first: impl Into<Bytes>) -> Lines {
        let (send, more) = mpsc::channel::<Bytes>(16);
        send.send(first.into()).await.expect("the channel is open");
        let body = StreamBody::new(ReceiverStream::new(more).map(|b| Ok(Frame::data(b)))).boxed();
        let mut request = Request::builder().method(Method::POST).uri(format!("http://{}{path}", self.addr));
        request = request.header("content-type", "application/json");
        request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = request.body(body).expect("a well-formed request");
        let answer = tokio::spawn(self.client.request(request));
        Lines { send: Some(send), answer: Some(answer), open: None, buffer: BytesMut::new() }
    }

    /// POST of which no more than this is sent though it does not end; the head of the answer, whose body is a stream.
    ///
    /// # Panics
    /// If there is no answer.
    pub async fn post_open(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        first: impl Into<Bytes>,
    ) -> http::Response<Incoming> {
        let first = tokio_stream::once(Ok(Frame::data(first.into())));
        let body = StreamBody::new(first.chain(tokio_stream::pending())).boxed();
        self.open(Method::POST, path, headers, body).await
    }

    /// GET whose answer is a stream.
    pub async fn get_stream(&self, path: &str, headers: &[(&str, &str)]) -> http::Response<Incoming> {
        self.open(Method::GET, path, headers, Full::new(Bytes::new()).boxed()).await
    }
}

type Opening = tokio::task::JoinHandle<Result<http::Response<Incoming>, hyper_util::client::legacy::Error>>;

/// A stream of JSON lines.
#[derive(Debug)]
pub struct Lines {
    send: Option<mpsc::Sender<Bytes>>,
    answer: Option<Opening>,
    open: Option<http::Response<Incoming>>,
    buffer: BytesMut,
}

impl Lines {
    /// Sends more of the request.
    ///
    /// # Panics
    /// If the connection is closed.
    pub async fn send(&mut self, more: impl Into<Bytes>) {
        let send = self.send.as_ref().expect("the request goes on");
        send.send(more.into()).await.expect("the connection is open");
    }

    /// Ends the request.
    pub fn end(&mut self) {
        self.send = None;
    }

    /// The head of the answer.
    ///
    /// # Panics
    /// If there is none.
    pub async fn head(&mut self) -> &http::Response<Incoming> {
        self.opened().await
    }

    async fn opened(&mut self) -> &mut http::Response<Incoming> {
        if let Some(answer) = self.answer.take() {
            let answer = within("an answer", answer).await.expect("the request task does not panic");
            self.open = Some(answer.expect("an answer"));
        }
        self.open.as_mut().expect("opened before")
    }

    /// The next line, without its end; `None` at the end of the stream.
    ///
    /// # Panics
    /// If nothing comes.
    pub async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.buffer.iter().position(|b| *b == b'\n') {
                let line = self.buffer.split_to(at + 1);
                return Some(String::from_utf8_lossy(line.get(..at)?).into_owned());
            }
            let open = self.opened().await;
            let Some(Ok(frame)) = within("a line", open.body_mut().frame()).await else {
                let rest = self.buffer.split();
                return (!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).into_owned());
            };
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }

    /// The next line as JSON.
    ///
    /// # Panics
    /// If the stream ends or the line is not JSON.
    pub async fn json(&mut self) -> Value {
        let line = self.line().await.expect("the stream goes on");
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e} in {line:?}"))
    }
}
