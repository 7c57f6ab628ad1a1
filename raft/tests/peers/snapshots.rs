//! Snapshots between two members, and what may go wrong with them.

use std::time::Duration;

use bytes::Bytes;
use keyport_api::raftpb::ConfState;
use keyport_raft::{PeerOptions, Transport};
use sha2::{Digest, Sha256};

use crate::harness::{Cluster, Member, Settings, count, options, until, within};
use crate::machine::Fault;
use crate::raw::{Greeting, SNAPSHOT_CHUNK, SNAPSHOT_END, SNAPSHOT_HEADER, frame, snapshot_message};
use crate::refusals::member;

/// A follower that gets a snapshot which nobody needs, and its leader.
async fn pair() -> (Member, Member) {
    let mut cluster = Cluster::start(&[1, 2]).await;
    let leader = cluster.leader().await.id;
    let data: Vec<Bytes> = (0..20u8).map(|byte| Bytes::from(vec![byte; 200_000])).collect();
    cluster.0.iter().filter(|member| member.id == leader).for_each(|member| {
        data.iter().for_each(|data| member.raft.propose(data.clone()).unwrap());
    });
    cluster.agree_on(&data).await;
    let (last, first) = (cluster.0.pop().unwrap(), cluster.0.pop().unwrap());
    if first.id == leader { (first, last) } else { (last, first) }
}

fn send(from: &Member, to: &Member) {
    let (index, term) = from.state.look(|inner| (inner.index, inner.term));
    from.peers.send(vec![snapshot_message(from.id, to.id, index, term.max(from.raft.term()))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_arrives_whole() {
    let (leader, follower) = pair().await;
    send(&leader, &follower);
    until("it was sent", || count(&leader.counts.snapshots_sent) == 1).await;
    assert_eq!(count(&follower.counts.snapshots_received), 1);
    let (index, data) = leader.state.look(|inner| (inner.index, inner.data.clone()));
    follower.state.look(|inner| assert_eq!(inner.images.get(&index), Some(&data)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_on_either_side_discards_it_and_the_next_one_goes_through() {
    let (leader, follower) = pair().await;
    for (failures, fault) in [(1, Fault::Read), (2, Fault::Write)] {
        leader.state.change(|inner| inner.fault = fault);
        follower.state.change(|inner| inner.fault = fault);
        send(&leader, &follower);
        until("it failed", || count(&leader.counts.snapshots_not_sent) == failures).await;
        until("it was noticed", || count(&follower.counts.snapshots_not_received) == failures).await;
        until("it was discarded", || follower.state.look(|inner| inner.discarded as u64) == failures).await;
    }
    leader.state.change(|inner| inner.fault = Fault::None);
    follower.state.change(|inner| inner.fault = Fault::None);
    send(&leader, &follower);
    until("it was sent", || count(&leader.counts.snapshots_sent) == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_goes_to_a_peer_at_a_time() {
    let (leader, follower) = pair().await;
    follower.state.change(|inner| inner.fault = Fault::Hold);
    send(&leader, &follower);
    until("it is under way", || count(&follower.counts.received) > 400_000).await;
    send(&leader, &follower);
    follower.state.change(|inner| inner.fault = Fault::None);
    until("it was sent", || count(&leader.counts.snapshots_sent) == 1).await;
    assert_eq!(count(&leader.counts.snapshots_not_sent), 0);
    assert_eq!(count(&follower.counts.snapshots_received), 1);
}

fn end(chunks: &[&[u8]]) -> Vec<u8> {
    let mut digest = Sha256::new();
    chunks.iter().for_each(|chunk| digest.update(chunk));
    let bytes: u64 = chunks.iter().map(|chunk| chunk.len() as u64).sum();
    let counts = [(chunks.len() as u64).to_be_bytes(), bytes.to_be_bytes()].concat();
    frame(SNAPSHOT_END, &[&counts[..], &digest.finalize()].concat())
}

fn header(from: u64, to: u64) -> Vec<u8> {
    frame(SNAPSHOT_HEADER, &prost::Message::encode_to_vec(&snapshot_message(from, to, 5, 1)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_check_is_discarded() {
    let member = member(&Settings::default()).await;
    let address = member.listener.as_ref().unwrap().address;
    let chunk = frame(SNAPSHOT_CHUNK, b"image");
    let mut corrupt = chunk.clone();
    *corrupt.last_mut().unwrap() ^= 1;
    let bodies = [
        (vec![], 0),
        (b"garbage, and more of it".to_vec(), 0),
        (header(3, 2), 0),
        (header(1, 3), 0),
        (chunk.clone(), 0),
        (header(1, 2), 1),
        ([header(1, 2), chunk.clone()].concat(), 1),
        ([header(1, 2), corrupt, end(&[b"image"])].concat(), 1),
        ([header(1, 2), chunk.clone(), end(&[b"magic"])].concat(), 1),
        ([header(1, 2), chunk.clone(), end(&[b"image"]), b"more".to_vec()].concat(), 1),
        ([header(1, 2), chunk.clone(), chunk.clone(), end(&[b"image"])].concat(), 1),
    ];
    let mut discarded = 0;
    for (body, opened) in bodies {
        let mut snapshot = Greeting::new(1, 2).snapshot(address).await;
        if !body.is_empty() {
            snapshot.write_chunk(&body).await;
        }
        assert_eq!(snapshot.answer().await, 400, "{body:?}");
        discarded += opened;
        until("it was discarded", || member.state.look(|inner| inner.discarded) == discarded).await;
    }
    // A good one, byte by byte.
    let mut snapshot = Greeting::new(1, 2).snapshot(address).await;
    for byte in [header(1, 2), chunk, end(&[b"image"])].concat() {
        snapshot.write_chunk(&[byte]).await;
    }
    assert_eq!(snapshot.answer().await, 204);
    member.state.look(|inner| assert_eq!(inner.images.get(&5), Some(&vec![Bytes::from_static(b"image")])));
}

/// A member that joined while this one was away is known by what it sends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_sender_has_to_be_a_voter_beside_this_member() {
    let member = member(&Settings::default()).await;
    let address = member.listener.as_ref().unwrap().address;
    for (voters, status) in [(vec![], 403), (vec![2], 403), (vec![5], 403), (vec![1, 2], 403), (vec![2, 5], 204)] {
        let mut message = snapshot_message(5, 2, 5, 1);
        let metadata = message.snapshot.as_mut().and_then(|snapshot| snapshot.metadata.as_mut()).unwrap();
        metadata.conf_state = Some(ConfState { voters: voters.clone(), ..ConfState::default() });
        let header = frame(SNAPSHOT_HEADER, &prost::Message::encode_to_vec(&message));
        let mut snapshot = Greeting::new(5, 2).snapshot(address).await;
        snapshot.write_chunk(&[header, end(&[])].concat()).await;
        assert_eq!(snapshot.answer().await, status, "{voters:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_cut_off_makes_room() {
    let member = member(&Settings::default()).await;
    let address = member.listener.as_ref().unwrap().address;
    let mut cut = Greeting::new(1, 2).snapshot(address).await;
    cut.write_chunk(&[header(1, 2), frame(SNAPSHOT_CHUNK, b"image")].concat()).await;
    until("it has begun", || count(&member.counts.received) > 0).await;
    let mut second = Greeting::new(1, 2).snapshot(address).await;
    assert_eq!(second.answer().await, 503);
    drop(cut);
    until("it was discarded", || member.state.look(|inner| inner.discarded) == 1).await;
    until("it was noticed", || count(&member.counts.snapshots_not_received) == 1).await;
    let mut third = Greeting::new(1, 2).snapshot(address).await;
    third.write_chunk(&[header(1, 2), end(&[])].concat()).await;
    assert_eq!(third.answer().await, 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_has_stalled_is_replaced() {
    let options = PeerOptions { read_timeout: Duration::from_millis(100), ..options() };
    let member = member(&Settings { options, ..Settings::default() }).await;
    let address = member.listener.as_ref().unwrap().address;
    let mut stalled = Greeting::new(1, 2).snapshot(address).await;
    stalled.write_chunk(&[header(1, 2), frame(SNAPSHOT_CHUNK, b"image")].concat()).await;
    until("it has begun", || count(&member.counts.received) > 0).await;
    let next = async {
        loop {
            let mut next = Greeting::new(1, 2).snapshot(address).await;
            next.write_chunk(&[header(1, 2), end(&[])].concat()).await;
            match next.answer().await {
                503 => tokio::time::sleep(Duration::from_millis(5)).await,
                status => break status,
            }
        }
    };
    assert_eq!(within("it is replaced", next).await, 204);
    assert_eq!(stalled.answer().await, 503);
    assert_eq!(member.state.look(|inner| inner.discarded), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_never_goes_on_is_given_up() {
    let options = PeerOptions { snapshot_idle_timeout: Duration::from_millis(100), ..options() };
    let member = member(&Settings { options, ..Settings::default() }).await;
    let address = member.listener.as_ref().unwrap().address;
    let mut silent = Greeting::new(1, 2).snapshot(address).await;
    silent.write_chunk(&header(1, 2)).await;
    until("it was given up", || count(&member.counts.snapshots_not_received) == 1).await;
    until("it was discarded", || member.state.look(|inner| inner.discarded) == 1).await;
}
