//! Snapshots that are well made and that no leader of this cluster has made: the member refuses, before Raft hears of it, and
//! keeps what it has.

use aws_lc_rs::digest::{SHA256, digest};
use keyport_api::raftpb::{ConfState, Message, MessageType, Snapshot, SnapshotMetadata};
use keyport_storage::backend::{Applied, Backend, BackendOptions, Batch, Bucket};
use keyport_tests::Cluster;
use keyport_tests::history::Traffic;
use keyport_tests::raw::Raw;
use prost::Message as _;
use serde_json::json;

use super::bad_peers::{Hello, cluster_id, walk};

/// Far beyond what these clusters count to.
const FAR: u64 = 1_000_000;
const STRANGER: u64 = 0x4711;

/// What a state says of itself, or what is said of it: entry, term, voters.
type Place = (u64, u64, Vec<u64>);

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
    frame.push(kind);
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&frame), payload);
    [&frame[..], &checksum.to_be_bytes(), payload].concat()
}

/// A row that this release cannot read: bucket, key and value.
type BadRow = (Bucket, &'static [u8], &'static [u8]);

/// A whole state without a key, as a stream of rows.
fn image((index, term, voters): &Place, bad: Option<&BadRow>) -> Vec<Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    let backend = Backend::open(&dir.path().join("db"), BackendOptions::default()).unwrap();
    let mut batch = Batch::new();
    if !voters.is_empty() {
        let row = json!({ "voters": voters, "auto_leave": false }).to_string();
        batch.put(Bucket::Meta, "confState", row.into_bytes());
    }
    if let Some((bucket, key, value)) = bad {
        batch.put(*bucket, key.to_vec(), value.to_vec());
    }
    backend.commit(batch, Some(Applied { index: *index, term: *term }));
    let mut image = backend.image().unwrap();
    std::iter::from_fn(|| image.next_chunk().unwrap()).map(|chunk| chunk.to_vec()).collect()
}

/// The body of a snapshot: what is said of it, in a term that beats all others, and what is in it.
fn body(from: u64, to: u64, said: &Place, inside: &Place, bad: Option<&BadRow>) -> Vec<u8> {
    let (index, term, voters) = said.clone();
    let conf_state = Some(ConfState { voters, auto_leave: Some(false), ..ConfState::default() });
    let metadata = Some(SnapshotMetadata { conf_state, index: Some(index), term: Some(term) });
    let message = Message {
        r#type: Some(MessageType::MsgSnap as i32),
        from: Some(from),
        to: Some(to),
        term: Some(FAR),
        snapshot: Some(Snapshot { metadata, data: None }),
        ..Message::default()
    };
    let chunks = image(inside, bad);
    let all = chunks.concat();
    let counts = [chunks.len() as u64, all.len() as u64].map(u64::to_be_bytes).concat();
    let end = [&counts, digest(&SHA256, &all).as_ref()].concat();
    let chunks = chunks.iter().flat_map(|chunk| frame(5, chunk));
    frame(4, &message.encode_to_vec()).into_iter().chain(chunks).chain(frame(6, &end)).collect()
}

/// Sends a body to a member as `from` would, and sees it refused with that status, for a reason with these words.
async fn is_refused(
    cluster: &Cluster,
    (id, leader, target): (u64, usize, usize),
    from: u64,
    body: Vec<u8>,
    (what, want, words): (&str, u16, &str),
) {
    let before = cluster.members[target].logged("discarded a snapshot").len();
    let mut hello = Hello::new(cluster, id, leader, target);
    hello.from = from;
    let mut raw = Raw::connect(cluster.members[target].peer_addr()).await;
    raw.send(hello.head("POST /raft/snapshot", &format!("Content-Length: {}\r\n", body.len()))).await;
    raw.send(body).await;
    assert_eq!(raw.status().await, want, "{what}");
    let told = cluster.members[target].logged("discarded a snapshot");
    assert!(told.len() == before + 1 && told.last().unwrap().contains(words), "{what}: {told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn states_that_no_leader_has_sent() {
    let mut cluster = Cluster::of(3).start().await;
    if cluster.is_etcd() {
        return; // another protocol
    }
    let id = cluster_id(&cluster).await;
    let traffic = Traffic::start(&cluster, 13).await;
    traffic.progress(50).await;
    let (leader, target) = (cluster.leader().await, cluster.follower().await);
    let term = cluster.status(leader).await.unwrap().raft_term;
    let (peer, own) = (cluster.members[leader].id, cluster.members[target].id);

    let both = vec![peer, own];
    let good = (FAR, term, both.clone());
    let alike = |place: Place| (place.clone(), place);
    for (what, from, (said, inside), want, words) in [
        ("of a stranger that is not in it", STRANGER, alike((FAR, term, vec![own])), 403, "no member"),
        ("of a stranger that this member is not in", STRANGER, alike((FAR, term, vec![STRANGER])), 403, "no member"),
        ("of a log with earlier terms", peer, alike((FAR, 1, both.clone())), 400, "does not follow on"),
        ("of what is long applied", peer, alike((1, term, both.clone())), 400, "does not follow on"),
        ("with another entry", peer, (good.clone(), (FAR - 1, term, both.clone())), 400, "is at entry 999999"),
        ("with another term", peer, (good.clone(), (FAR, term + 1, both.clone())), 400, "is at entry 1000000"),
        ("with other voters", peer, (good.clone(), (FAR, term, vec![own, 7])), 400, "another configuration"),
        ("without voters", peer, (good.clone(), (FAR, term, vec![])), 400, "another configuration"),
    ] {
        let body = body(from, own, &said, &inside, None);
        is_refused(&cluster, (id, leader, target), from, body, (what, want, words)).await;
    }

    let mut left = walk(&cluster.members[target].data_dir().join("member/snap"));
    left.retain(|name| name != "db");
    assert!(left.is_empty(), "{left:?}");
    traffic.progress(50).await;
    let status = cluster.status(target).await.unwrap();
    assert_eq!((status.leader, status.raft_term), (peer, term), "Raft has heard of none");
    cluster.kill(target).await;
    cluster.restart(target).await;
    traffic.progress(50).await;
    for member in &mut cluster.members {
        assert!(member.ended().is_none());
    }
    traffic.finish(&cluster).await;
}

/// A member that took one of these would end as soon as it is in place, and at every start from then on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn states_with_a_row_that_cannot_be_read() {
    let mut cluster = Cluster::of(3).start().await;
    if cluster.is_etcd() {
        return; // another protocol
    }
    let id = cluster_id(&cluster).await;
    let (leader, target) = (cluster.leader().await, cluster.follower().await);
    let term = cluster.status(leader).await.unwrap().raft_term;
    let (peer, own) = (cluster.members[leader].id, cluster.members[target].id);
    let place = (FAR, term, vec![peer, own]);
    for bad in [
        (Bucket::Lease, b"\0\0\0\0\0\0\0\x07", b"\xff"),
        (Bucket::Alarm, b"\xff\xff\xff", b""),
        (Bucket::AuthUsers, b"alice", b"\x0a\x7f"),
        (Bucket::AuthRoles, b"reads", b"\x0a\x7f"),
        (Bucket::Auth, b"authRevision", b"7"),
        (Bucket::Members, b"8e9e05c52164694d", b"{"),
        (Bucket::Cluster, b"downgrade", b"{"),
        (Bucket::Meta, b"scheduledCompactRev", b"7"),
        (Bucket::Meta, b"finishedCompactRev", b"7"),
        (Bucket::Meta, b"confState", b"{"),
    ] as [BadRow; 10]
    {
        let body = body(peer, own, &place, &place, Some(&bad));
        let words =
            if bad.1.is_ascii() && bad.0 == Bucket::Meta { std::str::from_utf8(bad.1).unwrap() } else { bad.0.name() };
        is_refused(&cluster, (id, leader, target), peer, body, (words, 400, words)).await;
    }
    let mut left = walk(&cluster.members[target].data_dir().join("member/snap"));
    left.retain(|name| name != "db");
    assert!(left.is_empty(), "{left:?}");
    let traffic = Traffic::start(&cluster, 14).await;
    traffic.progress(50).await;
    cluster.kill(target).await;
    cluster.restart(target).await;
    traffic.progress(50).await;
    traffic.finish(&cluster).await;
}
