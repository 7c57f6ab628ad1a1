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
