//! What etcd's database says of itself: how far the log is in it, of which version it is, and who is in the cluster.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use keyport_api::raftpb::ConfState;
use keyport_storage::backend::schema::{CONF_STATE, CONSISTENT_INDEX, STORAGE_VERSION_KEY, TERM};
use keyport_storage::backend::{Applied, BackendError, Bucket, EachRow, Rows, is_native};
use keyport_storage::bbolt::{ReadError, Reader};

use super::refusal::Refusal;
use crate::membership::{CLUSTER_VERSION, Roster};
use crate::state::conf_state;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) path: PathBuf,
    pub(super) reader: Reader<File>,
    pub(super) applied: Applied,
    /// Of the storage, as etcd has it since 3.6, and of the cluster. None before a leader has decided.
    pub(super) storage_version: Option<String>,
    pub(super) cluster_version: Option<String>,
    pub(super) roster: Roster,
    /// What it says of Raft's configuration. `etcdutl snapshot restore` leaves there what the backup had.
    pub(super) conf_state: Option<ConfState>,
}

/// Those that are read as a whole, in the order of their names.
const SMALL: [Bucket; 4] = [Bucket::Cluster, Bucket::Members, Bucket::MembersRemoved, Bucket::Meta];

type Row = (Bucket, Vec<u8>, Vec<u8>);

/// Their rows, which are few.
struct Small<'a> {
    path: &'a Path,
    rows: Vec<Row>,
}

/// Whether a file is one of etcd's, as far as its first bytes tell.
///
/// # Errors
/// When it cannot be read.
pub(super) fn is_etcds(path: &Path) -> Result<bool, Refusal> {
    let failed = |source| Refusal::Io { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
    };
    if is_native(&mut &file).map_err(failed)? {
        return Ok(false);
    }
    match Reader::open(file) {
        // What it is instead is said by whoever opens it as a database of ours.
        Err(ReadError::NotBbolt) => Ok(false),
        // What is wrong with it is said once it is known that nobody uses it.
        Ok(_) | Err(_) => Ok(true),
    }
}

/// Reads what a file says of itself.
///
/// # Errors
/// When it cannot be used.
pub(super) fn open(path: &Path) -> Result<Database, Refusal> {
    let file = File::open(path).map_err(|source| Refusal::Io { path: path.to_owned(), source })?;
    let reader = Reader::open(file)?;
    let small = Small { path, rows: small(&reader)? };
    let get = |of, name| small.get(of, name);
    let text = |of, name| get(of, name).map(|value| String::from_utf8_lossy(value).into_owned());
    let conf_state = get(Bucket::Meta, CONF_STATE).map(conf_state::parse).transpose();
    Ok(Database {
        path: path.to_owned(),
        applied: Applied {
            index: number(get(Bucket::Meta, CONSISTENT_INDEX), "consistent_index")?,
            term: number(get(Bucket::Meta, TERM), "term")?,
        },
        storage_version: text(Bucket::Meta, STORAGE_VERSION_KEY),
        cluster_version: text(Bucket::Cluster, CLUSTER_VERSION),
        roster: Roster::read(&small)?,
        conf_state: conf_state.map_err(|_| Refusal::Row("confState"))?,
        reader,
    })
}

impl Small<'_> {
    fn of(&self, bucket: Bucket) -> impl Iterator<Item = (&[u8], &[u8])> {
        let rows = self.rows.iter().filter(move |(of, _, _)| *of == bucket);
        rows.map(|(_, key, value)| (key.as_slice(), value.as_slice()))
    }

    fn get(&self, bucket: Bucket, name: &[u8]) -> Option<&[u8]> {
        self.of(bucket).find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

impl Rows for Small<'_> {
    fn path(&self) -> &Path {
        self.path
    }

    fn row(&self, bucket: Bucket, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        Ok(self.get(bucket, key).map(Bytes::copy_from_slice))
    }

    fn each_row(&self, bucket: Bucket, each: &mut EachRow<'_>) -> Result<(), BackendError> {
        let _ = self.of(bucket).try_for_each(|(key, value)| each(key, value));
        Ok(())
    }
}

fn small(reader: &Reader<File>) -> Result<Vec<Row>, ReadError> {
    let mut all = Vec::new();
    for bucket in SMALL {
        let mut buckets = reader.buckets()?;
        if let Some(mut rows) = buckets.find(bucket.name().as_bytes())? {
            while let Some(row) = rows.next_row()? {
                all.push((bucket, row.key.to_vec(), row.value.to_vec()));
            }
        }
    }
    Ok(all)
}

/// 0 where etcd has not come so far yet.
fn number(row: Option<&[u8]>, name: &'static str) -> Result<u64, Refusal> {
    let Some(row) = row else { return Ok(0) };
    row.try_into().map(u64::from_be_bytes).map_err(|_| Refusal::Row(name))
}
