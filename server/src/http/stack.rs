//! The stack: what every request passes on its way in, and every answer on its way out, in one column.

use std::sync::Arc;
use std::time::Duration;

use tower::{Layer, ServiceBuilder};

use super::layers::{
    Attendance, AttendanceLayer, Audit, AuditLayer, CatchPanic, CatchPanicLayer, CheckLayer, Checked, CleanPath, Cors,
    CorsLayer, Count, CountLayer, GatewayNames, Hosts, Identity, IdentityLayer, InLine, InLineLayer, Limits,
    LimitsLayer, Log, LogLayer, Origins, Quota, Rate, RateFields, RateFieldsLayer, RequestId, RequestIdLayer, Trace,
    TraceLayer, WellFormed,
};
use super::{Pace, Ways};
use crate::audit::AuditLog;
use crate::config::{AllowList, Config, OWN, RatesConfig};
use crate::metrics::Metrics;
use crate::net;
use crate::rates::AddressRate;
use crate::traces::Traces;

/// The settings of the layers.
#[derive(Clone, Debug)]
pub struct StackOptions {
    pub cors: AllowList,
    pub hosts: Hosts,
    /// How somebody may say who he is.
    pub ways: Ways,
    pub slow_request: Duration,
    /// The largest gRPC message.
    pub max_message_bytes: usize,
    /// Where it is written down who asked for what.
    pub(crate) audit: Option<AuditLog>,
    /// Whether a collector is told of calls.
    pub(crate) traces: Option<Traces>,
    /// The slowest that requests may come in.
    pub pace: Pace,
    /// Whether who somebody is matters on the JSON gateway.
    pub gateway_names: GatewayNames,
    /// How often each address may ask.
    pub rates: RatesConfig,
}

impl StackOptions {
    pub fn of(config: &Config) -> StackOptions {
        StackOptions {
            cors: config.http.cors.clone(),
            audit: None,
            traces: None,
            ways: Ways { token_in_query: config.http.token_in_query, certificate_names: config.http.certificate_names },
            hosts: Hosts::new(config.http.hosts.clone(), own_names(config)),
            slow_request: config.http.warning_unary_request_duration,
            max_message_bytes: config.max_receive_bytes(),
            pace: Pace::default(),
            gateway_names: GatewayNames::new(|| false),
            rates: config.rates.clone(),
        }
    }
}

/// The names that the port for peers answers to: the server's own in any case, and what `--host-whitelist` adds to them.
pub(crate) fn hosts_for_peers(config: &Config) -> Hosts {
    let list = match config.http.hosts.clone() {
        AllowList::Any => AllowList::Any,
        AllowList::Only(names) => AllowList::Only(names.into_iter().chain([OWN.to_owned()]).collect()),
    };
    Hosts::new(list, own_names(config))
}

/// What a server may be called by those whom it has told where it is.
fn own_names(config: &Config) -> impl Iterator<Item = String> + '_ {
    let Config { listen, cluster, .. } = config;
    let listened = listen.client.iter().chain(&listen.client_http).chain(&listen.metrics).chain(&listen.peer);
    let urls = listened.chain(&cluster.advertise_client_urls).chain(&cluster.advertise_peer_urls);
    urls.map(|url| url.host.clone()).chain([net::own_name()])
}

/// All layers, as one.
#[derive(Clone, Debug)]
pub struct Stack<I> {
    trace: TraceLayer,
    log: LogLayer,
    count: CountLayer,
    cors: CorsLayer,
    hosts: Hosts,
    origins: Origins,
    gateway_names: GatewayNames,
    rate: Rate,
    rate_fields: RateFieldsLayer,
    limits: LimitsLayer,
    audit: AuditLayer,
    identity: IdentityLayer<I>,
    quota: CheckLayer<Quota>,
}

/// All layers around a service, as one type: no call through a pointer.
pub type Column<S, I> = Trace<Log<Count<Cors<RequestId<RateFields<CatchPanic<Checked<FirstChecks, Worked<S, I>>>>>>>>>;

type FirstChecks = (WellFormed, Hosts, Origins, CleanPath, GatewayNames, Rate);

/// What stands behind the first checks.
type Worked<S, I> = Limits<Attendance<InLine<Audit<Identity<Checked<Quota, S>, I>>>>>;

impl<I> Stack<I> {
    /// `identify` knows callers; `quota` knows when the database is full.
    pub fn new(options: StackOptions, metrics: Arc<Metrics>, identify: I, quota: Quota) -> Stack<I> {
        let rate = Rate(AddressRate::new(&options.rates, &metrics).map(Arc::new));
        let rate_fields = RateFieldsLayer::new(&options.rates, rate.0.clone());
        let StackOptions { cors, hosts, ways, slow_request, max_message_bytes, audit, traces, pace, .. } = options;
        let gateway_names = options.gateway_names;
        Stack {
            trace: TraceLayer(traces),
            log: LogLayer { threshold: slow_request },
            count: CountLayer(metrics),
            origins: Origins(Arc::new(cors.clone())),
            cors: CorsLayer::new(cors),
            hosts,
            gateway_names,
            rate,
            rate_fields,
            limits: LimitsLayer::new(max_message_bytes, pace),
            audit: AuditLayer(audit),
            identity: IdentityLayer { identify, ways },
            quota: CheckLayer(quota),
        }
    }
}

impl<S, I: Clone> Layer<S> for Stack<I> {
    type Service = Column<S, I>;

    fn layer(&self, inner: S) -> Column<S, I> {
        ServiceBuilder::new()
            // Around all that is told of a call, and all of its answer.
            .layer(&self.trace)
            // Around all that takes time.
            .layer(&self.log)
            // Counts refusals of the layers below, too.
            .layer(&self.count)
            // Refusals must be readable for pages in a browser, so this is above what refuses. It answers OPTIONS.
            .layer(&self.cors)
            // Around all that refuses. The log reads the id from the answer.
            .layer(RequestIdLayer)
            // Around all that counts, to tell what is left.
            .layer(&self.rate_fields)
            // A failure like others for all above: it is logged, counted, and readable for pages.
            .layer(CatchPanicLayer)
            // Cheapest refusals first; what they refuse need not be counted.
            .layer(CheckLayer((
                WellFormed,
                self.hosts.clone(),
                self.origins.clone(),
                CleanPath,
                self.gateway_names.clone(),
                self.rate.clone(),
            )))
            // Before anything is read or looked up.
            .layer(&self.limits)
            // Around all that may wait.
            .layer(AttendanceLayer)
            // Before the work begins; a caller's time goes on meanwhile.
            .layer(InLineLayer)
            // Around what decides, and inside of what no caller can help.
            .layer(&self.audit)
            // Before everything that asks who it is.
            .layer(&self.identity)
            // Last: what is refused for want of room is refused to somebody, not to anyone.
            .layer(&self.quota)
            .service(inner)
    }
}
