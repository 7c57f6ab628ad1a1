//! gRPC's own health checks. As in etcd the server as a whole is the one service there is, under the empty name.

use std::collections::HashMap;
use std::pin::Pin;

use keyport_api::error::Error;
use keyport_api::health::health_check_response::ServingStatus;
use keyport_api::health::health_server::{Health, HealthServer};
use keyport_api::health::{HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse};
use keyport_api::methods::Method;
use tokio_stream::{Stream, StreamExt as _};
use tonic::codec::CompressionEncoding;
use tonic::{Request, Response, Status};

use crate::calls::Calls;
use crate::faces::kit::caller;

/// What answers them.
pub(super) fn service(calls: &Calls) -> HealthServer<impl Health> {
    HealthServer::new(Checks(calls.clone())).accept_compressed(CompressionEncoding::Gzip)
}

struct Checks(Calls);

impl Checks {
    /// Lets a check through the gate. A node that answers at all serves: it opens its listeners last.
    fn admit<T>(&self, request: &Request<T>, method: Method) -> Result<(), Status> {
        Ok(self.0.health(&caller(request.extensions())?, method)?)
    }
}

#[tonic::async_trait]
impl Health for Checks {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        self.admit(&request, Method::HealthCheck)?;
        if !request.get_ref().service.is_empty() {
            return Err(Error::ServiceNotFound.into());
        }
        Ok(Response::new(answer(ServingStatus::Serving)))
    }

    async fn list(&self, request: Request<HealthListRequest>) -> Result<Response<HealthListResponse>, Status> {
        self.admit(&request, Method::HealthList)?;
        let statuses = HashMap::from([(String::new(), answer(ServingStatus::Serving))]);
        Ok(Response::new(HealthListResponse { statuses }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        self.admit(&request, Method::HealthWatch)?;
        // Who asks for one that is not there waits for it, as gRPC has it.
        let whole = request.get_ref().service.is_empty();
        let status = if whole { ServingStatus::Serving } else { ServingStatus::ServiceUnknown };
        let changes = tokio_stream::once(Ok(answer(status))).chain(tokio_stream::pending());
        Ok(Response::new(Box::pin(changes)))
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
