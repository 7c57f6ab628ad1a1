//! The rows of the membership, read back.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use keyport_storage::backend::{Bucket, Rows};

use super::{CLUSTER_VERSION, DOWNGRADE, Downgrade, Inner, Member, Membership, MembershipError, Roster};

impl Inner {
    pub(super) fn load(rows: &impl Rows) -> Result<Inner, MembershipError> {
        let version = rows.row(Bucket::Cluster, CLUSTER_VERSION)?;
        let downgrade = rows.row(Bucket::Cluster, DOWNGRADE)?;
        let downgrade = downgrade.map(|row| serde_json::from_slice::<Downgrade>(&row)).transpose();
        Ok(Inner {
            roster: Roster::read(rows)?,
            version: version.and_then(|text| String::from_utf8(text.to_vec()).ok()),
            downgrade: downgrade.map_err(|source| bad_row("cluster", DOWNGRADE, source))?.unwrap_or_default(),
        })
    }
}

impl Membership {
    /// Whether [`Membership::reload`] could take over what is there.
    ///
    /// # Errors
    /// As with that.
    pub(crate) fn check_rows(rows: &impl Rows) -> Result<(), MembershipError> {
        Inner::load(rows).map(drop)
    }
}

impl Roster {
    /// The members in a snapshot that is not in place yet, or that are in place.
    ///
    /// # Errors
    /// When its rows cannot be read.
    pub(crate) fn read(rows: &impl Rows) -> Result<Roster, MembershipError> {
        let (mut members, mut removed) = (BTreeMap::new(), BTreeSet::new());
        let mut bad = None;
        rows.each_row(Bucket::Members, &mut |key, row| match serde_json::from_slice::<Member>(row) {
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
        rows.each_row(Bucket::MembersRemoved, &mut |key, _| {
            let id = std::str::from_utf8(key).ok().and_then(|text| u64::from_str_radix(text, 16).ok());
            removed.extend(id);
            ControlFlow::Continue(())
        })?;
        Ok(Roster::new(members, removed))
    }
}

fn bad_row(bucket: &'static str, key: &[u8], source: serde_json::Error) -> MembershipError {
    MembershipError::Row { bucket, key: String::from_utf8_lossy(key).into_owned(), source }
}
