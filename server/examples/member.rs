//! A whole member in a process of one's own, with layers of others around all that it answers.
//!
//! ```text
//! cargo run --example member -- 2401 /tmp/member
//! curl -i http://127.0.0.1:2401/v3/kv/put -d '{"key":"Zm9v","value":"YmFy"}'
//! ```

use http::{HeaderName, HeaderValue};
use keyport_server::config::{self, Action, Sources};
use keyport_server::run_within;
use tower::ServiceBuilder;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let port: u16 = words.next().as_deref().unwrap_or("2401").parse()?;
    let data_dir = words.next().unwrap_or_else(|| "member.etcd".to_owned());
    let (clients, peers) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{}", port.saturating_add(1)));
    let args = [
        format!("--data-dir={data_dir}"),
        format!("--listen-client-urls={clients}"),
        format!("--advertise-client-urls={clients}"),
        format!("--listen-peer-urls={peers}"),
        format!("--initial-advertise-peer-urls={peers}"),
        format!("--initial-cluster=default={peers}"),
    ];
    let read_file = |path: &str| std::fs::read_to_string(path);
    let sources = Sources { args: &args, env: &[], read_file: &read_file, default_host: &|| None };
    let Action::Run(config) = config::load(&sources)? else { return Ok(()) };

    let served_by = SetResponseHeaderLayer::overriding(
        HeaderName::from_static("x-served-by"),
        HeaderValue::from_static("a member inside"),
    );
    let around = ServiceBuilder::new().layer(TraceLayer::new_for_http()).layer(served_by);
    let interrupted = async {
        // Without signals it serves until the process is ended otherwise.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    run_within(*config, interrupted, around).await?;
    Ok(())
}
