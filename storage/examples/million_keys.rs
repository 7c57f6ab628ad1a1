//! Loads many keys as the server would, and says what that takes: time, memory, disk, the time of a restart, and the
//! time until another member has all of it.
//!
//! `cargo run --release -p keyport-storage --example million_keys [keys] [value bytes] [random]`

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use bytes::Bytes;
use keyport_storage::KeyRange;
use keyport_storage::backend::{Applied, Backend, BackendOptions, ImageWriter};
use keyport_storage::mvcc::{RangeOptions, Store, StoreOptions};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LIST: usize = 1000;
const READS: u32 = 1_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = env::args().skip(1);
    let keys: u64 = args.next().map_or(Ok(1_000_000), |keys| keys.parse())?;
    let value = vec![b'x'; args.next().map_or(Ok(256), |bytes| bytes.parse())?];
    let random = args.next().is_some();
    let dir = tempfile::tempdir_in(env::var_os("DIR").unwrap_or_else(|| "/tmp".into()))?;
    let path = dir.path().join("db");

    let start_rss = rss_mib();
    let store = open(&path)?;
    let watch = Stopwatch::start();
    let mut slowest = Duration::ZERO;
    for n in 0..keys {
        let one = Instant::now();
        let mut txn = store.store.write();
        txn.put(key(n, random).as_bytes(), &value, 0);
        txn.commit(Some(Applied { index: n, term: 1 }));
        slowest = slowest.max(one.elapsed());
    }
    watch.report("put + commit", keys);
    store.backend.flush()?;
    watch.report("  and everything durable", keys);
    println!("  slowest {slowest:?}");
    println!("memory {} MiB (began with {start_rss})", rss_mib());
    disk(&store.backend, &path)?;

    catch_up(&store, dir.path())?;

    let watch = Stopwatch::start();
    for n in 0..READS {
        let key = key(u64::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15) % keys, random);
        let range = KeyRange::single(Bytes::from(key));
        assert_eq!(store.store.range(&range, RangeOptions::default())?.count, 1);
    }
    watch.report("point read", u64::from(READS));
    let all = KeyRange::new(Bytes::from_static(&[0]), Bytes::from_static(&[0]));
    for limit in [LIST, 10 * LIST] {
        let watch = Stopwatch::start();
        for n in 0..100 {
            let range = KeyRange { start: Bytes::from(key(n * keys / 128, random)), ..all.clone() };
            store.store.range(&range, RangeOptions { limit, ..RangeOptions::default() })?;
        }
        watch.report(&format!("list of {limit}, counting the rest"), 100);
    }
    let watch = Stopwatch::start();
    for _ in 0..100 {
        store.store.range(&all, RangeOptions { count_only: true, ..RangeOptions::default() })?;
    }
    watch.report("count of all", 100);
    let watch = Stopwatch::start();
    println!("{:?}", store.store.hash_kv(0)?);
    watch.report("HashKV", 1);

    drop(store);
    let watch = Stopwatch::start();
    let store = open(&path)?;
    watch.report("restart", 1);
    println!("memory {} MiB", rss_mib());

    let watch = Stopwatch::start();
    store.backend.defragment()?;
    watch.report("defragment", 1);
    disk(&store.backend, &path)?;
    let watch = Stopwatch::start();
    for n in 0..keys {
        let mut txn = store.store.write();
        txn.put(key(n, random).as_bytes(), &value, 0);
        txn.commit(Some(Applied { index: keys + n, term: 1 }));
    }
    watch.report("overwrite + commit", keys);
    println!("memory {} MiB", rss_mib());
    let watch = Stopwatch::start();
    store.store.compact(store.store.revision())?.wait()?;
    watch.report("compaction", 1);
    println!("memory {} MiB", rss_mib());
    disk(&store.backend, &path)?;
    Ok(())
}

/// What a member does that has nothing and is sent everything; without a network between the two.
fn catch_up(from: &Opened, dir: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let to = open(&dir.join("member"))?;
    let file = dir.join("snap.db");
    let watch = Stopwatch::start();
    let mut image = from.backend.image()?;
    let mut bytes = 0;
    while let Some(chunk) = image.next_chunk()? {
        bytes += chunk.len();
    }
    watch.report("image alone", 1);
    println!("  {} MiB", bytes >> 20);

    let all = Stopwatch::start();
    let watch = Stopwatch::start();
    let mut image = from.backend.image()?;
    let (sender, chunks) = mpsc::sync_channel(16);
    thread::scope(|scope| {
        scope.spawn(move || {
            while let Some(chunk) = image.next_chunk().expect("an image") {
                sender.send(chunk).expect("someone who writes");
            }
        });
        let mut writer = ImageWriter::create(&file, backend_options())?;
        for chunk in chunks {
            writer.write(&chunk)?;
        }
        watch.report("image and write", 1);
        let watch = Stopwatch::start();
        writer.finish()?;
        watch.report("  finish", 1);
        Ok::<_, Box<dyn std::error::Error>>(())
    })?;
    let watch = Stopwatch::start();
    to.backend.install(&file)?;
    watch.report("install", 1);
    let watch = Stopwatch::start();
    to.store.reload()?;
    watch.report("reload", 1);
    all.report("another member has all of it", 1);
    assert_eq!(to.store.key_count(), from.store.key_count());
    disk(&to.backend, &dir.join("member"))?;
    drop(to);
    fs::remove_file(dir.join("member"))?;
    Ok(())
}

struct Opened {
    store: Store,
    backend: Arc<Backend>,
}

fn open(path: &Path) -> Result<Opened, Box<dyn std::error::Error>> {
    let backend = Arc::new(Backend::open(path, backend_options())?);
    let options = StoreOptions { compaction_pause: Duration::ZERO, ..StoreOptions::default() };
    Ok(Opened { store: Store::open(Arc::clone(&backend), options)?, backend })
}

/// The defaults, or what `BATCH` (rows) and `CACHE` (MiB) say.
fn backend_options() -> BackendOptions {
    let number = |name| env::var(name).ok().and_then(|value| value.parse().ok());
    let defaults = BackendOptions::default();
    BackendOptions {
        batch_limit: number("BATCH").unwrap_or(defaults.batch_limit),
        cache_bytes: number("CACHE").map_or(defaults.cache_bytes, |mib: usize| mib << 20),
        ..defaults
    }
}

fn key(n: u64, random: bool) -> String {
    let n = if random { n.wrapping_mul(0x9E37_79B9_7F4A_7C15) } else { n };
    format!("{n:016x}")
}

/// Wall time, CPU time of this thread and of all threads since it began.
struct Stopwatch {
    wall: Instant,
    thread: Duration,
    process: Duration,
}

impl Stopwatch {
    fn start() -> Stopwatch {
        Stopwatch { wall: Instant::now(), thread: thread_cpu(), process: process_cpu() }
    }

    fn report(&self, what: &str, times: u64) {
        let each = |took: Duration| took.as_secs_f64() * 1e6 / f64::from(u32::try_from(times).unwrap_or(u32::MAX));
        let (wall, thread) = (each(self.wall.elapsed()), each(thread_cpu() - self.thread));
        let process = each(process_cpu() - self.process);
        println!("{what}: {wall:.3} us; CPU {thread:.3} us, of all threads {process:.3} us");
    }
}

fn disk(backend: &Backend, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let len = fs::metadata(path)?.len();
    println!("disk {} MiB, in use {} MiB, length {} MiB", backend.size() >> 20, backend.size_in_use() >> 20, len >> 20);
    Ok(())
}

fn rss_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) >> 10
}

fn thread_cpu() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(stat.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0))
}

fn process_cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<u64> = stat.split_whitespace().skip(13).take(2).filter_map(|ticks| ticks.parse().ok()).collect();
    Duration::from_millis(fields.iter().sum::<u64>() * 10)
}
