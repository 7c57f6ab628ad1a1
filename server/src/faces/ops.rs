//! What operators and their tools ask for: health, version, metrics, and what there is to find on this port.

mod docs;
mod health;
mod index;
mod probes;
mod vars;
mod version;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get};
use http::{HeaderValue, StatusCode, header};
use keyport_api::etcdserverpb::AlarmType;
use tonic::Status;
use tower_http::compression::CompressionLayer;

use crate::http::plain;
use crate::metrics::{self, Metrics};
use crate::version::Versions;

/// What a node tells about itself. Cheap to ask; reads are real ones.
pub trait HealthSource: Send + Sync + 'static {
    /// Alarms raised on any member.
    fn alarms(&self) -> Vec<AlarmType>;
    fn has_leader(&self) -> bool;
    fn is_learner(&self) -> bool;
    /// A read of this member's own state.
    fn serializable_read(&self) -> impl Future<Output = Result<(), Status>> + Send;
    /// A read that the cluster agrees on.
    fn linearizable_read(&self) -> impl Future<Output = Result<(), Status>> + Send;
    /// Versions in force.
    fn versions(&self) -> Versions;
    /// How consensus stands.
    fn raft(&self) -> RaftState;
}

/// How consensus stands, as this member sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RaftState {
    pub id: u64,
    pub leader: u64,
    pub term: u64,
    pub commit: u64,
    pub applied: u64,
}

/// What the endpoints work with.
#[derive(Debug)]
struct Ops<H> {
    node: Arc<H>,
    metrics: Arc<Metrics>,
}

/// Everything for clients' listeners, without a fallback: other routers may be merged.
pub fn router<H: HealthSource>(node: Arc<H>, metrics: Arc<Metrics>) -> Router {
    let ops = Arc::new(Ops { node, metrics });
    common::<H>()
        .route("/version", get(version::version))
        .route("/debug/vars", get(vars::vars))
        .route("/", get(index::index))
        .route("/v3", any(|| async { Redirect::temporary("/v3/") }))
        .merge(docs::router())
        .method_not_allowed_fallback(|| async {
            method_not_allowed("This path takes GET and HEAD: /docs describes it.\n")
        })
        .with_state(ops)
}

/// Metrics and health alone, for listeners that are there for nothing else.
pub fn metrics_router<H: HealthSource>(node: Arc<H>, metrics: Arc<Metrics>) -> Router {
    let ops = Arc::new(Ops { node, metrics });
    common::<H>()
        .method_not_allowed_fallback(|| async { method_not_allowed("This path takes GET and HEAD.\n") })
        .fallback(|| async { no_page("This port has /metrics, /health, /livez and /readyz.\n") })
        .with_state(ops)
}

fn common<H: HealthSource>() -> Router<Arc<Ops<H>>> {
    Router::new()
        .route("/metrics", any(scrape).layer(CompressionLayer::new().gzip(true)))
        .route("/health", get(health::health))
        .route("/livez", get(probes::livez))
        .route("/livez/{check}", get(probes::livez_one))
        .route("/readyz", get(probes::readyz))
        .route("/readyz/{check}", get(probes::readyz_one))
}

async fn scrape<H: HealthSource>(State(ops): State<Arc<Ops<H>>>) -> Response {
    match ops.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "failed to render metrics");
            plain::text(StatusCode::INTERNAL_SERVER_ERROR, "failed to render metrics\n")
        }
    }
}

/// The answer to paths that nobody knows.
pub async fn not_found() -> Response {
    no_page("See / for what there is, /v3/ for the paths of the API, and /docs.\n")
}

/// The first line is etcd's; the second says where to look.
fn no_page(hint: &str) -> Response {
    plain::text(StatusCode::NOT_FOUND, format!("404 page not found\n{hint}"))
}

fn method_not_allowed(hint: &str) -> Response {
    let mut response: Response = plain::text(StatusCode::METHOD_NOT_ALLOWED, format!("Method Not Allowed\n{hint}"));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// The values of a parameter in a query string, percent-decoded.
fn parameters<'a>(query: Option<&'a str>, name: &'a str) -> impl Iterator<Item = String> + 'a {
    let pairs = query.unwrap_or_default().split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.filter(move |(key, _)| *key == name).map(|(_, value)| {
        percent_encoding::percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned()
    })
}

#[cfg(test)]
mod tests;
