//! Who answers which request: the table of faces.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use keyport_api::error::Error;
use keyport_api::methods::Method;
use keyport_api::routes;
use keyport_openapi::endpoints::Resource;
use pin_project_lite::pin_project;
use tonic::body::Body as GrpcBody;
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower::{Layer as _, Service};

use super::grpc::hot::{HotPaths, HotResponse};
use super::grpc::{HotBody, services};
use super::json::{self, Gateway, GatewayOptions};
use super::rest::{Kind, Rest};
use super::sse::Events;
use super::text::GatewayBody;
use super::{backup, body, problem, session};
use crate::calls::Calls;
use crate::http::refusal::refusal_as;
use crate::http::{BoxError, Call, Protocol, RequestBody, asks_for_websocket};
use crate::net::Face;

/// The table of faces, tried in this order: hot gRPC calls, gRPC, the gateway's paths, everything else.
///
/// A clone is meant for another event loop: it shares no count of references that every request would have to change.
#[derive(Debug)]
pub struct Routes(Arc<Table>);

#[derive(Clone, Debug)]
struct Table {
    hot: HotPaths,
    grpc: tonic::service::Routes,
    grpc_web: GrpcWebService<tonic::service::Routes>,
    api: Option<Api>,
    http: Router,
}

/// What is below `/v3/`.
#[derive(Clone, Debug)]
struct Api {
    calls: Calls,
    gateway: Gateway,
    events: Events,
    rest: Rest,
}

/// The services never fail as such: what goes wrong is in their answers.
type Answer = Result<Response<AnyBody>, Infallible>;

impl Clone for Routes {
    fn clone(&self) -> Routes {
        Routes(Arc::new(Table::clone(&self.0)))
    }
}

impl Routes {
    /// `http` answers what is neither gRPC nor the gateway's. No `gateway` leaves the JSON paths to `http`.
    pub fn new(calls: Calls, max_message_bytes: usize, gateway: Option<GatewayOptions>, http: Router) -> Routes {
        let grpc = services::routes(&calls, max_message_bytes);
        Routes(Arc::new(Table {
            hot: HotPaths::new(calls.clone(), max_message_bytes),
            grpc_web: GrpcWebLayer::new().layer(grpc.clone()),
            grpc,
            api: gateway.map(|options| Api {
                calls: calls.clone(),
                events: Events::new(calls.clone(), options.stop.clone()),
                rest: Rest::new(calls.clone(), options.max_message_bytes),
                gateway: Gateway::new(calls, options),
            }),
            http,
        }))
    }
}

impl Service<Request<RequestBody>> for Routes {
    type Response = Response<AnyBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    /// A box for each way, since what goes into one is copied as a whole, and the ways differ much in size. There has to be
    /// one: the layers around would copy it again and again.
    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let table = Arc::clone(&self.0);
        let call = Call::get(request.extensions());
        let (protocol, method) = call.map_or((Protocol::Http, None), |call| (call.protocol, call.method));
        match (call.map_or(Face::All, |call| call.connection.face), protocol) {
            (Face::Grpc, Protocol::GrpcWeb | Protocol::Json | Protocol::Http) | (Face::Http, Protocol::Grpc) => {
                Box::pin(std::future::ready(Ok(unsupported())))
            }
            (_, Protocol::Grpc) => Box::pin(table.grpc(method, request)),
            (_, Protocol::GrpcWeb) => Box::pin(table.grpc_web(request)),
            (_, Protocol::Json | Protocol::Http) => Box::pin(table.http(protocol, request)),
        }
    }
}

impl Table {
    async fn grpc(self: Arc<Self>, method: Option<Method>, request: Request<RequestBody>) -> Answer {
        Ok(match self.hot.serve(method, request).await {
            Ok(HotResponse::Unary(response)) => response.map(|body| AnyBody::Hot { body }),
            Ok(HotResponse::Stream(response)) => response.map(|body| AnyBody::Grpc { body }),
            Err(request) => self.grpc.clone().call(request).await?.map(|body| AnyBody::Grpc { body }),
        })
    }

    async fn grpc_web(self: Arc<Self>, request: Request<RequestBody>) -> Answer {
        Ok(self.grpc_web.clone().call(request).await?.map(|body| AnyBody::Grpc { body }))
    }

    async fn http(self: Arc<Self>, protocol: Protocol, request: Request<RequestBody>) -> Answer {
        // A call is no resource, and by far the most are calls.
        let below = match protocol {
            Protocol::Json => Some(Wanted::Call),
            _ => routes::canonical(request.uri().path()).map(|path| wanted(&request, &path)),
        };
        Ok(match (&self.api, below) {
            (Some(api), Some(wanted)) => api.answer(wanted, request).await.map(|body| AnyBody::Gateway { body }),
            _ => self.http.clone().call(request).await?.map(|body| AnyBody::Http { body }),
        })
    }
}

impl Api {
    /// What is no resource is a call, or nothing.
    async fn answer(&self, wanted: Wanted, request: Request<RequestBody>) -> Response<GatewayBody> {
        match wanted {
            // In a box, as it is far larger: what is asked all day is a call.
            Wanted::Resource(resource) => Box::pin(self.resource(resource, request)).await,
            Wanted::Call => self.gateway.handle(request).await,
            Wanted::OtherMethods(methods) => problem::method_not_allowed(&methods),
        }
    }

    async fn resource(&self, resource: Resource, request: Request<RequestBody>) -> Response<GatewayBody> {
        let (mut parts, body) = request.into_parts();
        let body = pin!(body);
        let read = match resource {
            _ if resource.info().body.is_empty() => body::discard(body).await.map(|()| Bytes::new()),
            Resource::KeyPut | Resource::KeyPatch | Resource::KeyAdd => {
                body::collect(body, self.rest.max_body_bytes()).await
            }
            _ => body::collect(body, session::MOST_BYTES).await,
        };
        let body = match read {
            Ok(body) => body,
            Err(cause) => return problem::of_body(cause, &parts.headers),
        };
        let resource = match Rest::stream_of(resource, &parts) {
            None => resource,
            Some(Ok(uri)) => {
                parts.uri = uri;
                Resource::Events
            }
            Some(Err(refused)) => return *refused,
        };
        match resource {
            Resource::Paths => json::paths(&parts.method),
            Resource::Events => self.events.answer(parts).await,
            Resource::Snapshot => backup::answer(&self.calls, &parts).await,
            Resource::Session => session::show(&self.calls, &parts).await,
            Resource::SessionBegin => session::begin(&self.calls, &parts, &body).await,
            Resource::SessionEnd => session::end(&self.calls, &parts),
            Resource::SessionPassword => session::change_password(&self.calls, &parts, &body).await,
            Resource::Key | Resource::KeyPut | Resource::KeyPatch | Resource::KeyAdd | Resource::KeyDelete => {
                self.rest.answer(Kind::Key, resource, &parts, body).await
            }
            Resource::Keys | Resource::KeysDelete => self.rest.answer(Kind::Keys, resource, &parts, body).await,
            Resource::Leases
            | Resource::LeaseGrant
            | Resource::Lease
            | Resource::LeaseKeepAlive
            | Resource::LeaseRevoke => self.rest.answer(Kind::Leases, resource, &parts, body).await,
        }
    }
}

/// What a request below `/v3/` is for.
enum Wanted {
    Resource(Resource),
    /// What the gateway answers, if only by saying that there is no such path.
    Call,
    /// There is a resource, which takes these methods.
    OtherMethods(Vec<&'static str>),
}

/// A WebSocket leads to the call at the same path.
fn wanted(request: &Request<RequestBody>, path: &str) -> Wanted {
    if asks_for_websocket(request.method(), request.headers()) {
        return Wanted::Call;
    }
    if let Some(resource) = Resource::find(request.method().as_str(), path) {
        return Wanted::Resource(resource);
    }
    let methods: Vec<_> = Resource::methods_at(path).collect();
    if methods.is_empty() || Method::of_route(path).is_some() { Wanted::Call } else { Wanted::OtherMethods(methods) }
}

/// As a gRPC server answers what is not gRPC.
fn unsupported() -> Response<AnyBody> {
    refusal_as(Protocol::Grpc, StatusCode::UNSUPPORTED_MEDIA_TYPE, &Error::ContentTypeNotServed.into())
}

pin_project! {
    /// The body of whichever face answered.
    #[project = AnyBodyProj]
    #[derive(Debug)]
    pub enum AnyBody {
        Hot { #[pin] body: HotBody },
        Grpc { #[pin] body: GrpcBody },
        Gateway { #[pin] body: GatewayBody },
        Http { #[pin] body: axum::body::Body },
        Whole { data: Option<Bytes> },
    }
}

impl From<Bytes> for AnyBody {
    fn from(data: Bytes) -> AnyBody {
        AnyBody::Whole { data: Some(data).filter(|data| !data.is_empty()) }
    }
}

impl Default for AnyBody {
    fn default() -> AnyBody {
        AnyBody::Whole { data: None }
    }
}

impl Body for AnyBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project() {
            AnyBodyProj::Hot { body } => body.poll_frame(cx).map(|f| f.map(|f| f.map_err(Into::into))),
            AnyBodyProj::Grpc { body } => body.poll_frame(cx).map(|f| f.map(|f| f.map_err(Into::into))),
            AnyBodyProj::Gateway { body } => body.poll_frame(cx).map(|f| f.map(|f| f.map_err(Into::into))),
            AnyBodyProj::Http { body } => body.poll_frame(cx).map(|f| f.map(|f| f.map_err(Into::into))),
            AnyBodyProj::Whole { data } => Poll::Ready(data.take().map(|data| Ok(Frame::data(data)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            AnyBody::Hot { body } => body.is_end_stream(),
            AnyBody::Grpc { body } => body.is_end_stream(),
            AnyBody::Gateway { body } => body.is_end_stream(),
            AnyBody::Http { body } => body.is_end_stream(),
            AnyBody::Whole { data } => data.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            AnyBody::Hot { body } => body.size_hint(),
            AnyBody::Grpc { body } => body.size_hint(),
            AnyBody::Gateway { body } => body.size_hint(),
            AnyBody::Http { body } => body.size_hint(),
            AnyBody::Whole { data } => SizeHint::with_exact(data.as_ref().map_or(0, |data| data.len() as u64)),
        }
    }
}
