//! How many connections an address may have (`--max-connections-per-address`).
//!
//! Who comes when all of them are taken gets the place of the one on which nothing has been asked for longest. If something
//! is going on on every one of them, it is he who goes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::vigil::Vigil;
use crate::metrics::{IntCounter, Metrics};
use crate::net::{Arrival, Face};
use crate::rates::network;

/// The connections of all addresses. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Crowd(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    /// Of one address.
    most: usize,
    /// Only those who have connections are in it.
    by_network: Mutex<HashMap<IpAddr, Vec<Arc<Member>>>>,
    closed_idle: IntCounter,
    closed_new: IntCounter,
}

#[derive(Debug)]
struct Member {
    vigil: Arc<Vigil>,
    wanted: CancellationToken,
}

/// A connection's place, which is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Arc<Inner>,
    network: IpAddr,
    member: Arc<Member>,
}

/// There is no place, and none can be had.
#[derive(Debug)]
pub(super) struct Full;

impl Crowd {
    /// `most` connections for each address; 0 for as many as it likes.
    pub(super) fn new(most: usize, metrics: &Metrics) -> Crowd {
        let closed = |which| metrics.address_connections_closed.with_label_values(&[which]);
        Crowd((most > 0).then(|| {
            let (closed_idle, closed_new) = (closed("idle"), closed("new"));
            Arc::new(Inner { most, by_network: Mutex::default(), closed_idle, closed_new })
        }))
    }

    /// A place for a connection, taken from another one if need be; none where nobody counts. `vigil` knows what it will be about.
    ///
    /// # Errors
    /// When all of the address's connections are being served.
    pub(super) fn enter(&self, arrival: &Arrival, face: Face, vigil: &Arc<Vigil>) -> Result<Option<Place>, Full> {
        // Whoever looks after this member gets in, and whoever is on the same machine without an address.
        match (&self.0, arrival.remote) {
            (Some(crowd), Some(remote)) if face != Face::Metrics => {
                Inner::enter(crowd, network(remote.ip()), vigil).map(Some)
            }
            _ => Ok(None),
        }
    }
}

impl Inner {
    fn enter(self: &Arc<Inner>, network: IpAddr, vigil: &Arc<Vigil>) -> Result<Place, Full> {
        let member = Arc::new(Member { vigil: Arc::clone(vigil), wanted: CancellationToken::new() });
        let mut by_network = self.by_network.lock();
        let members = by_network.entry(network).or_default();
        if members.len() >= self.most {
            let idle = members.iter().enumerate().filter_map(|(at, member)| Some((member.vigil.idle_since()?, at)));
            let Some((_, at)) = idle.min() else {
                self.closed_new.inc();
                return Err(Full);
            };
            members.remove(at).wanted.cancel();
            self.closed_idle.inc();
        }
        members.push(Arc::clone(&member));
        Ok(Place { crowd: Arc::clone(self), network, member })
    }
}

impl Place {
    /// What is cancelled when somebody else gets it.
    pub(super) fn wanted(&self) -> &CancellationToken {
        &self.member.wanted
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_network = self.crowd.by_network.lock();
        let Some(members) = by_network.get_mut(&self.network) else { return };
        members.retain(|member| !Arc::ptr_eq(member, &self.member));
        if members.is_empty() {
            by_network.remove(&self.network);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_has_been_idle_for_longest_makes_room() {
        let metrics = Metrics::new(false);
        let crowd = Crowd::new(3, &metrics).0.unwrap();
        let (here, there) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let come = |from| {
            let vigil = Arc::new(Vigil::default());
            let place = Inner::enter(&crowd, from, &vigil);
            (vigil, place)
        };
        let is_wanted = |place: &Result<Place, Full>| place.as_ref().unwrap().wanted().is_cancelled();
        let [(first, first_place), (second, second_place), (_third, third_place)] =
            [come(here), come(here), come(here)];
        first.heard(b"GET");
        let answering = first.answers();
        second.heard(b"GET");
        drop(second.answers());
        assert!(come(there).1.is_ok(), "others are not in the way");
        // The third has said nothing, but later than the second was answered it cannot have come.
        let (_fourth, fourth_place) = come(here);
        assert!(!is_wanted(&first_place) && (is_wanted(&second_place) != is_wanted(&third_place)));
        drop((second_place, third_place, fourth_place));
        assert_eq!(crowd.by_network.lock()[&here].len(), 1);

        let busy: Vec<_> = (0..2)
            .map(|_| {
                let (vigil, place) = come(here);
                (vigil.answers(), place.unwrap())
            })
            .collect();
        assert!(come(here).1.is_err(), "nothing is taken from those who are served");
        drop(answering);
        assert!(come(here).1.is_ok());
        drop((busy, first_place));
        assert_eq!(crowd.by_network.lock().len(), 0);
        assert_eq!((crowd.closed_idle.get(), crowd.closed_new.get()), (2, 1));
    }
}
