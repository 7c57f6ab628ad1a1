//! The heads of HTTP/2's frames in what comes in, however it is cut. Nothing is kept but the head that is not whole yet.

/// What each frame begins with.
const HEAD_BYTES: usize = 9;
/// What a client says before its first frame.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

/// Kinds of frames.
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
/// Of a ping: that it is an answer.
pub(super) const ACK: u8 = 1;

/// Walks over one connection's frames, from its preface on.
#[derive(Debug)]
pub(super) struct Frames {
    /// Bytes to pass over before the next head.
    left: usize,
    head: [u8; HEAD_BYTES],
    /// How much of the head is there.
    known: usize,
}

impl Default for Frames {
    fn default() -> Frames {
        Frames { left: PREFACE.len(), head: [0; HEAD_BYTES], known: 0 }
    }
}

impl Frames {
    /// Those of a server, which has no preface.
    pub(super) fn of_server() -> Frames {
        Frames { left: 0, ..Frames::default() }
    }

    /// Shows `each` head that these bytes complete.
    pub(super) fn walk(&mut self, mut data: &[u8], mut each: impl FnMut(Head)) {
        loop {
            let Some(rest) = data.get(self.left..) else {
                self.left -= data.len();
                return;
            };
            self.left = 0;
            let missing = self.head.get_mut(self.known..).unwrap_or_default();
            let taken = missing.len().min(rest.len());
            for (to, from) in missing.iter_mut().zip(rest) {
                *to = *from;
            }
            self.known += taken;
            if self.known < HEAD_BYTES {
                return;
            }
            let [a, b, c, kind, flags, stream @ ..] = self.head;
            (self.left, self.known) = (u32::from_be_bytes([0, a, b, c]) as usize, 0);
            each(Head { kind, flags, stream: u32::from_be_bytes(stream) & (u32::MAX >> 1) });
            data = rest.get(taken..).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, length: usize) -> Vec<u8> {
        let bytes = u32::try_from(length).unwrap().to_be_bytes();
        [&bytes[1..], &[kind, flags], &stream.to_be_bytes(), &vec![0xff; length]].concat()
    }

    #[test]
    fn heads_are_found_however_they_are_cut() {
        let frames = [(4, 0, 0, 0), (HEADERS, 4, 1, 300), (0, 1, 1, 70_000), (PING, 0, 0, 8), (PING, ACK, 0, 8)];
        let expected = frames.map(|(kind, flags, stream, _)| Head { kind, flags, stream });
        let wire = frames.iter().fold(PREFACE.to_vec(), |wire, (kind, flags, stream, length)| {
            [wire, frame(*kind, *flags, *stream, *length)].concat()
        });
        for piece in [1, 2, 8, 9, 10, 23, 24, 25, 1000, wire.len()] {
            let (mut walk, mut found) = (Frames::default(), Vec::new());
            wire.chunks(piece).for_each(|data| walk.walk(data, |head| found.push(head)));
            assert_eq!(found, expected, "{piece}");
        }
    }

    #[test]
    fn the_bit_that_means_nothing_is_passed_over() {
        let mut found = Vec::new();
        let wire = [PREFACE, &frame(HEADERS, 0, u32::MAX, 0)].concat();
        Frames::default().walk(&wire, |head| found.push(head.stream));
        assert_eq!(found, [u32::MAX >> 1]);
    }
}
