//! `/v3/locks/{lock}` and `/v3/elections/{election}`: lines of those who want the same, of whom one is first. A lock is held by who is
//! first, an election is won by him, and what he says is the value of his place.
//!
//! A place belongs to a lease. A request that brings none is granted one, which ends with the place; it is renewed while the request
//! waits, and for as long as its stream is open if it asks for one ([`hold`]).

mod ask;
mod observe;
mod told;

use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use http::header::LOCATION;
use http::request::Parts;
use http::{Response, StatusCode};
use keyport_api::error::{self, Error};
use keyport_openapi::endpoints::Resource;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::own_lease::OwnLease;
use super::{address, hold, once, shown};
use crate::calls::{Caller, Calls, First, KeyLease, Line, PlaceWish};
use crate::faces::kit;
use crate::faces::text::GatewayBody;
use ask::{Ask, Owner};
use told::Kind;

/// A line, and who asks for something there.
#[derive(Clone, Debug)]
struct Desk {
    calls: Calls,
    caller: Caller,
    line: Line,
    kind: Kind,
    name: Bytes,
}

pub(super) async fn answer(
    calls: &Calls,
    caller: &Caller,
    resource: Resource,
    (parts, body): (&Parts, Bytes),
    stop: CancellationToken,
) -> Result<Response<GatewayBody>, Failure> {
    let (line, kind) = match resource {
        Resource::Lock | Resource::LockTake | Resource::LockRelease => (calls.lock.lines(), Kind::Lock),
        _ => (calls.election.lines(), Kind::Election),
    };
    let ask = Ask::read(resource, kind.path(), parts)?;
    let desk = Desk { calls: calls.clone(), caller: caller.clone(), line, kind, name: ask.name.clone() };
    match resource {
        Resource::LockTake | Resource::ElectionCampaign if ask.holds => desk.hold(ask, body, parts, stop).await,
        Resource::LockTake | Resource::ElectionCampaign => desk.take(ask, body, parts).await,
        Resource::LockRelease | Resource::ElectionResign => desk.leave(&ask).await,
        Resource::ElectionProclaim => desk.proclaim(&ask, body).await,
        Resource::Election if ask.watches => observe::answer(desk, parts, stop).await,
        _ => desk.look(&ask).await,
    }
}

impl Desk {
    /// Takes a place, or is told who has it.
    async fn take(self, ask: Ask, value: Bytes, parts: &Parts) -> Result<Response<GatewayBody>, Failure> {
        let wait = ask.wait.unwrap_or_default();
        let (lease, own) = match ask.owner {
            Owner::Lease(id) => (id, None),
            Owner::Ttl(seconds) => {
                once::refuse(&parts.headers, "who asks again with the same lease asks for what he has")?;
                // Who asks again and again has nothing written for that.
                if wait.is_zero()
                    && let Some(holder) = self.first().await?
                {
                    return Err(holder);
                }
                let own = self.own_lease(seconds).await?;
                (own.get().id, Some(own))
            }
        };
        let wish = self.wish(lease, value, !wait.is_zero());
        let taking = self.kept_alive(lease, own.as_ref(), self.line.take(&self.caller, wish));
        let taken = if wait.is_zero() {
            taking.await
        } else {
            tokio::select! {
                taken = timeout(wait, taking) => taken.unwrap_or(Ok(None)),
                () = kit::gone(parts) => Err(Error::Canceled),
            }
        };
        let Some(first) = taken? else {
            let gone = || Failure::Conflict("it was held, and is free by now: try again".into());
            return Err(self.first().await?.unwrap_or_else(gone));
        };
        if let Some(own) = &own
            && !own.renewed().await?
        {
            return Err(Error::SessionExpired.into());
        }
        let ttl = own.map(|own| own.keep().ttl);
        let mut response = shown::json(told::taken(&self.name, &first, lease, ttl));
        *response.status_mut() = StatusCode::CREATED;
        response.headers_mut().insert(LOCATION, address::place_of(self.kind.path(), &self.name));
        Ok(response)
    }

    /// The same for as long as a stream is open.
    async fn hold(
        self,
        ask: Ask,
        value: Bytes,
        parts: &Parts,
        stop: CancellationToken,
    ) -> Result<Response<GatewayBody>, Failure> {
        let Owner::Ttl(seconds) = ask.owner else {
            return Err(Failure::Malformed("what a stream holds has a lease of its own: leave out lease".into()));
        };
        let before = self.line.look(&self.caller, &self.name, told::MOST).await?;
        let own = self.own_lease(seconds).await?;
        let KeyLease { id: lease, ttl, .. } = own.get();
        let waiting = (!before.records.is_empty()).then(|| told::line(self.kind, &self.name, &before));
        let taking = async move {
            let taking = self.line.take(&self.caller, self.wish(lease, value, true));
            let taken = match ask.wait {
                Some(wait) => timeout(wait, taking).await.unwrap_or(Ok(None)),
                None => taking.await,
            };
            match taken? {
                Some(first) => Ok(told::taken(&self.name, &first, lease, Some(ttl))),
                None => Err(Failure::Conflict("it is held by somebody else".into())),
            }
        };
        Ok(hold::stream(parts, stop, own, waiting, taking))
    }

    async fn leave(&self, ask: &Ask) -> Result<Response<GatewayBody>, Failure> {
        let left = self.line.leave(&self.caller, &self.name, self.lease(ask)?).await?;
        let revision = left.ok_or(Failure::Missing(error::Kind::NotInLine, "that lease has no place here"))?;
        let mut response = shown::nothing();
        response.headers_mut().insert(shown::REVISION, revision.into());
        Ok(response)
    }

    async fn proclaim(&self, ask: &Ask, value: Bytes) -> Result<Response<GatewayBody>, Failure> {
        let lease = self.lease(ask)?;
        match self.line.proclaim(&self.caller, &self.name, lease, value).await? {
            Some(first) => Ok(shown::json(told::taken(&self.name, &first, lease, None))),
            None => Err(Failure::Conflict("that lease has no place here, or is not first".into())),
        }
    }

    async fn look(&self, ask: &Ask) -> Result<Response<GatewayBody>, Failure> {
        let reply = self.line.look(&self.caller, &self.name, ask.limit).await?;
        let mut response = shown::json(told::line(self.kind, &self.name, &reply));
        response.headers_mut().insert(shown::REVISION, reply.revision.into());
        Ok(response)
    }

    /// Who is in the way.
    async fn first(&self) -> Result<Option<Failure>, Error> {
        let reply = self.line.look(&self.caller, &self.name, 1).await?;
        Ok(reply
            .records
            .first()
            .map(|holder| Failure::Held(serde_json::from_slice(&told::place(holder)).unwrap_or_default())))
    }

    async fn own_lease(&self, seconds: i64) -> Result<OwnLease, Error> {
        OwnLease::for_key(&self.calls, &self.caller, &told::below(&self.name), seconds).await
    }

    fn wish(&self, lease: i64, value: Bytes, waits: bool) -> PlaceWish {
        PlaceWish { name: self.name.clone(), lease, value, waits }
    }

    fn lease(&self, ask: &Ask) -> Result<i64, Failure> {
        match ask.owner {
            Owner::Lease(id) => Ok(id),
            Owner::Ttl(_) => Err(Failure::Malformed("lease says whose place it is".into())),
        }
    }

    /// Waits for a place, renewing the lease if it is one's own, and for no longer than it is there.
    async fn kept_alive(
        &self,
        lease: i64,
        own: Option<&OwnLease>,
        taking: impl Future<Output = Result<Option<First>, Error>>,
    ) -> Result<Option<First>, Error> {
        let renewing = async {
            let Some(own) = own else { return pending().await };
            let mut judged_anew = match own.judged_anew() {
                Ok(judged_anew) => judged_anew,
                Err(error) => return error,
            };
            let mut every = interval(Duration::from_secs(own.get().ttl.unsigned_abs()) / 3);
            loop {
                tokio::select! {
                    _ = every.tick() => {}
                    due = judged_anew.is_due() => match due {
                        Ok(()) => {}
                        Err(error) => return error,
                    },
                }
                match own.renewed().await {
                    // Without a leader nothing ends, and there may be one again in time.
                    Ok(true) | Err(Error::NoLeader) => {}
                    Ok(false) => return Error::SessionExpired,
                    Err(error) => return error,
                }
            }
        };
        let ended = async {
            let (mut every, mut is_known) = (interval(hold::NOTICED), false);
            loop {
                every.tick().await;
                match (self.calls.lease.is_there(lease), is_known) {
                    (false, true) => return Error::SessionExpired,
                    (is_there, _) => is_known |= is_there,
                }
            }
        };
        tokio::select! {
            biased;
            taken = taking => taken,
            error = renewing => Err(error),
            error = ended => Err(error),
        }
    }
}
