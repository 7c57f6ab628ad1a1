//! What somebody says, cut to what of it is written down.

use base64_simd::STANDARD;
use keyport_storage::{KeyRange, RangeEnd};
use serde_json::{Map, Value, json};

/// Bytes of a text or a key that are written down.
pub(super) const MOST_BYTES: usize = 1024;
/// So many keys of a request are named, if there are not too many bytes of them; and how many there are.
const MOST_KEYS: usize = 128;
/// Bytes of the keys that are named in one line. In JSON it may be six times as many.
const MOST_KEY_BYTES: usize = 8 * 1024;

/// The beginning of a text, and how long it was.
#[derive(Clone, Debug)]
pub(super) struct Short {
    text: Box<str>,
    bytes: usize,
}

impl Short {
    pub(super) fn of(text: &str) -> Short {
        Short { text: text.get(..text.floor_char_boundary(MOST_BYTES)).unwrap_or_default().into(), bytes: text.len() }
    }

    /// As a field, and a second one if it was longer.
    pub(super) fn put(&self, fields: &mut Map<String, Value>, name: &str) {
        fields.insert(name.to_owned(), (&*self.text).into());
        if self.text.len() < self.bytes {
            fields.insert(format!("{name}_bytes"), self.bytes.into());
        }
    }
}

/// The first different keys of a request, and how many it has.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    named: Vec<KeyRange>,
    count: usize,
}

impl Keys {
    pub(super) fn of(keys: impl IntoIterator<Item = KeyRange>) -> Keys {
        let mut of = Keys::default();
        for key in keys {
            if of.named.contains(&key) {
                continue;
            }
            of.count += 1;
            if of.named.len() < MOST_KEYS {
                of.named.push(key);
            }
        }
        of
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn put(&self, fields: &mut Map<String, Value>) {
        if self.is_empty() {
            return;
        }
        let mut room = MOST_KEY_BYTES;
        let fitting = self.named.iter().take_while(|key| {
            let fits = room > 0;
            room = room.saturating_sub(size(key));
            fits
        });
        let named: Vec<Value> = fitting.map(|key| Value::Object(range(key))).collect();
        if named.len() < self.count {
            fields.insert("key_count".to_owned(), self.count.into());
        }
        fields.insert("keys".to_owned(), named.into());
    }
}

/// Bytes that are written of it.
fn size(range: &KeyRange) -> usize {
    let end = if let RangeEnd::Before(end) = &range.end { end.len() } else { 0 };
    range.start.len().min(MOST_BYTES) + end.min(MOST_BYTES)
}

/// The fields of a key, or of a range of them.
pub(super) fn range(range: &KeyRange) -> Map<String, Value> {
    let mut fields = Map::new();
    key(&mut fields, "key", &range.start);
    match &range.end {
        RangeEnd::Single => {}
        RangeEnd::Before(end) => key(&mut fields, "range_end", end),
        RangeEnd::Unbounded => _ = fields.insert("from_key".to_owned(), json!(true)),
    }
    fields
}

/// As text, if it is that; as events have it.
fn key(fields: &mut Map<String, Value>, name: &str, key: &[u8]) {
    let cut = key.get(..MOST_BYTES).unwrap_or(key);
    match std::str::from_utf8(cut) {
        Ok(text) => fields.insert(name.to_owned(), text.into()),
        Err(_) => fields.insert(format!("{name}_b64"), STANDARD.encode_to_string(cut).into()),
    };
    if cut.len() < key.len() {
        fields.insert(format!("{name}_bytes"), key.len().into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn keys_are_named_once_and_counted() {
        let single = |n: usize| KeyRange::single(Bytes::from(n.to_string()));
        let mut fields = Map::new();
        Keys::of((0..3).map(single).chain((0..3).map(single))).put(&mut fields);
        assert_eq!(Value::Object(fields), json!({ "keys": [{ "key": "0" }, { "key": "1" }, { "key": "2" }] }));
        let mut fields = Map::new();
        Keys::of((0..1000).map(single)).put(&mut fields);
        assert_eq!((&fields["key_count"], fields["keys"].as_array().unwrap().len()), (&json!(1000), MOST_KEYS));
        let mut fields = Map::new();
        Keys::of([]).put(&mut fields);
        assert!(fields.is_empty());
    }

    #[test]
    fn long_texts_are_cut_where_a_letter_ends() {
        let mut fields = Map::new();
        Short::of(&"ä".repeat(MOST_BYTES)).put(&mut fields, "user");
        Short::of("a").put(&mut fields, "role");
        let cut = "ä".repeat(MOST_BYTES / 2);
        assert_eq!(Value::Object(fields), json!({ "user": cut, "user_bytes": 2 * MOST_BYTES, "role": "a" }));
    }
}
