//! Finds where concatenated JSON values end, while they are still arriving.

/// Watches a growing buffer for the end of its first value. Each byte is looked at once, however small the pieces in
/// which a value comes, so that a slow sender costs no more than a fast one.
///
/// Only the end is judged, not what is between: a value that is no JSON ends where a reader is bound to refuse it.
#[derive(Clone, Debug, Default)]
pub struct Splitter {
    scanned: usize,
    depth: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Before,
    Inside,
    InString,
    Escaped,
}

impl Splitter {
    /// How many bytes the first value in `buffer` takes, white space before it included; `None` if more must come.
    ///
    /// `buffer` is everything not yet taken, and only grows between calls until a value was found; the caller then takes
    /// that many bytes off its front.
    pub fn end(&mut self, buffer: &[u8]) -> Option<usize> {
        for (at, &byte) in buffer.iter().enumerate().skip(self.scanned) {
            self.state = match (self.state, byte) {
                (State::Before, b' ' | b'\t' | b'\n' | b'\r') => State::Before,
                (State::Before, b'{' | b'[') | (State::Inside, b'{' | b'[') => {
                    self.depth += 1;
                    State::Inside
                }
                // Not a message: hand over what there is, to be refused.
                (State::Before, _) => return self.found(buffer.len()),
                (State::Inside, b'}' | b']') => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return self.found(at + 1);
                    }
                    State::Inside
                }
                (State::Inside, b'"') => State::InString,
                (State::Inside, _) => State::Inside,
                (State::InString, b'"') => State::Inside,
                (State::InString, b'\\') => State::Escaped,
                (State::InString, _) | (State::Escaped, _) => State::InString,
            };
        }
        self.scanned = buffer.len();
        None
    }

    fn found(&mut self, end: usize) -> Option<usize> {
        *self = Splitter::default();
        Some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(text: &str, piece: usize) -> (Vec<String>, String) {
        let (mut splitter, mut buffer, mut values) = (Splitter::default(), Vec::new(), Vec::new());
        for piece in text.as_bytes().chunks(piece) {
            buffer.extend_from_slice(piece);
            while let Some(end) = splitter.end(&buffer) {
                values.push(String::from_utf8(buffer.drain(..end).collect()).unwrap());
            }
        }
        (values, String::from_utf8(buffer).unwrap())
    }

    #[test]
    fn values_may_touch_or_stand_apart() {
        let text = "{}{\"a\":{\"b\":[1,\"}\\\"]\\\\\"]}}\n [{}]  {\"open\":";
        for piece in 1..text.len() {
            let (values, rest) = split(text, piece);
            assert_eq!(values, ["{}", "{\"a\":{\"b\":[1,\"}\\\"]\\\\\"]}}", "\n [{}]"]);
            assert_eq!(rest, "  {\"open\":");
        }
    }

    #[test]
    fn garbage_is_handed_over() {
        assert_eq!(Splitter::default().end(b" nonsense"), Some(9));
        assert_eq!(Splitter::default().end(b"   "), None);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "[{}\\[\\]\"\\\\ a]{0,40}", piece in 1usize..10) {
            // Garbage is cut off wherever its piece ended; what has the shape of a value is not.
            prop_assume!(!text.trim_start().is_empty());
            let (whole, _) = split(&text, text.len());
            let (parts, _) = split(&text, piece);
            if let (Some(whole), Some(part)) = (whole.first(), parts.first())
                && whole.trim_start().starts_with(['{', '['])
            {
                prop_assert_eq!(whole, part);
            }
        }
    }
}
