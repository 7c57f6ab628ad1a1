use crate::net::Face;
use crate::testing::Member;
use crate::testing::h2::H2;
use crate::testing::raw::Raw;

const STATUS: &str = "/etcdserverpb.Maintenance/Status";

#[tokio::test]
async fn they_serve_what_they_are_for() {
    let member = Member::start().await;
    let grpc = member.serve_as(Face::Grpc, member.gateway());
    let mut client = H2::open(grpc).await;
    let answer = client.call(STATUS, "application/grpc", &[], b"").await;
    assert_eq!((answer.status().as_u16(), answer.headers().get("grpc-status")), (200, None));
    for (path, content_type) in [("/v3/kv/range", "application/json"), (STATUS, "application/grpc-web")] {
        let answer = client.call(path, content_type, &[], b"").await;
        let headers = answer.headers();
        assert_eq!((answer.status().as_u16(), headers["grpc-status"].as_bytes()), (415, &b"3"[..]), "{path}");
        assert_eq!(headers["grpc-message"], "unsupported%20content%20type%20on%20this%20listener", "{path}");
    }
    let http = member.serve_as(Face::Http, member.gateway());
    let mut client = H2::open(http).await;
    assert_eq!(client.call(STATUS, "application/grpc", &[], b"").await.status().as_u16(), 415);
    assert_eq!(client.call(STATUS, "application/grpc-web", &[], b"").await.status().as_u16(), 200);
    assert_eq!(Raw::open(http).await.post("/v3/maintenance/status", "").await.0.status, 200);
}

#[tokio::test]
async fn one_for_grpc_alone_has_no_word_for_older_http() {
    let member = Member::start().await;
    let mut raw = Raw::open(member.serve_as(Face::Grpc, member.gateway())).await;
    raw.request("GET", "/version", "", "").await;
    assert!(!raw.rest().await.starts_with(b"HTTP/1"));
}
