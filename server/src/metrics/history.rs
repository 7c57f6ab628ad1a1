//! What was counted of late: a sample every five seconds for an hour, and one a minute for a day. What is older is forgotten, and
//! so is all of it when the process ends.
//!
//! A sample is read from the metrics that are there anyway, so nobody who is counted waits for it.

mod reading;
mod sample;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::Metrics;
use reading::Reading;
pub(crate) use sample::Sample;

/// Between two samples.
pub(crate) const INTERVAL: Duration = Duration::from_secs(5);

/// Fine samples that are kept: those of an hour.
const FINE: usize = 720;
/// Of so many fine ones a coarse one is made.
const IN_COARSE: u32 = 12;
/// Coarse samples that are kept: those of a day.
const COARSE: usize = 1440;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct History {
    kept: Mutex<Kept>,
    /// When the newest sample was made.
    newest: watch::Sender<i64>,
}

#[derive(Debug, Default)]
struct Kept {
    last: Option<(i64, Reading)>,
    fine: VecDeque<Sample>,
    coarse: VecDeque<Sample>,
    /// The coarse one to be, and of how many it is made.
    growing: Option<(Sample, u32)>,
}

impl Default for History {
    fn default() -> History {
        History { kept: Mutex::default(), newest: watch::Sender::new(0) }
    }
}

impl History {
    /// What was counted since some moment (Unix time in milliseconds), the oldest first; in steps of so many milliseconds, the
    /// step that is under way left out. Steps shorter than the interval between samples are no steps.
    pub(crate) fn since(&self, moment: i64, step: i64) -> Vec<Sample> {
        let kept = self.kept.lock();
        let begin = kept.fine.front().map_or(i64::MAX, |sample| sample.end - sample.span);
        let older = kept.coarse.iter().filter(|sample| sample.end <= begin);
        let all = older.chain(&kept.fine).filter(|sample| sample.end > moment);
        sample::in_steps(all, step, whole(INTERVAL))
    }

    /// When the newest sample was made, and when another one is: Unix time in milliseconds.
    pub(crate) fn newest(&self) -> watch::Receiver<i64> {
        self.newest.subscribe()
    }

    fn add(&self, now: i64, reading: Reading) {
        let mut kept = self.kept.lock();
        // Clocks are set back; what was later is not earlier for that.
        let now = kept.last.as_ref().map_or(now, |(last, _)| now.max(last + 1));
        let Some((last, before)) = kept.last.replace((now, reading.clone())) else { return };
        kept.keep(Sample::between((last, &before), (now, reading)));
        drop(kept);
        self.newest.send_replace(now);
    }
}

impl Kept {
    fn keep(&mut self, sample: Sample) {
        let (mut coarse, count) = match self.growing.take() {
            Some((growing, count)) => (growing.and(&sample), count + 1),
            None => (sample.clone(), 1),
        };
        if count < IN_COARSE {
            self.growing = Some((coarse, count));
        } else {
            coarse.shrink();
            push(&mut self.coarse, COARSE, coarse);
        }
        push(&mut self.fine, FINE, sample);
    }
}

fn push(samples: &mut VecDeque<Sample>, most: usize, sample: Sample) {
    if samples.len() >= most {
        samples.pop_front();
    }
    samples.push_back(sample);
}

/// Keeps the history of what is counted. Runs for as long as it is waited for.
pub(crate) async fn keep(metrics: Arc<Metrics>) {
    let mut every = interval(INTERVAL);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        metrics.refresh();
        metrics.history.add(unix_millis(), Reading::of(&metrics));
    }
}

/// The time, in milliseconds of Unix time.
pub(crate) fn unix_millis() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, whole)
}

fn whole(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    /// A history of `count` samples, `puts` of which are made between any two.
    fn of(count: i64, puts: u32) -> (Metrics, History) {
        let (metrics, history) = (Metrics::new(false), History::default());
        history.add(0, Reading::of(&metrics));
        for number in 1..=count {
            (0..puts).for_each(|_| metrics.time_request("Put").succeeded());
            history.add(number * 5000, Reading::of(&metrics));
        }
        (metrics, history)
    }

    #[test]
    fn samples_say_what_happened_between_them() {
        let (metrics, history) = of(1, 3);
        metrics.keys.set(7);
        metrics.time_request("Range").ranged(std::time::Instant::now(), true);
        history.add(10_000, Reading::of(&metrics));
        let samples = history.since(0, 0);
        assert_eq!(samples.iter().map(|sample| sample.end).collect::<Vec<_>>(), [5000, 10_000]);
        let told: Vec<_> = samples.iter().map(|sample| serde_json::to_value(sample).unwrap()).collect();
        assert_eq!((&told[0]["writes"], &told[0]["reads"], &told[0]["keys"]), (&3.into(), &0.into(), &0.into()));
        assert_eq!((&told[1]["writes"], &told[1]["reads"], &told[1]["keys"]), (&0.into(), &1.into(), &7.into()));
        assert!(told[0]["put_p99"].as_f64().is_some_and(|p99| p99 > 0.0 && p99 <= 0.001), "{}", told[0]);
        assert!(told[1].get("put_p99").is_none() && told[1]["range_p50"].is_f64(), "{}", told[1]);
        assert_eq!((&told[1]["time"], &told[1]["seconds"]), (&"1970-01-01T00:00:10.000Z".into(), &5.0.into()));
        assert_eq!(history.since(5000, 0).len(), 1, "what is later than that");
    }

    #[test]
    fn memory_is_bounded_and_a_day_is_kept() {
        let count = 20_000;
        let (_metrics, history) = of(count, 1);
        let kept = history.kept.lock();
        assert_eq!((kept.fine.len(), kept.coarse.len()), (FINE, COARSE));
        drop(kept);
        let all = history.since(0, 0);
        assert!(all.is_sorted_by(|one, next| one.end <= next.end - next.span), "none is told twice");
        let first = &all[0];
        assert!(first.end - first.span <= (count - 17_280) * 5000, "{first:?}");
        assert_eq!(all.last().unwrap().end, count * 5000);
    }

    #[test]
    fn steps_are_whole() {
        let (_metrics, history) = of(25, 2);
        let steps = history.since(0, 60_000);
        let told: Vec<_> = steps.iter().map(|sample| serde_json::to_value(sample).unwrap()).collect();
        // 125 seconds: the third minute is not over.
        assert_eq!(steps.iter().map(|sample| sample.end).collect::<Vec<_>>(), [60_000, 120_000]);
        assert!(told.iter().all(|sample| sample["writes"] == 24 && sample["seconds"] == 60.0), "{told:?}");
    }

    #[test]
    fn time_does_not_go_back() {
        let (metrics, history) = of(1, 1);
        history.add(1000, Reading::of(&metrics));
        assert_eq!(history.since(0, 0).iter().map(|sample| sample.end).collect::<Vec<_>>(), [5000, 5001]);
        assert_eq!(*history.newest().borrow(), 5001);
    }
}
