//! The messages in a stream of gRPC bytes: a flag, four bytes of length, the message, and again.

/// Follows the framing across chunks of any size.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// Bytes of the current message still to come.
    left: usize,
    /// The part of a prefix that has come.
    prefix: [u8; PREFIX],
    prefix_len: usize,
}

const PREFIX: usize = 5;
/// Set in the flags of gRPC-Web's trailers, which are no message.
const TRAILERS: u8 = 0x80;

/// What a chunk held.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Messages begun.
    pub(super) messages: u64,
    /// Their bytes, without prefixes, so far as lengths were announced.
    pub(super) bytes: u64,
    /// The longest length announced.
    pub(super) largest: usize,
    /// Whether gRPC-Web's trailers began.
    pub(super) trailers: bool,
}

impl Frames {
    pub(super) fn read(&mut self, mut data: &[u8]) -> Seen {
        let mut seen = Seen::default();
        loop {
            let skipped = self.left.min(data.len());
            self.left -= skipped;
            data = &data[skipped..];
            if data.is_empty() {
                return seen;
            }
            let taken = (PREFIX - self.prefix_len).min(data.len());
            self.prefix[self.prefix_len..self.prefix_len + taken].copy_from_slice(&data[..taken]);
            self.prefix_len += taken;
            data = &data[taken..];
            if self.prefix_len < PREFIX {
                return seen;
            }
            self.prefix_len = 0;
            let [flags, length @ ..] = self.prefix;
            let length = u32::from_be_bytes(length);
            self.left = usize::try_from(length).unwrap_or(usize::MAX);
            if flags & TRAILERS == 0 {
                seen.messages += 1;
                seen.bytes += u64::from(length);
                seen.largest = seen.largest.max(self.left);
            } else {
                seen.trailers = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_same_in_any_slices() {
        let stream = b"\0\0\0\0\x03abc\0\0\0\0\0\0\0\0\0\x01x\x80\0\0\0\x02ok";
        for size in 1..=stream.len() {
            let mut frames = Frames::default();
            let mut total = Seen::default();
            for chunk in stream.chunks(size) {
                let seen = frames.read(chunk);
                total.messages += seen.messages;
                total.bytes += seen.bytes;
                total.largest = total.largest.max(seen.largest);
                total.trailers |= seen.trailers;
            }
            assert_eq!(total, Seen { messages: 3, bytes: 4, largest: 3, trailers: true }, "{size}");
        }
    }

    #[test]
    fn an_announced_length_counts_before_it_comes() {
        assert_eq!(Frames::default().read(b"\0\xff\xff\xff\xff").largest, 0xffff_ffff);
    }
}
