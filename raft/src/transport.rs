//! The way to the other members.

use keyport_api::raftpb::Message;

/// Sends messages to peers. Called on the node's thread: it enqueues and never blocks; what cannot be queued is lost,
/// which Raft copes with.
pub trait Transport: Send + 'static {
    /// Queues messages; `to` in each says where.
    fn send(&self, messages: Vec<Message>);
}

/// For a member without peers.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoTransport;

impl Transport for NoTransport {
    fn send(&self, _messages: Vec<Message>) {}
}
