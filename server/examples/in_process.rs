//! The layers of the server around a service of one's own, with layers of others among them, in a process of one's own.
//!
//! ```text
//! cargo run --example in_process -- 2401
//! curl -i http://127.0.0.1:2401/greeting?name=you
//! ```

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, RawQuery};
use axum::routing::get;
use http::{Request, Response};
use keyport_server::config::{self, Action, Sources};
use keyport_server::http::layers::Quota;
use keyport_server::http::{Call, RequestBody, Server, Stack, StackOptions};
use keyport_server::metrics::Metrics;
use keyport_server::net::bind;
use keyport_server::tls::Tls;
use keyport_server::{Claims, Identified};
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;
use tower_http::trace::TraceLayer;

/// What the layers have found out of a request is there for whoever answers it.
async fn greet(RawQuery(query): RawQuery, Extension(call): Extension<Call>) -> String {
    let caller = call.caller.map_or_else(|| "nobody".to_owned(), |caller| caller.to_string());
    format!("Hello {}, by {:?} for {caller}\n", query.as_deref().unwrap_or("there"), call.protocol)
}

/// Whoever wants to know who calls looks into the claims here, at once or later.
fn identify(claims: &Claims) -> Identified {
    Identified::anyone(claims)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).map_or(Ok(2401), |port| port.parse::<u16>())?;
    let url = format!("http://127.0.0.1:{port}");
    let args = [format!("--listen-client-urls={url}"), format!("--advertise-client-urls={url}")];
    let read_file = |path: &str| std::fs::read_to_string(path);
    let sources = Sources { args: &args, env: &[], read_file: &read_file, default_host: &|| None };
    let Action::Run(config) = config::load(&sources)? else { return Ok(()) };

    let metrics = Arc::new(Metrics::new(false));
    let stack = Stack::new(StackOptions::of(&config), Arc::clone(&metrics), identify, Quota::new(|| false));
    let service = ServiceBuilder::new()
        // Around everything: sees refusals, too.
        .layer(TraceLayer::new_for_http())
        .layer(stack)
        // Inside a body must be able to hold a refusal; axum's is.
        .map_response(|response: Response<_>| response.map(Body::new))
        .layer(TraceLayer::new_for_http())
        .map_request(|request: Request<RequestBody>| request.map(Body::new))
        .service(Router::new().route("/greeting", get(greet)));

    let stop = CancellationToken::new();
    let interrupted = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            interrupted.cancel();
        }
    });
    let listeners = bind(&config.listen, &Tls::new(&config.tls, &metrics))?;
    Server::start(&config.http, &metrics)?.serve(listeners, service, stop, Duration::from_secs(5)).await?;
    Ok(())
}
