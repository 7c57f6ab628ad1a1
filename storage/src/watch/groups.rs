//! Groups of watchers that are told the same, and finding those that an event concerns.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use slab::Slab;

use super::outbox::{Member, Outbox};
use super::range_index::{GroupId, RangeIndex};
use super::selector::{Selector, Watched};
use super::{RevisionEvents, SelectedEvent};

/// Index of a stream in the hub.
pub(super) type StreamId = usize;

/// Larger buffers are not kept.
const SPARE_CAPACITY: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: Slab<Group>,
    by_selector: HashMap<Arc<Selector>, GroupId, RandomState>,
    /// How many groups want to see what was before.
    with_prev_kv: usize,
    index: RangeIndex,
    /// Groups with something in `found`.
    touched: Vec<GroupId>,
    /// Emptied buffers of `found`, for the next group that needs one.
    spare: Vec<Vec<SelectedEvent>>,
}

#[derive(Debug)]
struct Group {
    selector: Arc<Selector>,
    /// Watchers of this selector, synced or not.
    watchers: usize,
    /// The synced ones, ordered by stream.
    synced: Vec<StreamMembers>,
    found: Vec<SelectedEvent>,
}

/// The synced watchers of one stream in a group.
#[derive(Debug)]
pub(super) struct StreamMembers {
    pub(super) stream: StreamId,
    pub(super) outbox: Arc<Outbox>,
    /// Ordered by watch id.
    pub(super) members: Vec<Member>,
    /// The same, for the messages in flight to share.
    shared: Option<Arc<[Member]>>,
    /// When they last got events, by the hub's count of deliveries.
    pub(super) last_sent: u64,
}

impl StreamMembers {
    pub(super) fn shared(&mut self) -> Arc<[Member]> {
        Arc::clone(self.shared.get_or_insert_with(|| self.members.as_slice().into()))
    }
}

impl Groups {
    /// Counts a watcher in, whatever its position.
    pub(super) fn enter(&mut self, selector: Selector) -> GroupId {
        if let Some(&id) = self.by_selector.get(&selector) {
            self.groups[id].watchers += 1;
            return id;
        }
        self.with_prev_kv += usize::from(selector.prev_kv);
        let selector = Arc::new(selector);
        let group = Group { selector: Arc::clone(&selector), watchers: 1, synced: Vec::new(), found: Vec::new() };
        let id = self.groups.insert(group);
        for range in &selector.ranges {
            self.index.insert(range, id);
        }
        self.by_selector.insert(selector, id);
        id
    }

    /// What the watchers of a group look at.
    pub(super) fn watched(&self, id: GroupId) -> Watched {
        Watched(Arc::clone(&self.groups[id].selector))
    }

    /// Counts a watcher out; it must not be among the synced any more.
    pub(super) fn leave(&mut self, id: GroupId) {
        let group = &mut self.groups[id];
        group.watchers -= 1;
        if group.watchers == 0 {
            let group = self.groups.remove(id);
            for range in &group.selector.ranges {
                self.index.remove(range, id);
            }
            self.by_selector.remove(&group.selector);
            self.with_prev_kv -= usize::from(group.selector.prev_kv);
        }
    }

    /// Whether anybody wants to see what was before.
    pub(super) fn want_prev_kv(&self) -> bool {
        self.with_prev_kv > 0
    }

    pub(super) fn selector(&self, id: GroupId) -> &Arc<Selector> {
        &self.groups[id].selector
    }

    /// From the next publication on, the member is served with its group.
    pub(super) fn join(&mut self, id: GroupId, stream: StreamId, outbox: &Arc<Outbox>, member: Member, last_sent: u64) {
        let synced = &mut self.groups[id].synced;
        let at = match synced.binary_search_by_key(&stream, |members| members.stream) {
            Ok(at) => at,
            Err(at) => {
                let (outbox, members) = (Arc::clone(outbox), Vec::with_capacity(1));
                // Often the only one, and a vector's first step would be to four.
                if synced.is_empty() {
                    synced.reserve_exact(1);
                }
                synced.insert(at, StreamMembers { stream, outbox, members, shared: None, last_sent });
                at
            }
        };
        let stream = &mut synced[at];
        if let Err(at) = stream.members.binary_search_by_key(&member.watch_id, |other| other.watch_id) {
            stream.members.insert(at, member);
            stream.shared = None;
        }
    }

    pub(super) fn part(&mut self, id: GroupId, stream: StreamId, watch_id: i64) {
        let synced = &mut self.groups[id].synced;
        let Ok(at) = synced.binary_search_by_key(&stream, |members| members.stream) else { return };
        let members = &mut synced[at];
        if let Ok(member) = members.members.binary_search_by_key(&watch_id, |member| member.watch_id) {
            members.members.remove(member);
            members.shared = None;
        }
        if members.members.is_empty() {
            synced.remove(at);
        }
    }

    pub(super) fn last_sent(&self, id: GroupId, stream: StreamId) -> u64 {
        let synced = &self.groups[id].synced;
        synced
            .binary_search_by_key(&stream, |members| members.stream)
            .ok()
            .and_then(|at| synced.get(at))
            .map_or(0, |members| members.last_sent)
    }

    /// Finds what each group with synced watchers is to see of these revisions.
    pub(super) fn select(&mut self, revisions: &[RevisionEvents]) {
        if self.groups.is_empty() {
            return;
        }
        let Groups { groups, index, touched, spare, .. } = self;
        for revision in revisions {
            for (at, event) in revision.events.iter().enumerate() {
                index.matching(event.kv.key(), |id| {
                    let group = &mut groups[id];
                    if group.synced.is_empty() {
                        return;
                    }
                    // Two ranges of one selector may both contain the key.
                    let place = (revision.revision, at);
                    if group.found.last().is_some_and(|last| (last.revision, last.index as usize) == place) {
                        return;
                    }
                    let Some(selected) = group.selector.admit(revision.revision, at, event) else { return };
                    if group.found.is_empty() {
                        touched.push(id);
                        group.found = spare.pop().unwrap_or_default();
                    }
                    group.found.push(selected);
                });
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.by_selector.is_empty() && self.index.is_empty()
    }

    /// Hands out what [`Groups::select`] found, one group at a time: its events and its synced watchers.
    pub(super) fn next_found(&mut self) -> Option<(Box<[SelectedEvent]>, &mut Vec<StreamMembers>)> {
        let group = &mut self.groups[self.touched.pop()?];
        let mut found = std::mem::take(&mut group.found);
        let events = found.drain(..).collect();
        if found.capacity() <= SPARE_CAPACITY {
            self.spare.push(found);
        }
        Some((events, &mut group.synced))
    }
}
