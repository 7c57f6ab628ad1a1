//! The life of one lease after the other: granted, given keys, used for locks and elections, renewed, revoked.

use super::calls::{Call, Learnt, Lease};
use crate::random::Random;

/// What a client has.
#[derive(Clone, Debug, Default)]
pub(super) enum Holding {
    #[default]
    Nothing,
    /// A lease without keys.
    Bare(Lease),
    /// One with its keys.
    Plain(Lease),
    /// One with a lock besides.
    Locked(Lease),
    /// One that leads besides, since a revision.
    Leading(Lease, u64),
}

impl Holding {
    /// The lease that has its keys, and how many those are.
    pub(super) fn keys(&self) -> Option<(&Lease, u64)> {
        match self {
            Holding::Nothing | Holding::Bare(_) => None,
            Holding::Plain(lease) => Some((lease, 2)),
            Holding::Locked(lease) | Holding::Leading(lease, _) => Some((lease, 3)),
        }
    }

    /// What its client asks for next; writes `value`.
    pub(super) fn next(&self, random: &mut Random, value: &str) -> Call {
        if let Some((lease, keys)) = self.keys() {
            match random.below(6) {
                0 | 1 => return Call::KeepAlive(lease.clone()),
                2 => return Call::Revoke(lease.clone(), keys),
                _ => {}
            }
        }
        match self {
            Holding::Nothing => Call::Grant,
            Holding::Bare(lease) if random.one_in(6) => Call::Revoke(lease.clone(), 0),
            Holding::Bare(lease) => Call::Attach(lease.clone(), value.to_owned()),
            Holding::Plain(lease) => match random.below(3) {
                0 => Call::Lock(lease.clone()),
                1 => Call::Campaign(lease.clone(), value.to_owned()),
                _ => Call::Revoke(lease.clone(), 2),
            },
            Holding::Locked(lease) => Call::Unlock(lease.clone()),
            Holding::Leading(lease, since) => match random.below(3) {
                0 => Call::Leader(lease.clone()),
                1 => Call::Proclaim(lease.clone(), *since, value.to_owned()),
                _ => Call::Resign(lease.clone(), *since),
            },
        }
    }

    /// What it is after a call that was answered; a new lease gets `name`.
    pub(super) fn after(self, call: &Call, learnt: &Learnt, name: impl FnOnce() -> String) -> Holding {
        match call {
            Call::Grant => Holding::Bare(Lease { id: learnt.lease, name: name() }),
            Call::Attach(lease, _) | Call::Unlock(lease) | Call::Resign(lease, _) => Holding::Plain(lease.clone()),
            Call::Lock(lease) => Holding::Locked(lease.clone()),
            Call::Campaign(lease, _) => Holding::Leading(lease.clone(), learnt.since),
            Call::Revoke(..) => Holding::Nothing,
            Call::Keys(_) | Call::KeepAlive(_) | Call::TimeToLive(_) | Call::Proclaim(..) | Call::Leader(_) => self,
        }
    }
}
