//! What the stack costs: the same handler that does nothing, bare or behind every layer.
//!
//! ```text
//! cargo run --release --example stack -- bare 2400     # or: stack
//! loadgen run --endpoints 127.0.0.1:2400 --pid <pid> --workloads range,json-range --clients 64
//! ```

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use keyport_api::etcdserverpb::RangeResponse;
use keyport_api::mvccpb::KeyValue;
use keyport_server::config::{self, Action, Sources};
use keyport_server::http::{App, RequestBody, StackOptions, serve};
use keyport_server::metrics::Metrics;
use keyport_server::net::bind;
use prost::Message as _;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A message, and trailers where the protocol has them.
struct Reply {
    data: Option<Bytes>,
    trailers: bool,
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

    async fn answer<B: Body + Unpin>(&self, request: Request<B>, grpc: bool) -> Response<Reply> {
        let mut body = request.into_body();
        while let Some(Ok(_)) = body.frame().await {}
        let (data, kind) = if grpc { (&self.grpc, "application/grpc") } else { (&self.json, "application/json") };
        let mut response = Response::new(Reply { data: Some(data.clone()), trailers: grpc });
        response.headers_mut().insert("content-type", HeaderValue::from_static(kind));
        response
    }
}

impl App for Nothing {
    type Body = Reply;

    async fn grpc(&self, request: Request<RequestBody>) -> Response<Reply> {
        self.answer(request, true).await
    }

    async fn grpc_web(&self, request: Request<RequestBody>) -> Response<Reply> {
        self.answer(request, true).await
    }

    async fn http(&self, request: Request<RequestBody>) -> Response<Reply> {
        self.answer(request, false).await
    }

    async fn metrics(&self, request: Request<RequestBody>) -> Response<Reply> {
        self.answer(request, false).await
    }
}

async fn bare(port: u16) -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let app = Arc::new(Nothing::new());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let app = Arc::clone(&app);
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let app = Arc::clone(&app);
            async move {
                let grpc = request.version() == http::Version::HTTP_2;
                Ok::<_, Infallible>(app.answer(request, grpc).await)
            }
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
    let options = StackOptions::of(&config);
    let metrics = Arc::new(Metrics::new(false));
    let app = Arc::new(Nothing::new());
    serve(bind(&config.listen)?, &config.http, options, app, metrics, std::future::pending(), Duration::ZERO).await?;
    Ok(())
}
