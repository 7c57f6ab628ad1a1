//! Hooks for the metrics of etcd's "network" family; this crate keeps no registry of its own.

use std::time::Duration;

/// Told about what happens between this member and its peers. Called from the node's thread and from tasks, so it only
/// adds to counters. Peers are named by their member ids.
pub trait PeerObserver: Send + Sync + 'static {
    /// A peer became known (or, with false, was removed or forgotten).
    fn known(&self, peer: u64, known: bool) {
        let _ = (peer, known);
    }
    /// The outgoing stream to a peer was set up (or, with false, ended).
    fn active(&self, peer: u64, active: bool) {
        let _ = (peer, active);
    }
    /// The outgoing stream to a peer ended without being asked to.
    fn disconnected(&self, peer: u64) {
        let _ = peer;
    }
    /// Bytes went out to a peer.
    fn sent(&self, to: u64, bytes: u64) {
        let _ = (to, bytes);
    }
    /// Bytes came in from a peer.
    fn received(&self, from: u64, bytes: u64) {
        let _ = (from, bytes);
    }
    /// Messages to a peer were given up.
    fn send_failed(&self, to: u64, messages: u64) {
        let _ = (to, messages);
    }
    /// Messages from a peer were lost, or did not check.
    fn receive_failed(&self, from: u64, messages: u64) {
        let _ = (from, messages);
    }
    /// A ping to a peer came back.
    fn round_trip(&self, to: u64, took: Duration) {
        let _ = (to, took);
    }
    /// A snapshot sets out; [`PeerObserver::snapshot_send_ended`] follows.
    fn snapshot_send_started(&self, to: u64) {
        let _ = to;
    }
    /// A snapshot was delivered, or was not.
    fn snapshot_send_ended(&self, to: u64, took: Duration, delivered: bool) {
        let _ = (to, took, delivered);
    }
    /// A snapshot begins to arrive; [`PeerObserver::snapshot_receive_ended`] follows.
    fn snapshot_receive_started(&self, from: u64) {
        let _ = from;
    }
    /// A snapshot has arrived whole, or has not.
    fn snapshot_receive_ended(&self, from: u64, took: Duration, complete: bool) {
        let _ = (from, took, complete);
    }
}

/// Ignores everything.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoPeerObserver;

impl PeerObserver for NoPeerObserver {}
