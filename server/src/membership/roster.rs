//! Members and removed ids as plain data, and the rules by which they change.
//!
//! A verdict depends on the roster and the change alone. Rosters that were fed the same changes agree, which is what
//! lets every member judge a committed change for itself.

use std::collections::{BTreeMap, BTreeSet};

use keyport_api::error::Error;
use keyport_api::raftpb::ConfChange;

use super::change::Change;
use super::{Member, MembershipError};

/// Who is in the cluster, and who can never return.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roster {
    members: BTreeMap<u64, Member>,
    removed: BTreeSet<u64>,
}

/// What a change did, for whoever keeps rows or connections in step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The member is new, or something about it is.
    Set(Member),
    Removed(u64),
}

impl Roster {
    pub(crate) fn new(members: BTreeMap<u64, Member>, removed: BTreeSet<u64>) -> Roster {
        Roster { members, removed }
    }

    /// Whether a committed change may take effect.
    ///
    /// # Errors
    /// What its proposer is told.
    pub(crate) fn check(&self, change: &ConfChange) -> Result<(), Error> {
        self.judge(change).map(|_| ())
    }

    /// Carries out a change, or refuses it and stays as it is.
    ///
    /// # Errors
    /// As [`Roster::check`].
    pub(crate) fn apply(&mut self, change: &ConfChange) -> Result<Effect, Error> {
        let effect = self.judge(change)?;
        self.put(&effect);
        Ok(effect)
    }

    fn put(&mut self, effect: &Effect) {
        match effect {
            Effect::Set(member) => {
                self.members.insert(member.id, member.clone());
            }
            Effect::Removed(id) => {
                self.members.remove(id);
                self.removed.insert(*id);
            }
        }
    }

    fn judge(&self, change: &ConfChange) -> Result<Effect, Error> {
        let change = Change::read(change).map_err(|error| {
            tracing::error!(%error, "conf change without a readable member");
            Error::MemberBadUrls
        })?;
        let id = change.id();
        // Raft's name for nobody.
        if id == 0 || self.removed.contains(&id) {
            return Err(Error::MemberNotFound);
        }
        let known = self.members.get(&id);
        match (change, known) {
            (Change::Add { .. }, Some(_)) => Err(Error::MemberExist),
            (Change::Add { member, max_learners }, None) => {
                self.check_urls(id, &member.peer_urls)?;
                if member.is_learner && self.learners() >= max_learners {
                    return Err(Error::TooManyLearners);
                }
                Ok(Effect::Set(member))
            }
            (_, None) => Err(Error::MemberNotFound),
            (Change::Promote(_), Some(known)) if !known.is_learner => Err(Error::MemberNotLearner),
            (Change::Promote(_), Some(known)) => Ok(Effect::Set(Member { is_learner: false, ..known.clone() })),
            (Change::Update { peer_urls, .. }, Some(known)) => {
                self.check_urls(id, &peer_urls)?;
                Ok(Effect::Set(Member { peer_urls, ..known.clone() }))
            }
            // Nobody would be left to decide anything.
            (Change::Remove(_), Some(known)) if !known.is_learner && self.voters().count() == 1 => {
                Err(Error::MemberNotEnoughStarted)
            }
            (Change::Remove(_), Some(_)) => Ok(Effect::Removed(id)),
        }
    }

    fn check_urls(&self, id: u64, urls: &[String]) -> Result<(), Error> {
        let mut others = self.members.values().filter(|member| member.id != id).flat_map(|member| &member.peer_urls);
        if others.any(|url| urls.contains(url)) { Err(Error::PeerUrlExist) } else { Ok(()) }
    }

    /// Ascending by id.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub(crate) fn voters(&self) -> impl Iterator<Item = &Member> {
        self.members().filter(|member| !member.is_learner)
    }

    fn learners(&self) -> usize {
        self.members().filter(|member| member.is_learner).count()
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Member> {
        self.members.get(&id)
    }

    pub(crate) fn is_removed(&self, id: u64) -> bool {
        self.removed.contains(&id)
    }

    /// Ids that can never return, ascending.
    pub(crate) fn removed(&self) -> impl Iterator<Item = u64> {
        self.removed.iter().copied()
    }

    /// What a started member says of itself; of an unknown one nothing is kept.
    pub(super) fn publish(&mut self, id: u64, name: String, client_urls: Vec<String>) -> Option<&Member> {
        let member = self.members.get_mut(&id)?;
        (member.name, member.client_urls) = (name, client_urls);
        Some(member)
    }

    /// # Errors
    /// `TooManyLearners`: a member does not start in a cluster that has more learners than it is told to allow.
    pub(crate) fn check_learners(&self, max_learners: usize) -> Result<(), MembershipError> {
        match self.learners() {
            count if count > max_learners => Err(MembershipError::TooManyLearners { count, max_learners }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
