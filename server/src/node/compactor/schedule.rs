//! When history is forgotten, and how much of it: as etcd decides.

use std::collections::VecDeque;
use std::time::Duration;

/// A period is sampled this many times an hour or a period, whichever is shorter.
const SAMPLES: u32 = 10;
/// However short the period.
const SHORTEST_SAMPLE: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// By age: a window of sampled revisions, the oldest of which is what the store had a period ago. The first compaction comes after a
/// period, later ones each hour, or each period if that is shorter.
#[derive(Debug)]
pub(super) struct ByAge {
    pub(super) interval: Duration,
    window: usize,
    samples: VecDeque<i64>,
    last: i64,
    until_next: usize,
}

impl ByAge {
    pub(super) fn new(period: Duration) -> ByAge {
        let interval = (period.min(HOUR) / SAMPLES).max(SHORTEST_SAMPLE);
        let window = usize::try_from(period.as_nanos() / interval.as_nanos()).unwrap_or(usize::MAX);
        ByAge { interval, window, samples: VecDeque::new(), last: 0, until_next: window }
    }

    /// Each `interval`, by leaders and others alike: what is to be compacted, if it is time.
    pub(super) fn sample(&mut self, revision: i64) -> Option<i64> {
        self.samples.push_back(revision);
        if self.samples.len() > self.window.saturating_add(1) {
            self.samples.pop_front();
        }
        if self.until_next > 0 {
            self.until_next -= 1;
            return None;
        }
        self.samples.front().copied().filter(|revision| *revision != self.last && *revision > 0)
    }

    /// The store is compacted up to there. Otherwise it is tried again at the next sample.
    pub(super) fn compacted(&mut self, revision: i64) {
        self.last = revision;
        self.until_next = SAMPLES as usize - 1;
    }
}

/// By number: all but the last so many revisions.
#[derive(Debug)]
pub(super) struct ByCount {
    keep: i64,
    last: i64,
}

impl ByCount {
    pub(super) fn new(keep: i64) -> ByCount {
        ByCount { keep, last: 0 }
    }

    /// What is to be compacted, if anything is.
    pub(super) fn due(&self, revision: i64) -> Option<i64> {
        Some(revision.saturating_sub(self.keep)).filter(|revision| *revision > 0 && *revision != self.last)
    }

    pub(super) fn compacted(&mut self, revision: i64) {
        self.last = revision;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// Samples number, number + 1, ...: after how many which revisions were compacted.
    fn run(period: Duration, samples: usize, fails: impl Fn(usize) -> bool) -> (Duration, Vec<(usize, i64)>) {
        let mut schedule = ByAge::new(period);
        let mut done = Vec::new();
        for number in 0..samples {
            if let Some(revision) = schedule.sample(number as i64 + 1)
                && !fails(number)
            {
                schedule.compacted(revision);
                done.push((number, revision));
            }
        }
        (schedule.interval, done)
    }

    #[test]
    fn a_day_is_looked_at_each_six_minutes_and_compacted_each_hour() {
        let (interval, done) = run(24 * HOUR, 261, |_| false);
        assert_eq!(interval, 6 * MINUTE);
        // 240 samples are a day: what was there a day ago.
        assert_eq!(done, [(240, 1), (250, 11), (260, 21)]);
    }

    #[test]
    fn five_minutes_are_compacted_each_five_minutes() {
        let (interval, done) = run(5 * MINUTE, 31, |_| false);
        assert_eq!(interval, MINUTE / 2);
        assert_eq!(done, [(10, 1), (20, 11), (30, 21)]);
    }

    #[test]
    fn what_fails_is_tried_again_at_the_next_sample() {
        let (_, done) = run(5 * MINUTE, 25, |number| (10..13).contains(&number));
        assert_eq!(done, [(13, 4), (23, 14)]);
    }

    #[test]
    fn nothing_is_compacted_twice() {
        let mut schedule = ByAge::new(HOUR);
        for _ in 0..10 {
            assert_eq!(schedule.sample(7), None);
        }
        assert_eq!(schedule.sample(7), Some(7));
        schedule.compacted(7);
        for _ in 0..30 {
            assert_eq!(schedule.sample(7), None, "nothing has changed since");
        }
    }

    #[test]
    fn however_short_the_period_there_is_a_window() {
        let (interval, done) = run(Duration::from_nanos(1), 12, |_| false);
        assert_eq!(interval, SHORTEST_SAMPLE);
        assert_eq!(done.first(), Some(&(0, 1)));
    }

    #[test]
    fn the_last_revisions_are_kept() {
        let mut schedule = ByCount::new(100);
        assert_eq!(schedule.due(100), None);
        assert_eq!(schedule.due(101), Some(1));
        schedule.compacted(1);
        assert_eq!(schedule.due(101), None);
        assert_eq!(schedule.due(250), Some(150), "tried again until it succeeds");
        assert_eq!(schedule.due(250), Some(150));
        assert_eq!(ByCount::new(i64::MAX).due(5), None);
    }
}
