//! A data directory out of a backup: the beginning of a new cluster that has the state of another one.
//!
//! It is made under another name and renamed when it is whole and durable; an empty directory that is there already is filled.
//! A process that is killed before leaves that other name, which the next one removes.

use std::io;
use std::path::{Path, PathBuf};

use keyport_api::etcdserverpb::{AlarmMember, AlarmType};
use keyport_raft::wal::make_dir;
use keyport_storage::backend::schema::{CONF_STATE, CONSISTENT_INDEX, TERM};
use keyport_storage::backend::{BackendError, BackendOptions, Bucket, Changes, ImportOptions, import};
use keyport_storage::bbolt::{ReadAt, ReadError, Reader};
use prost::Message;

use super::file::{BackupFile, FileError, Manner};
use crate::bootstrap::{BootstrapError, Restored};
use crate::config::{Url, UrlError, parse_members};
use crate::membership;
use crate::staging::{Stage, StageError};

/// What a directory is called, or ends with, until it is whole.
const UNFINISHED: &str = ".restoring";

/// What was asked for; as `etcdutl snapshot restore` has it.
#[derive(Debug, clap::Args)]
pub(super) struct Restore {
    /// The backup
    pub(super) file: PathBuf,
    /// The data directory that is made, or filled if it is there and empty; without it, the name with .etcd behind it
    #[arg(long)]
    pub(super) data_dir: Option<PathBuf>,
    /// Where its write-ahead log goes, if not into the data directory
    #[arg(long)]
    wal_dir: Option<PathBuf>,
    /// What this member is called
    #[arg(long, default_value = "default")]
    name: String,
    /// All members of the new cluster, each of which restores the same backup
    #[arg(long, default_value = "default=http://localhost:2380")]
    initial_cluster: String,
    /// Tells this cluster from others
    #[arg(long, default_value = "etcd-cluster")]
    initial_cluster_token: String,
    /// Where this member's peers find it
    #[arg(long, default_value = "http://localhost:2380", value_delimiter = ',')]
    initial_advertise_peer_urls: Vec<String>,
    /// Take a file that came from no server, such as a copy of a database, and so has no digest
    #[arg(long)]
    skip_hash_check: bool,
    /// How much to add to the revision, so that what watchers and caches have seen is older. With --mark-compacted
    #[arg(long, requires = "mark_compacted", value_parser = clap::value_parser!(i64).range(1..))]
    bump_revision: Option<i64>,
    /// Count everything before the new revision as compacted, so that watchers begin anew. With --bump-revision
    #[arg(long, requires = "bump_revision")]
    mark_compacted: bool,
}

/// What has been done.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) data_dir: PathBuf,
    pub(super) cluster_id: u64,
    pub(super) member_id: u64,
    /// Of members that are no more.
    pub(super) dropped_alarms: Vec<(u64, &'static str)>,
}

/// Why there is no data directory.
#[derive(Debug, thiserror::Error)]
pub(super) enum RestoreError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Settings(#[from] BootstrapError),
    #[error("{0}")]
    Members(String),
    #[error("--initial-advertise-peer-urls: {0}")]
    Url(#[from] UrlError),
    #[error("{what} {path:?} not empty or could not be read")]
    NotEmpty { what: &'static str, path: PathBuf },
    #[error(transparent)]
    Database(#[from] BackendError),
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl Restore {
    /// # Errors
    /// See [`RestoreError`]. Nothing is where the data directory was to be then.
    pub(super) fn run(self) -> Result<Done, RestoreError> {
        let members = parse_members(&self.initial_cluster).map_err(RestoreError::Members)?;
        let advertised = self.initial_advertise_peer_urls.iter().map(|url| Url::parse(url));
        let advertised = advertised.collect::<Result<Vec<_>, _>>()?;
        let data_dir = self.data_dir.unwrap_or_else(|| format!("{}.etcd", self.name).into());
        check_empty("data-dir", &data_dir)?;
        if let Some(wal_dir) = &self.wal_dir {
            check_empty("wal-dir", wal_dir)?;
        }
        let cluster = Restored::plan(&self.name, members, &self.initial_cluster_token, &advertised)?;
        // Beside what is made, on the same disk.
        let work = if data_dir.is_dir() { data_dir.join("member") } else { data_dir.clone() };
        let file = BackupFile::open(&self.file, &work, Manner::Shown)?;
        if !self.skip_hash_check {
            file.check_digest()?;
        }
        let reader = file.reader()?;
        let gone = alarms(&reader, &cluster).map_err(|error| file.damaged(error))?;
        let (cluster_id, member_id) = (cluster.cluster_id(), cluster.member_id());

        if self.wal_dir.as_ref().is_some_and(|wal_dir| wal_dir.starts_with(&data_dir)) {
            // Both have their place once this is there.
            make(&data_dir)?;
        }
        let stage = Stage::begin(&data_dir, UNFINISHED)?;
        let snap = stage.temporary.join("member/snap");
        make(&snap)?;
        let wanted = ImportOptions { changes: changes(&gone), bump: self.bump_revision };
        import((&file.path, &reader), &snap.join("db"), BackendOptions::default(), &wanted)?;
        match &self.wal_dir {
            None => cluster.create_log(&stage.temporary.join("member/wal"))?,
            Some(wal_dir) => {
                let log = Stage::begin(wal_dir, UNFINISHED)?;
                cluster.create_log(&log.temporary)?;
                log.finish()?;
            }
        }
        stage.finish()?;
        let dropped_alarms = gone.into_iter().map(|alarm| (alarm.member_id, alarm.alarm().as_str_name())).collect();
        Ok(Done { data_dir, cluster_id, member_id, dropped_alarms })
    }
}

/// What only the old cluster knows; the log tells the rest anew.
fn changes(gone: &[AlarmMember]) -> Changes {
    let changes = membership::without_members(Changes::none());
    let changes = [CONSISTENT_INDEX, TERM, CONF_STATE]
        .into_iter()
        .fold(changes, |changes, key| changes.remove(Bucket::Meta, key));
    gone.iter().fold(changes, |changes, alarm| changes.remove(Bucket::Alarm, alarm.encode_to_vec()))
}

/// Those of members that the new cluster has not: nobody could ever be rid of them.
fn alarms(reader: &Reader<impl ReadAt>, cluster: &Restored) -> Result<Vec<AlarmMember>, ReadError> {
    let mut gone = Vec::new();
    if let Some(mut rows) = reader.buckets()?.find(Bucket::Alarm.name().as_bytes())? {
        while let Some(row) = rows.next_row()? {
            // What is no alarm is found, and said, when the member starts.
            let alarm = AlarmMember::decode(row.key).unwrap_or_default();
            if alarm.alarm() != AlarmType::None && !cluster.has_member(alarm.member_id) {
                gone.push(alarm);
            }
        }
    }
    Ok(gone)
}

fn check_empty(what: &'static str, path: &Path) -> Result<(), RestoreError> {
    match Stage::is_free(path, UNFINISHED) {
        true => Ok(()),
        false => Err(RestoreError::NotEmpty { what, path: path.to_owned() }),
    }
}

fn make(path: &Path) -> Result<(), RestoreError> {
    make_dir(path).map_err(|source| RestoreError::Io { path: path.to_owned(), source })
}
