//! What one operation on the store costs: reading and writing keys of a store of a hundred thousand, and moving
//! what was written into the file.
//!
//! `cargo bench -p keyport-storage --bench store`. No fsync: that is the disk's time, not ours.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use keyport_storage::KeyRange;
use keyport_storage::backend::{Applied, Backend, BackendOptions};
use keyport_storage::mvcc::{RangeOptions, Store, StoreOptions};
use tempfile::TempDir;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEYS: u64 = 100_000;
const VALUE: [u8; 256] = [b'x'; 256];

/// A store with every key written once.
struct Rig {
    store: Store,
    backend: Arc<Backend>,
    /// All keys, in an order that jumps about.
    keys: Vec<KeyRange>,
    applied: u64,
    _dir: TempDir,
}

impl Rig {
    fn new(options: BackendOptions) -> Rig {
        let dir = tempfile::tempdir().expect("a directory");
        let backend = Arc::new(Backend::open(&dir.path().join("db"), options).expect("a backend"));
        let store = Store::open(Arc::clone(&backend), StoreOptions::default()).expect("a store");
        let key = |n: u64| Bytes::from(format!("{:016x}", n.wrapping_mul(7919) % KEYS));
        let keys = (0..KEYS).map(|n| KeyRange::single(key(n))).collect();
        let mut rig = Rig { store, backend, keys, applied: 0, _dir: dir };
        for n in 0..rig.keys.len() {
            rig.put(n);
        }
        rig.backend.flush().expect("a flush");
        rig
    }

    fn key(&self, n: usize) -> &KeyRange {
        &self.keys[n % self.keys.len()]
    }

    fn put(&mut self, n: usize) {
        self.applied += 1;
        let mut txn = self.store.write();
        txn.put(&self.key(n).start, &VALUE, 0);
        black_box(txn.commit(Some(Applied { index: self.applied, term: 1 })));
    }

    fn range(&self, range: &KeyRange, options: RangeOptions) -> usize {
        self.store.range(range, options).expect("a readable revision").records.len()
    }
}

fn options() -> BackendOptions {
    BackendOptions { unsafe_no_fsync: true, ..BackendOptions::default() }
}

fn read(c: &mut Criterion) {
    let mut rig = Rig::new(options());
    let mut n = 0;
    c.bench_function("get", |b| {
        b.iter(|| {
            n += 1;
            rig.store.get(&rig.key(n).start)
        });
    });
    c.bench_function("range of one key", |b| {
        b.iter(|| {
            n += 1;
            rig.range(rig.key(n), RangeOptions::default())
        });
    });
    let all = KeyRange::new(Bytes::from_static(&[0]), Bytes::from_static(&[0]));
    let mut lists = c.benchmark_group("list");
    for limit in [1000, 10_000] {
        lists.throughput(Throughput::Elements(limit as u64));
        lists.bench_function(limit.to_string(), |b| {
            b.iter(|| rig.range(&all, RangeOptions { limit, ..RangeOptions::default() }));
        });
    }
    lists.finish();
    c.bench_function("count of all", |b| {
        b.iter(|| rig.range(&all, RangeOptions { count_only: true, ..RangeOptions::default() }));
    });
    // Every key gets a second version; the first ones are read from the file.
    let before = rig.store.revision();
    for n in 0..rig.keys.len() {
        rig.put(n);
    }
    rig.backend.flush().expect("a flush");
    c.bench_function("range of one key, an older revision", |b| {
        b.iter(|| {
            n += 1;
            rig.range(rig.key(n), RangeOptions { revision: before, ..RangeOptions::default() })
        });
    });
}

fn write(c: &mut Criterion) {
    let mut rig = Rig::new(options());
    let mut n = 0;
    c.bench_function("put and commit", |b| {
        b.iter(|| {
            n += 1;
            rig.put(n);
        });
    });
}

fn flush(c: &mut Criterion) {
    const ROWS: usize = 10_000;
    // Only when told to.
    let quiet = BackendOptions { batch_interval: Duration::from_secs(3600), batch_limit: usize::MAX, ..options() };
    let mut rig = Rig::new(quiet);
    let mut group = c.benchmark_group("flush");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(20);
    group.bench_function(ROWS.to_string(), |b| {
        let rig = std::cell::RefCell::new(&mut rig);
        b.iter_batched(
            || (0..ROWS).for_each(|n| rig.borrow_mut().put(n)),
            |()| rig.borrow().backend.flush().expect("a flush"),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, read, write, flush);
criterion_main!(benches);
