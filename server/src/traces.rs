//! Traces: what is told of calls to a collector that speaks OTLP over gRPC.
//!
//! A caller that belongs to a trace says so (`traceparent`, W3C Trace Context), and whether that trace is sampled; for the
//! others it is drawn here. A span is handed over when it ends, and nobody waits for the collector ([`queue`]).

mod queue;
mod span;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{SpanBuilder, SpanKind, TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, SpanExporter as _};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;

use crate::config::{A_MILLION, TracesConfig};
use crate::metrics::Metrics;
use crate::net::dial::Dialler;
use crate::tls::{Outgoing, Speaks};
use crate::version;
use queue::{Counts, PATIENCE, Queue};
pub(crate) use span::Span;

/// Why there can be no traces.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    #[error("--distributed-tracing-address: {0}")]
    Address(#[from] tonic::transport::Error),
    #[error("distributed tracing: {0}")]
    Exporter(#[from] ExporterBuildError),
}

/// Makes spans. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Traces(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tracer: SdkTracer,
    propagator: TraceContextPropagator,
    /// Whether a call without a parent may begin a trace.
    has_roots: bool,
}

/// Tells the collector what is left when the server ends.
#[derive(Debug)]
pub(crate) struct Teller {
    stop: CancellationToken,
    telling: JoinHandle<()>,
    /// Ends the tracer's use of the queue.
    _provider: SdkTracerProvider,
}

/// Starts to tell, in a task of the runtime that this is called on. The collector need not be there.
///
/// # Errors
/// When the address is none.
pub(crate) fn start(config: &TracesConfig, metrics: &Metrics) -> Result<(Traces, Teller), TracesError> {
    let dialler = Dialler { always: None, patience: PATIENCE, tls: Outgoing::without_files(Speaks::Http2) };
    let channel = Endpoint::from_shared(config.collector.to_string())?.connect_with_connector_lazy(dialler);
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_tonic().with_channel(channel);
    let mut exporter = exporter.build()?;
    let resource = resource(config);
    exporter.set_resource(&resource);
    let counts = Counts { told: metrics.spans_exported.clone(), lost: metrics.spans_lost.clone() };
    let (queue, spans) = Queue::new(counts.clone());
    let stop = CancellationToken::new();
    let telling = tokio::spawn(queue::tell(spans, exporter, counts, stop.clone()));
    let provider = SdkTracerProvider::builder()
        .with_span_processor(queue)
        .with_resource(resource)
        .with_sampler(Sampler::ParentBased(Box::new(sampler(config.sampled))))
        .build();
    let tracer = provider.tracer("keyport");
    let inner = Inner { tracer, propagator: TraceContextPropagator::new(), has_roots: config.sampled > 0 };
    tracing::info!(
        address = %config.collector.authority(),
        service_name = config.service_name,
        service_instance_id = config.instance_id,
        sampling_rate = config.sampled,
        "distributed tracing setup enabled"
    );
    Ok((Traces(Arc::new(inner)), Teller { stop, telling, _provider: provider }))
}

/// Of calls that belong to no trace.
fn sampler(of_a_million: u32) -> Sampler {
    match of_a_million {
        0 => Sampler::AlwaysOff,
        A_MILLION => Sampler::AlwaysOn,
        some => Sampler::TraceIdRatioBased(f64::from(some) / f64::from(A_MILLION)),
    }
}

fn resource(config: &TracesConfig) -> Resource {
    let id = config.instance_id.clone().map(|id| KeyValue::new("service.instance.id", id));
    let names = [
        KeyValue::new("service.name", config.service_name.clone()),
        KeyValue::new("service.version", version::ETCD_SERVER),
    ];
    Resource::builder_empty().with_attributes(names.into_iter().chain(id)).build()
}

impl Traces {
    /// The span of a call that began at `start`, if its trace is sampled. `headers` are there if they may name a parent.
    pub(crate) fn begin(
        &self,
        name: impl Into<Cow<'static, str>>,
        start: Instant,
        headers: Option<&HeaderMap>,
    ) -> Option<Span> {
        let Inner { tracer, propagator, has_roots } = &*self.0;
        let parent = match headers {
            Some(headers) => propagator.extract_with_context(&Context::new(), &Headers(headers)),
            None if *has_roots => Context::new(),
            None => return None,
        };
        let times = span::Times::new(start);
        let builder = SpanBuilder::from_name(name).with_kind(SpanKind::Server).with_start_time(times.at(start));
        let context = parent.with_span(tracer.build_with_context(builder, &parent));
        let is_sampled = context.span().is_recording();
        is_sampled.then(|| Span::new(tracer.clone(), context, times))
    }
}

impl Teller {
    /// Tells what is left, but not for long.
    pub(crate) async fn finish(self) {
        self.stop.cancel();
        if let Err(error) = self.telling.await {
            tracing::warn!(%error, "the last spans were not told");
        }
    }
}

/// Where a parent is looked for.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}
