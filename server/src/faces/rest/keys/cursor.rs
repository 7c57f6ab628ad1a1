//! Where a list goes on: a text that nobody has to understand, and that is good for the list it was given with alone.

use bytes::Bytes;

/// What is the same in all pages of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct List<'a> {
    pub(super) prefix: &'a [u8],
    pub(super) separator: &'a [u8],
    /// Which of its keys are wanted, as it was said.
    pub(super) search: &'a [u8],
}

/// See the module's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// That of all pages.
    pub(super) revision: i64,
    /// The first key of the next page.
    pub(super) start: Bytes,
}

/// The form that it has: revision (8 bytes), checksum (4), key.
const HEAD: usize = 12;

impl Cursor {
    pub(super) fn encode(&self, list: List<'_>) -> String {
        let head = [&self.revision.to_be_bytes()[..], &self.sum(list).to_be_bytes()].concat();
        base64_simd::URL_SAFE_NO_PAD.encode_to_string([&head[..], &self.start].concat())
    }

    /// None, for what was not given with this list.
    pub(super) fn decode(text: &[u8], list: List<'_>) -> Option<Cursor> {
        let bytes = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).ok()?;
        let (head, start) = bytes.split_at_checked(HEAD)?;
        let (revision, sum) = head.split_at_checked(8)?;
        let revision = i64::from_be_bytes(revision.try_into().ok()?);
        let cursor = Cursor { revision, start: Bytes::copy_from_slice(start) };
        let is_ours = sum == cursor.sum(list).to_be_bytes();
        (is_ours && revision > 0 && start.starts_with(list.prefix)).then_some(cursor)
    }

    fn sum(&self, List { prefix, separator, search }: List<'_>) -> u32 {
        let lengths = [prefix.len() as u64, separator.len() as u64, search.len() as u64].map(u64::to_be_bytes).concat();
        let parts = [&lengths, prefix, separator, search, &self.revision.to_be_bytes(), &self.start];
        parts.iter().fold(0, |sum, part| crc32c::crc32c_append(sum, part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_good_for_its_own_list(rest in any::<Vec<u8>>(), prefix in any::<Vec<u8>>(), other in any::<Vec<u8>>(), revision in 1..i64::MAX, at in any::<prop::sample::Index>()) {
            let list = List { prefix: &prefix, separator: b"/", search: b"" };
            let cursor = Cursor { revision, start: [&prefix[..], &rest].concat().into() };
            let text = cursor.encode(list);
            prop_assert_eq!(Cursor::decode(text.as_bytes(), list), Some(cursor));
            prop_assert_eq!(Cursor::decode(text.as_bytes(), List { separator: b"", ..list }), None);
            if other != prefix {
                prop_assert_eq!(Cursor::decode(text.as_bytes(), List { prefix: &other, ..list }), None);
            }
            let mut changed = text.into_bytes();
            let byte = at.get(&changed[..]);
            let place = at.index(changed.len());
            changed[place] = if *byte == b'A' { b'B' } else { b'A' };
            prop_assert_eq!(Cursor::decode(&changed, list), None);
        }

        #[test]
        fn any_text_is_survived(text in any::<Vec<u8>>()) {
            let _ = Cursor::decode(&text, List { prefix: b"", separator: b"", search: b"" });
        }
    }
}
