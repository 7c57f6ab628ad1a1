//! What is proposed in the simulation, and its bytes.

use bytes::Bytes;

use super::lessor::LeaseId;

/// Names an operation of a client on keys.
pub(super) type OperationId = usize;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    /// A transaction, by its place in the history.
    Keys(OperationId),
    Grant(LeaseId),
    /// A client wants the lease to end.
    Revoke(LeaseId),
    /// The leader of a term found that the lease has run out.
    Expire {
        lease: LeaseId,
        decided_in: u64,
    },
}

impl Command {
    /// With so many bytes more than it takes.
    pub(super) fn encode(self, padding: usize) -> Bytes {
        let text = match self {
            Command::Keys(id) => format!("keys {id} 0 "),
            Command::Grant(id) => format!("grant {id} 0 "),
            Command::Revoke(id) => format!("revoke {id} 0 "),
            Command::Expire { lease, decided_in } => format!("expire {lease} {decided_in} "),
        };
        let mut data = text.into_bytes();
        data.resize(data.len() + padding, b'x');
        Bytes::from(data)
    }

    pub(super) fn decode(data: &[u8]) -> Option<Command> {
        let mut words = data.split(|byte| *byte == b' ').map_while(|word| std::str::from_utf8(word).ok());
        let kind = words.next()?;
        let (id, term) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(match kind {
            "keys" => Command::Keys(usize::try_from(id).ok()?),
            "grant" => Command::Grant(id),
            "revoke" => Command::Revoke(id),
            "expire" => Command::Expire { lease: id, decided_in: term },
            _ => return None,
        })
    }
}
