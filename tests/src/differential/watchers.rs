//! The watchers of one server: what each has seen, and what it should have.

use std::time::{Duration, Instant};

use keyport_api::etcdserverpb::{WatchCreateRequest, WatchResponse};
use keyport_api::mvccpb::Event;
use keyport_api::mvccpb::event::EventType;

use crate::Server;
use crate::grpc::{Grpc, WatchStream};
use crate::http::Http;
use crate::wait::{PATIENCE, eventually};

/// One watcher on a stream of its own.
struct Watcher {
    asked: WatchCreateRequest,
    stream: WatchStream,
    /// The first revision it gets.
    from: i64,
    seen: Vec<Event>,
    /// Compacted away: nothing follows.
    ended: Option<i64>,
}

/// All of one server, and the one that has seen everything since the beginning.
pub(super) struct Watchers {
    grpc: Grpc,
    http: Http,
    old: bool,
    everything: WatchStream,
    history: Vec<Event>,
    all: Vec<Watcher>,
}

fn at(event: &Event) -> i64 {
    event.kv.as_ref().map_or(0, |kv| kv.mod_revision)
}

impl Watchers {
    pub(super) async fn new(server: &Server) -> Watchers {
        let (mut grpc, http, old) = (server.grpc().await, server.http(), server.older_than("3.6"));
        let mut everything = grpc.watch();
        everything
            .create(WatchCreateRequest { range_end: b"\0".to_vec().into(), ..WatchCreateRequest::default() })
            .await;
        Watchers { grpc, http, old, everything, history: Vec::new(), all: Vec::new() }
    }

    pub(super) async fn open(&mut self, asked: WatchCreateRequest, compacted: i64) {
        let mut stream = self.grpc.watch();
        let created = stream.create(asked.clone()).await;
        let current = created.header.map_or(0, |h| h.revision);
        let from = if asked.start_revision == 0 { current + 1 } else { asked.start_revision };
        let ended = created.canceled.then_some(0);
        let mut watcher = Watcher { asked, stream, from, seen: Vec::new(), ended };
        while watcher.ended.is_none() && from < compacted {
            let message = watcher.stream.next().await;
            watcher.take(message);
        }
        if from <= current {
            self.read_history(&mut watcher).await;
        }
        self.all.push(watcher);
    }

    /// Waits until a watcher has left history behind: only then a compaction cannot overtake it.
    async fn read_history(&self, w: &mut Watcher) {
        if w.ended.is_some() {
            return;
        }
        if self.old {
            // There, progress says nothing; a gauge counts the watchers that are behind.
            let behind = || async {
                let metrics = self.http.get("/metrics").await.text();
                metrics.contains("\netcd_debugging_mvcc_slow_watcher_total 0\n").then_some(())
            };
            return eventually("no watcher is behind", behind).await;
        }
        let end = Instant::now() + PATIENCE;
        loop {
            w.stream.progress().await;
            while let Ok(message) = tokio::time::timeout(Duration::from_millis(50), w.stream.message()).await {
                let message = message.ok().flatten().expect("the stream goes on");
                if message.watch_id == -1 {
                    return;
                }
                w.take(message);
            }
            assert!(Instant::now() < end, "{:?}: no progress", w.asked);
        }
    }

    pub(super) fn deletes_at(&self, revision: i64) -> bool {
        self.history.iter().any(|e| at(e) == revision && e.r#type() == EventType::Delete)
    }

    /// Waits until everything up to `revision` has been seen, by all who should.
    pub(super) async fn catch_up(&mut self, revision: i64) -> Result<(), String> {
        while self.history.last().map_or(1, at) < revision {
            let more = self.everything.next().await.events;
            self.history.extend(more);
        }
        for w in &mut self.all {
            let due = self.history.iter().filter(|e| w.wants(e)).count();
            while w.ended.is_none() && w.seen.len() < due {
                let message = w.stream.next().await;
                w.take(message);
            }
            w.check(&self.history)?;
        }
        Ok(())
    }

    /// Cancels all watchers: what they still send before that is too much.
    pub(super) async fn nothing_more(&mut self) -> Result<(), String> {
        for w in self.all.iter_mut().filter(|w| w.ended.is_none()) {
            w.stream.cancel(0).await;
            let mut message = w.stream.next().await;
            while message.watch_id == -1 {
                message = w.stream.next().await; // asked for progress twice
            }
            if !message.canceled || !message.events.is_empty() {
                return Err(format!("{:?} got more than it should: {message:?}", w.asked));
            }
        }
        Ok(())
    }

    /// Whether two servers' watchers saw the same; how many events that were.
    pub(super) fn compare(&self, other: &Watchers) -> Result<usize, String> {
        if self.history != other.history {
            let same = self.history.iter().zip(&other.history).take_while(|(x, y)| x == y).count();
            let (x, y) = (self.history.get(same), other.history.get(same));
            return Err(format!("histories differ:\none: {x:?}\ntwo: {y:?}"));
        }
        for (x, y) in self.all.iter().zip(&other.all) {
            if x.ended != y.ended || x.seen != y.seen {
                let same = x.seen.iter().zip(&y.seen).take_while(|(x, y)| x == y).count();
                let (e, f) = (x.seen.get(same), y.seen.get(same));
                return Err(format!("{:?}\none: {:?} {e:#?}\ntwo: {:?} {f:#?}", x.asked, x.ended, y.ended));
            }
        }
        Ok(self.history.len() + self.all.iter().map(|w| w.seen.len()).sum::<usize>())
    }
}

impl Watcher {
    fn take(&mut self, message: WatchResponse) {
        if message.canceled {
            self.ended = Some(message.compact_revision);
        }
        self.seen.extend(message.events);
    }

    fn wants(&self, event: &Event) -> bool {
        let Some(kv) = &event.kv else { return false };
        let (key, end) = (&self.asked.key, &self.asked.range_end);
        let inside = match &end[..] {
            [] => kv.key == *key,
            [0] => kv.key >= *key,
            end => kv.key >= *key && &kv.key[..] < end,
        };
        inside && at(event) >= self.from && !self.asked.filters.contains(&event.r#type)
    }

    /// What it saw must be what happened.
    fn check(&self, history: &[Event]) -> Result<(), String> {
        let plain = |e: &Event| Event { prev_kv: None, ..e.clone() };
        let due: Vec<Event> = history.iter().filter(|e| self.wants(e)).map(plain).collect();
        let seen: Vec<Event> = self.seen.iter().map(plain).collect();
        if self.ended.is_none() && seen != due {
            let same = seen.iter().zip(&due).take_while(|(x, y)| x == y).count();
            return Err(format!("{:?} saw {:?}, not {:?}", self.asked, seen.get(same), due.get(same)));
        }
        Ok(())
    }
}
