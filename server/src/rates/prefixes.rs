//! Buckets of prefixes: the operator names them, so there are few.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{Allowance, Touches};
use crate::config::Rate;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Prefixes(Vec<Prefix>);

#[derive(Debug)]
struct Prefix {
    prefix: Box<[u8]>,
    allowance: Allowance,
    taken: AtomicU64,
}

impl Prefix {
    fn take(&self, count: u32, now: u64) -> bool {
        let take = |taken| self.allowance.take(taken, count, now);
        count == 0 || self.taken.fetch_update(Relaxed, Relaxed, take).is_ok()
    }

    fn give_back(&self, count: u32) {
        let give_back = |taken| Some(self.allowance.give_back(taken, count));
        // It always gives something.
        let _ = self.taken.fetch_update(Relaxed, Relaxed, give_back);
    }
}

impl Prefixes {
    pub(super) fn new(rates: &[(String, Rate)]) -> Prefixes {
        let prefix = |(prefix, rate): &(String, Rate)| Prefix {
            prefix: prefix.as_bytes().into(),
            allowance: Allowance::of(*rate),
            taken: AtomicU64::new(0),
        };
        Prefixes(rates.iter().map(prefix).collect())
    }

    /// Takes what a request does under each prefix, or nothing.
    pub(super) fn take(&self, request: &impl Touches, now: u64) -> bool {
        let count = |prefix: &Prefix| request.operations(&prefix.prefix);
        let Some(lacking) = self.0.iter().position(|prefix| !prefix.take(count(prefix), now)) else { return true };
        for prefix in self.0.iter().take(lacking) {
            prefix.give_back(count(prefix));
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyport_api::etcdserverpb::PutRequest;

    fn put(key: &'static str) -> PutRequest {
        PutRequest { key: key.into(), ..PutRequest::default() }
    }

    #[test]
    fn a_key_counts_under_all_its_prefixes_or_under_none() {
        let rate = |burst| Rate { per_second: 1, burst };
        let prefixes = Prefixes::new(&[("/a/".to_owned(), rate(5)), ("/a/b/".to_owned(), rate(2))]);
        let admitted = |key, tries: u32| (0..tries).filter(|_| prefixes.take(&put(key), 0)).count();
        assert_eq!(admitted("/z", 100), 100);
        assert_eq!(admitted("/a/b/1", 100), 2);
        assert_eq!(admitted("/a/1", 100), 3, "what was refused below has taken nothing here");
    }
}
