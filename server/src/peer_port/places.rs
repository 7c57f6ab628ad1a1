//! Places for connections on the peer port. Whoever comes in gets one; when it gets tight, whoever has shown the least of
//! belonging to the cluster, and among those who has done nothing for longest, is closed for it.
//!
//! Raft's streams need none: there is one for each member, and they leave this port for Raft once they are checked.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// A few for each member of a large cluster.
const PLACES: usize = 512;
/// Members may share an address, and each keeps some connections.
const PLACES_OF_ADDRESS: usize = PLACES / 2;
/// Between two complaints about a lack of places.
const COMPLAINT: Duration = Duration::from_secs(60);

/// What a connection has shown so far; the less, the sooner it is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// Nothing, as who wants to join does at first.
    Stranger,
    /// It knows the cluster.
    Named,
    /// It delivers what only a member has; never closed for others.
    Member,
}

/// All places. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    last: u64,
    by_number: HashMap<u64, Arc<Seat>>,
    complained: Option<Instant>,
}

#[derive(Debug)]
struct Seat {
    address: IpAddr,
    state: Mutex<State>,
    closed: CancellationToken,
}

#[derive(Clone, Copy, Debug)]
struct State {
    standing: Standing,
    /// When it was taken, or last had a request begin or end.
    since: Instant,
}

/// A connection's place; given back when the last clone is dropped.
#[derive(Clone, Debug)]
pub(super) struct Place(Arc<Holder>);

#[derive(Debug)]
struct Holder {
    places: Places,
    number: u64,
    seat: Arc<Seat>,
}

impl Places {
    /// A place for a connection from there, taken from another one if need be. None when all are members'.
    pub(super) fn take(&self, address: IpAddr) -> Option<Place> {
        let mut taken = self.0.lock();
        let address = address.to_canonical();
        let of_address = taken.by_number.values().filter(|seat| seat.address == address).count();
        if of_address >= PLACES_OF_ADDRESS {
            taken.close_one(|seat| seat.address == address)?;
        } else if taken.by_number.len() >= PLACES {
            taken.close_one(|_| true)?;
        }
        taken.last += 1;
        let number = taken.last;
        let state = State { standing: Standing::Stranger, since: Instant::now() };
        let seat = Arc::new(Seat { address, state: Mutex::new(state), closed: CancellationToken::new() });
        taken.by_number.insert(number, Arc::clone(&seat));
        Some(Place(Arc::new(Holder { places: self.clone(), number, seat })))
    }
}

impl Taken {
    fn close_one(&mut self, among: impl Fn(&Seat) -> bool) -> Option<()> {
        let seats = self.by_number.iter().filter(|(_, seat)| among(seat));
        let states = seats.map(|(number, seat)| (*number, *seat.state.lock()));
        let (number, _) = states
            .filter(|(_, state)| state.standing < Standing::Member)
            .min_by_key(|(_, state)| (state.standing, state.since))?;
        let seat = self.by_number.remove(&number)?;
        seat.closed.cancel();
        if self.complained.is_none_or(|at| at.elapsed() >= COMPLAINT) {
            self.complained = Some(Instant::now());
            tracing::warn!(
                address = %seat.address,
                "too many connections on the peer port: closing those that have not shown to belong to the cluster"
            );
        }
        Some(())
    }
}

impl Place {
    /// A whole head has come in.
    pub(super) fn answers(&self) {
        self.0.seat.state.lock().since = Instant::now();
    }

    /// The request is answered. Whoever has delivered something is one who knows the cluster from then on.
    pub(super) fn has_answered(&self) {
        let mut state = self.0.seat.state.lock();
        state.since = Instant::now();
        state.standing = state.standing.min(Standing::Named);
    }

    /// The connection has shown so much.
    pub(super) fn rise(&self, standing: Standing) {
        let mut state = self.0.seat.state.lock();
        state.standing = state.standing.max(standing);
    }

    /// Done when another connection got this place.
    pub(super) async fn lost(&self) {
        self.0.seat.closed.cancelled().await;
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.places.0.lock().by_number.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    fn is_lost(place: &Place) -> bool {
        place.0.seat.closed.is_cancelled()
    }

    #[test]
    fn who_has_shown_least_goes_first_and_then_who_came_first() {
        let places = Places::default();
        let named = places.take(address(1)).unwrap();
        named.rise(Standing::Named);
        let mut strangers: Vec<Place> = (1..PLACES_OF_ADDRESS).map(|_| places.take(address(1)).unwrap()).collect();
        // Of this address only; there is room for others.
        strangers.push(places.take(address(1)).unwrap());
        let lost: Vec<usize> = (0..strangers.len()).filter(|n| is_lost(&strangers[*n])).collect();
        assert_eq!((lost, is_lost(&named)), (vec![0], false));
        let others: Vec<Place> =
            (0..PLACES_OF_ADDRESS).map(|n| places.take(address(2 + u8::try_from(n % 8).unwrap())).unwrap()).collect();
        assert!(others.iter().chain(&strangers[1..]).all(|place| !is_lost(place)));
        let _more = places.take(address(20)).unwrap();
        assert!(is_lost(&strangers[1]) && others.iter().chain(&strangers[2..]).all(|place| !is_lost(place)));
        // What is given back is free again.
        drop((strangers, others, named));
        assert_eq!(places.0.lock().by_number.len(), 1);
    }

    #[test]
    fn members_are_never_closed_for_others() {
        let places = Places::default();
        let members: Vec<Place> = (0..PLACES_OF_ADDRESS).map(|_| places.take(address(1)).unwrap()).collect();
        members.iter().for_each(|place| place.rise(Standing::Member));
        assert!(places.take(address(1)).is_none());
        members[7].has_answered();
        assert!(places.take(address(1)).is_some() && is_lost(&members[7]));
    }
}
