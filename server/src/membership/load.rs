//! The rows of the membership, read back.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use keyport_storage::backend::{Backend, Bucket};

use super::{CLUSTER_VERSION, DOWNGRADE, Downgrade, Inner, Member, MembershipError, Roster};

impl Inner {
    pub(super) fn load(backend: &Backend) -> Result<Inner, MembershipError> {
        let version = backend.get(Bucket::Cluster, CLUSTER_VERSION)?;
        let downgrade = backend.get(Bucket::Cluster, DOWNGRADE)?;
        let downgrade = downgrade.map(|row| serde_json::from_slice::<Downgrade>(&row)).transpose();
        Ok(Inner {
            roster: roster(backend)?,
            version: version.and_then(|text| String::from_utf8(text.to_vec()).ok()),
            downgrade: downgrade.map_err(|source| bad_row("cluster", DOWNGRADE, source))?.unwrap_or_default(),
        })
    }
}

fn roster(backend: &Backend) -> Result<Roster, MembershipError> {
    let (mut members, mut removed) = (BTreeMap::new(), BTreeSet::new());
    let mut bad = None;
    backend.scan(Bucket::Members, &[], None, &mut |key, row| match serde_json::from_slice::<Member>(row) {
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
    backend.scan(Bucket::MembersRemoved, &[], None, &mut |key, _| {
        let id = std::str::from_utf8(key).ok().and_then(|text| u64::from_str_radix(text, 16).ok());
        removed.extend(id);
        ControlFlow::Continue(())
    })?;
    Ok(Roster::new(members, removed))
}

fn bad_row(bucket: &'static str, key: &[u8], source: serde_json::Error) -> MembershipError {
    MembershipError::Row { bucket, key: String::from_utf8_lossy(key).into_owned(), source }
}
