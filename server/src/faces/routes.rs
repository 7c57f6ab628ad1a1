//! Who answers which request: the table of faces.

mod any_body;

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Request, Response, StatusCode};
use http_body::Body as _;
use keyport_api::error::Error;
use keyport_api::methods::Method;
use keyport_api::routes;
use keyport_openapi::endpoints::Resource;
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower::{Layer as _, Service};

use super::body::CollectError;
use super::grpc::hot::{HotPaths, HotResponse};
use super::grpc::{others, services};
use super::json::{self, Gateway, GatewayOptions};
use super::packing::Packing;
use super::rest::{Kind, Rest};
use super::sse::Events;
use super::text::GatewayBody;
use super::{backup, body, problem, query, session, unknown};
use crate::calls::Calls;
use crate::http::refusal::refusal_as;
use crate::http::{Call, Protocol, Rare, RequestBody, asks_for_websocket};
use crate::net::Face;
use any_body::AnyBody;

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
                rest: Rest::new(calls.clone(), options.max_message_bytes, options.stop.clone()),
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
            (_, Protocol::Json) => Box::pin(table.http(Some(Other::Call), request)),
            (_, Protocol::Http) => match table.wanted(&request) {
                Some(Wanted::Resource(resource)) => Box::pin(table.resource(resource, request)),
                Some(Wanted::Other(other)) => Box::pin(table.http(Some(other), request)),
                None => Box::pin(table.http(None, request)),
            },
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
        if !others::is_read(request.headers()) {
            return Ok(others::other_form());
        }
        Ok(self.grpc_web.clone().call(request).await?.map(|body| AnyBody::Grpc { body }))
    }

    /// What a request below `/v3/` is for; none for any other, or if nothing is there.
    fn wanted(&self, request: &Request<RequestBody>) -> Option<Wanted> {
        self.api.as_ref()?;
        routes::canonical(request.uri().path()).map(|path| wanted(request, &path))
    }

    async fn resource(self: Arc<Self>, resource: Resource, request: Request<RequestBody>) -> Answer {
        let packing = Packing::of(&request);
        let is_head = request.method() == http::Method::HEAD;
        let answer = match &self.api {
            Some(api) => api.resource(resource, request).await,
            None => unknown::answer(request.uri().path()),
        };
        let answer = if is_head { head_of(answer) } else { answer };
        Ok(packing.pack(answer).map(|body| AnyBody::Gateway { body }))
    }

    async fn http(self: Arc<Self>, below: Option<Other>, request: Request<RequestBody>) -> Answer {
        Ok(match (&self.api, below) {
            (Some(api), Some(other)) => {
                let packing = Packing::of(&request);
                packing.pack(api.answer(other, request).await).map(|body| AnyBody::Gateway { body })
            }
            _ if others::is_connect(&request) => others::connect(),
            _ => self.http.clone().call(request).await?.map(|body| AnyBody::Http { body }),
        })
    }
}

impl Api {
    /// Answers what is no resource.
    async fn answer(&self, other: Other, request: Request<RequestBody>) -> Response<GatewayBody> {
        match other {
            Other::Socket(resource) => Box::pin(self.socket(resource, request)).await,
            Other::Call => self.gateway.handle(request).await,
            Other::Methods(methods) => problem::method_not_allowed(&methods),
            Other::Nothing(path) => unknown::answer(&path),
        }
    }

    async fn resource(&self, resource: Resource, request: Request<RequestBody>) -> Response<GatewayBody> {
        let (mut parts, body) = request.into_parts();
        let body = match self.body_of(resource, pin!(body)).await {
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
        if let Err(refused) = query::none_but_known(resource, parts.uri.query()) {
            return problem::of_http(StatusCode::BAD_REQUEST, refused.to_string());
        }
        match Answerer::of(resource) {
            Answerer::Paths => json::paths(&parts.method),
            Answerer::Events => Box::pin(self.events.answer(parts)).await,
            Answerer::Backup => Box::pin(backup::answer(&self.calls, &parts)).await,
            Answerer::Session => Box::pin(session::answer(&self.calls, resource, &parts, &body)).await,
            Answerer::Rest(kind) => self.rest.answer(kind, resource, &parts, body).await,
        }
    }

    /// The changes of a key or a prefix over a WebSocket.
    async fn socket(&self, resource: Resource, request: Request<RequestBody>) -> Response<GatewayBody> {
        let (mut parts, _) = request.into_parts();
        match Rest::changes_of(resource, &parts) {
            Ok(uri) => parts.uri = uri,
            Err(refused) => return *refused,
        }
        self.events.socket(parts).await
    }

    async fn body_of(&self, resource: Resource, body: Pin<&mut RequestBody>) -> Result<Bytes, CollectError> {
        let most = match resource {
            _ if resource.info().body.is_empty() => return body::discard(body).await.map(|()| Bytes::new()),
            Resource::KeyPut | Resource::KeyPatch | Resource::KeyAdd => self.rest.max_value_bytes(),
            Resource::Transaction | Resource::KeysBatch => self.rest.max_document_bytes(),
            _ => session::MOST_BYTES,
        };
        body::collect(body, most).await
    }
}

/// An answer without its body, which it says the length of: over HTTP/2 nobody else leaves it out.
fn head_of(mut response: Response<GatewayBody>) -> Response<GatewayBody> {
    let body = std::mem::replace(response.body_mut(), GatewayBody::empty());
    if let Some(length) = body.size_hint().exact().filter(|length| *length > 0) {
        response.headers_mut().entry(CONTENT_LENGTH).or_insert(length.into());
    }
    response
}

/// Who answers what asks for a resource.
#[derive(Clone, Copy, Debug)]
enum Answerer {
    Paths,
    Events,
    Backup,
    Session,
    Rest(Kind),
}

impl Answerer {
    fn of(resource: Resource) -> Answerer {
        use Resource as R;
        match resource {
            R::Paths => Answerer::Paths,
            R::Events => Answerer::Events,
            R::Snapshot => Answerer::Backup,
            R::Session | R::SessionBegin | R::SessionEnd | R::SessionPassword => Answerer::Session,
            R::Alarms | R::AlarmsDisarm => Answerer::Rest(Kind::Alarms),
            R::Key | R::KeyPut | R::KeyPatch | R::KeyAdd | R::KeyDelete | R::KeyHistory => Answerer::Rest(Kind::Key),
            R::Keys | R::KeysDelete => Answerer::Rest(Kind::Keys),
            R::Lease | R::Leases | R::LeaseGrant | R::LeaseKeepAlive | R::LeaseRevoke => Answerer::Rest(Kind::Leases),
            R::Lock | R::LockTake | R::LockRelease => Answerer::Rest(Kind::Lines),
            R::Election | R::ElectionCampaign | R::ElectionProclaim | R::ElectionResign => Answerer::Rest(Kind::Lines),
            R::Members | R::MemberAdd | R::Member | R::MemberUpdate => Answerer::Rest(Kind::Members),
            R::MemberRemove | R::MemberPromote | R::MemberLead => Answerer::Rest(Kind::Members),
            R::Overview => Answerer::Rest(Kind::Overview),
            R::Statistics => Answerer::Rest(Kind::Statistics),
            R::Warnings => Answerer::Rest(Kind::Warnings),
            R::Roles | R::RoleAdd | R::Role | R::RoleRemove | R::RoleGrant | R::RoleRevoke => {
                Answerer::Rest(Kind::Roles)
            }
            R::Transaction | R::KeysBatch => Answerer::Rest(Kind::Transactions),
            R::Users | R::UserAdd | R::User | R::UserRemove | R::UserPassword => Answerer::Rest(Kind::Users),
            R::UserGrant | R::UserRevoke | R::UserPermissions | R::Authentication | R::AuthenticationSet => {
                Answerer::Rest(Kind::Users)
            }
        }
    }
}

/// What a request below `/v3/` is for.
enum Wanted {
    Resource(Resource),
    Other(Other),
}

/// What is no resource there.
enum Other {
    /// A resource as it changes, over a WebSocket.
    Socket(Resource),
    /// What the gateway answers, if only by saying that there is no such path.
    Call,
    /// There is a resource, which takes these methods.
    Methods(Vec<&'static str>),
    /// There is nothing, and it is asked for as no call is.
    Nothing(String),
}

/// A WebSocket leads to the changes of keys, or to the call at the same path.
fn wanted(request: &Request<RequestBody>, path: &str) -> Wanted {
    let may_be_socket = Call::may_say(request.extensions(), Rare::UPGRADE);
    if may_be_socket && asks_for_websocket(request.method(), request.headers()) {
        return Wanted::Other(match Resource::find("GET", path) {
            Some(resource @ (Resource::Key | Resource::Keys)) => Other::Socket(resource),
            _ => Other::Call,
        });
    }
    if let Some(resource) = Resource::find(request.method().as_str(), path) {
        return Wanted::Resource(resource);
    }
    let methods: Vec<_> = Resource::methods_at(path).collect();
    Wanted::Other(match Method::of_route(path) {
        None if !methods.is_empty() => Other::Methods(methods),
        None if request.method() != http::Method::POST => Other::Nothing(path.to_owned()),
        _ => Other::Call,
    })
}

/// As a gRPC server answers what is not gRPC.
fn unsupported() -> Response<AnyBody> {
    refusal_as(Protocol::Grpc, StatusCode::UNSUPPORTED_MEDIA_TYPE, &Error::ContentTypeNotServed.into())
}
