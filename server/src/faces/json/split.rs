//! Cuts a body into its messages, however the bytes arrive: a bounded buffer around [`json::Splitter`].
//!
//! What is held back is one unfinished message, and at most `limit` bytes of it. A message that arrived in one piece
//! is not copied.

use bytes::{Buf, Bytes, BytesMut};
use keyport_api::json;

/// Why no further message can come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SplitError {
    #[error("unexpected EOF")]
    UnexpectedEof,
    #[error("a message is larger than the {0} bytes allowed")]
    TooLarge(usize),
}

/// Feed it with [`push`](Messages::push), drain it with [`next`](Messages::next).
#[derive(Debug)]
pub(super) struct Messages {
    limit: usize,
    /// The last bytes to arrive, while nothing older is held back.
    arrived: Bytes,
    /// The head of a message, and all that arrived after it.
    held: BytesMut,
    ends: json::Splitter,
    /// Whether the head of a message has been seen, and its end has not.
    inside: bool,
}

impl Messages {
    pub(super) fn new(limit: usize) -> Messages {
        let ends = json::Splitter::default();
        Messages { limit, arrived: Bytes::new(), held: BytesMut::new(), ends, inside: false }
    }

    /// Hands over the next bytes, once [`next`](Messages::next) said that it needs them.
    pub(super) fn push(&mut self, data: Bytes) {
        if self.held.is_empty() && self.arrived.is_empty() {
            self.arrived = data;
        } else {
            self.held.extend_from_slice(&data);
        }
    }

    /// The next whole message, or none when more bytes are needed for one.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, SplitError> {
        if !self.inside {
            self.arrived.advance(blank(&self.arrived));
            self.held.advance(blank(&self.held));
            if self.arrived.is_empty() && self.held.is_empty() {
                return Ok(None);
            }
        }
        let waiting: &[u8] = if self.held.is_empty() { &self.arrived } else { &self.held };
        let end = self.ends.end(waiting);
        self.inside = end.is_none();
        if end.unwrap_or(waiting.len()) > self.limit {
            return Err(SplitError::TooLarge(self.limit));
        }
        Ok(match end {
            Some(end) if self.held.is_empty() => Some(self.arrived.split_to(end)),
            Some(end) => Some(self.held.split_to(end).freeze()),
            None => {
                self.held.extend_from_slice(&self.arrived);
                self.arrived.clear();
                None
            }
        })
    }

    /// The unfinished message that is held back.
    pub(super) fn pending(&self) -> &[u8] {
        &self.held
    }

    /// Says that no more bytes come, after the whole messages were drained.
    pub(super) fn finish(&self) -> Result<(), SplitError> {
        if self.inside { Err(SplitError::UnexpectedEof) } else { Ok(()) }
    }
}

/// Length of the white space at the start.
fn blank(text: &[u8]) -> usize {
    text.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn split(chunks: &[&[u8]], limit: usize) -> Result<Vec<Bytes>, SplitError> {
        let mut messages = Messages::new(limit);
        let mut found = Vec::new();
        for chunk in chunks {
            messages.push(Bytes::copy_from_slice(chunk));
            while let Some(message) = messages.next()? {
                found.push(message);
            }
        }
        messages.finish().map(|()| found)
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[\\x00-\\x7fäß\"\\\\{}\\[\\]]*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from), members(inner)]
        })
    }

    fn members(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
        prop::collection::btree_map(".*", value, 0..5).prop_map(|members| Value::Object(members.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_messages(
            objects in prop::collection::vec((members(json()), "[ \t\r\n]*", any::<bool>()), 0..6),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let mut text = Vec::new();
            for (object, blank, pretty) in &objects {
                let write = if *pretty { serde_json::to_vec_pretty } else { serde_json::to_vec };
                text.extend(write(object).unwrap());
                text.extend(blank.bytes());
            }
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect();
            let found = split(&chunks, text.len()).unwrap();
            let found: Vec<Value> = found.iter().map(|object| serde_json::from_slice(object).unwrap()).collect();
            prop_assert_eq!(found, objects.into_iter().map(|(object, ..)| object).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_are_survived(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8)) {
            let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            let _ = split(&chunks, 50);
        }
    }

    #[test]
    fn an_end_inside_a_message_is_noticed() {
        assert_eq!(split(&[b"{\"a\":"], 100), Err(SplitError::UnexpectedEof));
        assert_eq!(split(&[b"{} \n", b" {\"a\""], 100), Err(SplitError::UnexpectedEof));
        assert_eq!(split(&[b" \n"], 100), Ok(Vec::new()));
        assert_eq!(split(&[b"{} ", b" \n"], 100).unwrap().len(), 1);
    }

    #[test]
    fn a_message_may_have_the_limit_and_no_more() {
        assert_eq!(split(&[b"  {\"a\"", b":1} {}"], 7).unwrap().len(), 2);
        assert_eq!(split(&[b"{\"a\"", b":1}"], 6), Err(SplitError::TooLarge(6)));
        assert_eq!(split(&[b"{\"a\":1}"], 6), Err(SplitError::TooLarge(6)));
        assert_eq!(split(&[b"{\"aaaaaaa"], 6), Err(SplitError::TooLarge(6)));
        assert_eq!(split(&[&[b' '; 100]], 6), Ok(Vec::new()), "white space counts for nothing");
    }

    #[test]
    fn a_whole_message_is_not_copied() {
        let data = Bytes::from_static(b" {\"a\":1} {}");
        let mut messages = Messages::new(100);
        messages.push(data.clone());
        assert_eq!(messages.next().unwrap().unwrap().as_ptr(), data[1..].as_ptr());
    }
}
