//! What a watch answers: its events are shared with the store, and written without copying them first.

use bytes::Bytes;
use keyport_api::json::{JsonError, ToJson};
use keyport_storage::watch::{Encoding, SelectedEvent};

use crate::calls::WatchReply;
use crate::faces::text::{size_of, write_event};

impl ToJson for WatchReply {
    /// The events are written once for all who get them.
    fn write(&self, out: &mut Vec<u8>) -> Result<(), JsonError> {
        self.without_events().write(out)?;
        let Some(selection) = &self.events else { return Ok(()) };
        let events = selection.encoded(Encoding::Json, events);
        // There is always a header before them.
        out.pop();
        out.reserve(events.len() + 12);
        out.extend_from_slice(b",\"events\":");
        out.extend_from_slice(&events);
        out.push(b'}');
        Ok(())
    }
}

/// The array of `mvccpb.Event`.
fn events(events: &[SelectedEvent]) -> Bytes {
    let mut out = Vec::with_capacity(events.iter().map(|event| size_of(1, event.event.kv.encoded().len()) + 64).sum());
    out.push(b'[');
    for (at, SelectedEvent { event, .. }) in events.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_event(&mut out, event);
    }
    out.push(b']');
    out.into()
}
