//! The keys that are in a database at a revision, a line of JSON each, with the fields that `etcdctl get -w json` has.
//!
//! History is in the order of revisions. It is gone through twice: first to find out which row of each key counts, and then for
//! those rows. In between the names of the keys that are asked for are in memory, and no value ever is but the one that is written.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;

use base64_simd::STANDARD;
use keyport_storage::Record;
use keyport_storage::backend::{BackendError, Bucket, RowKey, Rows};
use serde_json::{Map, Value};

use super::database::Database;
use super::directory::Directory;

/// What was asked for.
#[derive(Debug, clap::Args)]
pub(super) struct DumpKeys {
    #[command(flatten)]
    directory: Directory,
    /// As of this revision; 0 for the last one
    #[arg(long, default_value = "0", value_parser = clap::value_parser!(i64).range(0..))]
    rev: i64,
    /// Keys that begin with this
    #[arg(long, default_value = "")]
    prefix: String,
    /// Leave values out
    #[arg(long)]
    keys_only: bool,
}

impl DumpKeys {
    /// In the order in which they were changed last.
    ///
    /// # Errors
    /// When a member runs on it, it cannot be read, or is damaged; when the revision is compacted or to come; when nobody takes what
    /// is written.
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
        let database = Database::open(&self.directory.database())?;
        let wanted = self.wanted(&database)?;
        let mut out = BufWriter::new(out);
        let mut written = Ok(());
        each(&database, |row, record| {
            if !wanted.contains(&row) {
                return ControlFlow::Continue(());
            }
            written = writeln!(out, "{}", self.line(row, record));
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        written?;
        out.flush()?;
        Ok(())
    }

    /// The rows of the keys that are there.
    fn wanted(&self, database: &Database) -> Result<HashSet<RowKey>, Box<dyn Error>> {
        let compacted = database.compacted()?;
        if let Some(compacted) = compacted.filter(|compacted| self.rev > 0 && self.rev < *compacted) {
            return Err(
                format!("revision {} has been compacted: the first that is left is {compacted}", self.rev).into()
            );
        }
        let (mut newest, mut last) = (HashMap::new(), compacted.unwrap_or(1));
        each(database, |row, record| {
            last = last.max(row.main);
            if self.rev > 0 && row.main > self.rev {
                return ControlFlow::Break(());
            }
            if record.key().starts_with(self.prefix.as_bytes()) {
                if row.tombstone {
                    newest.remove(record.key());
                } else if let Some(place) = newest.get_mut(record.key()) {
                    *place = row;
                } else {
                    newest.insert(record.key().to_vec(), row);
                }
            }
            ControlFlow::Continue(())
        })?;
        if self.rev > last {
            return Err(format!("revision {} is to come: the last one is {last}", self.rev).into());
        }
        Ok(newest.into_values().collect())
    }

    fn line(&self, row: RowKey, record: &Record) -> Value {
        let versions = record.versions();
        let mut fields = Map::new();
        fields.insert("key".into(), STANDARD.encode_to_string(record.key()).into());
        fields.insert("create_revision".into(), versions.create_revision.into());
        fields.insert("mod_revision".into(), row.main.into());
        fields.insert("version".into(), versions.version.into());
        if !self.keys_only && !record.value().is_empty() {
            fields.insert("value".into(), STANDARD.encode_to_string(record.value()).into());
        }
        if versions.lease != 0 {
            fields.insert("lease".into(), versions.lease.into());
        }
        Value::from(fields)
    }
}

/// Calls `tell` for the rows of history until it breaks.
fn each(database: &Database, mut tell: impl FnMut(RowKey, &Record) -> ControlFlow<()>) -> Result<(), BackendError> {
    let mut bad = None;
    database.each_row(Bucket::Key, &mut |key, value| match RowKey::decode(key).zip(Record::decode(value).ok()) {
        Some((row, record)) => tell(row, &record),
        None => {
            bad = Some(database.corrupt(&format!("the row {key:02x?} is none of history")));
            ControlFlow::Break(())
        }
    })?;
    bad.map_or(Ok(()), Err)
}
