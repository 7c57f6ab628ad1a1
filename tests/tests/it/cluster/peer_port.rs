//! Who comes to the peer port and keeps a connection without saying anything that matters: members get through all the same.
//! And whoever asks in the ways of HTTP is answered in them, as on the clients' port.

use std::net::SocketAddr;

use keyport_api::etcdserverpb::MemberUpdateRequest;
use keyport_tests::Cluster;
use keyport_tests::history::Traffic;
use keyport_tests::raw::Raw;
use keyport_tests::wait::{eventually, within};
use tokio::task::JoinSet;

use crate::half_closed::all_answered;
use crate::refusals::{what_http_forbids, write_first};

/// More than the peer port has places for.
const CROWD: usize = 600;

/// They stay until the other side closes.
async fn crowd(addr: SocketAddr, says: &str) -> Vec<Raw> {
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let mut raw = Raw::connect(addr).await;
        raw.send(says).await;
        crowd.push(raw);
    }
    crowd
}

async fn status_of(addr: SocketAddr, path: &str) -> u16 {
    let mut raw = Raw::connect(addr).await;
    raw.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    raw.status().await
}

async fn half_sent(says: impl Fn(u64) -> String) {
    let mut cluster = Cluster::of(3).start().await;
    if cluster.is_etcd() {
        return; // it has no bound, and no deadline for bodies
    }
    let id = cluster.status(0).await.unwrap().header.unwrap().cluster_id;
    let traffic = Traffic::start(&cluster, 25).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let third = 3 - leader - follower;
    cluster.kill(third).await;
    let mut waiting = Vec::new();
    for target in [follower, leader] {
        waiting.extend(crowd(cluster.members[target].peer_addr(), &says(id)).await);
    }
    // Who comes in has shown nothing yet: should a member connect before he is answered, he goes for it and comes again.
    for target in [follower, leader] {
        let asked = async || status_of(cluster.members[target].peer_addr(), "/members").await;
        eventually("whoever asks is answered", async || (asked().await == 200).then_some(())).await;
    }
    traffic.progress(50).await;
    cluster.restart(third).await;
    let index = cluster.status(leader).await.unwrap().raft_index;
    eventually("it has caught up", async || {
        (cluster.status(third).await.ok()?.raft_applied_index >= index).then_some(())
    })
    .await;
    // None of them stays, whatever else comes.
    let mut ends = JoinSet::new();
    waiting.into_iter().for_each(|mut raw| _ = ends.spawn(async move { raw.read_to_end().await }));
    within("all are closed", ends.join_all()).await;
    for member in &mut cluster.members {
        assert!(member.ended().is_none());
    }
    traffic.finish(&cluster).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mute_connections() {
    half_sent(|_| String::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_without_an_end() {
    half_sent(|_| "GET /members HTTP/1.1\r\nHost: localhost\r\n".into()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_without_their_bodies() {
    let head = "POST /leases HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n";
    half_sent(|id| format!("{head}X-Etcd-Cluster-ID: {id:x}\r\n\r\n")).await;
}

/// What a member asks next comes over the connection that it keeps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_takes_one_request_after_the_other() {
    let cluster = Cluster::of(1).start().await;
    if cluster.is_etcd() {
        return; // it spells headers otherwise
    }
    let mut raw = Raw::connect(cluster.members[0].peer_addr()).await;
    for path in ["/version", "/members", "/raft/probing", "/version"] {
        raw.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n")).await;
        raw.send("X-Split: 1\r\n\r\n").await;
        let head = String::from_utf8(raw.read_until(b"\r\n\r\n").await.unwrap()).unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{path}: {head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap();
        while raw.buffer.len() < length {
            assert!(raw.read_more().await);
        }
        raw.buffer.clear();
    }
}

/// etcd's members ask each other, and compare their clocks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probing() {
    let cluster = Cluster::of(1).start().await;
    let addr = cluster.members[0].peer_addr();
    for method in ["GET", "POST"] {
        let mut raw = Raw::connect(addr).await;
        raw.send(format!(
            "{method} /raft/probing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
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

/// HTTP/2 is not spoken here, and who begins it does not stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_protocol() {
    let cluster = Cluster::of(1).start().await;
    if cluster.is_etcd() {
        return; // it waits for the rest of a head
    }
    for says in ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0", "PRI * HTTP/2.0\r\n", "PRI"] {
        let mut raw = Raw::connect(cluster.members[0].peer_addr()).await;
        raw.send(says).await;
        within("it is closed", raw.read_to_end()).await;
    }
}

/// What is large and of no use is refused like anything else, and the refusal arrives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_reach_who_writes_first() {
    let cluster = Cluster::of(1).start().await;
    if cluster.is_etcd() {
        return; // it resets the connection
    }
    let addr = cluster.members[0].peer_addr();
    for announced in [true, false] {
        for size in [1 << 20, 8 << 20] {
            for (method, path, want) in [
                ("POST", "/nope", 404),
                ("POST", "/version", 405),
                ("GET", "/members", 200),
                ("POST", "/leases", 413),
                ("POST", "/raft/snapshot", 400),
            ] {
                let (status, head, _) = write_first(addr, method, path, size, announced).await;
                assert_eq!(status, want, "{method} {path} {size} {announced}");
                assert!(head.contains("connection: close"), "{head}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_refusal_costs_no_connection() {
    let cluster = Cluster::of(1).start().await;
    let mut raw = Raw::connect(cluster.members[0].peer_addr()).await;
    for _ in 0..3 {
        let head = "POST /nope HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n";
        assert!(raw.send([head.as_bytes(), &[b'x'; 100_000]].concat()).await);
        assert_eq!(raw.status().await, 404);
        raw.read_until(b"404 page not found\n").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_closes_one_half_gets_an_answer() {
    let cluster = Cluster::of(1).start().await;
    let addr = cluster.members[0].peer_addr();
    for (path, wanted) in [("/version", "etcdserver"), ("/raft/probing", "OK"), ("/members", "peerURLs")] {
        all_answered(addr, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"), wanted).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_http_forbids() {
    let cluster = Cluster::of(1).start().await;
    what_http_forbids(cluster.members[0].peer_addr()).await;
}

const PATHS: &[(&str, &str)] = &[
    ("GET", "/members"),
    ("GET", "/version"),
    ("GET", "/raft/probing"),
    ("GET", "/members/hashkv"),
    ("GET", "/downgrade/enabled"),
    ("GET", "/members/defragment"),
    ("POST", "/members/defragment"),
    ("GET", "/raft/stream"),
    ("GET", "/nothing"),
    ("POST", "/raft/probing"),
    ("POST", "/raft/snapshot"),
    ("POST", "/leases"),
    ("POST", "/leases/internal"),
    ("POST", "/members/promote/1"),
    ("OPTIONS", "/leases"),
];

/// Status and head of the answer.
async fn answer(addr: SocketAddr, method: &str, path: &str, headers: &str) -> (u16, String) {
    let mut raw = Raw::connect(addr).await;
    raw.send(format!("{method} {path} HTTP/1.1\r\n{headers}\r\nContent-Length: 0\r\n\r\n")).await;
    let head = String::from_utf8(raw.read_until(b"\r\n\r\n").await.unwrap()).unwrap().to_lowercase();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head)
}

/// What a browser sends for a page: of another site, or of a name that leads here, to which this is its own site. (etcd
/// answers.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_turned_away() {
    let cluster = Cluster::of(1).start().await;
    if cluster.is_etcd() {
        return;
    }
    let (addr, own) = (cluster.members[0].peer_addr(), cluster.members[0].id);
    let id = cluster.status(0).await.unwrap().header.unwrap().cluster_id;
    let introduced = format!("X-Etcd-Cluster-ID: {id:x}\r\nX-Server-From: 1\r\nX-Raft-To: {own:x}");
    for (headers, want) in [
        ("Host: localhost\r\nOrigin: http://evil.example", 403),
        ("Host: localhost\r\nOrigin: null\r\nContent-Type: text/plain", 403),
        ("Host: 127.0.0.1\r\nSec-Fetch-Site: cross-site", 403),
        ("Host: evil.example\r\nOrigin: http://evil.example", 403),
        ("Host: evil.example\r\nSec-Fetch-Site: same-origin", 403),
        ("Host: localhost\r\nOrigin: http://evil.example\r\nSec-Keyport-Member: ?1", 403),
        ("Host: localhost\r\nOrigin: x\r\nUpgrade: websocket\r\nConnection: Upgrade", 403),
        ("Host: evil.example:2380", 421),
        ("Host: localhost.evil.example\r\nUpgrade: websocket\r\nConnection: Upgrade", 421),
        ("Host: 127.0.0.1.evil.example", 421),
    ] {
        for (method, path) in PATHS {
            for more in ["X-Other: 1", &introduced] {
                let (status, head) = answer(addr, method, path, &format!("{headers}\r\n{more}")).await;
                assert_eq!(status, want, "{method} {path} {headers} {more}");
                assert!(!head.contains("x-etcd-cluster-id"), "nothing is said of the cluster: {head}");
            }
        }
    }
}

/// By whatever name members, and those who look after them, have reason to call this one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_are_answered_by_every_name() {
    let cluster = Cluster::of(1).start().await;
    if cluster.is_etcd() {
        return;
    }
    let addr = cluster.members[0].peer_addr();
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let by_name = async |headers: &str| answer(addr, "GET", "/members", headers).await.0;
    for host in ["localhost", "LOCALHOST:2380", "a.localhost", "127.0.0.1:1", "10.9.8.7", "[::1]:2380", &machine] {
        assert_eq!(by_name(&format!("Host: {host}")).await, 200, "{host}");
    }
    // The cluster gives it a name, or has given it one of which this member has not heard.
    let named = "Host: m0.peers.example:2380";
    assert_eq!(by_name(named).await, 421);
    assert_eq!(by_name(&format!("{named}\r\nSec-Keyport-Member: ?1")).await, 200);
    let stream = format!("{named}\r\nConnection: Upgrade\r\nUpgrade: keyport-raft/1");
    assert_eq!(answer(addr, "GET", "/raft/stream", &stream).await.0, 400, "it does not say who it is");
    let (id, peer_ur_ls) = (cluster.members[0].id, vec!["http://M0.peers.example:2380".to_owned()]);
    cluster.grpc(0).cluster.member_update(MemberUpdateRequest { id, peer_ur_ls }).await.unwrap();
    assert_eq!(by_name(named).await, 200);
    assert_eq!(by_name("Host: m1.peers.example:2380").await, 421);
}
