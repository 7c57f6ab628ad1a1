#![allow(clippy::indexing_slicing)]

use keyport_api::raftpb::{Entry, Snapshot};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1 << 20;

fn message(index: u64, payload: usize) -> Message {
    let data = Bytes::from(vec![index.to_le_bytes()[0]; payload]);
    Message {
        r#type: Some(MessageType::MsgApp as i32),
        from: Some(1),
        to: Some(2),
        index: Some(index),
        entries: vec![Entry { index: Some(index), data: Some(data), ..Entry::default() }],
        ..Message::default()
    }
}

fn frame_of(kind: Kind, payload: &[u8]) -> Vec<u8> {
    [&header(kind, payload)[..], payload].concat()
}

fn messages_of(mut payload: Bytes) -> Result<Vec<Message>, FrameError> {
    let mut messages = Vec::new();
    while let Some(message) = next_message(&mut payload)? {
        messages.push(message);
    }
    Ok(messages)
}

/// All frames up to the end or the first error.
fn read_all(bytes: &[u8], piece: usize) -> (Vec<Frame>, Option<FrameError>) {
    let mut reader = FrameReader::new(LIMIT);
    let mut frames = Vec::new();
    for piece in bytes.chunks(piece) {
        reader.space().extend_from_slice(piece);
        loop {
            match reader.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    let rest = (!reader.is_empty()).then_some(FrameError::Truncated);
    (frames, rest)
}

#[test]
fn frames_come_out_as_they_went_in_however_they_are_cut() {
    let sent: Vec<Message> = [0, 10, 20_000, 300_000].into_iter().zip(1..).map(|(size, i)| message(i, size)).collect();
    let mut bytes = number_frame(Kind::Ping, 7).to_vec();
    put_messages(&mut bytes, &sent[..2]);
    put_messages(&mut bytes, &sent[2..]);
    for piece in [1, 9, 1_000, 65_536, usize::MAX] {
        let (frames, error) = read_all(&bytes, piece);
        assert_eq!(error, None);
        let kinds: Vec<Kind> = frames.iter().map(|frame| frame.kind).collect();
        assert_eq!(kinds, [Kind::Ping, Kind::Messages, Kind::Messages]);
        assert_eq!(frames[0].number(), Ok(7));
        let received = frames[1..].iter().flat_map(|frame| messages_of(frame.payload.clone()).unwrap());
        assert_eq!(received.collect::<Vec<_>>(), sent);
    }
}

#[test]
fn the_size_of_a_message_is_known_before() {
    let mut buffer = Vec::new();
    let messages = [message(1, 100), message(2, 70_000)];
    put_messages(&mut buffer, &messages);
    assert_eq!(buffer.len(), HEADER + messages.iter().map(message_bytes).sum::<usize>());
}

#[test]
fn entries_of_large_frames_share_what_was_read_and_small_ones_do_not() {
    for (size, shared) in [(300_000, true), (100, false)] {
        let mut bytes = Vec::new();
        put_messages(&mut bytes, &[message(1, size)]);
        let mut reader = FrameReader::new(LIMIT);
        reader.feed(&bytes);
        let read = reader.buffer.as_ptr_range();
        let frame = reader.next().unwrap().unwrap();
        let decoded = messages_of(frame.payload).unwrap();
        let data = decoded[0].entries[0].data.as_ref().unwrap();
        assert_eq!(read.contains(&data.as_ptr()), shared);
    }
}

#[test]
fn lengths_beyond_the_limit_are_refused_by_the_header_alone() {
    for (kind, limit) in [
        (Kind::Messages, max_messages_bytes(LIMIT)),
        (Kind::Pong, 8),
        (Kind::SnapshotHeader, MAX_SNAPSHOT_HEADER),
        (Kind::SnapshotChunk, MAX_CHUNK),
        (Kind::SnapshotEnd, SNAPSHOT_END),
    ] {
        let head = |length: usize| [&u32::try_from(length).unwrap().to_be_bytes()[..], &[kind as u8]].concat();
        assert_eq!(read_all(&head(limit), 100), (vec![], Some(FrameError::Truncated)));
        let (_, error) = read_all(&head(limit + 1), 100);
        assert_eq!(error, Some(FrameError::Length { kind, length: limit + 1 }));
    }
}

#[test]
fn pings_of_the_wrong_size_are_refused() {
    let (frames, _) = read_all(&frame_of(Kind::Ping, &[1, 2, 3]), 100);
    assert_eq!(frames[0].number(), Err(FrameError::Length { kind: Kind::Ping, length: 3 }));
}

#[test]
fn what_has_no_place_on_a_stream_is_refused() {
    let payload = |message: &Message| Bytes::from(message.encode_length_delimited_to_vec());
    let shape = |message: &Message| messages_of(payload(message)).unwrap_err();
    let snapshot = Message { snapshot: Some(Snapshot::default()), ..message(1, 1) };
    assert_eq!(shape(&snapshot), FrameError::Shape("snapshot"));
    let kind = Message { r#type: Some(MessageType::MsgSnap as i32), ..Message::default() };
    assert_eq!(shape(&kind), FrameError::Shape("snapshot"));
    let nested = Message { responses: vec![Message::default()], ..message(1, 1) };
    assert_eq!(shape(&nested), FrameError::Shape("responses"));
    let crowded = Message { entries: vec![Entry::default(); MAX_ENTRIES + 1], ..Message::default() };
    assert_eq!(shape(&crowded), FrameError::Shape("too many entries"));
    let short = payload(&message(1, 100));
    assert_eq!(messages_of(short.slice(..50)), Err(FrameError::Shape("longer than its frame")));

    let head = |message: &Message| snapshot_message(message.encode_to_vec().into());
    assert!(head(&Message { r#type: kind.r#type, ..snapshot.clone() }).is_err());
    assert!(head(&Message { r#type: kind.r#type, entries: vec![], ..snapshot.clone() }).is_ok());
    assert!(head(&Message { entries: vec![], ..snapshot }).is_err());
}

proptest! {
    #[test]
    fn garbage_is_survived(bytes in vec(any::<u8>(), 0..2_000), piece in 1..500usize) {
        read_all(&bytes, piece);
    }

    #[test]
    fn garbage_in_a_frame_that_checks_is_survived(payload in vec(any::<u8>(), 0..2_000)) {
        let (frames, error) = read_all(&frame_of(Kind::Messages, &payload), usize::MAX);
        prop_assert_eq!(error, None);
        let _ = messages_of(frames[0].payload.clone());
        let _ = snapshot_message(payload.into());
    }

    #[test]
    fn damaged_messages_are_survived(at in any::<prop::sample::Index>(), byte: u8) {
        let mut payload = Message { context: Some(vec![3; 20].into()), ..message(9, 200) }.encode_length_delimited_to_vec();
        let at = at.index(payload.len());
        payload[at] = byte;
        let _ = messages_of(payload.into());
    }

    /// Whatever a bit does, nothing comes out that was not sent.
    #[test]
    fn a_flipped_bit_never_gives_another_frame(at in any::<prop::sample::Index>(), bit in 0..8u32, piece in 1..200usize) {
        let mut bytes = number_frame(Kind::Ping, 1).to_vec();
        put_messages(&mut bytes, &[message(1, 50), message(2, 0)]);
        bytes.extend(number_frame(Kind::Pong, 2));
        let (sent, _) = read_all(&bytes, usize::MAX);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let (received, error) = read_all(&bytes, piece);
        prop_assert!(error.is_some());
        prop_assert!(received.len() < sent.len());
        prop_assert_eq!(&received[..], &sent[..received.len()]);
    }

    #[test]
    fn a_stream_cut_anywhere_gives_whole_frames_only(at in any::<prop::sample::Index>()) {
        let mut bytes = Vec::new();
        put_messages(&mut bytes, &[message(1, 50)]);
        put_messages(&mut bytes, &[message(2, 50)]);
        let (sent, _) = read_all(&bytes, usize::MAX);
        let (received, _) = read_all(&bytes[..at.index(bytes.len())], 64);
        prop_assert!(received.len() < sent.len());
        prop_assert_eq!(&received[..], &sent[..received.len()]);
    }
}
