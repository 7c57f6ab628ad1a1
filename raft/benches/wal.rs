//! The log by itself: encoding, and encoding plus write plus sync, by batch size. `TMPDIR` decides which disk.

#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use keyport_api::raftpb::HardState;
use keyport_raft::wal::{EntryRef, FsDisk, Metadata, Wal, WalOptions};

const PAYLOAD: usize = 300;

struct Log {
    wal: Wal,
    index: u64,
    payload: Vec<u8>,
    _dir: tempfile::TempDir,
}

impl Log {
    fn new(unsafe_no_fsync: bool) -> Log {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(FsDisk::open(dir.path()).unwrap());
        let options = WalOptions { unsafe_no_fsync, ..WalOptions::default() };
        let metadata = Metadata { node_id: 1, cluster_id: 2 };
        let wal = Wal::create(disk, options, metadata, &[], HardState::default()).unwrap();
        Log { wal, index: 0, payload: vec![0x5a; PAYLOAD], _dir: dir }
    }

    fn append(&mut self, entries: usize) {
        for _ in 0..entries {
            self.index += 1;
            self.wal.push_entry(EntryRef { kind: 0, term: 2, index: self.index, data: &self.payload });
        }
        self.wal.push_state(HardState { term: Some(2), vote: Some(1), commit: Some(self.index) });
        self.wal.write().unwrap();
        self.wal.sync().unwrap();
        if self.index.is_multiple_of(1 << 14) {
            self.wal.release(self.index);
        }
    }
}

fn append(c: &mut Criterion) {
    for (name, unsafe_no_fsync) in [("append and sync", false), ("append without sync", true)] {
        let mut group = c.benchmark_group(name);
        for entries in [1, 32, 256] {
            group.throughput(Throughput::Elements(entries as u64));
            let mut log = Log::new(unsafe_no_fsync);
            group.bench_function(BenchmarkId::from_parameter(entries), |b| b.iter(|| log.append(entries)));
        }
        group.finish();
    }
}

criterion_group!(benches, append);
criterion_main!(benches);
