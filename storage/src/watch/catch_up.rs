//! The thread that reads history for watchers that are not up to date, many of them in one pass.

use std::collections::HashMap;
use std::sync::Arc;

use super::groups::StreamId;
use super::outbox::{Delivery, Member, Outbox};
use super::range_index::GroupId;
use super::selection::Pages;
use super::selector::{KeyedEvents, Selector};
use super::shared::Hub;
use super::signal::Round;
use super::state::{Position, State, Wakes, WatcherId, offer};
use super::{HistoryError, HistoryPage, HistoryRead, WatchMessage};
use crate::ThreadPanic;

/// How many watchers are moved under one hold of the hub's lock.
const LOCK_CHUNK: usize = 64;

pub(super) fn run(hub: &Hub) {
    if let Err(panic) = ThreadPanic::catch(|| run_until_stopped(hub)) {
        tracing::error!(%panic, "nobody brings watchers up to date any more");
        hub.panicked.get_or_init(|| panic);
    }
}

fn run_until_stopped(hub: &Hub) {
    let mut after = Round::Idle;
    while let Some(with_room) = hub.signal.wait(after) {
        after = round(hub, &with_room);
    }
}

/// Serves everyone who is behind now, once. Whoever stays behind, and whoever comes meanwhile, is for the next round,
/// so that no long way back keeps the others waiting for more than a page at a time.
fn round(hub: &Hub, with_room: &[StreamId]) -> Round {
    let waiting: Vec<Waiting> = {
        let mut state = hub.state.lock();
        state.unpark(hub, with_room);
        let waiting = |&(next, id): &(i64, WatcherId)| Waiting { next, id, serial: state.watchers[id].serial };
        state.behind.iter().map(waiting).collect()
    };
    let mut rest = waiting.as_slice();
    let mut got_on = false;
    while !rest.is_empty() && !hub.signal.is_stopped() {
        let before = rest.len();
        let mut window = choose(hub, &mut rest);
        // Those that are not in the window were dealt with.
        got_on |= window.len() < before - rest.len();
        if let Some(first) = window.first() {
            let read = HistoryRead {
                from: first.waiting.next,
                max_revisions: hub.options.page_revisions,
                max_bytes: hub.options.page_bytes,
                prev_kv: window.iter().any(|chosen| chosen.selector.prev_kv),
            };
            match hub.history.events(read) {
                Ok(page) => got_on |= serve(hub, &mut window, &page),
                // The next round tells them.
                Err(HistoryError::Compacted) => {}
                Err(HistoryError::Failed(error)) => {
                    tracing::error!(error = &*error, from = read.from, "cannot read history for watchers");
                }
            }
        }
    }
    match (hub.state.lock().behind.is_empty(), got_on) {
        (true, _) => Round::Idle,
        (false, true) => Round::More,
        (false, false) => Round::Stuck,
    }
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    next: i64,
    id: WatcherId,
    serial: u64,
}

/// A watcher to serve from the page to be read.
#[derive(Debug)]
struct Chosen {
    waiting: Waiting,
    group: GroupId,
    stream: StreamId,
    selector: Arc<Selector>,
    outbox: Arc<Outbox>,
    member: Member,
}

/// Takes the watchers from the front that one page may serve, cancelling those that compaction has overtaken and
/// parking those whose stream is full.
fn choose(hub: &Hub, rest: &mut &[Waiting]) -> Vec<Chosen> {
    let mut window: Vec<Chosen> = Vec::new();
    let mut wakes = Wakes::default();
    let span = i64::try_from(hub.options.page_revisions).unwrap_or(i64::MAX);
    let state = &mut *hub.state.lock();
    let (compacted, room) = (hub.history.compacted(), hub.room());
    while let Some((&waiting, others)) = rest.split_first() {
        let from = window.first().map_or(waiting.next, |first| first.waiting.next);
        if window.len() >= hub.options.pass_watchers || waiting.next - from >= span {
            break;
        }
        *rest = others;
        if !state.is_waiting(waiting) {
            continue;
        }
        let Waiting { next, id, .. } = waiting;
        let watcher = &state.watchers[id];
        let (group, stream, watch_id) = (watcher.group, watcher.stream, watcher.watch_id);
        let member = watcher.member(id);
        let outbox = Arc::clone(&state.streams[stream].outbox);
        if next < compacted {
            state.place(id, Position::Compacted, &hub.counters);
            wakes.add(outbox.say(WatchMessage::Compacted { watch_id, compact_revision: compacted }));
        } else if !outbox.has_room(room) {
            state.place(id, Position::Parked(next), &hub.counters);
        } else {
            let selector = Arc::clone(state.groups.selector(group));
            window.push(Chosen { waiting, group, stream, selector, outbox, member });
        }
    }
    wakes.wake();
    window
}

/// Gives each its part of the page. Says whether any got on.
fn serve(hub: &Hub, window: &mut [Chosen], page: &HistoryPage) -> bool {
    let events = KeyedEvents::new(&page.revisions);
    window.sort_unstable_by_key(|chosen| (chosen.group, chosen.waiting.next, chosen.stream, chosen.member.watch_id));
    let mut selections: HashMap<(GroupId, i64), Option<Pages>> = HashMap::new();
    for chosen in &*window {
        let next = chosen.waiting.next;
        selections.entry((chosen.group, next)).or_insert_with(|| {
            let found = events.select(&chosen.selector, next);
            (!found.is_empty()).then(|| hub.pages(found.into()))
        });
    }

    let runs = window.chunk_by(|a, b| (a.group, a.waiting.next, a.stream) == (b.group, b.waiting.next, b.stream));
    let runs: Vec<&[Chosen]> = runs.collect();
    let mut got_on = false;
    for runs in runs.chunks(LOCK_CHUNK) {
        let mut wakes = Wakes::default();
        {
            let state = &mut *hub.state.lock();
            state.deliveries += 1;
            for run in runs {
                let Some(Chosen { waiting, group, outbox, .. }) = run.first() else { continue };
                if page.through < waiting.next {
                    continue;
                }
                let pages = selections.get(&(*group, waiting.next)).and_then(Option::as_ref);
                got_on |= state.advance(hub, run, outbox, pages, page.through, &mut wakes);
            }
        }
        wakes.wake();
    }
    got_on
}

impl State {
    fn is_waiting(&self, waiting: Waiting) -> bool {
        self.watchers.get(waiting.id).is_some_and(|watcher| {
            watcher.serial == waiting.serial && watcher.position == Position::Behind(waiting.next)
        })
    }

    /// Lets the parked watchers of streams with room go on.
    fn unpark(&mut self, hub: &Hub, with_room: &[StreamId]) {
        for &stream in with_room {
            let Some(stream) = self.streams.get(stream) else { continue };
            for id in stream.parked.iter().copied().collect::<Vec<_>>() {
                if let Position::Parked(next) = self.watchers[id].position {
                    self.place(id, Position::Behind(next), &hub.counters);
                }
            }
        }
    }

    /// Delivers to watchers of one stream, all with the same next revision, and moves them on. Says whether any is left
    /// to move.
    fn advance(
        &mut self,
        hub: &Hub,
        run: &[Chosen],
        outbox: &Outbox,
        pages: Option<&Pages>,
        through: i64,
        wakes: &mut Wakes,
    ) -> bool {
        // Some may have been cancelled while history was read.
        let alive: Vec<&Chosen> = run.iter().filter(|chosen| self.is_waiting(chosen.waiting)).collect();
        let Some(first) = alive.first() else { return true };
        let mut position = self.position_for(through + 1);
        if let Some(pages) = pages {
            let revision = hub.history.revision();
            let members: Arc<[Member]> = alive.iter().map(|chosen| chosen.member).collect();
            let deliveries = pages.iter().map(|selection| Delivery {
                members: Arc::clone(&members),
                revision,
                selection: Arc::clone(selection),
            });
            if !offer(outbox, deliveries, hub.room(), &hub.counters, wakes) {
                position = Position::Parked(first.waiting.next);
            }
        }
        for chosen in alive {
            self.watchers[chosen.waiting.id].last_sent = self.deliveries;
            self.place(chosen.waiting.id, position, &hub.counters);
        }
        true
    }
}
