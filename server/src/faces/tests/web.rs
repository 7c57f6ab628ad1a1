//! How the streams of gRPC-Web are counted: their status is in the last frame, in bytes or in base64.

use keyport_api::etcdserverpb::watch_request::RequestUnion;
use keyport_api::etcdserverpb::{WatchCreateRequest, WatchRequest};
use keyport_api::methods::Method;
use prost::Message as _;

use crate::testing::Member;
use crate::testing::counts::codes;
use crate::testing::raw::Raw;

const FORMS: [&str; 2] = ["application/grpc-web+proto", "application/grpc-web-text+proto"];

/// A framed request for all that happens to a key.
fn create(form: &str) -> Vec<u8> {
    let create = WatchCreateRequest { key: "k".into(), ..WatchCreateRequest::default() };
    let message = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) }.encode_to_vec();
    let framed = [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), &message].concat();
    if form.contains("text") { base64_simd::STANDARD.encode_to_string(framed).into_bytes() } else { framed }
}

async fn watch(raw: &mut Raw, form: &str) {
    let path = Method::Watch.path();
    raw.request("POST", path, &format!("content-type: {form}\r\naccept: {form}\r\n"), create(form)).await;
    let head = raw.head().await;
    assert_eq!((head.status, head.header("content-type")), (200, Some(form)));
    raw.chunk().await.unwrap();
}

#[tokio::test]
async fn a_stream_that_fails_counts_as_what_it_says() {
    for form in FORMS {
        let member = Member::start().await;
        let mut raw = Raw::open(member.serve(member.gateway())).await;
        watch(&mut raw, form).await;
        member.node.stopping().raise();
        while raw.chunk().await.is_some() {}
        assert_eq!(member.ended(Method::Watch), codes(&[("Unavailable", 1)]), "{form}");
    }
}

#[tokio::test]
async fn a_stream_whose_reader_goes_away_is_cancelled() {
    let member = Member::start().await;
    let address = member.serve(member.gateway());
    for (gone, form) in (1..).zip(FORMS) {
        watch(&mut Raw::open(address).await, form).await;
        member.wait_until_ended(Method::Watch, &[("Canceled", gone)]).await;
    }
}

#[tokio::test]
async fn what_is_no_call_did_not_end_well() {
    let member = Member::start().await;
    let mut raw = Raw::open(member.serve(member.gateway())).await;
    raw.request("POST", Method::Range.path(), "content-type: application/grpc-webx\r\n", "").await;
    assert_eq!(raw.head().await.status, 415);
    assert_eq!(member.ended(Method::Range), codes(&[("InvalidArgument", 1)]));
}
