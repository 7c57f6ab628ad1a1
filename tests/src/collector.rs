//! A trace collector: takes spans over OTLP, as real ones do, and keeps them.

use std::net::SocketAddr;
use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tonic::{Request, Response, Status};

use crate::wait::eventually;

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Collector {
    addr: SocketAddr,
    told: Arc<Mutex<Told>>,
    serving: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Told {
    spans: Vec<Span>,
    /// Of who told.
    resources: Vec<Vec<KeyValue>>,
}

impl Collector {
    /// On a port of loopback.
    pub async fn start() -> Collector {
        Collector::at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// At an address that is free.
    pub async fn at(addr: SocketAddr) -> Collector {
        let listener = tokio::net::TcpListener::bind(addr).await.expect("the address is free");
        let addr = listener.local_addr().expect("it is bound");
        let told = Arc::<Mutex<Told>>::default();
        let service = TraceServiceServer::new(Service(Arc::clone(&told)));
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        let server = tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming);
        let serving = tokio::spawn(async move { server.await.expect("it serves") });
        Collector { addr, told, serving }
    }

    /// As `--distributed-tracing-address` has it.
    pub fn address(&self) -> String {
        self.addr.to_string()
    }

    /// What was told until now.
    pub fn spans(&self) -> Vec<Span> {
        self.told.lock().spans.clone()
    }

    /// The first span of that name, once it is told.
    pub async fn span(&self, name: &str) -> Span {
        eventually(name, async || self.spans().into_iter().find(|span| span.name == name)).await
    }

    /// Parts of a call, by name.
    pub fn children(&self, parent: &Span) -> Vec<Span> {
        let mut children = self.spans();
        children.retain(|span| span.parent_span_id == parent.span_id);
        children
    }

    /// What those who told say of themselves under a name.
    pub fn resource(&self, key: &str) -> Vec<String> {
        self.told.lock().resources.iter().filter_map(|attributes| attribute(attributes, key)).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// An attribute, as text.
pub fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let value = attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value?;
    Some(match value {
        Value::StringValue(text) => text,
        Value::IntValue(n) => n.to_string(),
        other => format!("{other:?}"),
    })
}

struct Service(Arc<Mutex<Told>>);

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut told = self.0.lock();
        for of_resource in request.into_inner().resource_spans {
            told.resources.push(of_resource.resource.unwrap_or_default().attributes);
            told.spans.extend(of_resource.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}
