//! What is asked of keys, by the first parts of their paths: `--metrics-prefix-depth`.
//!
//! `/registry/pods/default/a` is in `/registry/pods/` at a depth of two. Keys that lie higher are in what they have of it, keys
//! without a slash in none. What comes first gets a label; when there are [`MOST`] of them, all others share one.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use keyport_storage::mvcc::{MvccError, RangeOptions, Store};
use keyport_storage::{Event, EventKind, KeyRange, RangeEnd};
use parking_lot::RwLock;
use prometheus::{IntCounter, IntGauge};

use super::Handles;

/// Prefixes with a label of their own.
const MOST: usize = 100;
/// Longer ones are not shown.
const MOST_BYTES: usize = 256;
/// Keys that are counted at once.
const PAGE: usize = 10_000;

/// Of keys without a slash. No prefix is called so, for each ends with one.
const NONE: &str = "none";
/// Of all that have no label.
const OTHER: &str = "other";

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Prefixes {
    depth: usize,
    handles: Handles,
    known: RwLock<HashMap<Box<[u8]>, Arc<Series>>>,
    none: Series,
    other: Arc<Series>,
}

/// Of one prefix.
#[derive(Debug)]
struct Series {
    keys: IntGauge,
    puts: IntCounter,
    put_bytes: IntCounter,
    deletes: IntCounter,
    reads: IntCounter,
}

impl Series {
    fn new(handles: &Handles, label: &str) -> Series {
        Series {
            keys: handles.prefix_keys.with_label_values(&[label]),
            puts: handles.prefix_puts.with_label_values(&[label]),
            put_bytes: handles.prefix_put_bytes.with_label_values(&[label]),
            deletes: handles.prefix_deletes.with_label_values(&[label]),
            reads: handles.prefix_reads.with_label_values(&[label]),
        }
    }
}

impl Prefixes {
    pub(super) fn new(depth: usize, handles: &Handles) -> Prefixes {
        let (none, other) = (Series::new(handles, NONE), Arc::new(Series::new(handles, OTHER)));
        Prefixes { depth, handles: handles.clone(), known: RwLock::default(), none, other }
    }

    /// Counts a read that begins at a key.
    pub(crate) fn read(&self, key: &[u8]) {
        self.with(key, |series| series.reads.inc());
    }

    /// Counts what was changed.
    pub(crate) fn changed(&self, events: &[Event]) {
        for Event { kind, kv, .. } in events {
            self.with(kv.key(), |series| match kind {
                EventKind::Put => {
                    series.puts.inc();
                    series.put_bytes.inc_by((kv.key().len() + kv.value().len()) as u64);
                    if kv.is_creation() {
                        series.keys.inc();
                    }
                }
                EventKind::Delete => {
                    series.deletes.inc();
                    series.keys.dec();
                }
            });
        }
    }

    /// Counts the keys that are there, instead of those before. Nobody changes them meanwhile.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn recount(&self, store: &Store) -> Result<(), MvccError> {
        for series in [&self.none, &*self.other].into_iter().chain(self.known.read().values().map(|series| &**series)) {
            series.keys.set(0);
        }
        let mut range = KeyRange { start: Bytes::new(), end: RangeEnd::Unbounded };
        loop {
            let options = RangeOptions { limit: PAGE, valueless: true, uncounted: true, ..RangeOptions::default() };
            let found = store.range(&range, options)?.records;
            found.iter().for_each(|record| self.with(record.key(), |series| series.keys.inc()));
            let Some(last) = found.last().filter(|_| found.len() == PAGE) else { return Ok(()) };
            range.start = last.key().iter().copied().chain([0]).collect();
        }
    }

    fn with(&self, key: &[u8], count: impl FnOnce(&Series)) {
        let prefix = prefix(key, self.depth);
        if prefix.is_empty() {
            return count(&self.none);
        }
        if let Some(series) = self.known.read().get(prefix) {
            return count(series);
        }
        count(&self.learn(prefix));
    }

    fn learn(&self, prefix: &[u8]) -> Arc<Series> {
        let mut known = self.known.write();
        if let Some(series) = known.get(prefix) {
            return Arc::clone(series);
        }
        if known.len() >= MOST || prefix.len() > MOST_BYTES {
            return Arc::clone(&self.other);
        }
        // Bytes that are no text are shown as such, so that two prefixes have two labels.
        let series = Arc::new(Series::new(&self.handles, &prefix.escape_ascii().to_string()));
        known.insert(prefix.into(), Arc::clone(&series));
        series
    }
}

/// Up to the slash behind so many parts, or the last one. A slash at the beginning is behind nothing.
fn prefix(key: &[u8], depth: usize) -> &[u8] {
    let slashes = key.iter().enumerate().filter(|(i, byte)| **byte == b'/' && *i > 0).map(|(i, _)| i);
    let end = slashes.take(depth).last().map_or(usize::from(key.first() == Some(&b'/')), |i| i + 1);
    key.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;
    use keyport_storage::{Record, Versions};

    #[test]
    fn a_prefix_ends_with_a_slash() {
        for (key, depth, expected) in [
            ("/a/b/c/d", 1, "/a/"),
            ("/a/b/c/d", 2, "/a/b/"),
            ("/a/b/c/d", 9, "/a/b/c/"),
            ("a/b/c", 1, "a/"),
            ("/a", 2, "/"),
            ("/", 1, "/"),
            ("//a", 1, "//"),
            ("a", 1, ""),
            ("", 1, ""),
        ] {
            assert_eq!(prefix(key.as_bytes(), depth), expected.as_bytes(), "{key} {depth}");
        }
    }

    fn put(key: &str, version: i64) -> Event {
        let versions = Versions { create_revision: 2, mod_revision: 1 + version, version, lease: 0 };
        Event { kind: EventKind::Put, kv: Record::new(key.as_bytes(), b"value", versions), prev_kv: None }
    }

    fn value(metrics: &Metrics, series: &str) -> Option<i64> {
        let text = metrics.render().unwrap();
        text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
    }

    #[test]
    fn labels_are_few_and_what_has_none_is_counted_together() {
        let metrics = Metrics::new(false);
        assert!(metrics.prefixes().is_none());
        metrics.count_prefixes(1);
        let prefixes = metrics.prefixes().unwrap();
        for n in 0..150 {
            prefixes.changed(&[put(&format!("/{n}/a"), 1), put(&format!("/{n}/a"), 2), put("flat", 1)]);
            prefixes.read(format!("/{n}/").as_bytes());
        }
        let deletion = Event { kind: EventKind::Delete, kv: Record::deletion(b"/7/a", 9), prev_kv: None };
        prefixes.changed(&[deletion]);
        for (series, expected) in [
            ("keys{prefix=\"/7/\"}", 0),
            ("keys{prefix=\"/8/\"}", 1),
            ("puts_total{prefix=\"/7/\"}", 2),
            ("put_bytes_total{prefix=\"/7/\"}", 18),
            ("deletes_total{prefix=\"/7/\"}", 1),
            ("reads_total{prefix=\"/7/\"}", 1),
            ("keys{prefix=\"other\"}", 50),
            ("puts_total{prefix=\"other\"}", 100),
            ("keys{prefix=\"none\"}", 150),
        ] {
            assert_eq!(value(&metrics, &format!("keyport_prefix_{series}")), Some(expected), "{series}");
        }
        assert_eq!(value(&metrics, "keyport_prefix_puts_total{prefix=\"/120/\"}"), None);
        let strange = b"\xff\"/".as_slice();
        let metrics = Metrics::new(false);
        metrics.count_prefixes(1);
        metrics.prefixes().unwrap().read(strange);
        assert!(
            metrics.render().unwrap().contains("reads_total{prefix=\"\\\\xff\\\\\\\"/\"} 1"),
            "{}",
            metrics.render().unwrap()
        );
    }
}
