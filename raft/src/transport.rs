//! The way to the other members.

use keyport_api::raftpb::Message;

/// Sends messages to peers ([`crate::Peers`], over sockets). Called on the node's thread: it never blocks; what can
/// neither be written nor queued is lost, which Raft copes with.
pub trait Transport: Send + 'static {
    /// Sends messages; `to` in each says where. Those to one peer stay in order.
    fn send(&self, messages: Vec<Message>);

    /// Whether there is a way to a peer now, as far as is known. Without one, what is sent is certainly lost.
    fn reaches(&self, peer: u64) -> bool;
}

/// For a member without peers.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoTransport;

impl Transport for NoTransport {
    fn send(&self, _messages: Vec<Message>) {}

    fn reaches(&self, _peer: u64) -> bool {
        false
    }
}
