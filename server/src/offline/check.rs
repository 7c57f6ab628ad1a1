//! Whether what a member left is sound: database and log, each by itself, and whether they are of one history.
//!
//! What is looked at: each page of the database and its checksum, its versions, each row; each record of the log and its checksum,
//! that entries follow each other, that what is still to be applied is understood, and that the log has the entry that the database
//! ends with. Damage in one of the two does not keep the other from being looked at.

use std::error::Error;
use std::io::Write;
use std::ops::ControlFlow;

use keyport_api::raftpb::EntryType;
use keyport_raft::wal::{FsDisk, Metadata, Recovered, Wal, WalError};
use keyport_storage::alarm::Alarms;
use keyport_storage::auth::AuthStore;
use keyport_storage::backend::schema::STORAGE_VERSION_KEY;
use keyport_storage::backend::{Applied, BackendError, Bucket, Rows};
use keyport_storage::lease::Lessor;
use keyport_storage::mvcc::Store;

use super::counts::{History, Log, ROWS, count, history};
use super::database::Database;
use super::directory::Directory;
use crate::apply::Proposal;
use crate::command_line::{Progress, bytes};
use crate::membership::{Membership, Roster};

/// Goes through a directory, and says what it finds.
pub(super) struct Check<'a> {
    directory: &'a Directory,
    out: &'a mut dyn Write,
    problems: usize,
}

impl Check<'_> {
    /// How many things are wrong; all of them are written, and what is there.
    ///
    /// # Errors
    /// When a member runs on it, or there is nothing to look at.
    pub(super) fn run(directory: &Directory, out: &mut dyn Write) -> Result<usize, Box<dyn Error>> {
        let (database, log) = (directory.database(), directory.log());
        if !database.exists() && !log.exists() {
            return Err(format!("{} is no data directory of a member", directory.data_dir.display()).into());
        }
        // Locked for as long as this takes; the database is, too, once it is opened.
        let disk = FsDisk::look(&log);
        if let Err(error @ WalError::Locked(_)) = disk {
            return Err(error.into());
        }
        let mut check = Check { directory, out, problems: 0 };
        let applied = check.database()?;
        let disk = match disk {
            Ok(disk) => check.log(&disk)?.then_some(disk),
            Err(error) => {
                check.problem(&error)?;
                None
            }
        };
        if let Some((disk, applied)) = disk.zip(applied) {
            check.together(&disk, applied)?;
        }
        match check.problems {
            0 => writeln!(check.out, "sound")?,
            1 => writeln!(check.out, "1 problem")?,
            count => writeln!(check.out, "{count} problems")?,
        }
        Ok(check.problems)
    }

    fn problem(&mut self, what: &dyn std::fmt::Display) -> std::io::Result<()> {
        self.problems += 1;
        writeln!(self.out, "PROBLEM   {what}")
    }

    /// How far it is, if it can be read.
    fn database(&mut self) -> Result<Option<Applied>, Box<dyn Error>> {
        let path = self.directory.database();
        let size = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        let database = match Database::check(&path) {
            Ok(database) => database,
            Err(error @ BackendError::Locked(_)) => return Err(error.into()),
            Err(error) => {
                self.problem(&error)?;
                return Ok(None);
            }
        };
        let version = database.row(Bucket::Meta, STORAGE_VERSION_KEY).ok().flatten();
        let version = version.map_or("none".into(), |version| String::from_utf8_lossy(&version).into_owned());
        let size = bytes(size);
        writeln!(self.out, "database  {}: {}, {size}, storage version {version}", path.display(), database.owner())?;
        self.rows(&database)?;
        match database.applied() {
            Ok(applied) => {
                writeln!(self.out, "          it ends with entry {} of term {}", applied.index, applied.term)?;
                Ok(Some(applied))
            }
            Err(error) => {
                self.problem(&error)?;
                Ok(None)
            }
        }
    }

    fn rows(&mut self, database: &Database) -> std::io::Result<()> {
        match history(database) {
            Ok(History { versions, deletions, revision }) => {
                let compacted = database.compacted().ok().flatten();
                let compacted = compacted.map(|at| format!(", compacted at {at}")).unwrap_or_default();
                writeln!(
                    self.out,
                    "          {versions} versions and {deletions} deletions of keys, the last at revision {revision}{compacted}"
                )?;
            }
            Err(error) => self.problem(&error)?,
        }
        let counts = [
            (Bucket::Lease, "leases"),
            (Bucket::AuthUsers, "users"),
            (Bucket::AuthRoles, "roles"),
            (Bucket::Members, "members"),
            (Bucket::Alarm, "alarms"),
        ];
        let mut words = Vec::new();
        for (bucket, name) in counts {
            match count(database, bucket) {
                Ok(count) => words.push(format!("{count} {name}")),
                Err(error) => self.problem(&error)?,
            }
        }
        writeln!(self.out, "          {}", words.join(", "))?;
        let mut found: Vec<Box<dyn Error>> = Vec::new();
        found.extend(Store::check(database).err().map(Into::into));
        found.extend(Lessor::check(database).err().map(Into::into));
        found.extend(Alarms::check(database).err().map(Into::into));
        found.extend(AuthStore::check(database).err().map(Into::into));
        found.extend(Membership::check_rows(database).err().map(Into::into));
        found.extend(Roster::read(database).err().map(Into::into));
        found.iter().try_for_each(|error| self.problem(&format_args!("{}: {error}", database.path().display())))
    }

    /// Whether all of it could be read.
    fn log(&mut self, disk: &FsDisk) -> Result<bool, Box<dyn Error>> {
        let mut log = Log::default();
        let mut progress = Progress::new();
        let scanned = Wal::scan(disk, &mut |item| {
            log.add(item);
            if log.entries.is_multiple_of(ROWS) {
                progress.count("entries of the log", log.entries);
            }
            ControlFlow::Continue(())
        });
        drop(progress);
        let scanned = match scanned {
            Ok(scanned) => scanned,
            Err(error) => {
                self.problem(&error)?;
                return Ok(false);
            }
        };
        let path = self.directory.log();
        let Log { entries, first, last, term, commit, metadata } = log;
        let Metadata { node_id, cluster_id } = metadata.unwrap_or(Metadata { node_id: 0, cluster_id: 0 });
        let (segments, records) = (scanned.segments, scanned.records);
        writeln!(self.out, "log       {}: member {node_id:x} of cluster {cluster_id:x}", path.display())?;
        writeln!(
            self.out,
            "          {records} records in {segments} segments; {entries} entries, {first} to {last}, committed to {commit}, term {term}"
        )?;
        if let Some(torn) = scanned.torn {
            writeln!(
                self.out,
                "          torn at byte {} of {} ({}): nothing from there on was acknowledged, and the next start cuts it off",
                torn.offset,
                torn.path.display(),
                torn.what
            )?;
        }
        Ok(true)
    }

    fn together(&mut self, disk: &FsDisk, applied: Applied) -> Result<(), Box<dyn Error>> {
        let log = match Wal::look(disk, applied.index) {
            Ok(log) => log,
            Err(WalError::SnapshotNeeded { index, .. }) if self.directory.received().path(index).exists() => {
                let file = self.directory.received().path(index);
                writeln!(
                    self.out,
                    "together  the log goes on from {}, which the next start puts in place",
                    file.display()
                )?;
                return Ok(());
            }
            Err(error) => return Ok(self.problem(&error)?),
        };
        match log.term_at(applied.index) {
            _ if applied.term == 0 && applied.index > 0 => {
                writeln!(self.out, "together  an etcd before 3.5 has written it: it does not say of which term its last entry is")?;
            }
            Some(term) if term == applied.term => {}
            Some(term) => self.problem(&format_args!(
                "database and log are not of one history: entry {} is of term {} in the database, and of term {term} in the log",
                applied.index, applied.term
            ))?,
            None => self.problem(&format_args!("the log does not have entry {}, with which the database ends", applied.index))?,
        }
        self.unapplied(&log, applied)?;
        Ok(())
    }

    fn unapplied(&mut self, log: &Recovered, applied: Applied) -> std::io::Result<()> {
        let mut count = 0;
        for entry in log.entries.iter().filter(|entry| entry.index() > applied.index) {
            count += 1;
            let data = entry.data.clone().unwrap_or_default();
            if entry.r#type() == EntryType::EntryNormal
                && !data.is_empty()
                && let Err(error) = Proposal::decode(&data)
            {
                self.problem(&format_args!(
                    "entry {} of the log, which is still to be applied, is not understood: {error}",
                    entry.index()
                ))?;
            }
        }
        writeln!(self.out, "together  {count} entries of the log are not in the database yet")
    }
}
