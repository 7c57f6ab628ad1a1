//! Members that DNS names: a SRV record each under `_etcd-client-ssl._tcp` of a domain, or `_etcd-client._tcp`.

use std::path::PathBuf;
use std::time::Duration;

use super::endpoint::Endpoint;
use crate::config::{Scheme, TlsSide, Url};
use crate::net::{Names, Target, dial};
use crate::tls::{Outgoing, Speaks, TlsError};

/// For a handshake and what is before it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where to look, and what is taken.
#[derive(Debug)]
pub(super) struct Discovery {
    pub(super) domain: String,
    /// Follows the service's name.
    pub(super) suffix: String,
    /// Whether records count that nobody vouches for.
    pub(super) insecure: bool,
    /// Who vouches; the system if not given.
    pub(super) trusted_ca: Option<PathBuf>,
}

/// Why nobody was found.
#[derive(Debug, thiserror::Error)]
pub(super) enum DiscoveryError {
    #[error("dns lookup errors: {0}")]
    Dns(String),
    #[error("--trusted-ca-file: {0}")]
    Tls(#[from] TlsError),
    #[error(
        "no endpoint that DNS names for {domain} is secure ({why}): --trusted-ca-file says who vouches for them, \
         --insecure-discovery takes them as they are, --endpoints names others"
    )]
    Insecure { domain: String, why: String },
}

impl Discovery {
    /// The members, with the rank that their records give them. Unless anybody is taken, each has shown a certificate for the
    /// domain, for a record of DNS can be forged.
    ///
    /// # Errors
    /// When DNS names nobody, or nobody who is taken.
    pub(super) async fn find(&self, names: &Names) -> Result<Vec<Endpoint>, DiscoveryError> {
        let found = self.records(names).await?;
        let urls: Vec<String> = found.iter().map(|endpoint| endpoint.url.to_string()).collect();
        tracing::info!(domain = self.domain, endpoints = ?urls, "discovered cluster from SRV");
        if self.insecure {
            return Ok(found);
        }
        let side = TlsSide {
            trusted_ca: self.trusted_ca.clone(),
            server_name: Some(self.domain.trim_end_matches('.').to_owned()),
            ..TlsSide::default()
        };
        let tls = Outgoing::new(side, Speaks::Http2);
        tls.open()?;
        let (mut secure, mut why) = (Vec::new(), Vec::new());
        for endpoint in found {
            match check(&endpoint.url, &tls).await {
                Ok(()) => secure.push(endpoint),
                Err(reason) => {
                    tracing::warn!(endpoint = %endpoint.url, error = reason, "failed to validate discovered endpoint");
                    why.push(reason);
                }
            }
        }
        if secure.is_empty() {
            return Err(DiscoveryError::Insecure { domain: self.domain.clone(), why: why.join("; ") });
        }
        Ok(secure)
    }

    async fn records(&self, names: &Names) -> Result<Vec<Endpoint>, DiscoveryError> {
        let suffix = if self.suffix.is_empty() { String::new() } else { format!("-{}", self.suffix) };
        let domain = self.domain.trim_end_matches('.');
        let (mut found, mut errors) = (Vec::new(), Vec::new());
        for (scheme, service) in [(Scheme::Https, "etcd-client-ssl"), (Scheme::Http, "etcd-client")] {
            match names.service(&format!("_{service}{suffix}._tcp.{domain}")).await {
                Ok(targets) => found.extend(targets.into_iter().map(|target| of(scheme, target))),
                Err(error) => errors.push(error),
            }
        }
        if found.is_empty() {
            return Err(DiscoveryError::Dns(errors.join(" and ")));
        }
        Ok(found)
    }
}

fn of(scheme: Scheme, target: Target) -> Endpoint {
    let Target { priority, host, port, weight } = target;
    Endpoint { url: Url { scheme, host, port }, priority, weight }
}

async fn check(url: &Url, tls: &Outgoing) -> Result<(), String> {
    if !url.scheme.is_tls() {
        return Err(format!("{url} is insecure"));
    }
    let shaken = async {
        let stream = dial::tcp(url, PATIENCE).await?;
        tls.encrypt(stream, &url.host).await.map(drop)
    };
    match tokio::time::timeout(PATIENCE, shaken).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("{url}: {error}")),
        Err(_) => Err(format!("{url}: no handshake within {PATIENCE:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::dns::{Record, dns};

    fn discovery(insecure: bool, suffix: &str) -> Discovery {
        Discovery { domain: "example.test.".into(), suffix: suffix.into(), insecure, trusted_ca: None }
    }

    fn record(priority: u16, weight: u16, port: u16, target: &'static str) -> Record {
        Record::Srv { priority, weight, port, target }
    }

    #[tokio::test]
    async fn members_are_found_with_their_ranks() {
        let names = dns(&[
            (
                "_etcd-client._tcp.example.test",
                vec![record(2, 7, 1, "b.example.test."), record(1, 9, 2, "a.example.test.")],
            ),
            ("_etcd-client-ssl-x._tcp.example.test", vec![record(0, 0, 3, "c.example.test.")]),
        ])
        .await;
        let found = discovery(true, "").find(&names).await.unwrap();
        let found: Vec<_> = found.iter().map(|e| (e.url.to_string(), e.priority, e.weight)).collect();
        let expected = [("http://a.example.test:2", 1, 9), ("http://b.example.test:1", 2, 7)];
        assert_eq!(found, expected.map(|(url, priority, weight)| (url.to_owned(), priority, weight)));
        let found = discovery(true, "x").find(&names).await.unwrap();
        assert_eq!(found[0].url.to_string(), "https://c.example.test:3");
        let nobody = discovery(true, "y").find(&names).await.unwrap_err().to_string();
        assert!(nobody.starts_with("dns lookup errors: ") && nobody.contains("_etcd-client-ssl-y._tcp.example.test"));
    }

    #[tokio::test]
    async fn who_shows_no_certificate_is_not_taken() {
        let names = dns(&[("_etcd-client._tcp.example.test", vec![record(0, 0, 1, "a.example.test.")])]).await;
        let told = discovery(false, "").find(&names).await.unwrap_err().to_string();
        assert!(
            told.contains("http://a.example.test:1 is insecure") && told.contains("--insecure-discovery"),
            "{told}"
        );
    }
}
