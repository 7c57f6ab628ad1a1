//! `etcdserverpb.Watch`: one subscription to the hub, in whatever encoding its face wants.

mod once;
mod reply;
mod session;

use keyport_api::error::Error;
use keyport_api::etcdserverpb::WatchRequest;
use keyport_api::methods::Method;
use keyport_storage::KeyRange;
use keyport_storage::watch::WatchStream;
use tokio_stream::Stream;
use tonic::Status;

use super::Desk;
use crate::auth::Watches;
use crate::gate::{Caller, Heard, Pass, StreamEnd};
pub(crate) use reply::WatchReply;
pub(crate) use session::WatchSession;

/// See the module's text.
#[derive(Clone, Debug)]
pub struct Watch {
    desk: Desk,
}

/// A place at the hub for a face that watches without the messages of the RPC.
#[derive(Debug)]
pub struct Subscription {
    /// Nobody watches yet.
    pub stream: WatchStream,
    /// The reason to end, once there is one.
    pub(crate) end: StreamEnd,
    /// When it has to be asked whether the caller may still watch.
    pub(crate) rules_changed: Heard,
    pass: Pass,
}

impl Watch {
    pub(super) fn new(desk: Desk) -> Watch {
        Watch { desk }
    }

    /// Serves one stream of watch requests. The end of `requests` does not end it; dropping the session does.
    ///
    /// # Errors
    /// As the RPC.
    pub fn watch<S>(&self, caller: &Caller, requests: S) -> Result<WatchSession<S>, Error>
    where
        S: Stream<Item = Result<WatchRequest, Status>> + Send + Unpin + 'static,
    {
        let pass = self.desk.gate.admit(caller, Method::Watch)?;
        Ok(WatchSession::new(self.desk.clone(), pass, requests))
    }

    /// A stream of the hub's own messages, for who may read all of `ranges`.
    ///
    /// # Errors
    /// As the RPC.
    pub fn subscribe(&self, caller: &Caller, ranges: &[KeyRange]) -> Result<Subscription, Error> {
        let Desk { node, gate, .. } = &self.desk;
        if let Some(trail) = caller.trail() {
            trail.asks_for_keys(|| ranges.to_vec());
        }
        let pass = gate.admit(caller, Method::Watch)?;
        // From before the check on, lest a change in between is missed.
        let rules_changed = gate.rules_changed();
        gate.check(&pass, &Watches(ranges))?;
        gate.count_one(&pass, &Watches(ranges))?;
        let (stream, end) = (node.state().hub.stream(), gate.end_of(&pass));
        Ok(Subscription { stream, end, rules_changed, pass })
    }

    /// Whether the caller may still watch what he watches.
    ///
    /// # Errors
    /// Why not.
    pub fn still_may(&self, subscription: &Subscription) -> Result<(), Error> {
        let mut watched = subscription.stream.watched().into_iter();
        watched.try_for_each(|(_, watched)| self.desk.gate.still_may_read(&subscription.pass, watched.ranges()))
    }

    /// The compacted revision.
    pub fn compacted(&self) -> i64 {
        self.desk.node.store().compacted()
    }

    /// The revision that this member has come to.
    pub fn revision(&self) -> i64 {
        self.desk.node.store().revision()
    }
}
