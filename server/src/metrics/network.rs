//! What happens between the members, as etcd's "network" family.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use foldhash::HashMap;
use keyport_raft::peers::PeerObserver;
use parking_lot::RwLock;
use prometheus::{Histogram, IntCounter};

use super::Metrics;

/// Peers that get series of their own; a cluster has seven members or so. Who makes up ids for itself does not fill the
/// registry: the others are counted together, as peer 0.
const MAX_PEERS: usize = 128;

/// No member has this id.
const OTHERS: u64 = 0;

/// Counts for the registry. Labels are looked up once a peer: messages are counted on the Raft thread.
pub(crate) struct NetworkMetrics {
    metrics: Arc<Metrics>,
    local: String,
    peers: RwLock<HashMap<u64, Arc<PeerSeries>>>,
}

impl fmt::Debug for NetworkMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkMetrics").field("local", &self.local).finish_non_exhaustive()
    }
}

/// The series of one peer that move with every message.
struct PeerSeries {
    /// The peer's id, as labels have it.
    name: String,
    sent_bytes: IntCounter,
    received_bytes: IntCounter,
    sent_failures: IntCounter,
    received_failures: IntCounter,
    round_trip: Histogram,
}

impl NetworkMetrics {
    /// The member itself counts as known, as in etcd: so there is a series where there is only one member.
    pub(crate) fn new(metrics: Arc<Metrics>, local: u64) -> NetworkMetrics {
        let local = format!("{local:x}");
        metrics.known_peers.with_label_values(&[&local, &local]).set(1);
        NetworkMetrics { metrics, local, peers: RwLock::default() }
    }

    fn peer(&self, id: u64) -> Arc<PeerSeries> {
        if let Some(series) = self.peers.read().get(&id) {
            return Arc::clone(series);
        }
        let mut peers = self.peers.write();
        let id = if peers.len() < MAX_PEERS { id } else { OTHERS };
        Arc::clone(peers.entry(id).or_insert_with(|| {
            let name = format!("{id:x}");
            let metrics = &self.metrics;
            Arc::new(PeerSeries {
                sent_bytes: metrics.peer_sent_bytes.with_label_values(&[&name]),
                received_bytes: metrics.peer_received_bytes.with_label_values(&[&name]),
                sent_failures: metrics.peer_sent_failures.with_label_values(&[&name]),
                received_failures: metrics.peer_received_failures.with_label_values(&[&name]),
                round_trip: metrics.peer_round_trip.with_label_values(&[&name]),
                name,
            })
        }))
    }
}

impl PeerObserver for NetworkMetrics {
    fn known(&self, peer: u64, known: bool) {
        let peer = self.peer(peer);
        self.metrics.known_peers.with_label_values(&[&self.local, &peer.name]).set(i64::from(known));
    }

    fn active(&self, peer: u64, active: bool) {
        let peer = self.peer(peer);
        self.metrics.active_peers.with_label_values(&[&self.local, &peer.name]).set(i64::from(active));
    }

    fn disconnected(&self, peer: u64) {
        let peer = self.peer(peer);
        self.metrics.disconnected_peers.with_label_values(&[&self.local, &peer.name]).inc();
    }

    fn sent(&self, to: u64, bytes: u64) {
        self.peer(to).sent_bytes.inc_by(bytes);
    }

    fn received(&self, from: u64, bytes: u64) {
        self.peer(from).received_bytes.inc_by(bytes);
    }

    fn send_failed(&self, to: u64, messages: u64) {
        self.peer(to).sent_failures.inc_by(messages);
    }

    fn receive_failed(&self, from: u64, messages: u64) {
        self.peer(from).received_failures.inc_by(messages);
    }

    fn round_trip(&self, to: u64, took: Duration) {
        self.peer(to).round_trip.observe(took.as_secs_f64());
    }

    fn snapshot_send_started(&self, to: u64) {
        self.metrics.snapshot_send_inflights.with_label_values(&[&self.peer(to).name]).inc();
    }

    fn snapshot_send_ended(&self, to: u64, took: Duration, delivered: bool) {
        let (metrics, peer) = (&self.metrics, self.peer(to));
        let label = [peer.name.as_str()];
        metrics.snapshot_send_inflights.with_label_values(&label).dec();
        let outcomes = if delivered { &metrics.snapshot_send_success } else { &metrics.snapshot_send_failures };
        outcomes.with_label_values(&label).inc();
        if delivered {
            metrics.snapshot_send_total.with_label_values(&label).observe(took.as_secs_f64());
        }
    }

    fn snapshot_receive_started(&self, from: u64) {
        self.metrics.snapshot_receive_inflights.with_label_values(&[&self.peer(from).name]).inc();
    }

    fn snapshot_receive_ended(&self, from: u64, took: Duration, complete: bool) {
        let (metrics, peer) = (&self.metrics, self.peer(from));
        let label = [peer.name.as_str()];
        metrics.snapshot_receive_inflights.with_label_values(&label).dec();
        let outcomes = if complete { &metrics.snapshot_receive_success } else { &metrics.snapshot_receive_failures };
        outcomes.with_label_values(&label).inc();
        if complete {
            metrics.snapshot_receive_total.with_label_values(&label).observe(took.as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_peers_do_not_fill_the_registry() {
        let metrics = Arc::new(Metrics::new(false));
        let network = NetworkMetrics::new(Arc::clone(&metrics), 0xa);
        (1..=1_000).for_each(|id| network.receive_failed(id, 1));
        let text = metrics.render().unwrap();
        let series: Vec<&str> =
            text.lines().filter(|line| line.starts_with("etcd_network_peer_received_failures_total{")).collect();
        assert_eq!(series.len(), MAX_PEERS + 1);
        let others = r#"etcd_network_peer_received_failures_total{From="0"} 872"#;
        assert!(series.contains(&others), "{series:?}");
    }

    #[test]
    fn what_happens_is_counted_under_the_names_of_peers() {
        let metrics = Arc::new(Metrics::new(false));
        let network = NetworkMetrics::new(Arc::clone(&metrics), 0xa);
        network.known(0xb, true);
        network.active(0xb, true);
        network.disconnected(0xb);
        network.sent(0xb, 10);
        network.sent(0xb, 5);
        network.received(0xc, 7);
        network.round_trip(0xb, Duration::from_millis(1));
        network.snapshot_send_started(0xc);
        network.snapshot_send_ended(0xc, Duration::from_secs(1), true);
        network.snapshot_receive_started(0xb);
        let text = metrics.render().unwrap();
        for line in [
            r#"etcd_network_known_peers{Local="a",Remote="a"} 1"#,
            r#"etcd_network_known_peers{Local="a",Remote="b"} 1"#,
            r#"etcd_network_active_peers{Local="a",Remote="b"} 1"#,
            r#"etcd_network_disconnected_peers_total{Local="a",Remote="b"} 1"#,
            r#"etcd_network_peer_sent_bytes_total{To="b"} 15"#,
            r#"etcd_network_peer_received_bytes_total{From="c"} 7"#,
            r#"etcd_network_peer_round_trip_time_seconds_count{To="b"} 1"#,
            r#"etcd_network_snapshot_send_success{To="c"} 1"#,
            r#"etcd_network_snapshot_send_inflights_total{To="c"} 0"#,
            r#"etcd_network_snapshot_receive_inflights_total{From="b"} 1"#,
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        }
    }
}
