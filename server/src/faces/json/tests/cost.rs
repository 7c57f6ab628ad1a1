//! What the gateway adds to a request, next to the call behind it.
//!
//! `cargo test --release -p keyport-server --lib json::tests::cost -- --ignored --nocapture`

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use keyport_api::etcdserverpb::RangeRequest;

use super::{base64, options};
use crate::calls::Caller;
use crate::faces::json::Gateway;
use crate::http::{Call, Connection};
use crate::net::Face;
use crate::testing::Member;

const CALLS: u32 = 200_000;

/// The best of some rounds, for one call.
async fn best(mut call: impl AsyncFnMut()) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        for _ in 0..CALLS {
            call().await;
        }
        best = best.min(start.elapsed() / CALLS);
    }
    best
}

#[tokio::test]
#[ignore = "prints figures"]
async fn of_a_call() {
    const KEY: &str = "0123456789abcdef";
    let member = Member::start().await;
    member.commit(&[(KEY.as_bytes(), Some(&[b'v'; 256]))]).await;
    let (calls, gateway) = (member.calls.clone(), Gateway::new(member.calls.clone(), options()));
    let body = Bytes::from(format!("{{\"key\":\"{}\",\"serializable\":true}}", base64(KEY)));
    let connection = Arc::new(Connection::in_process(Face::All));
    let whole = best(async || {
        let request = Request::post("/v3/kv/range").header("content-type", "application/json");
        let mut request = request.body(Full::new(body.clone())).unwrap();
        let mut call = Call::of(&request, Arc::clone(&connection));
        call.caller = Some(Caller::internal("a test"));
        request.extensions_mut().insert(call);
        black_box(gateway.handle(request).await.into_body().frame().await);
    })
    .await;
    let bare = best(async || {
        let request =
            RangeRequest { key: Bytes::from_static(KEY.as_bytes()), serializable: true, ..RangeRequest::default() };
        black_box(calls.kv.range(&Caller::internal("a test"), request).await.unwrap());
    })
    .await;
    println!("range: {whole:?} a request, {bare:?} for the call alone");
}
