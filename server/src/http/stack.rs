//! The stack: what every request passes on its way in, and every answer on its way out.

use super::call::{Call, ConnInfo, Handler, Protocol};
use super::layers::cors::Cors;
use super::layers::hosts::Hosts;
use super::layers::identity::Identity;
use super::layers::limits::Limits;
use super::layers::log::Log;
use super::layers::metrics::Count;
use super::layers::panics::CatchPanic;
use super::layers::request_id::RequestId;
use super::layers::switch::Switch;
use super::{App, RequestBody, ResponseBody};
use crate::config::{AllowList, Config};
use crate::metrics::Metrics;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tower::ServiceBuilder;
use tower::layer::layer_fn;

/// The settings of the layers.
#[derive(Clone, Debug)]
pub struct StackOptions {
    pub cors: AllowList,
    pub hosts: AllowList,
    pub slow_request: Duration,
    /// The largest gRPC message.
    pub max_message_bytes: usize,
}

impl StackOptions {
    pub fn of(config: &Config) -> StackOptions {
        StackOptions {
            cors: config.http.cors.clone(),
            hosts: config.http.hosts.clone(),
            slow_request: config.http.warning_unary_request_duration,
            max_message_bytes: config.max_receive_bytes(),
        }
    }
}

/// All layers around the app, as one type: no call through a pointer, and one future a request, boxed once.
type Column<A> = CatchPanic<RequestId<Log<Count<Cors<Hosts<Limits<Identity<Switch<A>>>>>>>>>;

pub(super) struct Stack<A> {
    column: Column<A>,
    metrics: Arc<Metrics>,
}

impl<A: App> Stack<A> {
    pub(super) fn new(app: Arc<A>, metrics: Arc<Metrics>, options: StackOptions) -> Stack<A> {
        let StackOptions { cors, hosts, slow_request, max_message_bytes } = options;
        let count = Arc::clone(&metrics);
        let column = ServiceBuilder::new()
            // Outermost: nothing below may take the connection with it.
            .layer(layer_fn(CatchPanic))
            // Before the log, which writes the id, and before anything that may refuse.
            .layer(layer_fn(RequestId))
            // Around all that takes time.
            .layer(layer_fn(|inner| Log { inner, threshold: slow_request }))
            // Counts refusals of the layers below, too.
            .layer(layer_fn(|inner| Count { inner, metrics: Arc::clone(&count) }))
            // Refusals must be readable for pages in a browser, so this is above what refuses. It answers OPTIONS.
            .layer(layer_fn(|inner| Cors { inner, origins: cors.clone() }))
            // Cheapest refusal first.
            .layer(layer_fn(|inner| Hosts { inner, allowed: hosts.clone() }))
            // Before anything is read or looked up.
            .layer(layer_fn(|inner| Limits::new(inner, max_message_bytes)))
            // Last before the services, which ask it.
            .layer(layer_fn(Identity))
            // gRPC here, everything else there.
            .service(Switch(app));
        Stack { column, metrics }
    }

    /// Answers a request.
    pub(super) async fn serve(&self, request: Request<Incoming>, conn: &ConnInfo) -> Response<ResponseBody<A::Body>> {
        let protocol = Protocol::of(&request);
        let method = match protocol {
            Protocol::Grpc | Protocol::GrpcWeb => self.metrics.grpc.method(request.uri().path()),
            // The same calls in JSON are counted with them, as etcd does.
            Protocol::Http if request.method() == Method::POST => {
                self.metrics.grpc.method_of_route(request.uri().path())
            }
            Protocol::Http => None,
        };
        let request = request.map(RequestBody::new);
        self.column.handle(Call { request, conn, protocol, method, started: Instant::now() }).await
    }
}
