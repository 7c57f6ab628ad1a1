//! How much memory this process may count on, and what follows from it.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities};

/// What a burst may take on every machine, and the most that it needs anywhere.
const LEAST_BURST: u64 = 16 << 20;
const MOST_BURST: u64 = 256 << 20;
/// A burst stands in the queue, in what was taken out of it, and before the store: three times at worst.
const SHARE: u64 = 16;

const SMALL_MACHINE: u64 = 1 << 30;

/// What the database keeps of its file pays up to here; below, each page would be written as often as it is changed.
const LEAST_OF_FILE: u64 = 4 << 20;
const MOST_OF_FILE: u64 = 16 << 20;

/// Bytes of requests that may wait in one place, be it for the log or for the store: as many as memory allows, for who
/// sends large values from many connections at once should not be refused what a moment later would be taken.
pub(crate) fn burst_bytes() -> usize {
    usize::try_from(burst(total())).unwrap_or(usize::MAX)
}

/// How much memory this process may use. Where nothing says so, it is a small machine.
pub(crate) fn total_bytes() -> u64 {
    total().unwrap_or(SMALL_MACHINE)
}

/// What is kept in memory though it is on the disk, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caches {
    /// Pages of the database's file.
    pub(crate) file: usize,
    /// Values of keys.
    pub(crate) values: usize,
}

impl Caches {
    /// Both together take `bytes`, if these are not too few for the file.
    pub(crate) fn within(bytes: u64) -> Caches {
        let file = (bytes / 4).clamp(LEAST_OF_FILE, MOST_OF_FILE);
        let [file, values] =
            [file, bytes.saturating_sub(file)].map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        Caches { file, values }
    }
}

fn burst(total: Option<u64>) -> u64 {
    total.map_or(LEAST_BURST, |total| (total / SHARE).clamp(LEAST_BURST, MOST_BURST))
}

/// The machine's memory, or what the container or the operator gives, if that is less.
fn total() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| machine(&text));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let container = limits(&groups).filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok()).min();
    let given = env::var("GOMEMLIMIT").ok().and_then(|text| given(&text));
    [machine, container, given].into_iter().flatten().min()
}

/// The files that may say how much memory the control groups of a process have, by its `/proc/self/cgroup`: of its own and of
/// those around it, in both versions there are of them. `max` in one of the second version is no number, and no limit.
fn limits(groups: &str) -> impl Iterator<Item = PathBuf> {
    groups.lines().flat_map(|line| {
        // Its number, its controllers, and where the process is in it.
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { return Vec::new() };
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => return Vec::new(),
        };
        Path::new(path.trim_start_matches('/'))
            .ancestors()
            .map(|group| Path::new(root).join(group).join(file))
            .collect()
    })
}

/// How operators of etcd say it, in the words of Go's runtime: `1073741824`, `512MiB`. Nothing if there is no limit, or
/// none that Go would take.
fn given(text: &str) -> Option<u64> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40), ("B", 0)];
    let unit = units.iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift)));
    let (number, shift) = unit.unwrap_or((text, 0));
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

fn machine(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Why memory cannot be kept in RAM.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    #[error(
        "--memory-mlock: this process may lock {bytes} bytes of memory and no more (RLIMIT_MEMLOCK): raise the limit \
         (LimitMEMLOCK=infinity, ulimit -l unlimited), or grant CAP_IPC_LOCK"
    )]
    Limited { bytes: u64 },
    #[error("--memory-mlock: cannot lock the memory of this process: {0}")]
    Refused(io::Error),
}

/// Keeps what the process has of memory in RAM, if that is `wanted`, and what it will have, from when it is first used. Locked
/// with a limit, it would end the first time that it needs more.
///
/// # Errors
/// When it may not, or there is not so much.
pub(crate) fn keep_if(wanted: bool) -> Result<(), MemoryError> {
    if !wanted {
        return Ok(());
    }
    if let Some(bytes) = lockable() {
        return Err(MemoryError::Limited { bytes });
    }
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    mlockall(flags).map_err(|error| MemoryError::Refused(error.into()))?;
    tracing::info!("memory is kept in RAM");
    Ok(())
}

/// How much may be locked, if there is a limit to it.
fn lockable() -> Option<u64> {
    if capabilities(None).is_ok_and(|own| own.effective.contains(CapabilitySet::IPC_LOCK)) {
        return None;
    }
    let limit = getrlimit(Resource::Memlock);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if setrlimit(Resource::Memlock, raised).is_ok() { limit.maximum } else { limit.current }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_go_reads_them() {
        for (text, bytes) in [
            ("1073741824", Some(1 << 30)),
            ("7B", Some(7)),
            ("3KiB", Some(3 << 10)),
            ("512MiB", Some(512 << 20)),
            ("2GiB", Some(2 << 30)),
            ("1TiB", Some(1 << 40)),
            ("off", None),
            ("", None),
            ("1GB", None),
            ("99999999999TiB", None),
        ] {
            assert_eq!(given(text), bytes, "{text}");
        }
    }

    #[test]
    fn caches_share_a_bound() {
        let mib = |count: usize| count << 20;
        for (bytes, file, values) in [(256, 16, 240), (32, 8, 24), (4, 4, 0), (0, 4, 0)] {
            let expected = Caches { file: mib(file), values: mib(values) };
            assert_eq!(Caches::within(mib(bytes) as u64), expected, "{bytes} MiB");
        }
    }

    #[test]
    fn control_groups_of_both_versions_are_asked() {
        let files = |groups: &str| limits(groups).map(|file| file.display().to_string()).collect::<Vec<_>>();
        let unit = ["/sys/fs/cgroup/system.slice/a.service/memory.max", "/sys/fs/cgroup/system.slice/memory.max"];
        assert_eq!(files("0::/system.slice/a.service\n"), [unit[0], unit[1], "/sys/fs/cgroup/memory.max"]);
        assert_eq!(files("0::/\n"), ["/sys/fs/cgroup/memory.max"]);
        let memory = "/sys/fs/cgroup/memory";
        let (own, root) = (format!("{memory}/x/memory.limit_in_bytes"), format!("{memory}/memory.limit_in_bytes"));
        assert_eq!(files("9:cpu,cpuacct:/y\n3:memory:/x\n"), [own, root]);
        assert!(files("nothing\n:\n").is_empty());
    }

    #[test]
    fn a_burst_is_a_share_of_memory_within_bounds() {
        assert_eq!(machine("MemTotal:        4030644 kB\nMemFree: 1 kB\n"), Some(4_030_644 * 1024));
        assert_eq!(machine("MemFree: 1 kB\n"), None);
        for (total, bytes) in [
            (None, LEAST_BURST),
            (Some(64 << 20), LEAST_BURST),
            (Some(2 << 30), 128 << 20),
            (Some(64 << 30), MOST_BURST),
        ] {
            assert_eq!(burst(total), bytes, "{total:?}");
        }
        assert!(total().is_some_and(|total| total > 0));
    }
}
