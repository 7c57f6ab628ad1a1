//! The stack from outside: real sockets, a small app behind it.

mod attendance;
mod crowd;
mod grpc;
mod h1;
mod layers;
mod lifecycle;
mod line;
mod pings;
mod unread;
mod vigil;

use super::{BodyTooLarge, Call, Deadlines, Pace, Protocol, RequestBody, Stack, StackOptions, Ways};
use crate::calls::{Claims, Identified};
use crate::config::{AllowList, ListenConfig, Url};
use crate::http::layers::{GatewayNames, Hosts, Quota};
use crate::metrics::Metrics;
use crate::net::{Face, Listener, bind};
use crate::testing::{config, listen, without_tls};
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use keyport_api::etcdserverpb::kv_server::{Kv, KvServer};
use keyport_api::etcdserverpb::*;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_stream::StreamExt as _;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Status;
use tower::{Layer, Service};

/// Nothing here takes this long.
const LONG: Duration = Duration::from_secs(20);

/// What answers behind the stack here. Clones are the same.
#[derive(Clone)]
struct TestApp(Arc<Inside>);

struct Inside {
    grpc: tonic::service::Routes,
    /// A request to `/wait` has arrived.
    arrived: Notify,
    /// What such requests wait for.
    release: Notify,
}

fn text(status: u16, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::from(text.into()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

impl Service<Request<RequestBody>> for TestApp {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let app = Arc::clone(&self.0);
        Box::pin(async move { Ok(app.answer(request).await) })
    }
}

impl Inside {
    async fn answer(&self, request: Request<RequestBody>) -> Response<Body> {
        let call = Call::get(request.extensions()).expect("what is known of the request");
        match call.protocol {
            Protocol::Grpc => self.grpc.clone().call(request).await.unwrap().map(Body::new),
            Protocol::GrpcWeb => {
                let mut service = tonic_web::GrpcWebLayer::new().layer(self.grpc.clone());
                service.call(request).await.unwrap().map(Body::new)
            }
            Protocol::Json | Protocol::Http => self.http(request).await,
        }
    }

    async fn http(&self, request: Request<RequestBody>) -> Response<Body> {
        match request.uri().path() {
            "/hello" => text(200, "hello"),
            "/panic" | "/v3/kv/range" => panic!("on purpose"),
            "/caller" => text(200, Call::get(request.extensions()).unwrap().caller.as_ref().unwrap().to_string()),
            "/wait" | "/v3/kv/compaction" => {
                self.arrived.notify_one();
                self.release.notified().await;
                text(200, "waited")
            }
            "/v3/lock/lock" => {
                self.arrived.notify_one();
                std::future::pending().await
            }
            "/v3/election/observe" => {
                let first = tokio_stream::once(Ok::<_, Infallible>("first\n"));
                text(200, "").map(|_: Body| Body::from_stream(first.chain(tokio_stream::pending())))
            }
            "/echo" | "/v3/watch" | "/v3/kv/put" => match request.into_body().collect().await {
                Ok(body) => text(200, body.to_bytes().len().to_string()),
                Err(error) => text(if error.is::<BodyTooLarge>() { 413 } else { 400 }, error.to_string()),
            },
            _ => text(404, "404 page not found\n"),
        }
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
    app: TestApp,
    metrics: Arc<Metrics>,
    /// Stops it.
    stop: Option<DropGuard>,
    serving: JoinHandle<()>,
}

/// How a test wants its server.
struct Setup {
    face: Face,
    cors: AllowList,
    hosts: AllowList,
    drain: Duration,
    deadlines: Deadlines,
    pace: Pace,
    /// Words of the command line.
    args: Vec<String>,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            face: Face::All,
            cors: AllowList::Any,
            hosts: AllowList::Any,
            drain: Duration::from_secs(60),
            deadlines: Deadlines::default(),
            pace: Pace::default(),
            args: Vec::new(),
        }
    }
}

const MAX_MESSAGE: usize = 1 << 20;

type Anyone = fn(&Claims) -> Identified;

fn start(setup: Setup) -> Server {
    start_on(listen("http://localhost:0", setup.face), setup)
}

fn start_on(listeners: Vec<Listener>, setup: Setup) -> Server {
    start_with(listeners, setup, |stack, app| stack.layer(app))
}

/// Has the test build the column.
fn start_with<S, B>(listeners: Vec<Listener>, setup: Setup, build: impl FnOnce(Stack<Anyone>, TestApp) -> S) -> Server
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<super::BoxError>> + Send + 'static,
{
    let Setup { cors, hosts, drain, deadlines, pace, args, .. } = setup;
    let addr = listeners[0].local_addr().unwrap_or_else(|| ([127, 0, 0, 1], 0).into());
    let app = TestApp(Arc::new(Inside {
        grpc: tonic::service::Routes::new(KvServer::new(TestKv).max_decoding_message_size(usize::MAX)),
        arrived: Notify::new(),
        release: Notify::new(),
    }));
    let metrics = Arc::new(Metrics::new(false));
    let hosts = Hosts::new(hosts, []);
    let options = StackOptions {
        traces: None,
        cors,
        hosts,
        ways: Ways::default(),
        slow_request: Duration::from_secs(60),
        max_message_bytes: MAX_MESSAGE,
        audit: None,
        pace,
        gateway_names: GatewayNames::new(|| false),
        rates: config(&args).rates,
    };
    let stack = Stack::new(options, Arc::clone(&metrics), Identified::anyone as Anyone, Quota::new(|| false));
    let column = build(stack, app.clone());
    let stop = CancellationToken::new();
    let server = super::Server::start(&config(&args).http, &metrics).unwrap().waiting(deadlines);
    let serving = tokio::spawn({
        let stop = stop.clone();
        async move { server.serve(listeners, column, stop, drain).await.unwrap() }
    });
    Server { addr, app, metrics, stop: Some(stop.drop_guard()), serving }
}

/// A connection over which something was said.
async fn connect(server: &Server, first: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(first.as_bytes()).await.unwrap();
    stream
}

/// Lets all requests to `/wait` go on, until this is done.
async fn released<T>(server: &Server, done: impl Future<Output = T>) -> T {
    let mut done = std::pin::pin!(done);
    let goes_on = async {
        loop {
            // Those who have arrived need not wait yet.
            server.app.0.release.notify_waiters();
            if let Ok(done) = timeout(Duration::from_millis(5), &mut done).await {
                break done;
            }
        }
    };
    timeout(LONG, goes_on).await.expect("they still wait")
}

/// All that still comes, up to the end of the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    timeout(LONG, stream.read_to_end(&mut bytes)).await.expect("the connection goes on").unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Server {
    /// Sends one HTTP/1.1 request and reads until the server closes.
    async fn raw(&self, request: &str) -> Answer {
        Answer::parse(&rest(&mut connect(self, request).await).await)
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
