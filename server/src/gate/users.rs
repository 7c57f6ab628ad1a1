//! Who a caller is and what he may, by the users and roles of this moment.

use std::sync::Arc;
use std::time::Duration;

use keyport_api::error::Error;
use keyport_api::methods::{Method, Need};
use keyport_raft::RaftHandle;
use keyport_storage::auth::{Policy, Who};

use super::{Caller, Claims, Identified, Permission};
use crate::auth::tokens::Meaning;
use crate::auth::{Author, Needs, Rights, refused};
use crate::state::State;

/// A token from further ahead in the log than this has been made up.
const FURTHEST_AHEAD: u64 = 100_000;
/// How long to wait for the entry that made a token.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// See the module's text. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Users {
    raft: RaftHandle,
    state: Arc<State>,
}

impl Users {
    pub(crate) fn new(raft: RaftHandle, state: Arc<State>) -> Users {
        Users { raft, state }
    }

    pub(super) fn identify(&self, claims: &Claims) -> Identified {
        match self.known(claims) {
            Ok(caller) => Identified::Now(caller),
            Err(index) if index > self.raft.commit().saturating_add(FURTHEST_AHEAD) => {
                Identified::Now(Caller::refused(claims, Error::InvalidAuthToken))
            }
            Err(index) => {
                let (users, claims) = (self.clone(), claims.clone());
                Identified::Later(Box::pin(async move {
                    // Whether it came in time is seen below.
                    let _ = tokio::time::timeout(LONGEST_WAIT, users.state.applied.reached(index)).await;
                    users.as_of_now(&claims)
                }))
            }
        }
    }

    pub(super) fn renew(&self, caller: &Caller) -> Caller {
        if caller.is_internal() {
            return caller.clone();
        }
        let renewed = self.as_of_now(&caller.claims());
        match caller.lane() {
            Some(lane) => renewed.in_lane(lane),
            None => renewed,
        }
    }

    fn as_of_now(&self, claims: &Claims) -> Caller {
        self.known(claims).unwrap_or_else(|_| Caller::refused(claims, Error::InvalidAuthToken))
    }

    /// Who makes a claim; or the index at which it is known.
    fn known(&self, claims: &Claims) -> Result<Caller, u64> {
        let Some(token) = &claims.token else { return Ok(Caller::anyone(claims)) };
        // Looked at first: what is applied after the look at the tokens is waited for.
        let applied = self.state.applied.index();
        self.state.auth.with(|policy| {
            if !policy.is_enabled() {
                return Ok(Caller::anyone(claims));
            }
            match self.state.tokens.meaning(token.as_str(), policy) {
                Meaning::Author(author) => Ok(Caller::user(claims, author)),
                Meaning::NotBefore(index) if index > applied => Err(index),
                Meaning::NotBefore(_) | Meaning::Invalid => Ok(Caller::refused(claims, Error::InvalidAuthToken)),
            }
        })
    }

    pub(super) fn check(&self, caller: &Caller, request: &impl Needs) -> Result<(), Error> {
        self.judge(caller, |rights, _| request.check(rights).map_err(refused))
    }

    pub(super) fn still_may(&self, caller: &Caller, request: &impl Needs) -> Result<(), Error> {
        fn as_of_now<'a>(author: &'a Author, policy: &Policy) -> Who<'a> {
            Who { auth_revision: policy.revision(), ..author.who() }
        }
        self.judge_as(caller, as_of_now, |rights, _| request.check(rights).map_err(refused))
    }

    pub(super) fn recheck(&self, caller: &Caller) -> Result<(), Error> {
        let author = caller.found();
        self.judge(caller, |_, policy| match author? {
            Some(author) if author.auth_revision == policy.revision() => Ok(()),
            _ => Err(Error::AuthOldRevision),
        })
    }

    fn judge(
        &self,
        caller: &Caller,
        judge: impl FnOnce(&Rights<'_>, &Policy) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.judge_as(caller, |author, _| author.who(), judge)
    }

    /// Before the rules a caller is `who` makes of him.
    fn judge_as(
        &self,
        caller: &Caller,
        who: impl for<'a> FnOnce(&'a Author, &Policy) -> Who<'a>,
        judge: impl FnOnce(&Rights<'_>, &Policy) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.state.auth.with(|policy| {
            if !policy.is_enabled() || caller.is_internal() {
                return Ok(());
            }
            let who = caller.found()?.map(|author| who(author, policy));
            judge(&Rights::new(policy, who, &self.state.lessor), policy)
        })
    }
}

impl Permission for Users {
    fn permit(&self, caller: &Caller, method: Method) -> Result<(), Error> {
        match method.info().need {
            // The keys are in the request.
            Need::Nothing | Need::Keys => Ok(()),
            Need::SoundToken => self.judge(caller, |_, _| Ok(())),
            Need::Identity => self.judge(caller, |_, _| match caller.found()? {
                Some(_) => Ok(()),
                None => Err(Error::UserEmpty),
            }),
            Need::Root => self.judge(caller, |rights, _| rights.is_root().map_err(refused)),
        }
    }
}
