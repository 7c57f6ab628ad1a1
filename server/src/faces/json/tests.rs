//! The gateway over real sockets, before a real member.

mod cost;
mod counted;
mod handshake;
mod streams;
mod unary;
mod websocket;

use std::time::Duration;

use keyport_api::etcdserverpb::LeaseGrantRequest;
use tokio_util::sync::CancellationToken;

use super::GatewayOptions;
use crate::calls::Caller;
use crate::testing::Member;
use crate::testing::raw::{Head, Raw};

/// A member whose gateway has small limits, and a connection to it.
async fn start() -> (Member, Raw) {
    let member = Member::start().await;
    let address = member.serve(options());
    (member, Raw::open(address).await)
}

/// Small limits, and an end of their own: the node may stop without the gateway.
fn options() -> GatewayOptions {
    GatewayOptions { max_message_bytes: 64 * 1024, ..GatewayOptions::new(0, 128, CancellationToken::new()) }
}

async fn grant(member: &Member, ids: &[i64]) {
    for &id in ids {
        let request = LeaseGrantRequest { id, ttl: 30 };
        member.calls.lease.lease_grant(&Caller::internal("a test"), request).await.unwrap();
    }
}

/// Returns once nobody watches any more.
async fn nobody_watches(member: &Member) {
    tokio::time::timeout(Duration::from_secs(10), async {
        while member.node.state().hub.stats().streams > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("somebody still watches");
}

fn base64(text: impl AsRef<[u8]>) -> String {
    base64_simd::STANDARD.encode_to_string(text)
}
