//! `.snap` files, as etcd up to 3.7 keeps them beside its database: a snapshot's place in the log and, in JSON, the store of
//! etcd's second version as of there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use bytes::Bytes;
use keyport_api::{raftpb, snappb};
use keyport_raft::wal::SnapshotMark;
use prost::Message;

const SUFFIX: &str = ".snap";

/// The store in the newest file that can be read; none if there is no such file, or nothing in it. A file that does not
/// check is passed over, as etcd does.
///
/// # Errors
/// When the directory or a file cannot be read.
pub(super) fn newest_store(directory: &Path) -> io::Result<Option<Bytes>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        // By term and index, both in hex digits of one length.
        names.extend(entry?.file_name().into_string().ok().filter(|name| name.ends_with(SUFFIX)));
    }
    names.sort_unstable();
    for name in names.iter().rev() {
        if let Some(snapshot) = decode(fs::read(directory.join(name))?.into()) {
            return Ok(snapshot.data.filter(|store| !store.is_empty()));
        }
        tracing::warn!(file = name, "a snapshot file of etcd cannot be read; looking at the one before");
    }
    Ok(None)
}

fn decode(file: Bytes) -> Option<raftpb::Snapshot> {
    let file = snappb::Snapshot::decode(file).ok()?;
    let data = file.data.unwrap_or_default();
    if data.is_empty() || crc32c::crc32c(&data) != file.crc.unwrap_or_default() {
        return None;
    }
    raftpb::Snapshot::decode(data).ok()
}

/// Makes the file of a mark, durable but for its name.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(directory: &Path, mark: &SnapshotMark, store: Vec<u8>) -> io::Result<()> {
    let metadata = raftpb::SnapshotMetadata {
        conf_state: Some(mark.conf_state.clone()),
        index: Some(mark.index),
        term: Some(mark.term),
    };
    let data = raftpb::Snapshot { data: Some(store.into()), metadata: Some(metadata) }.encode_to_vec();
    let file = snappb::Snapshot { crc: Some(crc32c::crc32c(&data)), data: Some(data.into()) }.encode_to_vec();
    let name = format!("{:016x}-{:016x}{SUFFIX}", mark.term, mark.index);
    let mut to = File::options().write(true).create_new(true).mode(0o600).open(directory.join(name))?;
    to.write_all(&file)?;
    to.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(index: u64) -> SnapshotMark {
        SnapshotMark { index, term: 2, ..SnapshotMark::default() }
    }

    #[test]
    fn the_newest_that_checks_counts() {
        let dir = tempfile::tempdir().unwrap();
        let newest = || newest_store(dir.path()).unwrap();
        assert_eq!(newest(), None);
        write(dir.path(), &mark(0x9), b"older".to_vec()).unwrap();
        write(dir.path(), &mark(0x10), b"newer".to_vec()).unwrap();
        assert_eq!(newest().as_deref(), Some(&b"newer"[..]));
        let path = dir.path().join("0000000000000002-0000000000000010.snap");
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).unwrap();
            assert_eq!(newest().as_deref(), Some(&b"older"[..]), "byte {at}");
        }
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert_eq!(newest().as_deref(), Some(&b"older"[..]));
        assert!(write(dir.path(), &mark(0x9), Vec::new()).is_err(), "nothing is overwritten");
    }
}
