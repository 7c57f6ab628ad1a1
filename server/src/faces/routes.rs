//! All faces of a node behind one [`App`]: who answers which request.

use crate::calls::Services;
use crate::faces::grpc::HotBody;
use crate::faces::grpc::hot::{HotPath, HotPaths, HotResponse};
use crate::faces::json::{self, GatewayBody, GatewayOptions, GatewayService};
use crate::http::{App, BoxError, RequestBody};
use axum::Router;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use keyport_api::etcdserverpb::auth_server::AuthServer;
use keyport_api::etcdserverpb::cluster_server::ClusterServer;
use keyport_api::etcdserverpb::kv_server::KvServer;
use keyport_api::etcdserverpb::lease_server::LeaseServer;
use keyport_api::etcdserverpb::maintenance_server::MaintenanceServer;
use keyport_api::etcdserverpb::watch_server::WatchServer;
use keyport_api::v3electionpb::election_server::ElectionServer;
use keyport_api::v3lockpb::lock_server::LockServer;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::body::Body as GrpcBody;
use tonic::service::interceptor::InterceptedService;
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower::{Layer as _, Service as _};

/// The table of faces, tried in this order: hot gRPC calls, gRPC, the gateway's paths, everything else.
#[derive(Clone, Debug)]
pub struct Routes {
    hot: HotPaths,
    grpc: tonic::service::Routes,
    grpc_web: GrpcWebService<tonic::service::Routes>,
    gateway: Option<GatewayService<Services>>,
    http: Router,
    metrics: Router,
}

impl Routes {
    /// `http` answers what is neither gRPC nor the gateway's, `metrics` the listeners for metrics. No `gateway` leaves
    /// the JSON paths to `http`.
    pub fn new(
        services: Services,
        max_message_bytes: usize,
        gateway: Option<GatewayOptions>,
        http: Router,
        metrics: Router,
    ) -> Routes {
        let grpc = grpc(&services, max_message_bytes);
        Routes {
            hot: HotPaths::new(services.clone(), max_message_bytes),
            grpc_web: GrpcWebLayer::new().layer(grpc.clone()),
            grpc,
            gateway: gateway.map(|options| GatewayService::new(services, options)),
            http,
            metrics,
        }
    }
}

/// Every service, as tonic generates it.
fn grpc(services: &Services, max_message_bytes: usize) -> tonic::service::Routes {
    macro_rules! add {
        ($routes:ident, $($server:ident($service:ident)),* $(,)?) => {
            $($routes = $routes.add_service(
                $server::new(services.$service.clone())
                    .max_decoding_message_size(max_message_bytes)
                    .max_encoding_message_size(usize::MAX),
            );)*
        };
    }
    let mut routes = tonic::service::Routes::default();
    add!(
        routes,
        KvServer(kv),
        WatchServer(watch),
        LeaseServer(lease),
        ClusterServer(cluster),
        MaintenanceServer(maintenance),
        AuthServer(auth),
        LockServer(lock),
        ElectionServer(election),
    );
    // A node that answers at all serves: it opens its listeners last.
    let (_, health) = tonic_health::server::health_reporter();
    let cluster = services.cluster.clone();
    let gate = move |request: tonic::Request<()>| cluster.admit(request.metadata().as_ref()).map(|()| request);
    routes = routes.add_service(InterceptedService::new(health, gate));
    match tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(keyport_api::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
    {
        Ok(reflection) => routes.add_service(reflection),
        Err(error) => {
            tracing::error!(%error, "reflection is not available");
            routes
        }
    }
}

/// The services never fail as such: what goes wrong is in their answers.
fn infallible<T>(outcome: Result<T, std::convert::Infallible>) -> T {
    match outcome {
        Ok(value) => value,
        Err(never) => match never {},
    }
}

impl App for Routes {
    type Body = AnyBody;

    async fn grpc(&self, request: Request<RequestBody>) -> Response<AnyBody> {
        match HotPath::of(&request) {
            Some(path) => match self.hot.serve(path, request).await {
                HotResponse::Unary(response) => response.map(|body| AnyBody::Hot { body }),
                HotResponse::Stream(response) => response.map(|body| AnyBody::Grpc { body }),
            },
            None => infallible(self.grpc.clone().call(request).await).map(|body| AnyBody::Grpc { body }),
        }
    }

    async fn grpc_web(&self, request: Request<RequestBody>) -> Response<AnyBody> {
        infallible(self.grpc_web.clone().call(request).await).map(|body| AnyBody::Grpc { body })
    }

    async fn http(&self, request: Request<RequestBody>) -> Response<AnyBody> {
        match &self.gateway {
            Some(gateway) if json::owns(request.uri().path()) => {
                gateway.handle(request).await.map(|body| AnyBody::Gateway { body })
            }
            _ => infallible(self.http.clone().call(request).await).map(|body| AnyBody::Http { body }),
        }
    }

    async fn metrics(&self, request: Request<RequestBody>) -> Response<AnyBody> {
        infallible(self.metrics.clone().call(request).await).map(|body| AnyBody::Http { body })
    }
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
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            AnyBody::Hot { body } => body.is_end_stream(),
            AnyBody::Grpc { body } => body.is_end_stream(),
            AnyBody::Gateway { body } => body.is_end_stream(),
            AnyBody::Http { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            AnyBody::Hot { body } => body.size_hint(),
            AnyBody::Grpc { body } => body.size_hint(),
            AnyBody::Gateway { body } => body.size_hint(),
            AnyBody::Http { body } => body.size_hint(),
        }
    }
}
