//! Calls that wait for what the token of each of them names: not many, and not many from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::rates::network;

/// From all addresses.
const MOST: usize = 512;
/// From one.
const MOST_OF_ADDRESS: usize = 64;

/// See the module's text. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Parked(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    of: HashMap<Option<IpAddr>, usize>,
}

/// A call waits, for as long as this is there.
#[derive(Debug)]
pub(super) struct Place {
    parked: Parked,
    network: Option<IpAddr>,
}

impl Parked {
    /// A place to wait in, if there is one.
    pub(super) fn take(&self, from: Option<IpAddr>) -> Option<Place> {
        let network = from.map(network);
        let mut counts = self.0.lock();
        let of_network = counts.of.get(&network).copied().unwrap_or_default();
        if counts.all >= MOST || of_network >= MOST_OF_ADDRESS {
            return None;
        }
        counts.all += 1;
        counts.of.insert(network, of_network + 1);
        Some(Place { parked: self.clone(), network })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.parked.0.lock();
        counts.all = counts.all.saturating_sub(1);
        let left = counts.of.get(&self.network).map_or(0, |count| count.saturating_sub(1));
        match left {
            0 => counts.of.remove(&self.network),
            left => counts.of.insert(self.network, left),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_places_for_an_address_and_for_all_and_they_come_back() {
        let parked = Parked::default();
        let from = |network: usize| Some(IpAddr::from(u32::try_from(network).unwrap().to_be_bytes()));
        let take =
            |network: usize, count: usize| (0..count).map_while(|_| parked.take(from(network))).collect::<Vec<_>>();
        let first = take(0, MOST);
        assert_eq!(first.len(), MOST_OF_ADDRESS);
        let others: Vec<_> = (1..100).flat_map(|network| take(network, 10)).collect();
        assert_eq!(first.len() + others.len(), MOST);
        assert!(parked.take(None).is_none());
        drop(first);
        assert_eq!(take(0, MOST).len(), MOST_OF_ADDRESS);
        drop(others);
        let Counts { all, of } = &*parked.0.lock();
        assert!(*all == 0 && of.is_empty());
    }
}
