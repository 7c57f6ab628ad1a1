//! `etcdserverpb.Lease`: grants, renews and revokes leases.

mod keep_alive;
mod of_key;

use keyport_api::error::Error;
use keyport_api::etcdserverpb::*;
use keyport_api::methods::Method;
use keyport_storage::KeyRange;
use keyport_storage::lease::MAX_TTL_SECONDS;
use tokio_stream::Stream;
use tonic::Status;

use super::{Desk, JudgedAnew, note, note_subject};
use crate::apply::waiters::Answer;
use crate::auth::{ReadsLeased, ReadsOfLease};
use crate::bulk::LONG;
use crate::gate::{Caller, Gate, Pass};
use crate::node::Node;
pub(crate) use keep_alive::KeepAlives;
pub(crate) use of_key::KeyLease;

/// See the module's text.
#[derive(Clone, Debug)]
pub struct Lease {
    desk: Desk,
}

impl Lease {
    pub(super) fn new(desk: Desk) -> Lease {
        Lease { desk }
    }

    /// Serves one stream of renewals: an answer for each request, in order, until `requests` ends.
    ///
    /// # Errors
    /// As the RPC.
    pub fn lease_keep_alive<S>(&self, caller: &Caller, requests: S) -> Result<KeepAlives<S>, Error>
    where
        S: Stream<Item = Result<LeaseKeepAliveRequest, Status>> + Send + Unpin + 'static,
    {
        let pass = self.desk.gate.admit(caller, Method::LeaseKeepAlive)?;
        Ok(KeepAlives::new(self.desk.clone(), pass, requests))
    }

    /// # Errors
    /// As the RPC.
    pub async fn lease_grant(&self, caller: &Caller, request: LeaseGrantRequest) -> Result<LeaseGrantResponse, Error> {
        note(caller, &request);
        let pass = self.desk.gate.admit(caller, Method::LeaseGrant)?;
        self.desk.grant(&pass, request).await
    }

    /// Gives a lease all of its time again; how many seconds that are.
    ///
    /// # Errors
    /// As the RPC, and `LeaseNotFound`.
    pub async fn keep_alive(&self, caller: &Caller, id: i64) -> Result<i64, Error> {
        let pass = self.desk.gate.admit(caller, Method::LeaseKeepAlive)?;
        match self.renew(&pass, id).await? {
            ..=0 => Err(Error::LeaseNotFound),
            ttl => Ok(ttl),
        }
    }

    /// Hears from now on when who keeps a lease alive has to be judged anew.
    ///
    /// # Errors
    /// As the RPC.
    pub(crate) fn judged_anew(&self, caller: &Caller) -> Result<JudgedAnew, Error> {
        Ok(self.desk.judged_anew(&self.part_of(caller, Method::LeaseKeepAlive)?))
    }

    /// 0 if there is no such lease.
    async fn renew(&self, pass: &Pass, id: i64) -> Result<i64, Error> {
        let Desk { node, gate, .. } = &self.desk;
        gate.check(&gate.renew(pass), &LeaseKeepAliveRequest { id })?;
        match node.renew_now(id) {
            Some(ttl) => Ok(ttl),
            None => node.renew(id).await,
        }
    }

    /// # Errors
    /// As the RPC.
    pub async fn lease_revoke(
        &self,
        caller: &Caller,
        request: LeaseRevokeRequest,
    ) -> Result<LeaseRevokeResponse, Error> {
        let Desk { node, gate, .. } = &self.desk;
        if let Some(trail) = caller.trail() {
            let attached = || node.state().lessor.keys(request.id).unwrap_or_default();
            trail.asks_for(&request, || attached().into_iter().map(KeyRange::single).collect());
        }
        let pass = gate.admit(caller, Method::LeaseRevoke)?;
        let Answer { revision, .. } = self.desk.propose(&pass, request).await?;
        Ok(LeaseRevokeResponse { header: Some(node.header(revision)) })
    }

    /// # Errors
    /// As the RPC.
    pub async fn lease_time_to_live(
        &self,
        caller: &Caller,
        request: LeaseTimeToLiveRequest,
    ) -> Result<LeaseTimeToLiveResponse, Error> {
        note_subject(caller, &request);
        let pass = self.desk.gate.admit(caller, Method::LeaseTimeToLive)?;
        match self.time_to_live(&pass, request).await {
            Err(Error::AuthOldRevision) => {
                self.desk.anew(&pass, |pass| Box::pin(async move { self.time_to_live(&pass, request).await })).await
            }
            outcome => outcome,
        }
    }

    async fn time_to_live(
        &self,
        pass: &Pass,
        request: LeaseTimeToLiveRequest,
    ) -> Result<LeaseTimeToLiveResponse, Error> {
        let Desk { node, gate, .. } = &self.desk;
        let shown = ReadsOfLease(if request.keys { request.id } else { 0 });
        self.desk.allow(pass, &shown).await?;
        // As of before the leader is asked, which may be far away: what it knows then is at least this new. The revision after
        // its answer could be that of a revocation which the answer knows nothing of.
        let header = Some(node.current_header());
        match node.time_to_live(request).await {
            Ok(found) => {
                // The leader may know of keys that this member does not know of yet; or users and roles are others.
                gate.check(pass, &ReadsLeased(&found.keys))?;
                Ok(LeaseTimeToLiveResponse { header, ..found })
            }
            Err(Error::LeaseNotFound) => {
                Ok(LeaseTimeToLiveResponse { header, id: request.id, ttl: -1, ..Default::default() })
            }
            Err(error) => Err(error),
        }
    }

    /// # Errors
    /// As the RPC.
    pub async fn lease_leases(&self, caller: &Caller, _: LeaseLeasesRequest) -> Result<LeaseLeasesResponse, Error> {
        let pass = self.desk.gate.admit(caller, Method::LeaseLeases)?;
        match self.leases(&pass).await {
            Err(Error::AuthOldRevision) => {
                self.desk.anew(&pass, |pass| Box::pin(async move { self.leases(&pass).await })).await
            }
            outcome => outcome,
        }
    }

    async fn leases(&self, pass: &Pass) -> Result<LeaseLeasesResponse, Error> {
        let Desk { node, gate, bulk } = &self.desk;
        // As of before the look at the leases, which may then be newer but never older than the header says.
        let header = Some(node.current_header());
        let list = |node: &Node, gate: &Gate, pass: &Pass| {
            let ids = node.state().lessor.list();
            ids.iter().try_for_each(|id| gate.check(pass, &ReadsOfLease(*id)))?;
            Ok::<Vec<_>, Error>(ids.into_iter().map(|id| LeaseStatus { id }).collect())
        };
        let rules = gate.auth_revision();
        let leases = if node.state().lessor.count() <= LONG {
            list(node, gate, pass)
        } else {
            let lane = pass.caller().lane().cloned();
            let (node, gate, pass) = (node.clone(), gate.clone(), pass.clone());
            bulk.aside(lane.as_ref()).run(move |_| list(&node, &gate, &pass)).await?
        }?;
        gate.unchanged_since(rules)?;
        Ok(LeaseLeasesResponse { header, leases })
    }
}

impl Desk {
    pub(super) async fn grant(&self, pass: &Pass, mut request: LeaseGrantRequest) -> Result<LeaseGrantResponse, Error> {
        if request.ttl > MAX_TTL_SECONDS {
            return Err(Error::LeaseTtlTooLarge);
        }
        if request.id == 0 {
            request.id = self.node.next_lease_id();
        }
        // Here, and not where it is applied: other members may have other settings.
        request.ttl = request.ttl.max(self.node.limits().min_lease_ttl);
        self.check_quota(pass, &request).await?;
        let Answer { revision, reply } = self.propose(pass, request).await?;
        Ok(LeaseGrantResponse { header: Some(self.node.header(revision)), ..reply })
    }
}
