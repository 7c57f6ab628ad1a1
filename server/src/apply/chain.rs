//! The apply chain: what may refuse a committed request before it reaches the store.
//!
//! Every member runs the same chain on the same log and must come to the same verdict, so a link looks at replicated
//! state alone; the quota, which looks at the size of this member's file, is the exception that etcd makes too, and
//! it only changes the answer, never the effect.

use std::sync::Arc;

use keyport_api::error::Error;
use keyport_storage::alarm::Alarms;
use keyport_storage::auth::AuthStore;
use keyport_storage::lease::Lessor;

use super::quota::Quota;
use super::{Command, Proposal};
use crate::auth::{Author, Rights, refused};
use crate::state::State;

/// What a link says of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    Apply,
    Refuse(Error),
    /// Apply it, but answer with this error.
    ApplyThenFail(Error),
}

/// One reason to refuse.
trait Link {
    fn verdict(&self, proposal: &Proposal) -> Verdict;
}

/// corrupt → capped → allowed → quota, in front of the backend.
pub(crate) struct Chain {
    corrupt: Corrupt,
    capped: Capped,
    allowed: Allowed,
    quota: QuotaLink,
}

impl Chain {
    pub(crate) fn new(state: &State, quota: Quota) -> Chain {
        Chain {
            corrupt: Corrupt(Arc::clone(&state.alarms)),
            capped: Capped(Arc::clone(&state.alarms)),
            allowed: Allowed { auth: Arc::clone(&state.auth), lessor: Arc::clone(&state.lessor) },
            quota: QuotaLink(quota),
        }
    }

    pub(crate) fn verdict(&self, proposal: &Proposal) -> Verdict {
        let links: [&dyn Link; 4] = [&self.corrupt, &self.capped, &self.allowed, &self.quota];
        links
            .iter()
            .map(|link| link.verdict(proposal))
            .find(|verdict| *verdict != Verdict::Apply)
            .unwrap_or(Verdict::Apply)
    }
}

/// Members disagree about the data: nothing that depends on it may change it further.
struct Corrupt(Arc<Alarms>);

impl Link for Corrupt {
    fn verdict(&self, proposal: &Proposal) -> Verdict {
        let touches_data = matches!(
            proposal.command,
            Command::Put(_)
                | Command::DeleteRange(_)
                | Command::Txn(_)
                | Command::Compaction(_)
                | Command::LeaseGrant(_)
                | Command::LeaseRevoke(_)
        );
        if touches_data && self.0.corrupt() { Verdict::Refuse(Error::Corrupt) } else { Verdict::Apply }
    }
}

/// A member ran out of space: nothing may grow until the alarm is disarmed.
struct Capped(Arc<Alarms>);

impl Link for Capped {
    fn verdict(&self, proposal: &Proposal) -> Verdict {
        let Proposal { command, .. } = proposal;
        let grows = command.may_put() || matches!(command, Command::LeaseGrant(_));
        if grows && self.0.no_space() { Verdict::Refuse(Error::NoSpace) } else { Verdict::Apply }
    }
}

/// Its author may not do this, or not any more.
struct Allowed {
    auth: Arc<AuthStore>,
    lessor: Arc<Lessor>,
}

impl Link for Allowed {
    fn verdict(&self, Proposal { author, command, .. }: &Proposal) -> Verdict {
        let checked = self.auth.with(|policy| {
            if !policy.is_enabled() {
                return Ok(());
            }
            command.check(&Rights::new(policy, author.as_ref().map(Author::who), &self.lessor))
        });
        checked.map_or_else(|error| Verdict::Refuse(refused(error)), |()| Verdict::Apply)
    }
}

/// This request does not fit any more: it is applied, for every other member does so too, but answered as refused.
struct QuotaLink(Quota);

impl Link for QuotaLink {
    fn verdict(&self, proposal: &Proposal) -> Verdict {
        let fits = self.0.fits(&proposal.command) || self.0.compaction().is_some();
        if fits { Verdict::Apply } else { Verdict::ApplyThenFail(Error::NoSpace) }
    }
}
