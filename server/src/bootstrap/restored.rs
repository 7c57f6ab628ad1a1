//! A new cluster whose state comes from a backup: what its members are called, and the log that each begins with. When a
//! member starts on that log, it finds the state beside it as if it had been there before the first entry.

use std::path::Path;
use std::sync::Arc;

use keyport_raft::create_log;
use keyport_raft::wal::{FsDisk, WalOptions, make_dir};

use super::identity::founding_of;
use super::plan::{Founding, Plan};
use super::{BootstrapError, identity};
use crate::config::Url;

/// Who will be in the cluster, and which of them this is.
#[derive(Debug)]
pub(crate) struct Restored(Founding);

impl Restored {
    /// # Errors
    /// When the settings contradict each other.
    pub(crate) fn plan(
        name: &str,
        members: Vec<(String, Vec<Url>)>,
        token: &str,
        advertised: &[Url],
    ) -> Result<Restored, BootstrapError> {
        let plan = Plan { members, token: token.to_owned() };
        let listed = plan.own(name)?;
        // Nobody is asked what the names stand for: where the backup is read, they may mean something else.
        if !advertised.iter().all(|url| listed.contains(url)) || !listed.iter().all(|url| advertised.contains(url)) {
            return Err(identity::not_advertised(name, advertised, listed, "not the same URLs".to_owned()));
        }
        plan.check_duplicates()?;
        let members = plan.members()?;
        let own_id = plan.find(&members, name)?.id;
        Ok(Restored(founding_of(own_id, members)))
    }

    pub(crate) fn cluster_id(&self) -> u64 {
        self.0.cluster_id
    }

    pub(crate) fn member_id(&self) -> u64 {
        self.0.member_id
    }

    pub(crate) fn has_member(&self, id: u64) -> bool {
        self.0.members.iter().any(|member| member.id == id)
    }

    /// Makes the log, durably, in a directory that is made for it.
    ///
    /// # Errors
    /// When there is one already, or it cannot be written.
    pub(crate) fn create_log(self, directory: &Path) -> Result<(), BootstrapError> {
        make_dir(directory).map_err(|source| BootstrapError::Io {
            path: directory.to_owned(),
            action: "cannot create directory",
            source,
        })?;
        let disk = Arc::new(FsDisk::open(directory)?);
        create_log(disk, WalOptions::default(), self.0.metadata(), self.0.initial).map(drop)?;
        Ok(())
    }
}
