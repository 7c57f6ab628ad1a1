//! A bucket of tokens, kept as one moment: when all that was taken will have come back.

use crate::config::Rate;

/// What a full bucket holds, and how soon a token comes back; all in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    /// For one token.
    each: u64,
    /// For all of them.
    whole: u64,
}

impl Allowance {
    pub(super) fn of(rate: Rate) -> Allowance {
        let each = (1_000_000_000 / u64::from(rate.per_second)).max(1);
        Allowance { each, whole: each.saturating_mul(u64::from(rate.burst)) }
    }

    /// When all will have come back that is `taken`, and `count` more; none if there are not so many now. Who wants more than
    /// there ever are has to find all of them, and leaves a debt.
    pub(super) fn take(self, taken: u64, count: u32, now: u64) -> Option<u64> {
        let begin = taken.max(now);
        let wanted = self.each.saturating_mul(u64::from(count));
        let fits = begin.saturating_add(wanted.min(self.whole)) <= now.saturating_add(self.whole);
        fits.then(|| begin.saturating_add(wanted))
    }

    /// How many there are now, and in how many seconds all of them.
    pub(super) fn left(self, taken: u64, now: u64) -> (u64, u64) {
        let owed = taken.saturating_sub(now);
        (self.whole.saturating_sub(owed) / self.each, owed.div_ceil(1_000_000_000))
    }

    /// The same with `count` less.
    pub(super) fn give_back(self, taken: u64, count: u32) -> u64 {
        taken.saturating_sub(self.each.saturating_mul(u64::from(count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn so_many_at_once_and_then_as_they_come_back() {
        let allowance = Allowance::of(Rate { per_second: 10, burst: 20 });
        let mut taken = 0;
        let mut admitted = |now: u64, tries: u32| {
            let mut take = || allowance.take(taken, 1, now).map(|until| taken = until).is_some();
            (0..tries).filter(|_| take()).count()
        };
        let start = 5 * SECOND;
        assert_eq!(admitted(start, 100), 20);
        assert_eq!(admitted(start + SECOND / 2, 100), 5);
        assert_eq!(admitted(start + SECOND * 3 / 2, 100), 10);
        assert_eq!(admitted(start + SECOND * 100, 100), 20, "no more than there is room for comes back");
        assert_eq!(admitted(start + SECOND * 100 + SECOND / 11, 1), 0);
        assert_eq!(admitted(start + SECOND * 100 + SECOND / 10, 2), 1);
    }

    #[test]
    fn what_is_more_than_there_ever_is_takes_all_and_is_paid_for() {
        let allowance = Allowance::of(Rate { per_second: 10, burst: 10 });
        let taken = allowance.take(0, 50, 0).unwrap();
        assert_eq!(taken, 5 * SECOND);
        assert_eq!(allowance.take(taken, 1, 4 * SECOND), None);
        assert_eq!(allowance.take(taken, 50, 4 * SECOND + SECOND / 10), None, "only when all are there again");
        assert!(allowance.take(taken, 1, 4 * SECOND + SECOND / 10).is_some());
        assert!(allowance.take(taken, 50, 5 * SECOND).is_some());
        assert_eq!(allowance.give_back(taken, 50), 0);
        assert_eq!(allowance.left(taken, 0), (0, 5));
        assert_eq!(allowance.left(taken, 9 * SECOND / 2), (5, 1));
        assert_eq!(allowance.left(taken, 5 * SECOND), (10, 0));
    }

    #[test]
    fn any_number_will_do() {
        for rate in [1, u32::MAX] {
            let allowance = Allowance::of(Rate { per_second: rate, burst: u32::MAX });
            let taken = allowance.take(u64::MAX - 5, u32::MAX, u64::MAX - 3).unwrap();
            assert_eq!(taken, u64::MAX);
        }
    }
}
