//! A level of keys, as of a folder: the keys that have no separator behind the prefix, and of the others what they have in common
//! up to it. What is below is passed over, not gone through: a page takes as long as a page.

mod search;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use bytes::Bytes;
use keyport_api::etcdserverpb::RangeRequest;
use keyport_storage::auth::AuthError;
use keyport_storage::mvcc::{Pace, RangeOptions, Store};
use keyport_storage::{KeyRange, RangeEnd, Record, next_key};

use super::reads::{Named, Snapshot};
use crate::auth::{Needs, Rights};
use crate::bulk::{self, Leash};
use crate::kv::range::View;
use crate::kv::{Dated, KvError};
pub(crate) use search::{Search, SearchIn};

/// What a page has of keys and values at most, in bytes; one more record than that.
const PAGE_BYTES: usize = 256 * 1024;
/// How many keys are read at once when they follow each other.
const MOST_AT_ONCE: usize = 256;
/// Before it is known how large they are.
const FIRST_AT_ONCE: usize = 4;
/// Finding the way to a key takes as long as looking at so many that are next to each other.
const KEYS_PER_SEEK: usize = 16;

/// How many keys a page looks at before somebody has to ask on, where not all of them are wanted, and how many bytes.
const MOST_LOOKED_AT: usize = 20_000;
const MOST_BYTES_LOOKED_AT: usize = 8 << 20;
/// And for how long, if there is anything to show for it but where to go on.
const LONGEST: Duration = Duration::from_millis(100);

/// What is to be listed.
#[derive(Clone, Debug, Default)]
pub struct ListRequest {
    pub prefix: Bytes,
    /// What ends a level; empty for all keys below the prefix.
    pub separator: Bytes,
    /// Where to go on, if that is behind the beginning.
    pub start: Bytes,
    /// As of which revision; 0 for now.
    pub revision: i64,
    /// Whether what this member has is good enough.
    pub serializable: bool,
    /// How many keys and levels at most.
    pub limit: usize,
    /// Whether values are of no interest.
    pub keys_only: bool,
    /// Whether the keys of a level below are counted, which takes longer the more there are.
    pub counted: bool,
    /// Which keys are wanted; none for all. There are no levels then.
    pub search: Option<Search>,
}

impl ListRequest {
    /// All that is below the prefix: what the caller has to be allowed to read.
    pub(super) fn range(&self) -> RangeRequest {
        let (key, range_end) = KeyRange::prefix(&self.prefix).into_pair();
        RangeRequest {
            key,
            range_end,
            revision: self.revision,
            serializable: self.serializable,
            ..RangeRequest::default()
        }
    }
}

/// What is at a level, in the order of keys.
#[derive(Clone, Debug)]
pub enum Listed {
    Key(Record),
    /// Keys further down: what they begin with, the separator included.
    Level {
        prefix: Bytes,
        count: Option<i64>,
    },
}

/// A page of it.
#[derive(Clone, Debug, Default)]
pub struct ListReply {
    /// The store's revision when it was read.
    pub revision: i64,
    /// Of what it shows: that of the request, or the store's.
    pub as_of: i64,
    pub listed: Vec<Listed>,
    /// Where the next page begins, if there is more.
    pub next: Option<Bytes>,
}

impl Dated for ListReply {
    fn revision(&self) -> i64 {
        self.revision
    }
}

impl Named for ListRequest {
    const OP: &'static str = "read-only list";
}

impl Needs for ListRequest {
    fn check(&self, rights: &Rights<'_>) -> Result<(), AuthError> {
        self.range().check(rights)
    }

    fn keys(&self) -> Vec<KeyRange> {
        vec![KeyRange::prefix(&self.prefix)]
    }
}

/// # Errors
/// As a range.
pub(super) fn list(store: &Store, leash: &Leash<'_>, request: &ListRequest) -> Result<ListReply, KvError> {
    list_within(store, leash, request, LONGEST)
}

/// The same, where a search looks for so long.
fn list_within(
    store: &Store,
    leash: &Leash<'_>,
    request: &ListRequest,
    longest: Duration,
) -> Result<ListReply, KvError> {
    // What it takes to look is not known beforehand.
    if request.search.is_some() && leash.is_short() {
        return Err(KvError::Interrupted);
    }
    let view = Snapshot::now(store, leash);
    let KeyRange { start, end } = KeyRange::prefix(&request.prefix);
    let start = if request.start > start { request.start.clone() } else { start };
    let as_of = if request.revision > 0 { request.revision } else { view.revision() };
    let page = ListReply { revision: view.revision(), as_of, ..ListReply::default() };
    let ends = request.search.as_ref().and_then(|_| Instant::now().checked_add(longest));
    let looked_at = LookedAt { ends, ..LookedAt::default() };
    let pace = request.search.as_ref().map(|_| bulk::Pace::begin());
    let mut reading = Reading { view, leash, request, end, next: Some(start), bytes: 0, looked_at, pace, page };
    let mut at_once = if request.separator.is_empty() { FIRST_AT_ONCE } else { 1 };
    while let Some(start) = reading.next.take() {
        let is_full = reading.is_full();
        let room = if request.search.is_some() { MOST_AT_ONCE } else { request.limit - reading.page.listed.len() };
        let wanted = if is_full { 1 } else { at_once.min(room) };
        let found = reading.read(start, wanted)?;
        let (Some(first), Some(last)) = (found.first(), found.last()) else { break };
        if is_full {
            reading.page.next = Some(Bytes::copy_from_slice(first.key()));
            break;
        }
        // Whether anything is behind those is not known yet.
        reading.next = (found.len() == wanted).then(|| next_key(last.key()));
        let size = found.iter().map(|record| reading.size(record)).max().unwrap_or_default().max(1);
        at_once = match reading.take(found)? {
            ControlFlow::Continue(()) => (at_once * 2).min(MOST_AT_ONCE).min((PAGE_BYTES / size).max(1)),
            ControlFlow::Break(()) => 1,
        };
    }
    Ok(reading.page)
}

/// A page that is being read.
struct Reading<'a> {
    view: Snapshot<'a>,
    leash: &'a Leash<'a>,
    request: &'a ListRequest,
    end: RangeEnd,
    /// Where to read on; none at the end.
    next: Option<Bytes>,
    bytes: usize,
    looked_at: LookedAt,
    /// Of a search, which is one long calculation beside all others.
    pace: Option<bulk::Pace>,
    page: ListReply,
}

/// What it took.
#[derive(Clone, Copy, Debug, Default)]
struct LookedAt {
    keys: usize,
    bytes: usize,
    /// When it has looked for long enough.
    ends: Option<Instant>,
}

impl Reading<'_> {
    fn is_full(&self) -> bool {
        let LookedAt { keys, bytes, ends } = self.looked_at;
        self.page.listed.len() >= self.request.limit
            || self.bytes >= PAGE_BYTES
            || keys >= MOST_LOOKED_AT
            || bytes >= MOST_BYTES_LOOKED_AT
            || ends.is_some_and(|ends| Instant::now() >= ends)
    }

    /// The next keys, so many at most.
    fn read(&self, start: Bytes, limit: usize) -> Result<Vec<Record>, KvError> {
        if !self.leash.goes_on(Pace::Keys(KEYS_PER_SEEK)) {
            return Err(KvError::Interrupted);
        }
        let range = KeyRange { start, end: self.end.clone() };
        let valueless =
            self.request.keys_only && self.request.search.as_ref().is_none_or(|search| !search.reads_values());
        let options =
            RangeOptions { revision: self.page.as_of, limit, valueless, uncounted: true, ..RangeOptions::default() };
        Ok(self.view.range(&range, options)?.records)
    }

    /// Takes keys until one of them is further down: then the others are perhaps, too, and it goes on behind all of those.
    fn take(&mut self, found: Vec<Record>) -> Result<ControlFlow<()>, KvError> {
        for record in found {
            if let Some(search) = &self.request.search {
                if let Some(pace) = &mut self.pace {
                    pace.step();
                }
                self.looked_at.keys += 1;
                self.looked_at.bytes += record.encoded().len();
                if !self.leash.goes_on(Pace::Rows(1)) {
                    return Err(KvError::Interrupted);
                }
                if !search.finds(record.key(), record.value()) {
                    continue;
                }
                if self.page.listed.len() == self.request.limit {
                    self.next = Some(Bytes::copy_from_slice(record.key()));
                    break;
                }
            }
            if let Some(level) = self.level_of(record.key()) {
                let level = Bytes::copy_from_slice(level);
                let below = KeyRange::prefix(&level);
                self.next = match &below.end {
                    RangeEnd::Before(end) => Some(end.clone()),
                    RangeEnd::Single | RangeEnd::Unbounded => None,
                };
                let count = if self.request.counted { Some(self.count(&below)?) } else { None };
                self.bytes += level.len();
                self.page.listed.push(Listed::Level { prefix: level, count });
                return Ok(ControlFlow::Break(()));
            }
            self.bytes += self.size(&record);
            self.page.listed.push(Listed::Key(record));
        }
        Ok(ControlFlow::Continue(()))
    }

    /// What it takes of a page.
    fn size(&self, record: &Record) -> usize {
        if self.request.keys_only { record.key().len() } else { record.encoded().len() }
    }

    fn count(&self, below: &KeyRange) -> Result<i64, KvError> {
        let options = RangeOptions { revision: self.page.as_of, count_only: true, ..RangeOptions::default() };
        Ok(self.view.range(below, options)?.count)
    }

    /// The level below to which a key belongs, if it is not of this one.
    fn level_of<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        let ListRequest { prefix, separator, .. } = self.request;
        let rest = key.get(prefix.len()..).filter(|_| !separator.is_empty())?;
        let at = rest.windows(separator.len()).position(|part| part == &separator[..])?;
        key.get(..prefix.len() + at + separator.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bulk::Gone;
    use keyport_storage::backend::{Backend, BackendOptions};
    use keyport_storage::mvcc::StoreOptions;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    /// A key, or a level and how many keys it has.
    type Name = (Vec<u8>, Option<i64>);

    struct World {
        store: Store,
        _dir: tempfile::TempDir,
    }

    impl World {
        fn new(keys: &[Vec<u8>]) -> World {
            let dir = tempfile::tempdir().unwrap();
            let options = BackendOptions { unsafe_no_fsync: true, ..BackendOptions::default() };
            let backend = Arc::new(Backend::open(&dir.path().join("db"), options).unwrap());
            let store = Store::open(backend, StoreOptions::default()).unwrap();
            for key in keys {
                let mut txn = store.write();
                txn.put(key, b"value", 0);
                txn.commit(None);
            }
            World { store, _dir: dir }
        }

        /// All pages, and how many there were.
        fn list(&self, request: &ListRequest) -> (Vec<Name>, usize) {
            let (mut all, mut request, mut pages) = (Vec::new(), request.clone(), 0);
            loop {
                let reply = list_within(&self.store, &Leash::long(&Gone::default()), &request, Duration::MAX).unwrap();
                assert!(reply.listed.len() <= request.limit);
                pages += 1;
                all.extend(reply.listed.into_iter().map(|listed| match listed {
                    Listed::Key(record) => (record.key().to_vec(), None),
                    Listed::Level { prefix, count } => (prefix.to_vec(), count),
                }));
                request.revision = reply.as_of;
                match reply.next {
                    Some(next) => request.start = next,
                    None => return (all, pages),
                }
            }
        }
    }

    /// What is there, by looking at everything.
    fn expected(keys: &[Vec<u8>], prefix: &[u8], separator: &[u8]) -> Vec<Name> {
        let mut all = BTreeMap::new();
        let keys: std::collections::BTreeSet<_> = keys.iter().filter(|key| key.starts_with(prefix)).collect();
        for key in keys {
            let rest = &key[prefix.len()..];
            let at = (0..rest.len()).find(|&at| !separator.is_empty() && rest[at..].starts_with(separator));
            match at {
                None => _ = all.insert(key.clone(), None),
                Some(at) => {
                    let level = key[..prefix.len() + at + separator.len()].to_vec();
                    let count = all.entry(level).or_insert(Some(0));
                    *count = count.map(|count| count + 1);
                }
            }
        }
        all.into_iter().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_level_is_what_has_no_separator_behind_the_prefix(
            keys in prop::collection::vec(prop::collection::vec(prop_oneof![Just(b'a'), Just(b'/'), Just(b'.'), Just(0xff)], 1..7), 0..60),
            prefix in prop::collection::vec(prop_oneof![Just(b'a'), Just(b'/'), Just(0xff)], 0..3),
            separator in prop::sample::select(vec![&b"/"[..], b"/.", b"", b"\xff"]),
            limit in 1..9_usize,
        ) {
            let world = World::new(&keys);
            let request = ListRequest { prefix: prefix.clone().into(), separator: Bytes::from_static(separator), limit, counted: true, ..ListRequest::default() };
            let expected = expected(&keys, &prefix, separator);
            let (all, pages) = world.list(&request);
            prop_assert_eq!(pages, expected.len().div_ceil(limit).max(1), "no page is empty but an only one");
            prop_assert_eq!(all, expected);
        }
    }

    #[test]
    fn what_is_below_is_not_looked_at() {
        let deep = (0..100_000).map(|n| format!("a/{n:06}").into_bytes());
        let keys: Vec<_> = deep.chain([b"b".to_vec(), b"c/d".to_vec()]).collect();
        let world = World::new(&keys);
        let request = ListRequest { separator: Bytes::from_static(b"/"), limit: 10, ..ListRequest::default() };
        let leash = Leash::short();
        let reply = list(&world.store, &leash, &request).unwrap();
        assert_eq!(reply.listed.len(), 3);
        // It is short for a fraction of those keys.
        assert!(leash.goes_on(Pace::Keys(3000)));
    }

    /// Every page looks at so many keys at most, and all of them together at all.
    #[test]
    fn a_search_goes_on_where_its_budget_was_spent() {
        let keys: Vec<_> = (0..50_000).map(|n| format!("k{n:05}").into_bytes()).collect();
        let world = World::new(&keys);
        let search = Some(Search::part(b"4999", SearchIn::Keys));
        let request = ListRequest { limit: 3, search, ..ListRequest::default() };
        let (all, pages) = world.list(&request);
        let expected = ["k04999", "k14999", "k24999", "k34999", "k44999"].map(str::to_owned).into_iter();
        let mut expected: Vec<_> = expected.chain((49_990..50_000).map(|n| format!("k{n}"))).collect();
        expected.sort_unstable();
        expected.dedup();
        assert_eq!(all.into_iter().map(|(key, _)| String::from_utf8(key).unwrap()).collect::<Vec<_>>(), expected);
        assert!(pages >= 5, "{pages}");
        let request = ListRequest { limit: 100, ..request };
        let first = list_within(&world.store, &Leash::long(&Gone::default()), &request, Duration::MAX).unwrap();
        assert_eq!((first.listed.len(), first.next.is_some()), (2, true));
    }

    #[test]
    fn a_page_is_of_one_revision_and_bounded_in_bytes() {
        let world = World::new(&[]);
        for key in 0..10 {
            let mut txn = world.store.write();
            txn.put(format!("k{key}").as_bytes(), &vec![0; PAGE_BYTES / 4], 0);
            txn.commit(None);
        }
        let request = ListRequest { limit: 100, ..ListRequest::default() };
        let first = list(&world.store, &Leash::short(), &request).unwrap();
        assert!((4..=6).contains(&first.listed.len()), "{}", first.listed.len());
        let mut txn = world.store.write();
        txn.put(b"k90", b"new", 0);
        txn.delete(b"k9");
        txn.commit(None);
        let next = ListRequest { start: first.next.unwrap(), revision: first.as_of, ..request };
        let mut seen = first.listed.len();
        // What was overwritten since is in the database.
        let gone = Gone::default();
        let mut rest = list(&world.store, &Leash::long(&gone), &next).unwrap();
        assert!(rest.revision > rest.as_of);
        seen += rest.listed.len();
        while let Some(start) = rest.next {
            rest = list(&world.store, &Leash::long(&gone), &ListRequest { start, ..next.clone() }).unwrap();
            seen += rest.listed.len();
        }
        assert_eq!(seen, 10, "as it was when the first page was read");
    }
}
