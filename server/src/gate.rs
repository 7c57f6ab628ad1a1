//! The gate: who asks, and whether this member serves the call. Every call passes it once, whatever face it came by, and
//! nothing reaches the log without naming its [`Caller`].

mod caller;
mod parked;
mod pass;
mod users;

use std::fmt;
use std::sync::Arc;

use keyport_api::error::Error;
use keyport_api::methods::Method;
use keyport_raft::RaftHandle;
use keyport_storage::KeyRange;

pub(crate) use crate::audit::Trail;
pub use crate::auth::{Login, Secret};
use crate::auth::{Needs, Root, Watches};
use crate::rates::{self, CallRates, Touches};
use crate::state::State;
use crate::state::ending::Ending;
pub(crate) use crate::state::ending::Heard;
pub use caller::{Caller, Claims, Identified};
pub(crate) use pass::{Pass, StreamEnd};
pub(crate) use users::{Rules, Users};

/// Who may do what. Asked once for every call, after it is clear that this member serves it at all.
pub(crate) trait Permission: fmt::Debug + Send + Sync {
    /// # Errors
    /// Why not.
    fn permit(&self, caller: &Caller, method: Method) -> Result<(), Error>;
}

/// See the module's text. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    raft: RaftHandle,
    state: Arc<State>,
    stopping: Ending,
    users: Users,
    permission: Box<dyn Permission>,
    /// How often may be asked; none where that is not counted.
    rates: Option<CallRates>,
}

impl Gate {
    /// `stopping` is what ends streams; `users` knows who is who.
    pub(crate) fn new(
        raft: RaftHandle,
        state: Arc<State>,
        stopping: Ending,
        users: Users,
        permission: impl Permission + 'static,
        rates: Option<CallRates>,
    ) -> Gate {
        Gate(Arc::new(Inner { raft, state, stopping, users, permission: Box::new(permission), rates }))
    }

    /// Finds out who asks: at once, or after waiting for a place in the log that a token names and that is not applied here
    /// yet.
    pub(crate) fn identify(&self, claims: &Claims) -> Identified {
        self.0.users.identify(claims)
    }

    /// The same caller as of now, for what goes on for long: his token may have ended meanwhile, and users and roles may
    /// be others.
    pub(crate) fn renew(&self, pass: &Pass) -> Pass {
        Pass::new(self.0.users.renew(pass.caller()))
    }

    /// The same caller as of now, if that says more than what he was known to be: he is a user, and users and roles have
    /// changed.
    pub(crate) fn newer(&self, pass: &Pass) -> Option<Pass> {
        let known_at = |pass: &Pass| pass.caller().author().map(|author| author.auth_revision);
        let known = known_at(pass).filter(|_| pass.caller().is_user())?;
        let renewed = self.renew(pass);
        known_at(&renewed).is_none_or(|now| now > known).then_some(renewed)
    }

    /// Whether a caller may make a request, by what is known here.
    ///
    /// # Errors
    /// What the rules of users and roles say.
    pub(crate) fn check(&self, pass: &Pass, request: &impl Needs) -> Result<(), Error> {
        self.0.users.check(pass.caller(), request)
    }

    /// Whether a caller may see what is for those alone who run a member. That he is no user any more is nobody's business.
    ///
    /// # Errors
    /// What the rules of users and roles say.
    pub(crate) fn admit_root(&self, caller: &Caller) -> Result<(), Error> {
        self.0.users.check(caller, &Root).map_err(|error| match error {
            Error::UserNotFound => Error::PermissionDenied,
            error => error,
        })
    }

    /// Whether a caller who was let in before, and goes on, may still look at these keys: judged by who he was found to be,
    /// for his token may end before what he began with it.
    ///
    /// # Errors
    /// What the rules of users and roles say now.
    pub(crate) fn still_may_read(&self, pass: &Pass, ranges: &[KeyRange]) -> Result<(), Error> {
        self.0.users.still_may(pass.caller(), &Watches(ranges))
    }

    /// The same of anything else.
    ///
    /// # Errors
    /// What the rules of users and roles say now.
    pub(crate) fn still_may(&self, pass: &Pass, request: &impl Needs) -> Result<(), Error> {
        self.0.users.still_may(pass.caller(), request)
    }

    /// The same of what is for those alone who run a member.
    ///
    /// # Errors
    /// What the rules of users and roles say now.
    pub(crate) fn is_still_root(&self, caller: &Caller) -> Result<(), Error> {
        self.0.users.still_may(caller, &Root)
    }

    /// For who has to be judged anew when users, roles or what they may have changed.
    pub(crate) fn rules_changed(&self) -> Heard {
        self.0.state.rules_changed.heard()
    }

    /// Users and roles as they are, to tell later whether they still are so.
    pub(crate) fn rules(&self) -> Rules {
        self.0.users.rules()
    }

    /// Whether what was read on behalf of a caller may be shown to him: nothing has changed since he was found to be
    /// allowed it, by these rules or newer ones.
    ///
    /// # Errors
    /// `AuthOldRevision`.
    pub(crate) fn recheck(&self, pass: &Pass, judged_by: Rules) -> Result<(), Error> {
        self.0.users.recheck(pass.caller(), judged_by)
    }

    /// Counts the changes of users and roles.
    pub(crate) fn auth_revision(&self) -> u64 {
        self.0.state.auth.revision()
    }

    /// Whether users and roles are as they were. That a caller is known by what is older is no matter here.
    ///
    /// # Errors
    /// `AuthOldRevision`.
    pub(crate) fn unchanged_since(&self, auth_revision: u64) -> Result<(), Error> {
        let is_so = self.0.state.auth.with(|policy| !policy.is_enabled() || policy.revision() == auth_revision);
        if is_so { Ok(()) } else { Err(Error::AuthOldRevision) }
    }

    /// Lets a call in, or says why not: this member is a learner, the caller wants to be refused by a member without a
    /// leader, or may not do it.
    ///
    /// # Errors
    /// `NotSupportedForLearner`, `NoLeader`, `UserRateExceeded`, what the permission says.
    pub(crate) fn admit(&self, caller: &Caller, method: Method) -> Result<Pass, Error> {
        self.admit_read(caller, method, matches!(method, Method::Status | Method::Snapshot))
    }

    /// As [`Gate::admit`], for reads that any member serves from what it has, if the caller says that this is enough.
    ///
    /// # Errors
    /// The same.
    pub(crate) fn admit_read(&self, caller: &Caller, method: Method, serializable: bool) -> Result<Pass, Error> {
        // Watches are counted one by one.
        if let Some(rates) = &self.0.rates
            && !rates::is_exempt(method)
            && method != Method::Watch
        {
            caller.user().map_or(Ok(()), |user| rates.count_user(user))?;
        }
        self.admit_part(caller, method, serializable)
    }

    /// As [`Gate::admit_read`], for what is part of a call that has been counted.
    ///
    /// # Errors
    /// The same.
    pub(crate) fn admit_part(&self, caller: &Caller, method: Method, serializable: bool) -> Result<Pass, Error> {
        let raft = &self.0.raft;
        // A learner may be far behind, so it says that it does not serve instead.
        if !serializable && raft.is_learner() {
            return Err(Error::NotSupportedForLearner);
        }
        if caller.insists_on_leader() && raft.leader() == 0 {
            return Err(Error::NoLeader);
        }
        self.0.permission.permit(caller, method)?;
        Ok(Pass::new(caller.clone()))
    }

    /// Counts a request for keys, if its caller may make it: nobody uses up what others may ask for.
    ///
    /// # Errors
    /// `PrefixRateExceeded`.
    pub(crate) fn count_keys(&self, pass: &Pass, request: &(impl Needs + Touches)) -> Result<(), Error> {
        match &self.0.rates {
            Some(rates) if self.check(pass, request).is_ok() => rates.count_keys(request),
            _ => Ok(()),
        }
    }

    /// Counts what is a request by itself though its call was not counted: a watch, of which there may be many in one, or what
    /// is exempt only where it gives something back.
    ///
    /// # Errors
    /// `UserRateExceeded`, `PrefixRateExceeded`.
    pub(crate) fn count_one(&self, pass: &Pass, request: &(impl Needs + Touches)) -> Result<(), Error> {
        let Some(rates) = &self.0.rates else { return Ok(()) };
        pass.caller().user().map_or(Ok(()), |user| rates.count_user(user))?;
        self.count_keys(pass, request)
    }

    /// When a stream, or a call that may wait for long, has to end though its caller would go on.
    pub(crate) fn end_of(&self, pass: &Pass) -> StreamEnd {
        let Inner { state, stopping, .. } = &*self.0;
        let insists = pass.caller().insists_on_leader();
        StreamEnd::new(stopping.wait(), insists.then(|| state.leadership.lost()), pass.caller().until())
    }
}
