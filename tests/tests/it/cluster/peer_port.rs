//! What others ask of the peer port.

use keyport_tests::Cluster;
use keyport_tests::raw::Raw;

/// etcd's members ask each other, and compare their clocks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probing() {
    let cluster = Cluster::of(1).start().await;
    let addr = cluster.members[0].peer_addr();
    for method in ["GET", "POST"] {
        let mut raw = Raw::connect(addr).await;
        raw.send(format!(
            "{method} /raft/probing HTTP/1.1\r\nHost: peer\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ))
        .await;
        let answer = String::from_utf8(raw.read_to_end().await).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        assert!(head.to_lowercase().contains("content-type: text/plain; charset=utf-8"), "{head}");
        let now = body.strip_prefix(r#"{"OK":true,"Now":""#).and_then(|rest| rest.strip_suffix("\"}\n"));
        let now = now.unwrap_or_else(|| panic!("{body}"));
        assert!(now.starts_with("20") && now.contains('T') && now.ends_with('Z'), "{now}");
    }
}
