//! Messages that do not go out as they are: snapshots, and proposals that have gathered for long.

use bytes::Bytes;
use keyport_api::raftpb::{Message, MessageType};

use super::frame::{FULL_FRAME, message_bytes};

/// Whether a message goes out as it is.
pub(super) fn is_plain(message: &Message) -> bool {
    match message.r#type() {
        MessageType::MsgSnap => false,
        // One entry, however large, cannot be taken apart.
        MessageType::MsgProp => message.entries.len() < 2 || message_bytes(message) <= FULL_FRAME,
        _ => true,
    }
}

/// Proposals passed on to the leader may have gathered for long: in messages of a size that the peer takes.
pub(super) fn split_proposals(message: &Message) -> Vec<Message> {
    let mut parts: Vec<Message> = Vec::new();
    let mut room = 0;
    for entry in &message.entries {
        let size = entry.data.as_ref().map_or(0, Bytes::len);
        match parts.last_mut() {
            Some(part) if size <= room => {
                room -= size;
                part.entries.push(entry.clone());
            }
            _ => {
                room = FULL_FRAME.saturating_sub(size);
                parts.push(Message { entries: vec![entry.clone()], ..without_entries(message) });
            }
        }
    }
    parts
}

fn without_entries(message: &Message) -> Message {
    Message {
        r#type: message.r#type,
        to: message.to,
        from: message.from,
        term: message.term,
        context: message.context.clone(),
        ..Message::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyport_api::raftpb::Entry;

    #[test]
    fn many_proposals_go_in_several_messages() {
        let entry = |byte: u8| Entry { data: Some(vec![byte; 1_500_000].into()), ..Entry::default() };
        let message = Message {
            r#type: Some(MessageType::MsgProp as i32),
            to: Some(2),
            from: Some(1),
            entries: (0..20).map(entry).collect(),
            ..Message::default()
        };
        assert!(!is_plain(&message));
        let parts = split_proposals(&message);
        assert!(parts.iter().all(|part| is_plain(part) && (part.to(), part.from()) == (2, 1)));
        assert_eq!(parts.len(), 10);
        assert_eq!(parts.into_iter().flat_map(|part| part.entries).collect::<Vec<_>>(), message.entries);
    }

    #[test]
    fn one_proposal_stays_whole_and_a_few_stay_together() {
        let entry = |bytes: usize| Entry { data: Some(vec![0; bytes].into()), ..Entry::default() };
        let message = |entries| Message { r#type: Some(MessageType::MsgProp as i32), entries, ..Message::default() };
        assert!(is_plain(&message(vec![entry(10 << 20)])));
        assert!(is_plain(&message((0..1000).map(|_| entry(1000)).collect())));
        assert!(is_plain(&Message { r#type: Some(MessageType::MsgApp as i32), ..message(vec![entry(5 << 20); 2]) }));
    }
}
