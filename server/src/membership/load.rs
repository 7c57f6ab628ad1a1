//! The rows of the membership, read back.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use keyport_storage::backend::{Backend, BackendError, Bucket, ClosedFile, EachRow};

use super::{CLUSTER_VERSION, DOWNGRADE, Downgrade, Inner, Member, MembershipError, Roster};

impl Inner {
    pub(super) fn load(backend: &Backend) -> Result<Inner, MembershipError> {
        let version = backend.get(Bucket::Cluster, CLUSTER_VERSION)?;
        let downgrade = backend.get(Bucket::Cluster, DOWNGRADE)?;
        let downgrade = downgrade.map(|row| serde_json::from_slice::<Downgrade>(&row)).transpose();
        Ok(Inner {
            roster: roster(|bucket, each| backend.scan(bucket, &[], None, each))?,
            version: version.and_then(|text| String::from_utf8(text.to_vec()).ok()),
            downgrade: downgrade.map_err(|source| bad_row("cluster", DOWNGRADE, source))?.unwrap_or_default(),
        })
    }
}

impl Roster {
    /// The members in a snapshot that is not in place yet.
    ///
    /// # Errors
    /// When its rows cannot be read.
    pub(crate) fn in_file(path: &Path) -> Result<Roster, MembershipError> {
        let file = ClosedFile::open(path)?;
        roster(|bucket, each| file.scan(bucket, each))
    }
}

fn roster(scan: impl Fn(Bucket, &mut EachRow<'_>) -> Result<(), BackendError>) -> Result<Roster, MembershipError> {
    let (mut members, mut removed) = (BTreeMap::new(), BTreeSet::new());
    let mut bad = None;
    scan(Bucket::Members, &mut |key, row| match serde_json::from_slice::<Member>(row) {
        Ok(member) => {
            members.insert(member.id, member);
            ControlFlow::Continue(())
        }
        Err(source) => {
            bad = Some(bad_row("members", key, source));
            ControlFlow::Break(())
        }
    })?;
    if let Some(error) = bad {
        return Err(error);
    }
    scan(Bucket::MembersRemoved, &mut |key, _| {
        let id = std::str::from_utf8(key).ok().and_then(|text| u64::from_str_radix(text, 16).ok());
        removed.extend(id);
        ControlFlow::Continue(())
    })?;
    Ok(Roster::new(members, removed))
}

fn bad_row(bucket: &'static str, key: &[u8], source: serde_json::Error) -> MembershipError {
    MembershipError::Row { bucket, key: String::from_utf8_lossy(key).into_owned(), source }
}
