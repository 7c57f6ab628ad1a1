//! Who a caller is and what he may, by the users and roles of this moment.
//!
//! A token names the entry of the log that made it, and another member may have given it out before that entry is applied here. It is
//! waited for if there is such an entry, as the leader says, and so are not many at a time: anybody can make up a token.

use std::sync::Arc;
use std::time::{Duration, Instant};

use keyport_api::error::Error;
use keyport_api::methods::{Method, Need};
use keyport_raft::RaftHandle;
use keyport_storage::auth::{Policy, Who};

use super::caller::{Found, KnownBy};
use super::parked::Parked;
use super::{Caller, Claims, Identified, Permission};
use crate::auth::identities::{Identities, Outsider};
use crate::auth::tokens::Meaning;
use crate::auth::{Author, Login, Logins, Needs, Rights, Secret, refused};
use crate::state::State;

/// A token from further ahead in the log than this has been made up.
const FURTHEST_AHEAD: u64 = 100_000;
/// How long to wait for the entry that made a token.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Which users and roles: whether anybody is asked who he is, and their revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    enabled: bool,
    revision: u64,
}

impl Rules {
    fn of(policy: &Policy) -> Rules {
        Rules { enabled: policy.is_enabled(), revision: policy.revision() }
    }
}

/// See the module's text. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Users {
    raft: RaftHandle,
    state: Arc<State>,
    logins: Logins,
    parked: Parked,
}

impl Users {
    pub(crate) fn new(raft: RaftHandle, state: Arc<State>, logins: Logins) -> Users {
        Users { raft, state, logins, parked: Parked::default() }
    }

    pub(crate) fn logins(&self) -> &Logins {
        &self.logins
    }

    pub(super) fn identify(&self, claims: &Claims) -> Identified {
        let token = match (&claims.token, &claims.login) {
            (Some(token), _) => token,
            (None, Some(login)) => return self.identify_by_password(claims, login),
            (None, None) => {
                let found = claims.common_name.as_ref().and_then(|name| self.named(name)).map(Found::from);
                return Identified::Now(Caller::found(claims, Ok(found)));
            }
        };
        let index = match self.known(token) {
            Ok(found) => return Identified::Now(self.holder(claims, found)),
            Err(index) => index,
        };
        let is_near = index <= self.raft.commit().saturating_add(FURTHEST_AHEAD);
        let Some(place) = is_near.then(|| self.parked.take(claims.from)).flatten() else {
            return Identified::Now(self.holder(claims, Err(Error::InvalidAuthToken)));
        };
        let (users, claims, token) = (self.clone(), claims.clone(), token.clone());
        Identified::Later(Box::pin(async move {
            let _place = place;
            // Whether it came in time is seen below.
            let _ = tokio::time::timeout(LONGEST_WAIT, users.reached(index)).await;
            users.holder(&claims, users.known(&token).unwrap_or(Err(Error::InvalidAuthToken)))
        }))
    }

    /// Who shows a token.
    fn holder(&self, claims: &Claims, found: Result<Option<Found>, Error>) -> Caller {
        if found.as_ref().err() == Some(&Error::InvalidAuthToken) {
            self.logins.turned_away().count_token();
        }
        Caller::found(claims, found)
    }

    /// Returns once an entry of the log is applied here, or it is clear that nobody can have been told of it.
    async fn reached(&self, index: u64) {
        // Whoever was given the token before he asked was told of what the leader knows as committed now.
        if index > self.raft.commit() && self.raft.read_index().await.is_ok_and(|committed| index > committed) {
            return;
        }
        self.state.applied.reached(index).await;
    }

    pub(super) fn renew(&self, caller: &Caller) -> Caller {
        let found = match caller.known_by() {
            KnownBy::Nothing | KnownBy::Word(_) => return caller.clone(),
            KnownBy::Certificate(name) => Ok(self.named(name).map(Found::from)),
            KnownBy::Token(token) => self.known(token).unwrap_or(Err(Error::InvalidAuthToken)),
            KnownBy::Proof(proof) => self.state.auth.with(|policy| match policy.is_enabled() {
                true => proof.author(policy).map(|author| Some(author.into())).ok_or(Error::InvalidCredentials),
                false => Ok(None),
            }),
        };
        caller.found_again(found)
    }

    /// By what is remembered, or after hashing the password.
    fn identify_by_password(&self, claims: &Claims, login: &Login) -> Identified {
        let known = self.state.auth.with(|policy| {
            if !policy.is_enabled() {
                return Some(Caller::anyone(claims));
            }
            let proof = self.logins.remembered(login, policy)?;
            proof.author(policy).map(|author| Caller::proven(claims, author, proof))
        });
        if let Some(caller) = known {
            return Identified::Now(caller);
        }
        let (users, claims, login) = (self.clone(), claims.clone(), login.clone());
        Identified::Later(Box::pin(async move {
            match users.logins.check_and_remember(&login, claims.from).await {
                Ok(proof) => match users.state.auth.with(|policy| proof.author(policy)) {
                    Some(author) => Caller::proven(&claims, author, proof),
                    None => Caller::found(&claims, Err(Error::InvalidCredentials)),
                },
                Err(Error::AuthNotEnabled) => Caller::anyone(&claims),
                // Whether there is such a user is nobody's business.
                Err(Error::AuthFailed | Error::NoPasswordUser) => {
                    Caller::found(&claims, Err(Error::InvalidCredentials))
                }
                Err(error) => Caller::found(&claims, Err(error)),
            }
        }))
    }

    /// Whose token it is, nobody's where nobody is asked; or the index at which it is known.
    fn known(&self, token: &Secret) -> Result<Result<Option<Found>, Error>, u64> {
        // Looked at first: what is applied after the look at the tokens is waited for.
        let applied = self.state.applied.index();
        self.state.auth.with(|policy| {
            if !policy.is_enabled() {
                return Ok(Ok(None));
            }
            // Before signatures are computed once more for who has none of ours.
            if let Some(found) = self.vouched_for(|identities| identities.remembered(token.as_str(), policy)) {
                return Ok(Ok(Some(found)));
            }
            let named = |identities: &Identities| identities.named(token.as_str(), policy);
            match self.state.tokens.meaning(token.as_str(), policy) {
                Meaning::Author(author) => Ok(Ok(Some(author.into()))),
                Meaning::NotBefore(index) if index > applied => Err(index),
                Meaning::NotBefore(_) => Ok(Err(Error::InvalidAuthToken)),
                Meaning::Invalid => Ok(self.vouched_for(named).map(Some).ok_or(Error::InvalidAuthToken)),
            }
        })
    }

    /// Whom somebody else vouches for, until his word ends.
    fn vouched_for(&self, named: impl FnOnce(&Identities) -> Option<Outsider>) -> Option<Found> {
        let Outsider { author, left } = named(self.state.identities.as_ref()?)?;
        Some(Found { author, until: Instant::now().checked_add(left) })
    }

    /// Who has no token is whom his certificate names, if there is such a user or not.
    fn named(&self, user: &Arc<str>) -> Option<Author> {
        let author = |policy: &Policy| Author::of(Arc::clone(user), policy.revision());
        self.state.auth.with(|policy| policy.is_enabled().then(|| author(policy)))
    }

    pub(super) fn check(&self, caller: &Caller, request: &impl Needs) -> Result<(), Error> {
        self.judge(caller, |rights, _| request.check(rights).map_err(refused))
    }

    pub(super) fn still_may(&self, caller: &Caller, request: &impl Needs) -> Result<(), Error> {
        // Whom others vouch for they do no longer once the key is gone that they did it with.
        if caller.until().is_some()
            && let KnownBy::Token(token) = caller.known_by()
        {
            self.known(token).unwrap_or(Err(Error::InvalidAuthToken))?;
        }
        fn as_of_now<'a>(author: &'a Author, policy: &Policy) -> Who<'a> {
            Who { auth_revision: policy.revision(), ..author.who() }
        }
        self.judge_as(caller, as_of_now, |rights, _| request.check(rights).map_err(refused))
    }

    pub(super) fn rules(&self) -> Rules {
        self.state.auth.with(Rules::of)
    }

    pub(super) fn recheck(&self, caller: &Caller, judged_by: Rules) -> Result<(), Error> {
        let author = caller.author_found();
        self.judge(caller, |_, policy| match author? {
            Some(author) if author.auth_revision == policy.revision() => Ok(()),
            // What nobody needs to be anybody for.
            None if judged_by == Rules::of(policy) => Ok(()),
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
            let who = caller.author_found()?.map(|author| who(author, policy));
            judge(&Rights::new(policy, who, &self.state.lessor), policy)
        })
    }
}

impl Permission for Users {
    fn permit(&self, caller: &Caller, method: Method) -> Result<(), Error> {
        match method.info().need {
            Need::Nothing => Ok(()),
            // Others may vouch for whom they like; some requests for keys are about none.
            Need::Keys if caller.until().is_some() => self.judge(caller, |rights, _| rights.is_user().map_err(refused)),
            // The keys are in the request.
            Need::Keys => Ok(()),
            Need::SoundToken => self.judge(caller, |_, _| Ok(())),
            Need::Identity => self.judge(caller, |rights, _| match caller.author_found()? {
                Some(_) if caller.until().is_some() => rights.is_user().map_err(refused),
                Some(_) => Ok(()),
                None => Err(Error::UserEmpty),
            }),
            Need::Root => self.judge(caller, |rights, _| rights.is_root().map_err(refused)),
        }
    }
}

#[cfg(test)]
mod tests;
