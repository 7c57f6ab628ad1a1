//! What etcd promises to watchers, checked for one watcher against the history that the cluster kept.
//!
//! *Ordered*, *unique*, *reliable* and *resumable* together say: what a watcher was sent, over all its streams, is the history,
//! each change once and in its order. *Atomic*: a message ends where a revision ends. *Bookmarkable*: when progress is reported up
//! to a revision, everything up to it was sent before.

use std::net::SocketAddr;

use keyport_raft::sim::history::kv::Pair;

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// At which revision.
    pub revision: u64,
    /// Of which key.
    pub key: String,
    /// The pair, unless it was deleted.
    pub pair: Option<Pair>,
    /// The value before, if it was asked for.
    pub previous: Option<Option<String>>,
}

/// What happened to a watcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A stream opened, at a member, from a revision on.
    Opened {
        /// The revision asked for.
        from: u64,
        /// Of whom.
        addr: SocketAddr,
    },
    /// Changes that came together.
    Message {
        /// In the header.
        revision: u64,
        /// Whether a revision ends with it.
        whole: bool,
        /// The changes.
        changes: Vec<Change>,
    },
    /// Everything up to a revision was sent.
    Progress {
        /// That revision.
        revision: u64,
    },
    /// The stream ended.
    Cut,
}

/// All changes that a watcher was sent.
pub fn changes(items: &[Item]) -> impl Iterator<Item = &Change> {
    let changes = items.iter().filter_map(|item| match item {
        Item::Message { changes, .. } => Some(changes),
        _ => None,
    });
    changes.flatten()
}

/// Holds what a watcher saw against the history.
///
/// # Errors
/// With the broken promise, and what came around it.
pub fn watcher(items: &[Item], history: &[Change]) -> Result<(), String> {
    let mut next = 0;
    let mut asked = 0;
    for (at, item) in items.iter().enumerate() {
        let broken = |next: usize, promise: &str| {
            let before = items.get(at.saturating_sub(6)..at).unwrap_or_default();
            let want = history.get(next..history.len().min(next + 3)).unwrap_or_default();
            Err(format!("not {promise}: {item:?}\nexpected: {want:?}\nbefore: {before:#?}"))
        };
        match item {
            Item::Opened { from, .. } => asked = *from,
            Item::Cut => {}
            Item::Message { revision, whole, changes } => {
                for change in changes {
                    let Some(want) = history.get(next) else { return broken(next, "unique: the history is over") };
                    if (change.revision, &change.key) != (want.revision, &want.key) {
                        let promise = if change.revision < want.revision { "ordered and unique" } else { "reliable" };
                        return broken(next, promise);
                    }
                    if change.pair != want.pair {
                        return broken(next, "what was written");
                    }
                    let before = || history[..next].iter().rev().find(|c| c.key == change.key);
                    if let Some(previous) = &change.previous
                        && *previous != before().and_then(|c| Some(c.pair.as_ref()?.value.clone()))
                    {
                        return broken(next, "the previous value");
                    }
                    next += 1;
                }
                let last = changes.last().map_or(0, |change| change.revision);
                if *whole && history.get(next).is_some_and(|more| more.revision == last) {
                    return broken(next, "atomic");
                }
                if *revision < last {
                    return broken(next, "of the revision in the header");
                }
            }
            Item::Progress { revision } => {
                if history.get(next).is_some_and(|missing| missing.revision <= *revision) {
                    return broken(next, "bookmarkable");
                }
                if *revision + 1 < asked {
                    return broken(next, "bookmarkable: a member that lags behind the watcher");
                }
            }
        }
    }
    match history.get(next) {
        Some(missing) => Err(format!("not reliable: {missing:?} never came")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(revision: u64, key: &str) -> Change {
        let pair =
            Pair { value: format!("{key}{revision}"), create_revision: revision, mod_revision: revision, version: 1 };
        Change { revision, key: key.into(), pair: Some(pair), previous: None }
    }

    fn message(changes: &[Change]) -> Item {
        let revision = changes.last().map_or(0, |c| c.revision);
        Item::Message { revision, whole: true, changes: changes.to_vec() }
    }

    /// The checker finds what it is there for.
    #[test]
    fn broken_promises_are_found() {
        let h = [put(2, "a"), put(3, "a"), put(3, "b"), put(4, "c")];
        let ok = [
            message(&h[..1]),
            Item::Progress { revision: 2 },
            Item::Cut,
            message(&h[1..]),
            Item::Progress { revision: 9 },
        ];
        assert_eq!(watcher(&ok, &h), Ok(()));
        let broken = |items: &[Item], promise: &str| {
            let said = watcher(items, &h).expect_err(promise);
            assert!(said.starts_with(&format!("not {promise}")), "{said}");
        };
        broken(&[message(&h[..1]), message(&h[..1])], "ordered and unique");
        broken(&[message(&h[..1]), message(&h[3..])], "reliable");
        broken(&[message(&h[..1])], "reliable");
        broken(&[message(&h[..2]), message(&h[2..])], "atomic");
        broken(&[message(&h[..1]), Item::Progress { revision: 3 }], "bookmarkable");
        broken(&[message(&[put(2, "x")])], "reliable");
        let mut other = h[0].clone();
        other.pair = None;
        broken(&[message(&[other])], "what was written");
        let with = Change { previous: Some(Some("other".into())), ..h[0].clone() };
        broken(&[message(&[with])], "the previous value");
        broken(&[message(&h), message(&h[3..])], "unique");
    }
}
