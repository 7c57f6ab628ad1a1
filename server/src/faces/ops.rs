//! What operators and their tools ask for: health, version, metrics, and what there is to find on this port.
//!
//! Paths, methods and parameters are those of the table that the document describes (`keyport_openapi::endpoints`).

mod console;
mod docs;
mod forms;
mod health;
mod index;
mod log;
mod probes;
mod problems;
mod profile;
mod vars;
mod version;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, any, delete, get, patch, post, put};
use http::{HeaderValue, StatusCode, Uri, header};
use keyport_api::error::{self, Error};
use keyport_api::etcdserverpb::AlarmType;
use keyport_openapi::endpoints::{Endpoint, Listeners, Operation, Parameter, Resource, Verb};
use tonic::Status;
use tower_http::compression::CompressionLayer;

use super::kit;
use crate::calls::{Caller, Calls};
use crate::config::ConsoleMode;
use crate::http::plain;
use crate::http::refusal::{add_hints, is_of_page, problem_document, tell};
use crate::metrics::{self, Metrics};
use crate::version::Versions;

/// What a node tells about itself. Cheap to ask; reads are real ones.
pub(crate) trait HealthSource: Send + Sync + 'static {
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

/// Who may see what is for those alone who run the member.
pub(crate) trait Insiders: Clone + Send + Sync + 'static {
    /// # Errors
    /// Why somebody may not.
    fn admit(&self, caller: &Caller) -> Result<(), Error>;
}

impl Insiders for Calls {
    fn admit(&self, caller: &Caller) -> Result<(), Error> {
        self.maintenance.look_inside(caller)
    }
}

/// How consensus stands, as this member sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RaftState {
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
    offer: Offer,
}

/// What the operator wants to have here beside what is always there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Offer {
    /// Whether they may be taken.
    pub has_profiles: bool,
    pub console: ConsoleMode,
}

/// Everything for clients' listeners, without a fallback: other routers may be merged.
/// `insiders` says who may see what is for those alone who run the member.
pub(crate) fn router<H: HealthSource, I: Insiders>(
    node: Arc<H>,
    metrics: Arc<Metrics>,
    offer: Offer,
    insiders: I,
) -> Router {
    let ops = Arc::new(Ops { node, metrics, offer });
    let inside = routes(|endpoint| !endpoint.public).layer(middleware::from_fn_with_state(insiders, admit::<I>));
    routes(|endpoint| endpoint.public)
        .merge(inside)
        .method_not_allowed_fallback(|uri: Uri| async move { method_not_allowed(uri.path(), ": /docs describes it") })
        .with_state(ops)
}

/// Metrics and health alone, for listeners that are there for nothing else.
pub(crate) fn metrics_router<H: HealthSource>(node: Arc<H>, metrics: Arc<Metrics>) -> Router {
    let ops = Arc::new(Ops { node, metrics, offer: Offer::default() });
    routes(|endpoint| endpoint.public && endpoint.listeners == Listeners::ClientsAndMetrics)
        .method_not_allowed_fallback(|uri: Uri| async move { method_not_allowed(uri.path(), "") })
        .fallback(|| async { no_page("This port has /metrics, /health, /livez and /readyz.\n") })
        .with_state(ops)
}

/// Lets an insider through; others are told what would help.
async fn admit<I: Insiders>(State(insiders): State<I>, request: Request, next: Next) -> Response {
    let may = kit::caller(request.extensions()).and_then(|caller| insiders.admit(&caller));
    let Err(error) = may else { return next.run(request).await };
    let status = Status::from(error);
    let mut response = problem_document(&error::problem_of(error));
    add_hints(&mut response, &status, is_of_page(request.headers()));
    tell(&mut response, &status);
    response
}

/// Those rows of the table that a listener shows.
fn routes<H: HealthSource>(shown: fn(&Endpoint) -> bool) -> Router<Arc<Ops<H>>> {
    let shown = Operation::ALL.iter().filter(|operation| shown(operation.info()));
    shown.fold(Router::new(), |router, &operation| router.route(operation.info().path, answering(operation)))
}

/// Who answers.
fn answering<H: HealthSource>(operation: Operation) -> MethodRouter<Arc<Ops<H>>> {
    let verb = operation.info().verb;
    match operation {
        Operation::Metrics => asked(verb, scrape).layer(CompressionLayer::new().gzip(true)),
        Operation::Health => asked(verb, health::health),
        Operation::Livez => asked(verb, probes::livez),
        Operation::LivezCheck => asked(verb, probes::livez_one),
        Operation::Readyz => asked(verb, probes::readyz),
        Operation::ReadyzCheck => asked(verb, probes::readyz_one),
        Operation::Version => asked(verb, version::version),
        Operation::Variables => asked(verb, vars::vars),
        Operation::Log => asked(verb, log::show),
        Operation::LogChange => asked(verb, log::change),
        Operation::Profiles => asked(verb, profile::index),
        Operation::Profile => asked(verb, profile::profile),
        Operation::OtherProfile => asked(verb, profile::other),
        Operation::Problems => asked(verb, problems::list),
        // Without the path before it, which a proxy may have taken away; likewise below.
        Operation::ProblemsEntry => asked(verb, || async { Redirect::temporary("problems/") }),
        Operation::Problem => asked(verb, problems::one),
        Operation::Index => asked(verb, index::index),
        Operation::Gateway => asked(verb, || async { Redirect::temporary(Resource::Paths.info().path) }),
        Operation::OpenApi => asked(verb, docs::document),
        Operation::OlderOpenApi => asked(verb, docs::older_document),
        Operation::Docs => asked(verb, docs::page),
        Operation::Console => asked(verb, console::page),
        Operation::ConsoleEntry => asked(verb, || async { Redirect::temporary("ui/") }),
        Operation::ConsoleSettings => asked(verb, console::settings),
        Operation::ConsoleFile => asked(verb, console::file),
    }
}

/// A handler, by the methods that its row takes.
fn asked<T, S, F>(verb: Verb, handler: F) -> MethodRouter<S>
where
    T: 'static,
    S: Clone + Send + Sync + 'static,
    F: Handler<T, S>,
{
    match verb {
        Verb::Get => get(handler),
        Verb::Post => post(handler),
        Verb::Put => put(handler),
        Verb::Patch => patch(handler),
        Verb::Delete => delete(handler),
        // It would have the request sent back, which nobody means who reads metrics.
        Verb::Any => any(handler).trace(not_traced),
    }
}

async fn not_traced() -> Response {
    let text = "Method Not Allowed\nThis path takes every method but TRACE.\n";
    let mut response: Response = plain::text(StatusCode::METHOD_NOT_ALLOWED, text);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE"));
    response
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

/// A document of ours, with an end of line: a shell's prompt stands on the next one. What is etcd's has none.
fn document(document: &serde_json::Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], format!("{document}\n")).into_response()
}

/// The answer to paths that nobody knows.
pub(crate) async fn not_found() -> Response {
    no_page("See / for what there is, /v3/ for the paths of the API, and /docs.\n")
}

/// The first line is etcd's; the second says where to look.
fn no_page(hint: &str) -> Response {
    plain::text(StatusCode::NOT_FOUND, format!("404 page not found\n{hint}"))
}

fn method_not_allowed(path: &str, hint: &str) -> Response {
    let changes = Operation::ALL.iter().any(|row| row.info().path == path && row.info().verb == Verb::Put);
    let (list, words) = if changes { ("GET, HEAD, PUT", "GET, HEAD and PUT") } else { ("GET, HEAD", "GET and HEAD") };
    let text = format!("Method Not Allowed\nThis path takes {words}{hint}.\n");
    let mut response: Response = plain::text(StatusCode::METHOD_NOT_ALLOWED, text);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(list));
    response
}

/// The values of a parameter in a query string, percent-decoded.
fn parameters(query: Option<&str>, parameter: &Parameter) -> impl Iterator<Item = String> {
    let pairs = query.unwrap_or_default().split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.filter(|(key, _)| *key == parameter.name).map(|(_, value)| {
        percent_encoding::percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned()
    })
}

#[cfg(test)]
mod tests;
