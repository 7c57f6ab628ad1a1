//! Fuzz targets: whatever comes over the network, or in files of others, these bytes are read or refused, and nothing panics.
//!
//! A [`Target`] takes any bytes. The [`decoders`] are called as functions; what is behind sockets is reached through them,
//! at a whole [`member`] in this process ([`wire`]), so that a fuzzer sees how far its inputs come. Two runners share them:
//!
//! - [`mutate`] needs no fuzzer: it changes good inputs, from a seed, for a bounded time. The tests run every target for a
//!   few seconds, `make soak` for a minute each.
//! - `make fuzz` builds the program of this crate with libFuzzer, which is guided by coverage and keeps what it finds.
//!
//! What a target needs to begin with are its [`Target::good`] inputs.

pub mod decoders;
pub mod member;
pub mod mutate;
pub mod wire;

use bytes::Bytes;

/// Something that reads bytes from others.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub name: &'static str,
    /// Panics if something is wrong with how they are read.
    pub run: fn(&[u8]),
    /// Inputs that are read to their end, or as far as it goes without chance.
    pub good: fn() -> Vec<Bytes>,
}

/// All of them.
pub const TARGETS: [Target; 15] = [
    Target { name: "wal", run: decoders::wal, good: member::log_segments },
    Target { name: "peer-frames", run: decoders::peer_frames, good: decoders::good::peer_frames },
    Target { name: "json", run: decoders::json, good: decoders::good::json },
    Target { name: "json-splitting", run: decoders::json_splitting, good: decoders::good::json },
    Target { name: "protobuf", run: decoders::protobuf, good: decoders::good::protobuf },
    Target { name: "bbolt", run: decoders::bbolt, good: decoders::good::bbolt },
    Target { name: "ranges", run: decoders::ranges, good: decoders::good::ranges },
    Target { name: "http1", run: wire::http1, good: wire::good::http1 },
    Target { name: "http2", run: wire::http2, good: wire::good::http2 },
    Target { name: "requests", run: wire::requests, good: wire::good::requests },
    Target { name: "websocket", run: wire::websocket, good: wire::good::websocket },
    Target { name: "tokens", run: wire::tokens, good: wire::good::tokens },
    Target { name: "peer-port", run: wire::peer_port, good: wire::good::peer_port },
    Target { name: "tls", run: wire::tls, good: wire::good::tls },
    Target { name: "metrics-port", run: wire::metrics_port, good: wire::good::http1 },
];

/// The target of that name.
pub fn named(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
