//! TLS: what this member shows to others and asks of them, by files that may change while it runs, and the handshakes.
//! Sockets and what is spoken on them are none of this room's business.

mod acceptor;
mod allowed;
mod among_us;
mod auto;
mod callers;
mod certificate;
mod crl;
mod error;
mod files;
mod greeting;
mod handshakes;
mod incoming;
mod key_kind;
mod names;
mod outgoing;
mod provider;
mod servers;
mod trust;
mod watched;

use std::time::{Duration, SystemTime};

pub(crate) use acceptor::{Acceptor, CertificateIdentity};
pub(crate) use among_us::{AmongUs, Holders};
pub use error::TlsError;
pub(crate) use greeting::GREETING_BYTES;
pub(crate) use outgoing::Outgoing;
pub(crate) use provider::Speaks;

use crate::config::TlsConfig;
use crate::metrics::Metrics;
use acceptor::Side;

/// Both sides of this member, towards clients and towards peers. Cheap to clone; clones share what was read.
#[derive(Clone, Debug)]
pub struct Tls {
    clients: Acceptor,
    peers: Acceptor,
    to_peers: Outgoing,
}

impl Tls {
    /// Nothing is read yet.
    pub fn new(config: &TlsConfig, metrics: &Metrics) -> Tls {
        let rejected = |side| metrics.tls_rejected.with_label_values(&[side]);
        Tls {
            clients: Acceptor::new(Side::Client, config.client.clone(), rejected("client")),
            peers: Acceptor::new(Side::Peer, config.peer.clone(), rejected("peer")),
            to_peers: Outgoing::new(config.peer.clone(), Speaks::Http1),
        }
    }

    /// Makes what is to be made, and reads what will be needed.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub fn open(&self, metrics: &Metrics) -> Result<(), TlsError> {
        for (name, acceptor) in [("client", &self.clients), ("peer", &self.peers)] {
            let settings = acceptor.settings();
            let Some(own) = &settings.own else { continue };
            if let Some(auto) = &settings.auto {
                auto::provide(auto, own)?;
            }
            acceptor.material()?;
            let acceptor = acceptor.clone();
            metrics.on_scrape(move |metrics| {
                if let Ok(material) = acceptor.material() {
                    let left = material.ends.saturating_sub(now());
                    metrics.tls_certificate_expiry.with_label_values(&[name]).set(left);
                }
            });
        }
        self.to_peers.open()
    }

    pub(crate) fn clients(&self) -> Acceptor {
        self.clients.clone()
    }

    pub(crate) fn peers(&self) -> Acceptor {
        self.peers.clone()
    }

    /// For what this member asks of others.
    pub(crate) fn to_peers(&self) -> &Outgoing {
        &self.to_peers
    }
}

/// In seconds of Unix time.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
