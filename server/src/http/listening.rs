//! What is heard of a connection while others speak on it: whether it keeps the server waiting, and how often it asks
//! whether the server is there; and what is said on it.

use std::io::IoSlice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::frames::{ACK, DATA, Frames, GOAWAY, HEADERS, PING};
use super::pings::Pings;
use super::unheard::in_words;
use super::unread::Unread;
use super::vigil::{Phase, Vigil};
use crate::net::Ear;

/// GOAWAY's reason for clients that ask for too much, and gRPC's word for what.
const ENHANCE_YOUR_CALM: u32 = 11;
const TOO_MANY_PINGS: &[u8] = b"too_many_pings";

/// See the module's text.
#[derive(Debug)]
pub(super) struct Listening {
    vigil: Arc<Vigil>,
    frames: Frames,
    /// Of the server.
    said: Frames,
    pings: Pings,
    unread: Arc<Unread>,
}

impl Listening {
    /// `ping_time` is the least between pings while there are calls.
    pub(super) fn new(vigil: Arc<Vigil>, unread: Arc<Unread>, ping_time: Duration) -> Listening {
        Listening { vigil, frames: Frames::default(), said: Frames::of_server(), pings: Pings::new(ping_time), unread }
    }
}

impl Ear for Listening {
    fn hears(&mut self, data: &[u8]) {
        let Listening { vigil, frames, pings, .. } = self;
        vigil.heard(data);
        if !matches!(vigil.phase(), Phase::Preface | Phase::Http2) {
            return;
        }
        frames.walk(data, |head| match head.kind {
            HEADERS => vigil.saw_stream(head.stream),
            PING if head.flags & ACK == 0 => {
                let (has_calls, spoken) = (vigil.has_streams(), vigil.take_spoken());
                if pings.count(Instant::now(), has_calls, spoken) && !vigil.is_plain() {
                    vigil.give_up();
                }
            }
            _ => {}
        });
    }

    /// A large answer is handed over at once and leaves as the client makes room for it, and clients ping with each part that
    /// comes, to find out how much is on its way. So it counts what leaves.
    fn says(&mut self, data: &[IoSlice<'_>], written: usize) {
        let Listening { vigil, said, .. } = self;
        let speaks_http2 = matches!(vigil.phase(), Phase::Preface | Phase::Http2);
        let mut left = written;
        for slice in data {
            let part = slice.get(..left.min(slice.len())).unwrap_or_default();
            left -= part.len();
            if speaks_http2 {
                said.walk(part, |head| {
                    if matches!(head.kind, DATA | HEADERS) {
                        vigil.speaks();
                    }
                });
            }
        }
        vigil.set_cut(written < data.iter().map(|slice| slice.len()).sum::<usize>());
    }

    /// While the head of a request comes in, nobody but the library has anything to say.
    fn instead(&mut self, data: &[IoSlice<'_>]) -> Option<Bytes> {
        let Some([said]) = Some(data).filter(|_| self.vigil.phase() == Phase::Head) else { return None };
        let told = in_words(said)?;
        // The rest of what was refused may be on its way, and would take the answer back.
        self.unread.leave();
        Some(told)
    }

    fn has_heard_enough(&self) -> bool {
        self.vigil.given_up().is_some()
    }
}

/// The last word to who has pinged too often.
pub(super) fn too_many_pings(last_stream: u32) -> Vec<u8> {
    let length = u8::try_from(8 + TOO_MANY_PINGS.len()).unwrap_or_default();
    let head = [0, 0, length, GOAWAY, 0, 0, 0, 0, 0];
    [&head, &last_stream.to_be_bytes()[..], &ENHANCE_YOUR_CALM.to_be_bytes(), TOO_MANY_PINGS].concat()
}

#[cfg(test)]
mod tests {
    use super::super::frames::PREFACE;
    use super::*;

    const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
    const A_PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0pingpong";
    const ITS_ANSWER: &[u8] = b"\0\0\x08\x06\x01\0\0\0\0pingpong";

    /// Of the answer to a call, with so many bytes.
    fn data(bytes: u8) -> Vec<u8> {
        [&[0, 0, bytes, DATA, 0, 0, 0, 0, 1][..], &vec![0xff; usize::from(bytes)]].concat()
    }

    #[test]
    fn who_is_given_a_large_answer_may_ping_at_each_part() {
        let vigil = Arc::new(Vigil::default());
        let mut listening = Listening::new(Arc::clone(&vigil), Arc::default(), Duration::from_secs(5));
        listening.hears(&[PREFACE, SETTINGS].concat());
        listening.says(&[IoSlice::new(SETTINGS)], SETTINGS.len());
        // All of it is handed over, and the call has ended.
        drop(vigil.answers());
        for bytes in 0..100 {
            let frame = data(bytes);
            let (head, rest) = frame.split_at(frame.len().min(4));
            listening.says(&[IoSlice::new(head), IoSlice::new(rest)], 5.min(frame.len()));
            assert_eq!(vigil.is_cut(), frame.len() > 5);
            listening.says(&[IoSlice::new(&frame[5..]), IoSlice::new(ITS_ANSWER)], frame.len() - 5 + ITS_ANSWER.len());
            assert!(!vigil.is_cut());
            listening.hears(A_PING);
            assert!(!listening.has_heard_enough(), "{bytes}");
        }
        for last in [false, false, true] {
            listening.says(&[IoSlice::new(ITS_ANSWER)], ITS_ANSWER.len());
            listening.hears(A_PING);
            assert_eq!(listening.has_heard_enough(), last, "answers to pings do not count");
        }
    }
}
