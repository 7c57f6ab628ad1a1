use std::collections::VecDeque;

use keyport_api::raftpb::{MessageType, Snapshot, SnapshotMetadata};
use proptest::prelude::*;

use super::*;

struct Chunks(VecDeque<Bytes>);

impl SnapshotRead for Chunks {
    fn metadata(&self) -> SnapshotMetadata {
        SnapshotMetadata::default()
    }

    fn next(&mut self) -> io::Result<Option<Bytes>> {
        Ok(self.0.pop_front())
    }
}

fn message() -> Message {
    let metadata = Some(SnapshotMetadata { index: Some(5), term: Some(2), conf_state: None });
    Message {
        r#type: Some(MessageType::MsgSnap as i32),
        snapshot: Some(Snapshot { data: None, metadata }),
        ..Message::default()
    }
}

/// Header and payload of each frame, one after the other.
fn pieces(chunks: &[Bytes]) -> Vec<Bytes> {
    let (send, mut receive) = mpsc::channel(1_000);
    write_frames(&message(), &mut Chunks(chunks.to_vec().into()), u64::MAX, &send).unwrap();
    drop(send);
    std::iter::from_fn(|| receive.blocking_recv()).map(Result::unwrap).collect()
}

fn read(bytes: &[u8]) -> Result<Vec<Part>, FrameError> {
    let mut parts = Parts::new();
    let mut all = Vec::new();
    for piece in bytes.chunks(1_000) {
        parts.feed(piece);
        while let Some(part) = parts.next()? {
            all.push(part);
        }
    }
    parts.end().map(|()| all)
}

fn chunks() -> Vec<Bytes> {
    vec![vec![1; 3_000].into(), vec![2; 10].into(), vec![3; MAX_CHUNK].into()]
}

#[test]
fn an_image_comes_out_as_it_went_in() {
    let parts = read(&pieces(&chunks()).concat()).unwrap();
    let mut expected = vec![Part::Header(Box::new(message()))];
    expected.extend(chunks().into_iter().map(Part::Chunk));
    expected.push(Part::End);
    assert_eq!(parts, expected);
    assert_eq!(read(&pieces(&[]).concat()).unwrap().len(), 2);
}

#[test]
fn chunks_left_out_repeated_or_exchanged_are_noticed() {
    let good: Vec<Bytes> = pieces(&chunks()).chunks(2).map(|frame| frame.concat().into()).collect();
    let with = |order: &[usize]| {
        let frames: Vec<u8> = order.iter().filter_map(|at| good.get(*at)).flatten().copied().collect();
        read(&frames)
    };
    assert!(with(&[0, 1, 2, 3, 4]).is_ok());
    let digest = Err(FrameError::Shape("digest of a snapshot does not match"));
    assert_eq!(with(&[0, 1, 3, 4]), digest);
    assert_eq!(with(&[0, 1, 2, 2, 3, 4]), digest);
    assert_eq!(with(&[0, 2, 1, 3, 4]), digest);
    assert_eq!(with(&[0, 1, 2, 3]), Err(FrameError::Truncated));
    assert_eq!(with(&[1, 2, 3, 4]), Err(FrameError::Unexpected(Kind::SnapshotChunk)));
    assert_eq!(with(&[0, 0, 1]), Err(FrameError::Unexpected(Kind::SnapshotHeader)));
    assert_eq!(with(&[0, 1, 2, 3, 4, 4]), Err(FrameError::Shape("bytes behind the end")));
    assert_eq!(with(&[]), Err(FrameError::Truncated));
}

#[test]
fn an_image_in_pieces_that_are_too_large_is_not_sent() {
    let (send, _receive) = mpsc::channel(10);
    let mut image = Chunks(vec![Bytes::from(vec![0; MAX_CHUNK + 1])].into());
    assert!(write_frames(&message(), &mut image, u64::MAX, &send).is_err());
}

#[test]
fn nobody_who_listens_ends_it() {
    let (send, receive) = mpsc::channel(10);
    drop(receive);
    let ended = write_frames(&message(), &mut Chunks(chunks().into()), u64::MAX, &send);
    assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

proptest! {
    #[test]
    fn damage_anywhere_is_noticed(at in any::<prop::sample::Index>(), bit in 0..8u32) {
        let mut bytes = pieces(&[vec![1; 300].into(), vec![2; 300].into()]).concat();
        let at = at.index(bytes.len());
        prop_assert!(read(bytes.get(..at).unwrap_or_default()).is_err());
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << bit;
        }
        prop_assert!(read(&bytes).is_err());
    }
}
