//! How much memory this process may count on, and what follows from it.

use std::fs;

/// What a burst may take on every machine, and the most that it needs anywhere.
const LEAST_BURST: u64 = 64 << 20;
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

/// The machine's memory, or the container's if that has less.
fn total() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| machine(&text));
    let container = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    machine.into_iter().chain(container).min()
}

fn machine(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_a_share_of_memory_within_bounds() {
        assert_eq!(machine("MemTotal:        4030644 kB\nMemFree: 1 kB\n"), Some(4_030_644 * 1024));
        assert_eq!(machine("MemFree: 1 kB\n"), None);
        for (total, bytes) in [
            (None, LEAST_BURST),
            (Some(256 << 20), LEAST_BURST),
            (Some(2 << 30), 128 << 20),
            (Some(64 << 30), MOST_BURST),
        ] {
            assert_eq!(burst(total), bytes, "{total:?}");
        }
        assert!(total().is_some_and(|total| total > 0));
    }
}
