//! The hash of the keys at revisions, as a member tells it (`HashKV`) and `etcdutl hashkv` finds it.

use std::error::Error;
use std::io::Write;

use keyport_storage::mvcc::Store;
use serde_json::json;

use super::database::Database;
use super::directory::Directory;

/// What was asked for.
#[derive(Debug, clap::Args)]
pub(super) struct DumpHashes {
    #[command(flatten)]
    directory: Directory,
    /// At this revision, or these; 0 for the last one
    #[arg(long, default_value = "0", value_parser = clap::value_parser!(i64).range(0..))]
    rev: Vec<i64>,
}

impl DumpHashes {
    /// A line for each revision, in the order in which they were asked for.
    ///
    /// # Errors
    /// When a member runs on it, it cannot be read, or is damaged; when a revision is compacted or to come.
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
        let database = Database::open(&self.directory.database())?;
        for revision in &self.rev {
            let found =
                Store::hash_of(&database, *revision).map_err(|error| format!("revision {revision}: {error}"))?;
            let line = json!({
                "hash": found.hash,
                "hashRevision": found.hash_revision,
                "compactRevision": found.compact_revision,
            });
            writeln!(out, "{line}")?;
        }
        Ok(())
    }
}
