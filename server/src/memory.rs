//! How much memory this process may count on, and what follows from it.

use std::{env, fs, io};

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities};

/// What a burst may take on every machine, and the most that it needs anywhere.
const LEAST_BURST: u64 = 16 << 20;
const MOST_BURST: u64 = 256 << 20;
/// A burst stands in the queue, in what was taken out of it, and before the store: three times at worst.
const SHARE: u64 = 16;

/// Bytes of requests that may wait in one place, be it for the log or for the store: as many as memory allows, for who
/// sends large values from many connections at once should not be refused what a moment later would be taken.
pub(crate) fn burst_bytes() -> usize {
    usize::try_from(burst(total())).unwrap_or(usize::MAX)
}

fn burst(total: Option<u64>) -> u64 {
    total.map_or(LEAST_BURST, |total| (total / SHARE).clamp(LEAST_BURST, MOST_BURST))
}

/// The machine's memory, or what the container or the operator gives, if that is less.
fn total() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| machine(&text));
    let container = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    let given = env::var("GOMEMLIMIT").ok().and_then(|text| given(&text));
    [machine, container, given].into_iter().flatten().min()
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
