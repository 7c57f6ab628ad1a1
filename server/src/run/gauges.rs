//! Gauges of what the node keeps anyway, read when somebody asks.

use keyport_api::etcdserverpb::AlarmType;

use crate::metrics::{IntCounter, Metrics};
use crate::node::Node;
use crate::version;

pub(super) fn install(metrics: &Metrics, node: &Node) {
    let member = format!("{:x}", node.identity().member_id);
    metrics.server_id.with_label_values(&[&member]).set(1);
    let node = node.clone();
    metrics.on_scrape(move |metrics| refresh(metrics, &node, &member));
}

fn refresh(metrics: &Metrics, node: &Node, member: &str) {
    let (state, (raft, applied)) = (node.state(), node.raft_status());
    metrics.has_leader.set(i64::from(raft.leader != 0));
    metrics.is_leader.set(i64::from(raft.leader == raft.id));
    metrics.is_learner.set(i64::from(raft.is_learner));
    catch_up(&metrics.leader_changes, state.leadership.leader().seen);
    metrics.proposals_committed.set(signed(raft.commit));
    metrics.proposals_applied.set(signed(applied));
    metrics.log_first_index.set(signed(raft.first_index));
    metrics.raft_term.set(signed(raft.term));
    metrics.proposals_pending.set(count(node.pending_proposals()));
    metrics.quota_backend_bytes.set(node.limits().quota_bytes.map_or(i64::MAX, signed));
    metrics.db_size.set(signed(state.backend.size()));
    metrics.db_size_in_use.set(signed(state.backend.size_in_use()));
    metrics.db_reclaimable.set(signed(node.free_bytes()));
    metrics.current_revision.set(node.store().revision());
    metrics.compact_revision.set(node.store().compacted());
    metrics.auth_revision.set(signed(state.auth.revision()));
    metrics.keys.set(count(node.store().key_count()));
    for (what, bytes) in [
        ("values", node.store().value_bytes() as u64),
        ("write_buffer", state.backend.waiting_bytes()),
        ("database_cache", state.backend.cached_bytes() as u64),
        ("watch_queues", state.hub.held_bytes() as u64),
    ] {
        metrics.memory.with_label_values(&[what]).set(signed(bytes));
    }
    let cluster = state.membership.version();
    let cluster = cluster.as_deref().unwrap_or(version::ETCD_CLUSTER);
    let minor = cluster.rsplit_once('.').map_or(cluster, |(minor, _)| minor);
    metrics.cluster_version.reset();
    metrics.cluster_version.with_label_values(&[minor]).set(1);
    let watch = state.hub.stats();
    metrics.watch_streams.set(signed(watch.streams));
    metrics.watchers.set(signed(watch.watchers));
    metrics.slow_watchers.set(signed(watch.slow_watchers));
    metrics.pending_events.set(signed(watch.pending_events));
    catch_up(&metrics.events, watch.events_sent);
    let leases = state.lessor.stats();
    metrics.leases.set(signed(leases.leases));
    catch_up(&metrics.lease_granted, leases.granted);
    catch_up(&metrics.lease_revoked, leases.revoked);
    catch_up(&metrics.lease_renewed, leases.renewed);
    // Of every member that has one, and of this one also that it has none.
    metrics.alarms.reset();
    for alarm in ["NOSPACE", "CORRUPT"] {
        metrics.alarms.with_label_values(&[member, alarm]).set(0);
    }
    for alarm in state.alarms.list(AlarmType::None.into()) {
        let member = format!("{:x}", alarm.member_id);
        metrics.alarms.with_label_values(&[member.as_str(), alarm.alarm().as_str_name()]).set(1);
    }
}

/// Brings a counter to a total that is counted elsewhere. Scrapes take turns, so that none counts twice.
fn catch_up(counter: &IntCounter, total: u64) {
    counter.inc_by(total.saturating_sub(counter.get()));
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn count(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
