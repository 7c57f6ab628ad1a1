//! A client of HTTP/2 that shows frames: one connection, messages of gRPC as they are cut.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Nothing here takes this long.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct H2 {
    sender: SendRequest<Full<Bytes>>,
    address: SocketAddr,
}

impl H2 {
    pub(crate) async fn open(address: SocketAddr) -> H2 {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        H2 { sender, address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends one message, and nothing after it.
    pub(crate) async fn call(
        &mut self,
        path: &str,
        content_type: &str,
        headers: &[(&str, &str)],
        message: &[u8],
    ) -> Response<Incoming> {
        let mut request = Request::post(format!("http://{}{path}", self.address)).header("content-type", content_type);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let framed = [&[0][..], &length, message].concat();
        let answer = self.sender.send_request(request.body(Full::from(framed)).unwrap());
        timeout(PATIENCE, answer).await.unwrap_or_else(|_| panic!("no answer: {path}")).unwrap()
    }

    /// What is there to read at a path.
    pub(crate) async fn get(&mut self, path: &str) -> (http::response::Parts, Bytes) {
        let request = Request::get(format!("http://{}{path}", self.address)).body(Full::default()).unwrap();
        let answer = timeout(PATIENCE, self.sender.send_request(request)).await;
        let (head, body) = answer.unwrap_or_else(|_| panic!("no answer: {path}")).unwrap().into_parts();
        let body = timeout(PATIENCE, body.collect()).await.expect("no end").unwrap();
        (head, body.to_bytes())
    }
}

/// The first data of an answer, if there is any.
pub(crate) async fn first(answer: Response<Incoming>) -> Option<Bytes> {
    let frame = timeout(PATIENCE, answer.into_body().frame()).await.expect("no frame")?;
    frame.unwrap().into_data().ok()
}

/// All data of an answer, and its trailers.
pub(crate) async fn all(answer: Response<Incoming>) -> (Bytes, HeaderMap) {
    let body = timeout(PATIENCE, answer.into_body().collect()).await.expect("no end").unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    (body.to_bytes(), trailers)
}
