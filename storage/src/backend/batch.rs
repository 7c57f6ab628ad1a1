//! What is written together.

use bytes::Bytes;

use super::RowKey;
use crate::Record;

/// etcd's buckets, in the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bucket {
    Alarm,
    Auth,
    AuthRoles,
    AuthUsers,
    Cluster,
    Key,
    Lease,
    Members,
    MembersRemoved,
    Meta,
}

impl Bucket {
    pub const ALL: [Bucket; 10] = [
        Bucket::Alarm,
        Bucket::Auth,
        Bucket::AuthRoles,
        Bucket::AuthUsers,
        Bucket::Cluster,
        Bucket::Key,
        Bucket::Lease,
        Bucket::Members,
        Bucket::MembersRemoved,
        Bucket::Meta,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Bucket::Alarm => "alarm",
            Bucket::Auth => "auth",
            Bucket::AuthRoles => "authRoles",
            Bucket::AuthUsers => "authUsers",
            Bucket::Cluster => "cluster",
            Bucket::Key => "key",
            Bucket::Lease => "lease",
            Bucket::Members => "members",
            Bucket::MembersRemoved => "members_removed",
            Bucket::Meta => "meta",
        }
    }
}

/// The last log entry whose effects are in a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Applied {
    pub index: u64,
    pub term: u64,
}

/// Rows that become visible, and durable, together.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) rows: Vec<(RowKey, Record)>,
    pub(super) removed: Vec<RowKey>,
    pub(super) other: Vec<(Bucket, Bytes, Option<Bytes>)>,
}

impl Batch {
    pub fn new() -> Batch {
        Batch::default()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.removed.is_empty() && self.other.is_empty()
    }

    /// Writes a row of any bucket but [`Bucket::Key`].
    pub fn put(&mut self, bucket: Bucket, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        assert!(bucket != Bucket::Key, "rows of the key bucket are records");
        self.other.push((bucket, key.into(), Some(value.into())));
    }

    /// Removes a row of any bucket but [`Bucket::Key`].
    pub fn delete(&mut self, bucket: Bucket, key: impl Into<Bytes>) {
        assert!(bucket != Bucket::Key, "rows of the key bucket are records");
        self.other.push((bucket, key.into(), None));
    }

    /// Writes a row of [`Bucket::Key`], sharing the record. Rows are written in the order of their keys, each once.
    pub fn put_record(&mut self, key: RowKey, record: Record) {
        self.rows.push((key, record));
    }

    /// Removes a row of [`Bucket::Key`].
    pub fn delete_record(&mut self, key: RowKey) {
        self.removed.push(key);
    }
}
