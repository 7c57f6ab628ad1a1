//! What the store has, as protobuf's JSON mapping writes it, without copying it first.

use keyport_api::json::{KeyValueRef, ToJson};
use keyport_storage::{Event, EventKind, Record, Versions};

/// An `mvccpb.Event`.
pub(in crate::faces) fn write_event(out: &mut Vec<u8>, event: &Event) {
    out.push(b'{');
    if event.kind == EventKind::Delete {
        out.extend_from_slice(b"\"type\":\"DELETE\",");
    }
    out.extend_from_slice(b"\"kv\":");
    // What is a record already has a JSON form.
    let _ = key_value(&event.kv).write(out);
    if let Some(prev_kv) = &event.prev_kv {
        out.extend_from_slice(b",\"prev_kv\":");
        let _ = key_value(prev_kv).write(out);
    }
    out.push(b'}');
}

/// The JSON form of a record, its bytes still shared.
pub(in crate::faces) fn key_value(record: &Record) -> KeyValueRef<'_> {
    let Versions { create_revision, mod_revision, version, lease } = record.versions();
    KeyValueRef { key: record.key(), create_revision, mod_revision, version, value: record.value(), lease }
}

/// What stands before the base64 of a record's value, if it has one, and what behind it.
pub(in crate::faces) fn around_value(record: &Record) -> (Vec<u8>, Vec<u8>) {
    // It would be as this one, whose text has four letters. No key has a quote in its text.
    const VALUE: &[u8; 3] = b"\0\0\0";
    const NAME: &[u8] = b"\"value\":\"";
    let mut text = Vec::new();
    let _ = KeyValueRef { value: VALUE, ..key_value(record) }.write(&mut text);
    let at = text.windows(NAME.len()).position(|part| part == NAME).map_or(0, |at| at + NAME.len());
    let tail = text.split_off(at);
    (text, tail.get(4..).unwrap_or_default().to_vec())
}

/// About how long so many records of so many bytes are as JSON.
pub(in crate::faces) fn size_of(records: usize, bytes: usize) -> usize {
    160 * records + bytes / 3 * 4
}

#[cfg(test)]
pub(in crate::faces) mod tests {
    use super::*;
    use keyport_api::json;
    use proptest::prelude::*;

    pub(in crate::faces) fn record() -> impl Strategy<Value = Record> {
        let numbers = prop::array::uniform4(prop_oneof![Just(0), any::<i64>()]);
        (any::<Vec<u8>>(), any::<Vec<u8>>(), numbers).prop_map(|(key, value, numbers)| {
            let [create_revision, mod_revision, version, lease] = numbers;
            Record::new(&key, &value, Versions { create_revision, mod_revision, version, lease })
        })
    }

    proptest! {
        #[test]
        fn a_value_stands_between_its_surroundings(record in record()) {
            prop_assume!(!record.value().is_empty());
            let (head, tail) = around_value(&record);
            let mut whole = Vec::new();
            key_value(&record).write(&mut whole).unwrap();
            let value = base64_simd::STANDARD.encode_to_string(record.value());
            prop_assert_eq!([&head[..], value.as_bytes(), &tail].concat(), whole);
        }

        #[test]
        fn an_event_is_written_as_its_message(
            kv in record(),
            prev_kv in prop::option::of(record()),
            deleted in any::<bool>(),
        ) {
            let message = keyport_api::mvccpb::Event {
                r#type: i32::from(deleted),
                kv: Some(kv.to_message()),
                prev_kv: prev_kv.as_ref().map(Record::to_message),
            };
            let kind = if deleted { EventKind::Delete } else { EventKind::Put };
            let mut shared = Vec::new();
            write_event(&mut shared, &Event { kind, kv, prev_kv });
            prop_assert_eq!(String::from_utf8(shared).unwrap(), String::from_utf8(json::to_vec(&message).unwrap()).unwrap());
        }
    }
}
