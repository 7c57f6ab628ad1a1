//! What can be asked of a node: one set of calls, whatever face they come by.
//!
//! Every call takes its [`Caller`] and passes the gate once, here. Faces decode, call and encode; they know nothing below
//! this.

mod anew;
mod auth;
mod cluster;
mod election;
mod judged;
mod kv;
mod lease;
mod line;
mod lock;
mod maintenance;
mod overview;
mod queue;
mod validate;
mod watch;

use std::io;
use std::sync::Arc;

use futures_util::future::{BoxFuture, Either};
use keyport_api::error::Error;
use keyport_api::methods::Method;

use crate::apply::waiters::Answer;
use crate::apply::{Cost, Replicated};
use crate::audit::Subject;
use crate::auth::{Logins, Needs};
use crate::bulk::{Aside, Bulk};
use crate::gate::{Gate, Pass, Permission, Users};
use crate::node::Node;
use crate::rates::CallRates;

pub(crate) use crate::gate::{Caller, Claims, Identified};
pub(crate) use crate::kv::{DeleteReply, LeftOut, OpReply, PutReply, RangeReply, Reply, TxnReply, inner_header};
pub(crate) use auth::{Auth, Permissions};
pub(crate) use cluster::Cluster;
pub(crate) use election::Election;
pub(crate) use judged::JudgedAnew;
pub(crate) use kv::{
    HistoryReply, HistoryRequest, Kv, KvAnswer, ListReply, ListRequest, Listed, RangeChunks, Search, SearchIn,
};
pub(crate) use lease::{KeepAlives, KeyLease, Lease};
pub(crate) use line::{First, Line, Wish as PlaceWish};
pub(crate) use lock::Lock;
pub(crate) use maintenance::{Maintenance, SavedCopy, SnapshotBlobs};
pub(crate) use overview::{Around, Health, Onlooker, Overview, Seen};
pub(crate) use validate::MAX_TXN_LEVELS;
pub(crate) use watch::{Subscription, Watch, WatchReply, WatchSession};

/// Everything that can be asked of a node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Calls {
    pub kv: Kv,
    pub watch: Watch,
    pub lease: Lease,
    pub cluster: Cluster,
    pub maintenance: Maintenance,
    pub(crate) overview: Overview,
    pub auth: Auth,
    pub lock: Lock,
    pub election: Election,
    desk: Desk,
}

/// What every call works with: the node, and the gate before it.
#[derive(Clone, Debug)]
struct Desk {
    node: Node,
    gate: Gate,
    bulk: Bulk,
}

/// Notes what a caller asks for, before anything is decided about it.
fn note(caller: &Caller, request: &(impl Needs + Subject)) {
    if let Some(trail) = caller.trail() {
        trail.asks_for(request, || request.keys());
    }
}

/// The same of a request that is not about keys.
fn note_subject(caller: &Caller, request: &impl Subject) {
    if let Some(trail) = caller.trail() {
        trail.asks_for(request, Vec::new);
    }
}

impl Desk {
    /// Has the log decide on a request, if its caller may make it.
    ///
    /// # Errors
    /// What the rules of users and roles say; as [`Node::propose`].
    fn propose<R>(&self, pass: &Pass, request: R) -> impl Future<Output = Result<Answer<R::Reply>, Error>>
    where
        R: Replicated + Needs + Subject + Clone + Send + Sync,
    {
        if let Some(trail) = pass.caller().trail() {
            trail.changes(&request, request.keys());
        }
        match pass.caller().is_user() {
            // In a box, and with a copy, lest all requests without users pay for it.
            true => Either::Left(Box::pin(self.propose_for_user(pass, request))),
            false => Either::Right(self.propose_once(pass, request)),
        }
    }

    async fn propose_for_user<R>(&self, pass: &Pass, request: R) -> Result<Answer<R::Reply>, Error>
    where
        R: Replicated + Needs + Clone + Send + Sync,
    {
        match self.propose_once(pass, request.clone()).await {
            Err(Error::AuthOldRevision) => {
                let propose = |pass: Pass| -> BoxFuture<'_, _> {
                    let request = request.clone();
                    Box::pin(async move { self.propose_once(&pass, request).await })
                };
                self.anew(pass, propose).await
            }
            outcome => outcome,
        }
    }

    async fn propose_once<R: Replicated + Needs>(&self, pass: &Pass, request: R) -> Result<Answer<R::Reply>, Error> {
        self.allow(pass, &request).await?;
        self.node.propose(pass, request).await
    }

    /// Refuses what there is no room for, and raises the alarm; but not because of who may not ask for it anyway.
    ///
    /// # Errors
    /// `NoSpace`; what the rules of users and roles say.
    async fn check_quota(&self, pass: &Pass, request: &(impl Cost + Needs + Sync)) -> Result<(), Error> {
        if self.node.has_room_for(request) {
            return Ok(());
        }
        self.allow_as_of_now(pass, request).await?;
        if self.node.has_room_in_time_for(request).await {
            return Ok(());
        }
        self.node.raise_out_of_space();
        Err(Error::NoSpace)
    }

    /// As [`Desk::allow`], for what is not proposed itself, by who the caller is by now.
    ///
    /// # Errors
    /// What the rules of users and roles say.
    async fn allow_as_of_now(&self, pass: &Pass, request: &(impl Needs + Sync)) -> Result<(), Error> {
        match self.allow(pass, request).await {
            Err(Error::AuthOldRevision) => {
                let allow =
                    |pass: Pass| -> BoxFuture<'_, _> { Box::pin(async move { self.allow(&pass, request).await }) };
                Box::pin(self.anew(pass, allow)).await
            }
            allowed => allowed,
        }
    }

    /// Whether a caller may make a request. Who may not by what is known here may have been allowed to meanwhile; so a
    /// refusal waits for what the cluster knows.
    ///
    /// # Errors
    /// What the rules of users and roles say.
    async fn allow(&self, pass: &Pass, request: &impl Needs) -> Result<(), Error> {
        match self.gate.check(pass, request) {
            Err(Error::PermissionDenied | Error::UserNotFound) => {
                // In a box, lest every request that might have been refused is as large as this.
                Box::pin(self.node.read_barrier()).await?;
                self.gate.check(pass, request)
            }
            checked => checked,
        }
    }
}

impl Calls {
    /// # Errors
    /// When the threads for large work cannot be had.
    pub(crate) fn new(node: &Node) -> io::Result<Calls> {
        let users = Calls::users(node)?;
        Calls::of(node, users.clone(), users)
    }

    /// With somebody else who says who may do what.
    #[cfg(test)]
    pub(crate) fn permitting(node: &Node, permission: impl Permission + 'static) -> io::Result<Calls> {
        Calls::of(node, Calls::users(node)?, permission)
    }

    fn users(node: &Node) -> io::Result<Users> {
        let (state, metrics) = (node.shared_state(), node.metrics());
        let logins = Logins::new(Arc::clone(&state.auth), node.limits().bcrypt_cost, metrics)?;
        Ok(Users::new(node.raft().clone(), state, logins))
    }

    fn of(node: &Node, users: Users, permission: impl Permission + 'static) -> io::Result<Calls> {
        let (raft, state, logins) = (node.raft().clone(), node.shared_state(), users.logins().clone());
        let rates = CallRates::new(&node.limits().rates, node.metrics());
        let gate = Gate::new(raft, state, node.stopping().clone(), users, permission, rates);
        let bulk = Bulk::start(node.metrics().bulk_work.clone())?;
        let desk = Desk { node: node.clone(), gate, bulk };
        let kv = Kv::new(desk.clone());
        let lease = Lease::new(desk.clone());
        let queue = queue::Queue::new(desk.clone());
        Ok(Calls {
            kv,
            lease,
            watch: Watch::new(desk.clone()),
            cluster: Cluster::new(desk.clone()),
            maintenance: Maintenance::new(desk.clone()),
            overview: Overview::new(desk.clone()),
            auth: Auth::new(desk.clone(), logins),
            lock: Lock::new(queue.clone()),
            election: Election::new(queue),
            desk,
        })
    }

    /// For what of a call is too large for an event loop.
    pub(crate) fn aside<'a>(&'a self, caller: &'a Caller) -> Aside<'a> {
        self.desk.bulk.aside(caller.lane())
    }

    /// Who makes these claims.
    pub fn identify(&self, claims: &Claims) -> Identified {
        self.desk.gate.identify(claims)
    }

    /// `grpc.health.v1.Health`: a member that answers at all is well, if it serves the caller.
    ///
    /// # Errors
    /// `NotSupportedForLearner`, `NoLeader`.
    pub fn health(&self, caller: &Caller, method: Method) -> Result<(), Error> {
        self.desk.gate.admit(caller, method).map(drop)
    }
}
