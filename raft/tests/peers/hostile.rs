//! Peers that say what they should not, or nothing. Each is cut off, counted, and does not get in the way of others.

use std::time::Duration;

use keyport_api::raftpb::{Entry, Message};
use keyport_raft::PeerOptions;

use crate::harness::{Settings, count, options, until};
use crate::raw::{Greeting, MESSAGES, PONG, SNAPSHOT_CHUNK, frame, heartbeat, message_frame, snapshot_message};
use crate::refusals::member;

#[tokio::test]
async fn streams_that_go_wrong_are_cut_off_and_counted() {
    let member = member(&Settings::default()).await;
    let address = member.listener.as_ref().unwrap().address;
    let good = message_frame(&heartbeat(1, 2));
    let mut flipped = good.clone();
    flipped[12] ^= 4;
    let many = Message { entries: vec![Entry::default(); 1 << 20], ..heartbeat(1, 2) };
    let nested = Message { responses: vec![heartbeat(1, 2); 10], ..heartbeat(1, 2) };
    let bad = [
        b"GET / HTTP/1.1\r\nHost: example\r\n\r\n".to_vec(),
        vec![0xff; 100_000],
        flipped,
        [&u32::MAX.to_be_bytes()[..], &[MESSAGES]].concat(),
        frame(MESSAGES, &[0xff; 50]),
        frame(77, b"?"),
        frame(PONG, &[0; 8]),
        frame(SNAPSHOT_CHUNK, b"image"),
        message_frame(&snapshot_message(1, 2, 5, 1)),
        message_frame(&heartbeat(3, 2)),
        message_frame(&heartbeat(1, 3)),
        message_frame(&many),
        message_frame(&nested),
    ];
    for (bytes, failures) in bad.into_iter().zip(1..) {
        let mut stream = Greeting::new(1, 2).stream(address).await;
        stream.write(&good).await;
        stream.ping(failures).await;
        stream.write(&bytes).await;
        stream.closed().await;
        until("it is counted", || count(&member.counts.receive_failed) == failures).await;
    }
    Greeting::new(1, 2).stream(address).await.ping(1).await;
}

#[tokio::test]
async fn a_stream_cut_in_the_middle_of_a_frame_is_counted() {
    let member = member(&Settings::default()).await;
    let address = member.listener.as_ref().unwrap().address;
    let mut stream = Greeting::new(1, 2).stream(address).await;
    let good = message_frame(&heartbeat(1, 2));
    stream.write(&good[..good.len() - 1]).await;
    drop(stream);
    until("it is counted", || count(&member.counts.receive_failed) == 1).await;
}

#[tokio::test]
async fn who_says_nothing_is_cut_off() {
    let options = PeerOptions { read_timeout: Duration::from_millis(100), ..options() };
    let member = member(&Settings { options, ..Settings::default() }).await;
    let address = member.listener.as_ref().unwrap().address;
    let mut silent = Greeting::new(1, 2).stream(address).await;
    silent.closed().await;
    let mut slow = Greeting::new(1, 2).stream(address).await;
    slow.write(&message_frame(&heartbeat(1, 2))[..5]).await;
    slow.closed().await;
    until("both are counted", || count(&member.counts.receive_failed) == 2).await;
}

#[tokio::test]
async fn a_new_stream_replaces_the_one_before() {
    let member = member(&Settings::default()).await;
    let address = member.listener.as_ref().unwrap().address;
    let mut first = Greeting::new(1, 2).stream(address).await;
    first.ping(1).await;
    let mut second = Greeting::new(1, 2).stream(address).await;
    first.closed().await;
    second.ping(2).await;
    member.peers.remove(1);
    second.closed().await;
    assert_eq!(Greeting::new(1, 2).stream(address).await.status, 410);
    assert_eq!(count(&member.counts.receive_failed), 0);
}
