//! The way back when the majority of a cluster is lost for good: what this member has becomes a cluster of one.

use keyport_raft::wal::{Recovered, Wal};
use keyport_raft::{Rejoin, force_new_cluster};
use keyport_storage::backend::Backend;

use super::BootstrapError;
use crate::config::{Config, Url};
use crate::membership::{Change, Member, Membership};
use crate::state::conf_state;

/// Rewrites the end of the log so that this member is the only one. The cluster id and the data stay.
///
/// # Errors
/// When this member cannot be the one, or the log cannot be written; it is as it was then.
pub(super) fn force_new(
    config: &Config,
    wal: &mut Wal,
    recovered: &mut Recovered,
    backend: &Backend,
    membership: &Membership,
) -> Result<(), BootstrapError> {
    let id = recovered.metadata.node_id;
    let peer_urls = config.cluster.advertise_peer_urls.iter().map(Url::to_string).collect();
    let own = Member { id, peer_urls, name: config.name.clone(), ..Member::default() };
    let context = |change: Change| change.into_conf_change(0).context.unwrap_or_default();
    let rejoin = Rejoin {
        promotion: context(Change::Promote(id)),
        addition: context(Change::Add { member: own, max_learners: config.cluster.max_learners }),
    };
    if membership.is_removed(id) {
        return Err(BootstrapError::Removed { id, data_dir: config.data_dir.clone() });
    }
    let conf_state = conf_state::load(backend)?;
    let applied = backend.durable_applied().index;
    let removed = force_new_cluster(wal, recovered, applied, conf_state.as_ref(), rejoin)?;
    tracing::warn!(
        cluster_id = format!("{:x}", recovered.metadata.cluster_id),
        local_member_id = format!("{id:x}"),
        removed_member_ids = removed.iter().map(|id| format!("{id:x}")).collect::<Vec<_>>().join(","),
        commit_index = recovered.hard_state.commit(),
        "forcing restart member: this member is now a cluster of its own; start it without --force-new-cluster next time"
    );
    Ok(())
}
