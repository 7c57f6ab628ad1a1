//! Logs that nobody wrote.

use std::sync::Arc;

use super::SimDisk;
use crate::wal::{Recovered, Wal, WalError, WalOptions};

/// Reads arbitrary bytes as the only segment of a log: for fuzzing. Never panics.
///
/// # Errors
/// When the bytes are no log that checks.
pub fn replay_wal(bytes: &[u8]) -> Result<Recovered, WalError> {
    let disk = SimDisk::new(0);
    disk.set_content("0000000000000000-0000000000000000.wal", bytes.to_vec());
    let options = WalOptions { background: false, segment_bytes: 4 << 10, ..WalOptions::default() };
    Wal::open(Arc::new(disk), options, 0).map(|(_, recovered)| recovered)
}
