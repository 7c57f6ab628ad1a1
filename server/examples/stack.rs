//! What the stack costs: the same handler that does nothing, bare or behind every layer.
//!
//! ```text
//! cargo run --release --example stack -- bare 2400     # or: stack
//! loadgen run --endpoints 127.0.0.1:2400 --pid <pid> --workloads range,json-range --clients 64
//! ```

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use keyport_api::etcdserverpb::RangeResponse;
use keyport_api::mvccpb::KeyValue;
use keyport_server::Identified;
use keyport_server::config::{self, Action, Sources};
use keyport_server::http::layers::Quota;
use keyport_server::http::{RequestBody, Server, Stack, StackOptions};
use keyport_server::metrics::Metrics;
use keyport_server::net::bind;
use keyport_server::tls::Tls;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::{Layer as _, Service};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A message, and trailers where the protocol has them.
#[derive(Default)]
struct Reply {
    data: Option<Bytes>,
    trailers: bool,
}

/// What the layers refuse with.
impl From<Bytes> for Reply {
    fn from(data: Bytes) -> Reply {
        Reply { data: Some(data), trailers: false }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if std::mem::take(&mut self.trailers) {
            let mut trailers = HeaderMap::with_capacity(1);
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && !self.trailers
    }

    fn size_hint(&self) -> SizeHint {
        match &self.data {
            Some(data) if !self.trailers => SizeHint::with_exact(data.len() as u64),
            _ => SizeHint::default(),
        }
    }
}

/// Reads the request and answers with a range of one key.
#[derive(Clone)]
struct Nothing {
    grpc: Bytes,
    json: Bytes,
}

impl Nothing {
    fn new() -> Nothing {
        let kv = KeyValue {
            key: vec![b'k'; 16].into(),
            create_revision: 2,
            mod_revision: 2,
            version: 1,
            value: vec![b'v'; 256].into(),
            lease: 0,
        };
        let reply = RangeResponse { kvs: vec![kv], count: 1, ..RangeResponse::default() };
        let mut framed = vec![0];
        framed.extend(u32::try_from(reply.encoded_len()).unwrap_or_default().to_be_bytes());
        framed.extend(reply.encode_to_vec());
        let json = serde_json::to_vec(&reply).unwrap_or_default();
        Nothing { grpc: framed.into(), json: json.into() }
    }

    async fn answer<B: Body + Unpin>(self, request: Request<B>) -> Response<Reply> {
        let grpc = request.version() == http::Version::HTTP_2;
        let mut body = request.into_body();
        while let Some(Ok(_)) = body.frame().await {}
        let (data, kind) = if grpc { (self.grpc, "application/grpc") } else { (self.json, "application/json") };
        let mut response = Response::new(Reply { data: Some(data), trailers: grpc });
        response.headers_mut().insert("content-type", HeaderValue::from_static(kind));
        response
    }
}

impl Service<Request<RequestBody>> for Nothing {
    type Response = Response<Reply>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Reply>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let answer = self.clone().answer(request);
        Box::pin(async { Ok(answer.await) })
    }
}

async fn bare(port: u16) -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let app = Nothing::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let app = app.clone();
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let answer = app.clone().answer(request);
            async { Ok::<_, Infallible>(answer.await) }
        });
        tokio::spawn(async move {
            let builder = auto::Builder::new(TokioExecutor::new());
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let mode = words.next().unwrap_or_else(|| "stack".to_owned());
    let port = words.next().map_or(Ok(2400), |port| port.parse())?;
    if mode == "bare" {
        return Ok(bare(port).await?);
    }
    let url = format!("http://127.0.0.1:{port}");
    let args = [format!("--listen-client-urls={url}"), format!("--advertise-client-urls={url}")];
    let read_file = |path: &str| std::fs::read_to_string(path);
    let sources = Sources { args: &args, env: &[], read_file: &read_file, default_host: &|| None };
    let Action::Run(config) = config::load(&sources)? else { return Ok(()) };
    let metrics = Arc::new(Metrics::new(false));
    let stack = Stack::new(StackOptions::of(&config), Arc::clone(&metrics), Identified::anyone, Quota::new(|| false));
    let (server, forever) = (Server::start(&config.http, &metrics)?, CancellationToken::new());
    server
        .serve(
            bind(&config.listen, &Tls::new(&config.tls, &metrics))?,
            stack.layer(Nothing::new()),
            forever,
            Duration::ZERO,
        )
        .await?;
    Ok(())
}
