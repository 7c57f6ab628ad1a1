//! Backups that a member makes of itself, from time to time, into a directory.
//!
//! The next one is due when the newest is old enough, whoever has made that: a restart neither makes one early nor puts one
//! off. Each is written aside and gone through again before it has its name, and only then the oldest ones go. One that
//! fails is told and counted, and disturbs nothing else.

mod files;
mod make;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use keyport_raft::wal::make_dir;
use tokio::sync::oneshot;

use crate::config::BackupConfig;
use crate::metrics::Metrics;
use crate::node::Node;
use files::Files;
use make::MakeError;

/// After one that failed the next one is due in this part of the interval, within these bounds.
const RETRY_PART: u32 = 10;
const RETRY_AT_LEAST: Duration = Duration::from_secs(1);
const RETRY_AT_MOST: Duration = Duration::from_secs(300);
/// What the age is while there is no backup.
const NEVER: i64 = -1;

/// See the module's text.
#[derive(Debug)]
pub struct Schedule(BackupConfig);

/// Why a member does not start.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    #[error("--backup-dir: cannot make {}: {source}", path.display())]
    Make { path: PathBuf, source: io::Error },
    #[error("--backup-dir: cannot write to {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl Schedule {
    /// Makes the directory, if it is not there, and sees whether it can be written to.
    ///
    /// # Errors
    /// When it cannot.
    pub fn open(config: &BackupConfig) -> Result<Schedule, ScheduleError> {
        let path = || config.dir.clone();
        make_dir(&config.dir).map_err(|source| ScheduleError::Make { path: path(), source })?;
        files::probe(&config.dir).map_err(|source| ScheduleError::Write { path: path(), source })?;
        Ok(Schedule(config.clone()))
    }

    /// Makes them for as long as the node runs.
    pub(crate) async fn run(self, node: Node) {
        let Schedule(config) = self;
        let files = Files::of(&config.dir, node.identity().member_id);
        files.clean_up();
        let made = Arc::new(AtomicI64::new(0));
        show_age(node.metrics(), &made);
        let mut retry = None;
        loop {
            let newest = files.newest();
            if let Some(newest) = &newest {
                made.store(seconds(newest.made), Ordering::Relaxed);
                node.metrics().backup_size.set(i64::try_from(newest.bytes).unwrap_or(i64::MAX));
            }
            let age = newest.map(|newest| newest.made.elapsed().unwrap_or_default());
            let due = age.map_or(Duration::ZERO, |age| config.interval.saturating_sub(age));
            tokio::time::sleep(retry.map_or(due, |retry| due.max(retry))).await;
            retry = match make_one(&node, &files).await {
                Ok(()) => {
                    files.keep_newest(config.keep);
                    None
                }
                Err(error) => {
                    let pause = (config.interval / RETRY_PART).clamp(RETRY_AT_LEAST, RETRY_AT_MOST);
                    node.metrics().backup_failures.inc();
                    tracing::error!(%error, dir = %config.dir.display(), next = ?pause, "failed to make a backup");
                    Some(pause)
                }
            };
        }
    }
}

/// On a thread of its own, which lets everybody else go first, and gives up when nobody waits any more.
async fn make_one(node: &Node, files: &Files) -> Result<(), MakeError> {
    let (state, part, started) = (node.shared_state(), files.next(), Instant::now());
    let (tell, told) = oneshot::channel();
    let work = move || {
        let made = make::make(&state.backend, part, &|| !tell.is_closed());
        // Nobody may be left to hear of it.
        let _ = tell.send(made);
    };
    std::thread::Builder::new().name("keyport-backup".to_owned()).spawn(work).map_err(MakeError::Thread)?;
    let made = told.await.map_err(|_| MakeError::Panicked)??;
    let took = started.elapsed();
    node.metrics().backup_duration.observe(took.as_secs_f64());
    let make::Made { path, bytes, revision, keys } = made;
    tracing::info!(file = %path.display(), bytes, revision, keys, ?took, "made a backup");
    Ok(())
}

fn show_age(metrics: &Metrics, made: &Arc<AtomicI64>) {
    let made = Arc::clone(made);
    metrics.on_scrape(move |metrics| {
        let made = made.load(Ordering::Relaxed);
        let age = if made == 0 { NEVER } else { (seconds(SystemTime::now()) - made).max(0) };
        metrics.backup_age.set(age);
    });
}

fn seconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_secs()).ok()).unwrap_or(0)
}
