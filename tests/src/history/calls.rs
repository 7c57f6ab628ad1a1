//! What clients ask of leases, locks and elections, each told to the model as the transaction that it is: so the revision in
//! every answer's header is judged, and the effect on keys.

use keyport_api::etcdserverpb::{
    LeaseGrantRequest, LeaseRevokeRequest, LeaseTimeToLiveRequest, PutRequest, TxnRequest,
};
use keyport_api::v3electionpb::{CampaignRequest, LeaderKey, LeaderRequest, ProclaimRequest, ResignRequest};
use keyport_api::v3lockpb::{LockRequest, UnlockRequest};
use keyport_raft::sim::history::kv::{Answer, Guard, Keys, Outcome, Request, Txn};

use super::faces::{Face, Failure, answer, pair, signed, unsigned};
use crate::grpc::{IntoOp, bytes, put};

/// Seconds; longer than a test takes.
const TTL: i64 = 3600;

/// A lease, and the name under which it has its keys: nobody else touches them.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    pub(super) id: i64,
    pub(super) name: String,
}

impl Lease {
    /// Everything that it may have.
    fn keys(&self) -> Keys {
        Keys::range(&format!("{}.", self.name), &format!("{}0", self.name))
    }

    /// The two keys that it has from its first day to its last.
    fn pair(&self) -> [String; 2] {
        ["a", "b"].map(|key| format!("{}.{key}", self.name))
    }

    /// How many of the two there are, which is two for as long as the lease lives.
    fn life(&self) -> Txn {
        Txn::of(vec![Request::Count(Keys::range(&format!("{}.", self.name), &format!("{}/", self.name)))])
    }

    /// The one with which it stands in the line for its name.
    fn place(&self) -> String {
        format!("{}/{:x}", self.name, self.id)
    }
}

/// One request.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Keys(Txn),
    /// Grants a lease.
    Grant,
    /// Writes two keys under a lease.
    Attach(Lease, String),
    /// Revokes a lease that has so many keys.
    Revoke(Lease, u64),
    /// Renews a lease that has its keys.
    KeepAlive(Lease),
    /// Asks whether a lease still lives.
    TimeToLive(Lease),
    /// Takes a lock that nobody has.
    Lock(Lease),
    Unlock(Lease),
    /// Stands for an election alone.
    Campaign(Lease, String),
    /// Says something else as the leader since a revision.
    Proclaim(Lease, u64, String),
    /// Asks who leads.
    Leader(Lease),
    Resign(Lease, u64),
}

/// What is learnt besides what the model knows of.
#[derive(Clone, Debug, Default)]
pub(super) struct Learnt {
    /// The lease that was granted.
    pub(super) lease: i64,
    /// The revision since which an election is won.
    pub(super) since: u64,
}

impl Call {
    /// As the model knows it.
    pub(super) fn txn(&self) -> Txn {
        let create = |lease: &Lease, value: &str| Txn {
            guards: vec![Guard::CreateRevision(lease.place(), 0)],
            then: vec![Request::Put(lease.place(), value.to_owned())],
            otherwise: vec![Request::Range(Keys::one(&lease.place()))],
        };
        let change = |lease: &Lease, since: u64, change: Request| Txn {
            guards: vec![Guard::CreateRevision(lease.place(), since)],
            ..Txn::of(vec![change])
        };
        match self {
            Call::Keys(txn) => txn.clone(),
            Call::Grant => Txn::default(),
            Call::Attach(lease, value) => Txn::of(lease.pair().map(|key| Request::Put(key, value.clone())).into()),
            Call::Revoke(lease, _) => Txn::of(vec![Request::Delete(lease.keys())]),
            Call::KeepAlive(lease) | Call::TimeToLive(lease) => lease.life(),
            Call::Lock(lease) => create(lease, ""),
            Call::Unlock(lease) => Txn::delete(&lease.place()),
            Call::Campaign(lease, value) => create(lease, value),
            Call::Proclaim(lease, since, value) => change(lease, *since, Request::Put(lease.place(), value.clone())),
            Call::Leader(lease) => Txn::get(&lease.place()),
            Call::Resign(lease, since) => change(lease, *since, Request::Delete(Keys::one(&lease.place()))),
        }
    }

    /// What the server may do later, on its own, when the call fails: whoever leaves a line is taken out of it.
    pub(super) fn aftermath(&self) -> Option<Txn> {
        match self {
            Call::Lock(lease) | Call::Campaign(lease, _) => Some(Txn::delete(&lease.place())),
            _ => None,
        }
    }

    /// What a server answers. Of an etcd, revisions that it takes only after it has looked are left out.
    ///
    /// # Errors
    /// Whatever goes wrong.
    pub(super) async fn execute(&self, face: &Face, is_etcd: bool) -> Result<(Answer, Learnt), Failure> {
        let mut learnt = Learnt::default();
        let leader = |lease: &Lease, since: u64| {
            let (name, key) = (bytes(&lease.name), bytes(&lease.place()));
            Some(LeaderKey { name, key, rev: signed(since), lease: lease.id })
        };
        let said = match self {
            Call::Keys(txn) => face.execute(txn).await?,
            Call::Grant => {
                let granted = face.grant(LeaseGrantRequest { ttl: TTL, id: 0 }).await?;
                learnt.lease = granted.id;
                answer(granted.header, true, Vec::new())
            }
            Call::Attach(lease, value) => {
                let put = |key: String| PutRequest { lease: lease.id, ..put(&key, value) }.op();
                let done =
                    face.txn(TxnRequest { success: lease.pair().map(put).into(), ..TxnRequest::default() }).await?;
                answer(done.header, done.succeeded, vec![Outcome::Put, Outcome::Put])
            }
            Call::Revoke(lease, keys) => {
                let done = face.revoke(LeaseRevokeRequest { id: lease.id }).await?;
                answer(done.header, true, vec![Outcome::Delete(*keys)])
            }
            Call::KeepAlive(lease) => {
                let renewed = face.keep_alive(lease.id).await?;
                answer(renewed.header, true, vec![Outcome::Count(if renewed.ttl == TTL { 2 } else { 0 })])
            }
            Call::TimeToLive(lease) => {
                let found = face.time_to_live(LeaseTimeToLiveRequest { id: lease.id, keys: false }).await?;
                if found.ttl < 0 {
                    // Leases are gone a moment before their keys are, in etcd as well.
                    return Err(Failure::Unknown("no such lease".into()));
                }
                answer(found.header.filter(|_| !is_etcd), true, vec![Outcome::Count(2)])
            }
            Call::Lock(lease) => {
                let locked = face.lock(LockRequest { name: bytes(&lease.name), lease: lease.id }).await?;
                answer(locked.header, true, vec![Outcome::Put])
            }
            Call::Unlock(lease) => {
                let done = face.unlock(UnlockRequest { key: bytes(&lease.place()) }).await?;
                answer(done.header, true, vec![Outcome::Delete(1)])
            }
            Call::Campaign(lease, value) => {
                let (name, value) = (bytes(&lease.name), bytes(value));
                let won = face.campaign(CampaignRequest { name, lease: lease.id, value }).await?;
                learnt.since = won.leader.map_or(0, |leader| unsigned(leader.rev));
                answer(won.header, true, vec![Outcome::Put])
            }
            Call::Proclaim(lease, since, value) => {
                let request = ProclaimRequest { leader: leader(lease, *since), value: bytes(value) };
                answer(face.proclaim(request).await?.header, true, vec![Outcome::Put])
            }
            Call::Leader(lease) => {
                let seen = face.leader(LeaderRequest { name: bytes(&lease.name) }).await?;
                answer(seen.header, true, vec![Outcome::Range(seen.kv.iter().map(pair).collect())])
            }
            Call::Resign(lease, since) => {
                let done = face.resign(ResignRequest { leader: leader(lease, *since) }).await?;
                answer(done.header, true, vec![Outcome::Delete(1)])
            }
        };
        Ok((said, learnt))
    }
}
