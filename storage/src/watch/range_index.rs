//! Which groups look at a key: a hash map for single keys, an interval tree for ranges.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::BuildHasher;

use bytes::Bytes;
use foldhash::fast::RandomState;
use slab::Slab;

use crate::{KeyRange, RangeEnd};

/// Index of a group in the hub.
pub(super) type GroupId = usize;

#[derive(Debug, Default)]
pub(super) struct RangeIndex {
    singles: HashMap<Bytes, Vec<GroupId>, RandomState>,
    ranges: IntervalTree,
}

impl RangeIndex {
    pub(super) fn insert(&mut self, range: &KeyRange, group: GroupId) {
        match &range.end {
            RangeEnd::Single => match self.singles.get_mut(&range.start) {
                Some(groups) => groups.push(group),
                None => _ = self.singles.insert(range.start.clone(), vec![group]),
            },
            RangeEnd::Before(end) => self.ranges.insert(range.start.clone(), Some(end.clone()), group),
            RangeEnd::Unbounded => self.ranges.insert(range.start.clone(), None, group),
        }
    }

    pub(super) fn remove(&mut self, range: &KeyRange, group: GroupId) {
        match &range.end {
            RangeEnd::Single => {
                if let Some(groups) = self.singles.get_mut(&range.start) {
                    groups.retain(|&other| other != group);
                    if groups.is_empty() {
                        self.singles.remove(&range.start);
                    }
                }
            }
            RangeEnd::Before(end) => self.ranges.remove(&range.start, Some(end), group),
            RangeEnd::Unbounded => self.ranges.remove(&range.start, None, group),
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.singles.is_empty() && self.ranges.nodes.is_empty()
    }

    /// Calls back once for each (range, group) inserted whose range contains the key.
    pub(super) fn matching(&self, key: &[u8], mut each: impl FnMut(GroupId)) {
        if !self.singles.is_empty()
            && let Some(groups) = self.singles.get(key)
        {
            groups.iter().for_each(|&group| each(group));
        }
        self.ranges.stab(self.ranges.root, key, &mut each);
    }
}

/// A treap ordered by (start, end, group), each node of which knows the farthest end below it.
#[derive(Debug)]
struct IntervalTree {
    nodes: Slab<Node>,
    root: Link,
    /// Seeds the priorities, so that nobody outside can choose the shape of the tree.
    hasher: RandomState,
    inserted: u64,
}

type Link = Option<usize>;

#[derive(Debug)]
struct Node {
    start: Bytes,
    /// None is beyond every key.
    end: Option<Bytes>,
    group: GroupId,
    priority: u64,
    left: Link,
    right: Link,
    /// The node with the farthest end in this subtree.
    farthest: usize,
}

impl Default for IntervalTree {
    fn default() -> IntervalTree {
        IntervalTree { nodes: Slab::new(), root: None, hasher: RandomState::default(), inserted: 0 }
    }
}

impl IntervalTree {
    fn insert(&mut self, start: Bytes, end: Option<Bytes>, group: GroupId) {
        self.inserted += 1;
        let priority = self.hasher.hash_one(self.inserted);
        let node = Node { start, end, group, priority, left: None, right: None, farthest: 0 };
        let new = self.nodes.insert(node);
        self.update(new);
        self.root = Some(self.insert_below(self.root, new));
    }

    fn insert_below(&mut self, root: Link, new: usize) -> usize {
        let Some(root) = root else { return new };
        if self.node(new).priority > self.node(root).priority {
            let (left, right) = self.split(Some(root), new);
            let node = self.node_mut(new);
            (node.left, node.right) = (left, right);
            self.update(new);
            return new;
        }
        if self.order(new, root) == Ordering::Less {
            let left = self.insert_below(self.node(root).left, new);
            self.node_mut(root).left = Some(left);
        } else {
            let right = self.insert_below(self.node(root).right, new);
            self.node_mut(root).right = Some(right);
        }
        self.update(root);
        root
    }

    /// Parts a subtree into what is before `pivot` and the rest.
    fn split(&mut self, root: Link, pivot: usize) -> (Link, Link) {
        let Some(root) = root else { return (None, None) };
        let parts = if self.order(root, pivot) == Ordering::Less {
            let (left, right) = self.split(self.node(root).right, pivot);
            self.node_mut(root).right = left;
            (Some(root), right)
        } else {
            let (left, right) = self.split(self.node(root).left, pivot);
            self.node_mut(root).left = right;
            (left, Some(root))
        };
        self.update(root);
        parts
    }

    fn remove(&mut self, start: &Bytes, end: Option<&Bytes>, group: GroupId) {
        self.root = self.remove_below(self.root, start, end, group);
    }

    fn remove_below(&mut self, root: Link, start: &Bytes, end: Option<&Bytes>, group: GroupId) -> Link {
        let at = root?;
        let node = self.node(at);
        let (left, right) = (node.left, node.right);
        match (start, EndOf(end), group).cmp(&node.place()) {
            Ordering::Equal => {
                self.nodes.remove(at);
                return self.merge(left, right);
            }
            Ordering::Less => self.node_mut(at).left = self.remove_below(left, start, end, group),
            Ordering::Greater => self.node_mut(at).right = self.remove_below(right, start, end, group),
        }
        self.update(at);
        root
    }

    fn merge(&mut self, left: Link, right: Link) -> Link {
        let (Some(l), Some(r)) = (left, right) else { return left.or(right) };
        let root = if self.node(l).priority > self.node(r).priority {
            self.node_mut(l).right = self.merge(self.node(l).right, right);
            l
        } else {
            self.node_mut(r).left = self.merge(left, self.node(r).left);
            r
        };
        self.update(root);
        Some(root)
    }

    fn stab(&self, from: Link, key: &[u8], each: &mut impl FnMut(GroupId)) {
        let mut at = from;
        while let Some(index) = at {
            let node = self.node(index);
            if !self.node(node.farthest).ends_after(key) {
                return;
            }
            self.stab(node.left, key, each);
            if &node.start[..] > key {
                return;
            }
            if node.ends_after(key) {
                each(node.group);
            }
            at = node.right;
        }
    }

    fn update(&mut self, at: usize) {
        let node = self.node(at);
        let children = [node.left, node.right].into_iter().flatten().map(|child| self.node(child).farthest);
        let farthest = children.fold(at, |a, b| if self.node(a).end_of() < self.node(b).end_of() { b } else { a });
        self.node_mut(at).farthest = farthest;
    }

    fn order(&self, a: usize, b: usize) -> Ordering {
        self.node(a).place().cmp(&self.node(b).place())
    }

    fn node(&self, at: usize) -> &Node {
        &self.nodes[at]
    }

    fn node_mut(&mut self, at: usize) -> &mut Node {
        &mut self.nodes[at]
    }
}

impl Node {
    fn ends_after(&self, key: &[u8]) -> bool {
        self.end.as_ref().is_none_or(|end| &end[..] > key)
    }

    fn end_of(&self) -> EndOf<'_> {
        EndOf(self.end.as_ref())
    }

    fn place(&self) -> (&Bytes, EndOf<'_>, GroupId) {
        (&self.start, self.end_of(), self.group)
    }
}

/// The end of a range, ordered so that an open end is beyond every other.
#[derive(PartialEq, Eq)]
struct EndOf<'a>(Option<&'a Bytes>);

impl Ord for EndOf<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.0, other.0) {
            (Some(a), Some(b)) => a.cmp(b),
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
        }
    }
}

impl PartialOrd for EndOf<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn range() -> impl Strategy<Value = KeyRange> {
        let key = || vec(0_u8..4, 0..4).prop_map(Bytes::from);
        (key(), prop_oneof![Just(None), Just(Some(None)), key().prop_map(|end| Some(Some(end)))]).prop_map(
            |(start, end)| {
                let end = match end {
                    None => RangeEnd::Single,
                    Some(None) => RangeEnd::Unbounded,
                    Some(Some(end)) => RangeEnd::Before(end),
                };
                KeyRange { start, end }
            },
        )
    }

    proptest! {
        #[test]
        fn finds_what_a_scan_finds(steps in vec((any::<bool>(), range(), 0_usize..3), 1..120), keys in vec(vec(0_u8..4, 0..4), 20)) {
            let mut index = RangeIndex::default();
            let mut model: Vec<(KeyRange, GroupId)> = Vec::new();
            for (step, (insert, range, group)) in steps.into_iter().enumerate() {
                let known = model.contains(&(range.clone(), group));
                if insert && !known {
                    index.insert(&range, group);
                    model.push((range, group));
                } else if !insert && !model.is_empty() {
                    let (range, group) = model.swap_remove(step % model.len());
                    index.remove(&range, group);
                }
            }
            for key in keys {
                let mut found = Vec::new();
                index.matching(&key, |group| found.push(group));
                let mut expected: Vec<GroupId> =
                    model.iter().filter(|(range, _)| range.contains(&key)).map(|(_, group)| *group).collect();
                found.sort_unstable();
                expected.sort_unstable();
                prop_assert_eq!(found, expected);
            }
            prop_assert_eq!(index.ranges.nodes.len() + index.singles.values().map(Vec::len).sum::<usize>(), model.len());
        }
    }
}
