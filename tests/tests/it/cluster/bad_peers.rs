//! Strangers on the peer port: the member refuses, goes on serving, counts, and says so once.

use std::fmt::Write as _;
use std::net::SocketAddr;

use keyport_tests::Cluster;
use keyport_tests::history::Traffic;
use keyport_tests::random::Random;
use keyport_tests::raw::Raw;
use keyport_tests::wait::eventually;

/// What a member says when it calls another one.
pub(super) struct Hello {
    cluster: u64,
    pub(super) from: u64,
    to: u64,
    version: &'static str,
    urls: String,
}

impl Hello {
    pub(super) fn new(cluster: &Cluster, cluster_id: u64, from: usize, to: usize) -> Hello {
        let (from, to) = (&cluster.members[from], &cluster.members[to]);
        Hello { cluster: cluster_id, from: from.id, to: to.id, version: "3.7.1", urls: from.peer_url() }
    }

    pub(super) fn head(&self, request: &str, more: &str) -> String {
        let mut head = format!("{request} HTTP/1.1\r\nHost: localhost\r\n");
        let _ = write!(head, "X-Server-From: {:x}\r\nX-Raft-To: {:x}\r\n", self.from, self.to);
        let _ = write!(head, "X-Etcd-Cluster-ID: {:x}\r\nX-Server-Version: {}\r\n", self.cluster, self.version);
        let _ = write!(head, "X-Min-Cluster-Version: 3.0.0\r\nX-PeerURLs: {}\r\n{more}\r\n", self.urls);
        head
    }

    fn stream(&self) -> String {
        self.head("GET /raft/stream", "Connection: Upgrade\r\nUpgrade: keyport-raft/1\r\n")
    }

    async fn status(&self, addr: SocketAddr) -> u16 {
        let mut raw = Raw::connect(addr).await;
        raw.send(self.stream()).await;
        raw.status().await
    }
}

pub(super) async fn cluster_id(cluster: &Cluster) -> u64 {
    cluster.status(0).await.unwrap().header.unwrap().cluster_id
}

async fn failures(cluster: &Cluster, at: usize, from: u64) -> f64 {
    cluster.members[at].metric(&format!("etcd_network_peer_received_failures_total{{From=\"{from:x}\"}}")).await
}

/// Nothing that comes from outside the cluster disturbs it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers() {
    let mut cluster = Cluster::of(3).start().await;
    if cluster.is_etcd() {
        return; // other paths, its own tests
    }
    let id = cluster_id(&cluster).await;
    let traffic = Traffic::start(&cluster, 11).await;
    let leader = cluster.leader().await;
    let term = cluster.status(leader).await.unwrap().raft_term;
    let target = cluster.follower().await;
    let addr = cluster.members[target].peer_addr();

    // Connections that say nothing, and stay.
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(Raw::connect(addr).await);
    }
    // Noise.
    let mut random = Random::new(3);
    for _ in 0..20 {
        let mut raw = Raw::connect(addr).await;
        let noise: Vec<u8> = (0..random.below(5000)).map(|_| random.below(256) as u8).collect();
        raw.send(noise).await;
        raw.finish().await;
        raw.read_to_end().await;
    }
    // HTTP for somebody else.
    let good = Hello::new(&cluster, id, leader, target);
    let urls = "http://127.0.0.1:1".to_string();
    assert_eq!(Hello { cluster: id + 1, urls: urls.clone(), ..good }.status(addr).await, 412, "another cluster");
    let good = Hello::new(&cluster, id, leader, target);
    assert_eq!(Hello { to: 4711, urls: urls.clone(), ..good }.status(addr).await, 412, "meant for another member");
    let good = Hello::new(&cluster, id, leader, target);
    assert_eq!(Hello { version: "2.0.0", urls: urls.clone(), ..good }.status(addr).await, 412, "an old version");
    let good = Hello::new(&cluster, id, leader, target);
    let nobody = Hello { from: 4711, urls: String::new(), ..good };
    for _ in 0..20 {
        let status = nobody.status(addr).await;
        assert!([403, 404].contains(&status), "an unknown sender: {status}");
    }
    let told = cluster.members[target].logged("refused a peer").into_iter().filter(|l| l.contains("1267")).count();
    // Again after a while, which a busy machine may take.
    assert!((1..5).contains(&told), "twenty refusals of 0x1267, told {told} times");
    for (request, want) in
        [("GET /raft/nothing", 404), ("GET /raft/stream", 426), ("PUT /members", 405), ("GET /v3/kv/range", 404)]
    {
        let mut raw = Raw::connect(addr).await;
        raw.send(Hello::new(&cluster, id, leader, target).head(request, "")).await;
        assert_eq!(raw.status().await, want, "{request}");
    }
    // Bodies and heads without an end.
    let mut raw = Raw::connect(addr).await;
    raw.send(format!("GET /members HTTP/1.1\r\nX-Long: {}", "x".repeat(2_000_000))).await;
    raw.finish().await;
    raw.read_to_end().await;
    for path in ["/leases", "/members/promote/1", "/raft/snapshot"] {
        let mut raw = Raw::connect(addr).await;
        let head = Hello::new(&cluster, id, leader, target)
            .head(&format!("POST {path}"), "Content-Length: 99999999999\r\nConnection: close\r\n");
        raw.send(head).await;
        raw.send(vec![0xff; 100_000]).await;
        raw.finish().await;
        raw.read_to_end().await;
    }

    traffic.progress(50).await;
    for member in &mut cluster.members {
        assert!(member.ended().is_none());
    }
    let status = cluster.status(target).await.unwrap();
    assert_eq!((status.leader, status.raft_term), (cluster.members[leader].id, term), "nobody noticed");
    drop(silent);
    traffic.finish(&cluster).await;
}

/// A peer whose stream is damaged, cut, or said twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_streams() {
    let mut cluster = Cluster::of(3).start().await;
    if cluster.is_etcd() {
        return; // another protocol
    }
    let id = cluster_id(&cluster).await;
    let traffic = Traffic::start(&cluster, 12).await;
    let leader = cluster.leader().await;
    let target = cluster.follower().await;
    let (from, to) = (cluster.members[leader].id, cluster.members[target].id);
    let addr = cluster.members[target].peer_addr();

    // A true stream of the leader, to say again.
    cluster.network.record(from, to);
    traffic.progress(100).await;
    let tape = eventually("a stream is recorded", async || {
        let tapes = cluster.network.recorded(from, to);
        tapes.into_iter().find(|tape| tape.starts_with(b"GET /raft/stream ") && tape.len() > 5000)
    })
    .await;
    let head = tape.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let (head, frames) = tape.split_at(head);
    let end = |len: usize| u32::from_be_bytes(frames[len..len + 4].try_into().unwrap()) as usize + 9;
    let first = end(0);

    // Said again, twice: old news.
    for _ in 0..2 {
        let mut raw = Raw::connect(addr).await;
        raw.send(head).await;
        assert_eq!(raw.status().await, 101);
        raw.send(frames).await;
        raw.finish().await;
        raw.read_to_end().await;
        traffic.progress(10).await;
    }

    // Each of these ends its stream, is counted, and is told once in a row.
    let flip = |at: usize| {
        let mut frames = frames[..first].to_vec();
        frames[at] ^= 0x10;
        frames
    };
    let huge = [&u32::MAX.to_be_bytes()[..], &frames[4..first]].concat();
    let unknown = {
        let mut f = frames[..first].to_vec();
        f[4] = 99;
        f
    };
    let damaged: Vec<(&str, Vec<u8>)> = vec![
        ("cut in the middle", frames[..first - 1].to_vec()),
        ("cut in the header", frames[..5].to_vec()),
        ("a checksum that is wrong", flip(6)),
        ("a payload that was changed", flip(first - 1)),
        ("a length beyond all bounds", huge),
        ("a kind that nobody knows", unknown),
        ("noise", (0..5000_u32).map(|i| (i * 7 + i / 256) as u8).collect()),
    ];
    for (what, frames) in damaged {
        let before = failures(&cluster, target, from).await;
        // The true leader may be back before it is read.
        eventually(what, async || {
            let mut raw = Raw::connect(addr).await;
            raw.send(head).await;
            assert_eq!(raw.status().await, 101);
            raw.send(&frames).await;
            raw.finish().await;
            raw.read_to_end().await;
            (failures(&cluster, target, from).await > before).then_some(())
        })
        .await;
        traffic.progress(10).await;
    }

    // Snapshots that end in the middle, or are none.
    let hello = Hello::new(&cluster, id, leader, target);
    for body in [&b""[..], &[0; 100], &frames[..first], &[0xff; 9]] {
        let more = format!("Content-Type: application/octet-stream\r\nContent-Length: {}\r\n", body.len() + 1000);
        let mut raw = Raw::connect(addr).await;
        raw.send(hello.head("POST /raft/snapshot", &more)).await;
        raw.send(body).await;
        raw.finish().await;
        raw.read_to_end().await;
    }
    traffic.progress(50).await;
    let mut left = walk(&cluster.members[target].data_dir().join("member/snap"));
    left.retain(|name| name != "db");
    assert!(left.is_empty(), "{left:?}");
    for member in &mut cluster.members {
        assert!(member.ended().is_none());
    }
    assert!(cluster.members[target].logged("cut off a peer's stream").len() <= 8);
    traffic.finish(&cluster).await;
}

pub(super) fn walk(dir: &std::path::Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        names.push(entry.file_name().to_string_lossy().into_owned());
        if entry.path().is_dir() {
            names.extend(walk(&entry.path()));
        }
    }
    names
}

/// What was removed is turned away for good, whatever it says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_sender() {
    let mut cluster = Cluster::of(3).start().await;
    if cluster.is_etcd() {
        return;
    }
    let id = cluster_id(&cluster).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    cluster.kill(follower).await;
    let mut c = cluster.grpc(leader);
    cluster.remove(leader, follower).await;
    let other = 3 - leader - follower;
    for target in [leader, other] {
        let hello = Hello::new(&cluster, id, follower, target);
        let addr = cluster.members[target].peer_addr();
        eventually("removed senders are turned away", async || (hello.status(addr).await == 410).then_some(())).await;
    }
    // Started again, it learns of it and stops.
    cluster.launch(follower);
    let status = cluster.members[follower].end().await;
    assert_eq!(status.code(), Some(0), "{:?}", cluster.members[follower].log().lines().last());
    c.put("k", "v").await;
}
