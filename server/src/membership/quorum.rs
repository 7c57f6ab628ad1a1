//! The checks of `--strict-reconfig-check`: would the cluster still have a quorum of members that have started?
//!
//! They are the proposer's own judgement before a change goes into the log, not a verdict on a committed one.

use super::{Member, Roster};

impl Member {
    /// A member has started once it has published its name.
    pub(crate) fn is_started(&self) -> bool {
        !self.name.is_empty()
    }
}

/// Members that a quorum of `members` takes.
pub(crate) fn quorum(members: usize) -> usize {
    members / 2 + 1
}

fn started<'a>(voters: impl Iterator<Item = &'a Member>) -> (usize, usize) {
    voters.fold((0, 0), |(all, started), member| (all + 1, started + usize::from(member.is_started())))
}

impl Roster {
    /// Whether one more voter, not started yet, may be added.
    pub(crate) fn may_add_voter(&self) -> bool {
        let (voters, started) = started(self.voters());
        // A cluster of one can grow in no other way.
        let growing_from_one = voters == 1 && started == 1;
        growing_from_one || started >= quorum(voters + 1)
    }

    /// Whether the voters that remain are enough.
    pub(crate) fn may_remove_voter(&self, id: u64) -> bool {
        let (voters, started) = started(self.voters().filter(|member| member.id != id));
        voters > 0 && started >= quorum(voters)
    }

    /// Whether one more voter, which has started, may be added.
    pub(crate) fn may_promote(&self) -> bool {
        let (voters, started) = started(self.voters());
        started + 1 >= quorum(voters + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn roster(started: usize, unstarted: usize) -> Roster {
        let members = (1..=started + unstarted).map(|id| {
            let name = if id <= started { format!("m{id}") } else { String::new() };
            (id as u64, Member { id: id as u64, name, ..Member::default() })
        });
        Roster::new(members.collect::<BTreeMap<_, _>>(), BTreeSet::new())
    }

    #[test]
    fn adding_a_voter() {
        let allowed =
            [(1, 0, true), (0, 1, false), (2, 0, true), (1, 1, false), (3, 0, true), (2, 1, false), (3, 1, true)];
        for (started, unstarted, expected) in allowed {
            assert_eq!(roster(started, unstarted).may_add_voter(), expected, "{started} started, {unstarted} not");
        }
    }

    #[test]
    fn removing_a_voter() {
        assert!(!roster(1, 0).may_remove_voter(1), "nobody would be left");
        assert!(roster(2, 0).may_remove_voter(1));
        assert!(roster(1, 1).may_remove_voter(2));
        assert!(!roster(1, 1).may_remove_voter(1));
        assert!(!roster(2, 1).may_remove_voter(1));
        assert!(roster(2, 1).may_remove_voter(3));
    }

    #[test]
    fn promoting() {
        assert!(roster(1, 0).may_promote());
        assert!(roster(1, 1).may_promote());
        assert!(!roster(0, 2).may_promote());
    }
}
