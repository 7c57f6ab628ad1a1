//! The gateway over real sockets, before services that answer as told.

mod cost;
pub(crate) mod fake;
pub(crate) mod raw;
mod streams;
mod unary;
mod websocket;
pub(crate) mod world;

use tokio_util::sync::CancellationToken;

use super::GatewayOptions;
use fake::Fake;
use raw::Raw;

/// A gateway with small limits and a connection to it.
async fn start() -> (Fake, Raw) {
    let fake = Fake::new();
    let address = fake.serve(options()).await;
    (fake, Raw::open(address).await)
}

fn options() -> GatewayOptions {
    GatewayOptions { max_message_bytes: 64 * 1024, ..GatewayOptions::new(0, 128, CancellationToken::new()) }
}
