//! A sole voter with its thread and real syncs: from propose to apply, one proposer at a time and many at once.

#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crossbeam_channel::{Receiver, Sender, bounded};
use keyport_raft::wal::{FsDisk, Metadata, WalOptions};
use keyport_raft::{
    Committed, Config, InitialMember, NoObserver, NoTransport, Parts, RaftHandle, StateMachine, create_log, start,
};

struct Machine {
    applied: Sender<usize>,
    last: u64,
}

impl StateMachine for Machine {
    fn apply(&mut self, committed: Vec<Committed>) {
        self.last = committed.last().map_or(self.last, |entry| entry.index);
        self.applied.send(committed.len()).unwrap();
    }

    fn applied_index(&self) -> u64 {
        self.last
    }

    fn durable_index(&self) -> u64 {
        self.last
    }
}

fn node(dir: &std::path::Path) -> (RaftHandle, Receiver<usize>) {
    let disk = Arc::new(FsDisk::open(dir).unwrap());
    let members = vec![InitialMember { id: 1, context: Bytes::new() }];
    let metadata = Metadata { node_id: 1, cluster_id: 2 };
    let (wal, recovered) = create_log(disk, WalOptions::default(), metadata, members).unwrap();
    let (send, applied) = bounded(100_000);
    let handle = start(Parts {
        config: Config::new(1),
        wal,
        recovered,
        applied: 0,
        conf_state: None,
        state_machine: Machine { applied: send, last: 0 },
        transport: NoTransport,
        observer: NoObserver,
    })
    .unwrap();
    let mut entries = 0;
    while entries < 2 {
        entries += applied.recv().unwrap();
    }
    (handle, applied)
}

fn propose(c: &mut Criterion) {
    let mut group = c.benchmark_group("propose to apply");
    let data = Bytes::from(vec![0x5a; 300]);
    for waiting in [1, 64, 256] {
        let dir = tempfile::tempdir().unwrap();
        let (handle, applied) = node(dir.path());
        group.throughput(Throughput::Elements(waiting as u64));
        group.bench_function(BenchmarkId::from_parameter(waiting), |b| {
            b.iter(|| {
                for _ in 0..waiting {
                    handle.propose(data.clone()).unwrap();
                }
                let mut entries = 0;
                while entries < waiting {
                    entries += applied.recv().unwrap();
                }
            });
        });
        handle.stop();
    }
    group.finish();
}

criterion_group!(benches, propose);
criterion_main!(benches);
