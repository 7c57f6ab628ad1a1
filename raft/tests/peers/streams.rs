//! The outgoing side, towards peers made by hand.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use keyport_api::raftpb::{Entry, Message, MessageType};
use keyport_raft::{PeerOptions, Peers, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;

use crate::harness::{Counts, count, local, options, until, within};
use crate::machine::State;
use crate::plain::plain;
use crate::raw::{Acceptor, PONG, frame, heartbeat};

fn dialler(options: PeerOptions) -> (Peers, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    let store = Arc::new(State::default());
    let observer = Arc::clone(&counts);
    (Peers::new(local(1, vec![]), Handle::current(), plain(), store, observer, options), counts)
}

fn append(bytes: usize) -> Message {
    let entry = Entry { data: Some(Bytes::from(vec![7; bytes])), ..Entry::default() };
    Message { r#type: Some(MessageType::MsgApp as i32), entries: vec![entry], ..heartbeat(1, 2) }
}

#[tokio::test]
async fn what_goes_out_together_is_one_frame_behind_the_handshake() {
    let (peers, counts) = dialler(PeerOptions { ping_interval: Duration::from_secs(3_600), ..options() });
    let acceptor = Acceptor::new().await;
    peers.add(2, vec![acceptor.url()]);
    let mut stream = acceptor.accept(2).await;
    // The first ping comes at once.
    let mut ping = [0; 17];
    within("a ping", stream.read_exact(&mut ping)).await.unwrap();
    until("it is up", || peers.active_since(2).is_some()).await;
    peers.send(vec![heartbeat(1, 2), append(10), Message { to: Some(3), ..heartbeat(1, 3) }, append(20)]);
    let mut head = [0; 9];
    within("a frame", stream.read_exact(&mut head)).await.unwrap();
    let mut payload = vec![0; u32::from_be_bytes(head[..4].try_into().unwrap()).try_into().unwrap()];
    within("its messages", stream.read_exact(&mut payload)).await.unwrap();
    let mut payload = Bytes::from(payload);
    let mut messages = Vec::new();
    while !payload.is_empty() {
        messages.push(<Message as prost::Message>::decode_length_delimited(&mut payload).unwrap());
    }
    assert_eq!(messages, [heartbeat(1, 2), append(10), append(20)]);
    assert_eq!(count(&counts.send_failed), 1, "nobody knows member 3");
    peers.stop();
    assert_eq!(within("the end", stream.read(&mut head)).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_peer_that_does_not_read_costs_bounded_memory_and_still_gets_heartbeats() {
    let max_pending_bytes = 4 << 20;
    let options = PeerOptions { max_pending_bytes, read_timeout: Duration::from_secs(3_600), ..options() };
    let (peers, counts) = dialler(options);
    let acceptor = Acceptor::new().await;
    peers.add(2, vec![acceptor.url()]);
    let mut stream = acceptor.accept(2).await;
    until("it is up", || peers.active_since(2).is_some()).await;
    // Whatever the kernel takes, and then some.
    let mut given = 0;
    while count(&counts.send_failed) == 0 {
        peers.send(vec![append(1 << 20)]);
        given += 1;
        assert!(given < 1_000, "nothing bounds it");
    }
    let dropped = count(&counts.send_failed);
    peers.send(vec![heartbeat(1, 2)]);
    assert_eq!(count(&counts.send_failed), dropped);
    // All that was taken arrives, and then it takes more again.
    let mut read = 0;
    let mut buffer = vec![0; 1 << 20];
    let expected = (given - dropped) * ((1 << 20) + 20);
    while read < expected {
        let count = within("what was taken", stream.read(&mut buffer)).await.unwrap();
        assert!(count > 0, "the stream ended");
        read += count as u64;
    }
    peers.send(vec![append(1 << 20)]);
    assert_eq!(count(&counts.send_failed), dropped);
    assert_eq!(count(&counts.disconnected), 0);
}

#[tokio::test]
async fn a_stream_without_answers_to_pings_is_given_up() {
    let (peers, counts) = dialler(PeerOptions { read_timeout: Duration::from_millis(100), ..options() });
    let acceptor = Acceptor::new().await;
    peers.add(2, vec![acceptor.url()]);
    let _first = acceptor.accept(2).await;
    let _second = acceptor.accept(2).await;
    assert!(count(&counts.disconnected) >= 1);
}

#[tokio::test]
async fn nothing_but_pongs_may_come_back() {
    // It is not the silence that ends them.
    let (peers, counts) = dialler(PeerOptions { read_timeout: Duration::from_secs(3_600), ..options() });
    let acceptor = Acceptor::new().await;
    peers.add(2, vec![acceptor.url()]);
    let answers = [b"garbage that is long enough".to_vec(), frame(1, b""), frame(PONG, b"seven..")];
    for (answer, lost) in answers.into_iter().zip(1..) {
        let mut stream = acceptor.accept(2).await;
        stream.write_all(&answer).await.unwrap();
        until("it is given up", || count(&counts.disconnected) == lost).await;
    }
    // A pong that nobody asked for does no harm.
    let mut stream = acceptor.accept(2).await;
    stream.write_all(&frame(PONG, &[9; 8])).await.unwrap();
    let mut ping = [0; 17];
    within("a ping", stream.read_exact(&mut ping)).await.unwrap();
    stream.write_all(&frame(PONG, &ping[9..])).await.unwrap();
    until("the ping came back", || count(&counts.round_trips) == 1).await;
    assert_eq!(count(&counts.disconnected), 3);
}

#[tokio::test]
async fn new_urls_are_dialled_at_once() {
    let hour = Duration::from_secs(3_600);
    let (peers, _) = dialler(PeerOptions { min_backoff: hour, max_backoff: hour, ..options() });
    peers.add(2, vec!["http://127.0.0.1:1".into()]);
    let acceptor = Acceptor::new().await;
    peers.add(2, vec![acceptor.url()]);
    let _stream = acceptor.accept(2).await;
    until("it is up", || peers.active_since(2).is_some()).await;
    peers.set(vec![(3, vec!["http://127.0.0.1:1".into()])], vec![]);
    assert!(peers.active_since(2).is_none());
    assert_eq!((peers.urls(2), peers.urls(1)), (None, None));
    assert!(peers.urls(3).is_some());
}
