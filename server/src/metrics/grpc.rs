//! `grpc_server_*`, the bytes that go with them and `etcd_server_client_requests_total`.
//!
//! Every method has a [`Series`], with its counters in [`Slots`].

use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use keyport_api::methods::{Kind, Method, MethodInfo};
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Registry};
use tonic::Code;

use super::slots::Slots;

/// The status codes by number, under the names of the label.
const CODES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];
/// Services whose series are there from the start, as in etcd.
const PRECREATED: [&str; 7] = [
    "etcdserverpb.KV",
    "etcdserverpb.Watch",
    "etcdserverpb.Lease",
    "etcdserverpb.Cluster",
    "etcdserverpb.Auth",
    "etcdserverpb.Maintenance",
    "grpc.health.v1.Health",
];
/// Client versions that get a series of their own. What clients send there is up to them, memory is not.
const MAX_CLIENT_VERSIONS: usize = 64;
/// What is longer is no version.
const MAX_VERSION_BYTES: usize = 32;
const HANDLING_BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The counters that every call touches.
#[derive(Debug, Default)]
struct Slot {
    started: AtomicU64,
    ok: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    received_bytes: AtomicU64,
    sent_bytes: AtomicU64,
}

/// What is counted of one RPC.
pub struct Series {
    info: &'static MethodInfo,
    slots: Slots<Slot>,
    failed: [AtomicU64; CODES.len()],
    precreated: bool,
    used: AtomicBool,
    handling: Option<Histogram>,
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.info.path)
    }
}

impl Series {
    /// Which sides of a call are streams.
    pub fn kind(&self) -> Kind {
        self.info.kind
    }

    /// Counts a call as begun; the answer counts its end.
    pub fn start(&'static self) -> Call {
        self.slot().started.fetch_add(1, Relaxed);
        if !self.precreated && !self.used.load(Relaxed) {
            self.used.store(true, Relaxed);
        }
        Call { series: self, started: self.handling.is_some().then(Instant::now), done: false }
    }

    /// Counts messages from the client, and their bytes without framing.
    pub fn received(&self, messages: u64, bytes: u64) {
        let slot = self.slot();
        slot.received.fetch_add(messages, Relaxed);
        slot.received_bytes.fetch_add(bytes, Relaxed);
    }

    /// Counts messages to the client, and their bytes without framing.
    pub fn sent(&self, messages: u64, bytes: u64) {
        let slot = self.slot();
        slot.sent.fetch_add(messages, Relaxed);
        slot.sent_bytes.fetch_add(bytes, Relaxed);
    }

    fn slot(&self) -> &Slot {
        self.slots.own()
    }

    fn sum(&self, of: impl Fn(&Slot) -> &AtomicU64) -> u64 {
        self.slots.sum(|slot| of(slot).load(Relaxed))
    }

    fn handled(&self, code: usize) -> u64 {
        let failed = self.failed.get(code).map_or(0, |count| count.load(Relaxed));
        if code == 0 { failed + self.sum(|slot| &slot.ok) } else { failed }
    }
}

/// A call under way. Dropped without [`Call::finish`] it counts as cancelled, which is what a client does that goes away,
/// or as an internal error while its thread panics.
#[derive(Debug)]
pub struct Call {
    series: &'static Series,
    started: Option<Instant>,
    done: bool,
}

impl Call {
    pub fn series(&self) -> &'static Series {
        self.series
    }

    /// Counts the end of the call.
    pub fn finish(mut self, code: Code) {
        self.end(code);
    }

    fn end(&mut self, code: Code) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        match code {
            Code::Ok => self.series.slot().ok.fetch_add(1, Relaxed),
            // A code is below 17 by its type.
            _ => self.series.failed[code as usize % CODES.len()].fetch_add(1, Relaxed),
        };
        if let (Some(handling), Some(started)) = (&self.series.handling, self.started) {
            handling.observe(started.elapsed().as_secs_f64());
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.done {
            self.end(if std::thread::panicking() { Code::Internal } else { Code::Cancelled });
        }
    }
}

/// A client's version, with its counters for unary calls and for streams.
struct ClientVersion {
    version: Box<[u8]>,
    counters: [IntCounter; 2],
}

/// What is counted of every method.
pub struct GrpcMetrics {
    by_method: [&'static Series; Method::COUNT],
    client_requests: IntCounterVec,
    /// Filled from the front; read without a lock.
    by_version: Box<[OnceLock<ClientVersion>]>,
}

impl fmt::Debug for GrpcMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcMetrics").field("methods", &self.by_method.len()).finish_non_exhaustive()
    }
}

impl GrpcMetrics {
    pub(super) fn register(
        registry: &Registry,
        client_requests: &IntCounterVec,
        extensive: bool,
    ) -> prometheus::Result<GrpcMetrics> {
        let handling = if extensive {
            let opts = HistogramOpts::new("grpc_server_handling_seconds", "Time of gRPC calls.");
            let family = HistogramVec::new(opts.buckets(HANDLING_BUCKETS.to_vec()), &METHOD_LABELS)?;
            registry.register(Box::new(family.clone()))?;
            Some(family)
        } else {
            None
        };
        let by_method = Method::ALL.map(|method| {
            let info = method.info();
            let labels = [label(info.kind), info.service, info.name];
            let series = Series {
                info,
                handling: handling.as_ref().map(|family| family.with_label_values(&labels)),
                precreated: PRECREATED.contains(&info.service),
                used: AtomicBool::new(false),
                slots: Slots::default(),
                failed: Default::default(),
            };
            // There is one registry in a process. Calls under way point to their series without counting references.
            &*Box::leak(Box::new(series))
        });
        registry.register(Box::new(GrpcCollector::new(by_method.to_vec())?))?;
        let by_version = (0..MAX_CLIENT_VERSIONS).map(|_| OnceLock::new()).collect();
        Ok(GrpcMetrics { by_method, client_requests: client_requests.clone(), by_version })
    }

    /// How many streams were begun, by whatever method.
    pub(super) fn streams_begun(&self) -> u64 {
        let streams = self.by_method.iter().filter(|series| series.kind() != Kind::Unary);
        streams.map(|series| series.sum(|slot| &slot.started)).sum()
    }

    /// What is counted of a method.
    pub fn of(&self, method: Method) -> &'static Series {
        // The index of a method is below their number.
        self.by_method[method.index()]
    }

    /// Counts a call by the client's version, which is the value of its `client-api-version`.
    pub fn count_client(&self, version: Option<&[u8]>, kind: Kind) {
        let version = version.unwrap_or(b"unknown");
        let label = if kind == Kind::Unary { "unary" } else { "stream" };
        let text = std::str::from_utf8(version).ok().filter(|text| text.len() <= MAX_VERSION_BYTES);
        let Some(text) = text else {
            self.client_requests.with_label_values(&[label, "other"]).inc();
            return;
        };
        for cell in &self.by_version {
            let known = cell.get_or_init(|| ClientVersion {
                version: version.into(),
                counters: ["unary", "stream"].map(|kind| self.client_requests.with_label_values(&[kind, text])),
            });
            if *known.version == *version {
                known.counters[usize::from(kind != Kind::Unary)].inc();
                return;
            }
        }
        self.client_requests.with_label_values(&[label, "other"]).inc();
    }
}

/// The value of `grpc_type`.
fn label(kind: Kind) -> &'static str {
    match kind {
        Kind::Unary => "unary",
        Kind::ClientStream => "client_stream",
        Kind::ServerStream => "server_stream",
        Kind::BidiStream => "bidi_stream",
    }
}

const METHOD_LABELS: [&str; 3] = ["grpc_type", "grpc_service", "grpc_method"];
/// Name, help.
const FAMILIES: [(&str, &str); 6] = [
    ("grpc_server_started_total", "Calls begun."),
    ("grpc_server_handled_total", "Calls ended, by status code."),
    ("grpc_server_msg_received_total", "Messages received."),
    ("grpc_server_msg_sent_total", "Messages sent."),
    ("etcd_network_client_grpc_sent_bytes_total", "Bytes of messages sent to clients."),
    ("etcd_network_client_grpc_received_bytes_total", "Bytes of messages received from clients."),
];

struct GrpcCollector {
    descs: Vec<Desc>,
    methods: Vec<&'static Series>,
}

impl GrpcCollector {
    fn new(mut methods: Vec<&'static Series>) -> prometheus::Result<GrpcCollector> {
        methods.sort_by(|a, b| a.info.path.cmp(b.info.path));
        let desc = |(name, help): &(&str, &str)| {
            let mut labels: Vec<String> = Vec::new();
            if name.starts_with("grpc_") {
                labels.extend(METHOD_LABELS.map(str::to_owned));
            }
            if *name == "grpc_server_handled_total" {
                labels.push("grpc_code".to_owned());
            }
            Desc::new((*name).to_owned(), (*help).to_owned(), labels, HashMap::new())
        };
        Ok(GrpcCollector { descs: FAMILIES.iter().map(desc).collect::<Result<_, _>>()?, methods })
    }
}

impl Collector for GrpcCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let methods = || self.methods.iter().filter(|m| m.precreated || m.used.load(Relaxed));
        let by_method = |of: fn(&Slot) -> &AtomicU64| methods().map(|m| sample(m, None, m.sum(of))).collect();
        let total = |of: fn(&Slot) -> &AtomicU64| vec![counter(self.methods.iter().map(|m| m.sum(of)).sum())];
        let handled = methods().flat_map(|m| {
            let codes = CODES.iter().enumerate();
            codes
                .filter(|(code, _)| m.precreated || m.handled(*code) > 0)
                .map(|(code, name)| sample(m, Some(name), m.handled(code)))
        });
        let samples: [Vec<Metric>; 6] = [
            by_method(|slot| &slot.started),
            handled.collect(),
            by_method(|slot| &slot.received),
            by_method(|slot| &slot.sent),
            total(|slot| &slot.sent_bytes),
            total(|slot| &slot.received_bytes),
        ];
        let family = |((name, help), samples): (&(&str, &str), Vec<Metric>)| {
            let mut family = MetricFamily::default();
            family.set_name((*name).to_owned());
            family.set_help((*help).to_owned());
            family.set_field_type(MetricType::COUNTER);
            family.set_metric(samples);
            family
        };
        FAMILIES.iter().zip(samples).map(family).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "the text format has only floats")]
fn counter(value: u64) -> Metric {
    let mut cell = Counter::default();
    cell.set_value(value as f64);
    let mut metric = Metric::default();
    metric.set_counter(cell);
    metric
}

/// A label and its value.
pub(super) fn pair(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}

fn sample(series: &Series, code: Option<&str>, value: u64) -> Metric {
    let mut labels: Vec<LabelPair> = code.map(|code| pair("grpc_code", code)).into_iter().collect();
    labels.push(pair("grpc_method", series.info.name));
    labels.push(pair("grpc_service", series.info.service));
    labels.push(pair("grpc_type", label(series.info.kind)));
    let mut metric = counter(value);
    metric.set_label(labels);
    metric
}
