//! The stack from outside: real sockets, a small app behind it.

mod grpc;
mod h1;
mod lifecycle;

use super::{App, BodyTooLarge, BoxError, RequestBody, StackOptions, serve};
use crate::config::{AllowList, Config, HttpConfig, ListenConfig, Url};
use crate::metrics::Metrics;
use crate::net::{Face, Listener, bind};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use keyport_api::etcdserverpb::kv_server::{Kv, KvServer};
use keyport_api::etcdserverpb::*;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tonic::Status;
use tower::{Layer as _, Service as _};

/// What answers behind the stack here.
struct TestApp {
    grpc: tonic::service::Routes,
    /// A request to `/wait` has arrived.
    arrived: Notify,
    /// What such requests wait for.
    release: Notify,
}

type TestBody = UnsyncBoxBody<Bytes, BoxError>;

fn text(status: u16, text: impl Into<Bytes>) -> Response<TestBody> {
    let mut response = Response::new(Full::new(text.into()).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
    response
}

impl App for TestApp {
    type Body = TestBody;

    async fn grpc(&self, request: Request<RequestBody>) -> Response<TestBody> {
        self.grpc.clone().call(request).await.unwrap().map(|body| body.map_err(Into::into).boxed_unsync())
    }

    async fn grpc_web(&self, request: Request<RequestBody>) -> Response<TestBody> {
        let mut service = tonic_web::GrpcWebLayer::new().layer(self.grpc.clone());
        service.call(request).await.unwrap().map(|body| body.map_err(Into::into).boxed_unsync())
    }

    async fn http(&self, request: Request<RequestBody>) -> Response<TestBody> {
        match request.uri().path() {
            "/hello" => text(200, "hello"),
            "/panic" => panic!("on purpose"),
            "/wait" => {
                self.arrived.notify_one();
                self.release.notified().await;
                text(200, "waited")
            }
            "/echo" | "/v3/watch" | "/v3/kv/put" => match request.into_body().collect().await {
                Ok(body) => text(200, body.to_bytes().len().to_string()),
                Err(error) => text(if error.is::<BodyTooLarge>() { 413 } else { 400 }, error.to_string()),
            },
            _ => text(404, "404 page not found\n"),
        }
    }

    async fn metrics(&self, request: Request<RequestBody>) -> Response<TestBody> {
        if request.uri().path() == "/metrics" { text(200, "metrics") } else { text(404, "404 page not found\n") }
    }
}

struct TestKv;

#[tonic::async_trait]
impl Kv for TestKv {
    async fn range(&self, request: tonic::Request<RangeRequest>) -> Result<tonic::Response<RangeResponse>, Status> {
        match &request.into_inner().key[..] {
            b"panic" => panic!("on purpose"),
            b"" => Err(keyport_api::error::Error::EmptyKey.into()),
            _ => Ok(tonic::Response::new(RangeResponse { count: 7, ..RangeResponse::default() })),
        }
    }

    async fn put(&self, _: tonic::Request<PutRequest>) -> Result<tonic::Response<PutResponse>, Status> {
        Ok(tonic::Response::new(Default::default()))
    }

    async fn delete_range(
        &self,
        _: tonic::Request<DeleteRangeRequest>,
    ) -> Result<tonic::Response<DeleteRangeResponse>, Status> {
        std::future::pending().await
    }

    async fn txn(&self, _: tonic::Request<TxnRequest>) -> Result<tonic::Response<TxnResponse>, Status> {
        Ok(tonic::Response::new(Default::default()))
    }

    async fn compact(
        &self,
        _: tonic::Request<CompactionRequest>,
    ) -> Result<tonic::Response<CompactionResponse>, Status> {
        Ok(tonic::Response::new(Default::default()))
    }

    type RangeStreamStream = tokio_stream::Iter<std::vec::IntoIter<Result<RangeStreamResponse, Status>>>;
    async fn range_stream(
        &self,
        _: tonic::Request<RangeRequest>,
    ) -> Result<tonic::Response<Self::RangeStreamStream>, Status> {
        let parts =
            vec![Ok(RangeStreamResponse::default()), Ok(RangeStreamResponse::default()), Err(Status::aborted("x"))];
        Ok(tonic::Response::new(tokio_stream::iter(parts)))
    }
}

/// A server under test.
struct Server {
    addr: SocketAddr,
    app: Arc<TestApp>,
    metrics: Arc<Metrics>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

/// How a test wants its server.
struct Setup {
    face: Face,
    cors: AllowList,
    hosts: AllowList,
    drain: Duration,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup { face: Face::All, cors: AllowList::Any, hosts: AllowList::Any, drain: Duration::from_secs(60) }
    }
}

fn config() -> Config {
    let sources = crate::config::Sources {
        args: &[],
        env: &[],
        read_file: &|_| Err(std::io::ErrorKind::NotFound.into()),
        default_host: &|| None,
    };
    match crate::config::load(&sources) {
        Ok(crate::config::Action::Run(config)) => *config,
        other => panic!("{other:?}"),
    }
}

fn listen(url: &str, face: Face) -> Vec<Listener> {
    let listen = ListenConfig { client: vec![Url::parse(url).unwrap()], ..config().listen };
    let mut listeners = bind(&listen).unwrap();
    listeners[0].face = face;
    listeners
}

const MAX_MESSAGE: usize = 1 << 20;

fn start(setup: Setup) -> Server {
    start_on(listen("http://localhost:0", setup.face), setup)
}

fn start_on(listeners: Vec<Listener>, setup: Setup) -> Server {
    let Setup { cors, hosts, drain, .. } = setup;
    let addr = listeners[0].local_addr().unwrap_or_else(|| ([127, 0, 0, 1], 0).into());
    let app = Arc::new(TestApp {
        grpc: tonic::service::Routes::new(KvServer::new(TestKv).max_decoding_message_size(usize::MAX)),
        arrived: Notify::new(),
        release: Notify::new(),
    });
    let metrics = Arc::new(Metrics::new(false));
    let options = StackOptions { cors, hosts, slow_request: Duration::from_secs(60), max_message_bytes: MAX_MESSAGE };
    let http: HttpConfig = config().http;
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn({
        let (app, metrics) = (Arc::clone(&app), Arc::clone(&metrics));
        async move {
            let stopped = async { drop(stopped.await) };
            serve(listeners, &http, options, app, metrics, stopped, drain).await.unwrap();
        }
    });
    Server { addr, app, metrics, stop: Some(stop), serving }
}

impl Server {
    /// Sends one HTTP/1.1 request and reads until the server closes.
    async fn raw(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        // A server that refuses a body early may reset the connection after its answer.
        let _ = stream.read_to_end(&mut bytes).await;
        Answer::parse(&String::from_utf8_lossy(&bytes))
    }

    /// A request that closes its connection. `head` holds further header lines.
    async fn ask(&self, method: &str, path: &str, head: &str) -> Answer {
        let head = head.lines().map(|line| format!("{}\r\n", line.trim())).collect::<String>();
        self.raw(&format!("{method} {path} HTTP/1.1\r\nHost: localhost:2379\r\nConnection: close\r\n{head}\r\n")).await
    }

    fn metric(&self, line: &str) -> bool {
        self.metrics.render().unwrap().lines().any(|l| l == line)
    }
}

#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn parse(text: &str) -> Answer {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let status = lines.next().and_then(|l| l.split(' ').nth(1)).and_then(|s| s.parse().ok()).unwrap_or(0);
        let headers = lines.filter_map(|l| l.split_once(": ")).map(|(n, v)| (n.to_lowercase(), v.to_owned())).collect();
        Answer { status, headers, body: body.to_owned() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}
