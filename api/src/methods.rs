//! Every RPC that the server answers, with what the layers around the services want to know of it.
//!
//! Generated from the descriptors; what these cannot say ([`Span`], [`Effect`], whose requests are confidential) is noted beside the generator, in
//! `build/methods/notes.rs`, and the build fails while a method has no note. The services that are gRPC's own, health
//! and reflection, are there too and marked as [`MethodInfo::foreign`].
//!
//! ```
//! use keyport_api::methods::{Effect, Method};
//!
//! let method = Method::of_path("/etcdserverpb.KV/Put").unwrap();
//! assert_eq!(method, Method::Put);
//! assert_eq!(method.info().effect, Effect::Grows);
//! assert_eq!(Method::of_route("/v3/kv/put"), Some(method));
//! ```

use std::fmt;

/// Which sides of a call are streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One request, one answer.
    Unary,
    /// Many requests, one answer.
    ClientStream,
    /// One request, many answers.
    ServerStream,
    /// Many of both.
    BidiStream,
}

impl Kind {
    /// Whether requests are a stream.
    pub const fn client_streams(self) -> bool {
        matches!(self, Kind::ClientStream | Kind::BidiStream)
    }

    /// Whether answers are a stream.
    pub const fn server_streams(self) -> bool {
        matches!(self, Kind::ServerStream | Kind::BidiStream)
    }
}

/// How long a call may last when all is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Span {
    /// The answer is due as soon as the cluster has agreed on it.
    Brief,
    /// It takes as long as the amount of data demands.
    Long,
    /// It lasts for as long as its caller or other clients like: subscriptions, and waiting for one's turn.
    Endless,
}

/// What a call does to what the cluster has stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Nothing. It may move leadership, or tidy up this member's file.
    Reads,
    /// It changes something (keys, leases, members, alarms, users), and needs no room.
    Writes,
    /// It may add to the database: what is refused when that is full.
    Grows,
}

/// Who may make a call, once there are users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// Anybody, whatever he says of himself.
    Nothing,
    /// Anybody who does not say anything wrong of himself.
    SoundToken,
    /// Somebody; the request may demand more of him.
    Identity,
    /// Whoever may access the keys of the request.
    Keys,
    /// Who has the role root.
    Root,
}

/// What is known of a [`Method`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodInfo {
    /// The method itself.
    pub method: Method,
    /// Path in gRPC, `/etcdserverpb.KV/Range`.
    pub path: &'static str,
    /// Full name of the service, `etcdserverpb.KV`.
    pub service: &'static str,
    /// Name of the RPC, `Range`.
    pub name: &'static str,
    /// Full name of the request message.
    pub request: &'static str,
    /// Full name of the response message.
    pub response: &'static str,
    /// Which sides are streams.
    pub kind: Kind,
    /// Paths on the JSON gateway, all of them POST: the canonical one first, then those kept for older clients. Empty
    /// where only gRPC leads to the method.
    pub routes: &'static [&'static str],
    /// How long a call may last.
    pub span: Span,
    /// What a call does.
    pub effect: Effect,
    /// Who may make it.
    pub need: Need,
    /// Whether what stands in the wrong place of a request may be a password, so that no answer repeats it.
    pub confidential: bool,
    /// Not one of etcd's, but of gRPC's own.
    pub foreign: bool,
}

impl MethodInfo {
    /// The canonical path on the JSON gateway, `/v3/kv/range`.
    pub const fn route(&self) -> Option<&'static str> {
        self.routes.first().copied()
    }

    /// Whether calls may wait for ever by design, so that no count of busy calls is for them, and no deadline but their
    /// caller's own.
    pub const fn is_endless(&self) -> bool {
        matches!(self.span, Span::Endless)
    }

    /// Whether calls change what the cluster has stored.
    pub const fn writes(&self) -> bool {
        !matches!(self.effect, Effect::Reads)
    }

    /// Whether calls may add to the database.
    pub const fn grows(&self) -> bool {
        matches!(self.effect, Effect::Grows)
    }
}

include!(concat!(env!("OUT_DIR"), "/methods.rs"));

impl Method {
    /// How many methods there are.
    pub const COUNT: usize = Method::ALL.len();

    /// The place of the method among all of them, below [`Method::COUNT`]: for tables by method.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// What is known of it.
    pub const fn info(self) -> &'static MethodInfo {
        &TABLE[self.index()]
    }

    /// Path in gRPC, `/etcdserverpb.KV/Range`.
    pub const fn path(self) -> &'static str {
        self.info().path
    }

    /// The method of a path in gRPC, exactly as it is written.
    pub fn of_path(path: &str) -> Option<Method> {
        find_path(path)
    }

    /// The method behind a path of the JSON gateway, exactly as it is written: `/v3/kv/range`. Both the canonical paths
    /// and those kept for older clients lead there; the other prefixes that the gateway takes are its own affair.
    pub fn of_route(path: &str) -> Option<Method> {
        find_route(path)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}

#[cfg(test)]
mod tests;
