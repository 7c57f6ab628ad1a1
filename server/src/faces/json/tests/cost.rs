//! What the gateway adds to a request, next to a handler that does nothing.
//!
//! `cargo test --release -p keyport-server --lib gateway::tests::cost -- --ignored --nocapture`

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};

use tokio_util::sync::CancellationToken;

use super::fake::Fake;
use crate::faces::json::{GatewayOptions, GatewayService};

const CALLS: u32 = 200_000;

#[tokio::test]
#[ignore = "prints figures"]
async fn of_a_call() {
    let gateway = GatewayService::new(Fake::new(), GatewayOptions::new(1_572_864, 128, CancellationToken::new()));
    let value = base64_simd::STANDARD.encode_to_string([b'v'; 256]);
    let key = base64_simd::STANDARD.encode_to_string("0123456789abcdef");
    let put = format!("{{\"key\":\"{key}\",\"value\":\"{value}\"}}");
    let range = format!("{{\"key\":\"{key}\"}}");
    let txn = format!(
        "{{\"compare\":[{{\"key\":\"{key}\",\"target\":\"VERSION\",\"version\":\"1\"}}],\"success\":[{{\"request_put\":{put}}}],\
         \"failure\":[{{\"request_range\":{range}}}]}}"
    );
    for (path, body) in [("/v3/kv/put", put), ("/v3/kv/range", range), ("/v3/kv/txn", txn)] {
        let body = Bytes::from(body);
        let mut best = Duration::MAX;
        for _ in 0..5 {
            let start = Instant::now();
            for _ in 0..CALLS {
                let request =
                    Request::post(path).header("host", "127.0.0.1:2379").header("content-type", "application/json");
                let response = gateway.handle(request.body(Full::new(body.clone())).unwrap()).await;
                black_box(response.into_body().frame().await);
            }
            best = best.min(start.elapsed() / CALLS);
        }
        let mut bare = Duration::MAX;
        for _ in 0..5 {
            let start = Instant::now();
            for _ in 0..CALLS {
                let request =
                    Request::post(path).header("host", "127.0.0.1:2379").header("content-type", "application/json");
                let request = request.body(Full::new(body.clone())).unwrap();
                let body = request.into_body().frame().await.unwrap().unwrap().into_data().unwrap();
                let response =
                    http::Response::builder().header("content-type", "application/json").body(Full::new(body));
                black_box(response.unwrap().into_body().frame().await);
            }
            bare = bare.min(start.elapsed() / CALLS);
        }
        println!("{path}: {best:?} a call, {bare:?} for a handler that hands the body back");
    }
}
