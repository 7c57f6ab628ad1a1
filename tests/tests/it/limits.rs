//! What protects a server from its callers, where the operator asks for it. (etcd has none of it.)

mod connections;
mod pings;
mod rates;
mod resources;

use keyport_tests::http::Http;
use keyport_tests::{Flavor, Server};

/// A server with such flags; none if it is etcd that is tested.
fn server<const N: usize>(flags: [&str; N]) -> Option<Server> {
    (Flavor::under_test() == Flavor::Keyport).then(|| Server::builder().args(flags).start())
}

/// The value of a series that counts something.
async fn counted(http: &Http, series: &str) -> u64 {
    let text = http.get("/metrics").await.text();
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {series}")).parse().unwrap()
}
