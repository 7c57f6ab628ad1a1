//! What is heard of a connection while others speak on it: whether it keeps the server waiting, and how often it asks
//! whether the server is there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::frames::{ACK, Frames, GOAWAY, HEADERS, PING};
use super::pings::Pings;
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
    pings: Pings,
}

impl Listening {
    /// `ping_time` is the least between pings while there are calls.
    pub(super) fn new(vigil: Arc<Vigil>, ping_time: Duration) -> Listening {
        Listening { vigil, frames: Frames::default(), pings: Pings::new(ping_time) }
    }
}

impl Ear for Listening {
    fn hears(&mut self, data: &[u8]) {
        let Listening { vigil, frames, pings } = self;
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

    fn wrote(&mut self, all: bool) {
        self.vigil.set_cut(!all);
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
