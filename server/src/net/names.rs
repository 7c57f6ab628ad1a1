//! From names to addresses.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;
use tokio::time::Instant;

use crate::config::Url;

/// How long names in URLs may take to be resolved.
pub(crate) const RESOLVE: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_secs(1);

/// Who is asked.
#[derive(Clone)]
pub(crate) enum Names {
    /// The system's resolver, with everything that it knows besides DNS.
    System,
    /// DNS servers, and the hosts file.
    Dns(Box<TokioResolver>),
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Names::System => "System",
            Names::Dns(_) => "Dns",
        })
    }
}

/// Where a service is, as a SRV record says it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Target {
    pub(crate) priority: u16,
    /// Without the dot at the end.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Among those of its priority: how often it is to be taken.
    pub(crate) weight: u16,
}

impl Names {
    /// The DNS servers that the system is configured for.
    pub(crate) fn dns() -> Result<Names, String> {
        let resolver = TokioResolver::builder_tokio().and_then(|builder| builder.build());
        resolver.map(|resolver| Names::Dns(Box::new(resolver))).map_err(|error| error.to_string())
    }

    /// One address a name, the same one whoever asks: the first of IPv4, else the first.
    pub(crate) async fn address(&self, host: &str, port: u16) -> Result<SocketAddr, String> {
        let addresses = self.all(host, port).await?;
        let preferred = addresses.iter().find(|address| address.is_ipv4()).or_else(|| addresses.first());
        preferred.copied().ok_or_else(|| format!("lookup {host}: no address"))
    }

    /// All of them.
    pub(crate) async fn all(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        Ok(match self {
            Names::System => {
                let found = tokio::net::lookup_host((host, port)).await;
                found.map_err(|error| format!("lookup {host}: {error}"))?.collect()
            }
            Names::Dns(resolver) => {
                let found = resolver.lookup_ip(host).await.map_err(|error| format!("lookup {host}: {error}"))?;
                found.iter().map(|ip| SocketAddr::new(ip, port)).collect()
            }
        })
    }

    /// The records of a service, the preferred ones first.
    pub(crate) async fn service(&self, name: &str) -> Result<Vec<Target>, String> {
        let Names::Dns(resolver) = self else { return Err(format!("lookup {name}: no DNS server")) };
        let found = resolver.srv_lookup(name).await.map_err(|error| format!("lookup {name}: {error}"))?;
        let mut targets: Vec<Target> = Vec::new();
        for record in found.answers() {
            if let RData::SRV(srv) = &record.data {
                let host = srv.target.to_ascii();
                let host = host.strip_suffix('.').unwrap_or(&host).to_owned();
                targets.push(Target { priority: srv.priority, host, port: srv.port, weight: srv.weight });
            }
        }
        targets.sort();
        Ok(targets)
    }

    /// Compares URL by URL, and where the texts differ, the addresses behind the names.
    ///
    /// # Errors
    /// The reason why they are not the same.
    pub(crate) async fn same_urls(&self, a: &[Url], b: &[Url], deadline: Instant) -> Result<(), String> {
        if a.len() != b.len() {
            return Err(format!("len({}) != len({})", quoted(a), quoted(b)));
        }
        let (mut a, mut b) = (a.to_vec(), b.to_vec());
        a.sort_by_cached_key(Url::to_string);
        b.sort_by_cached_key(Url::to_string);
        if a == b {
            return Ok(());
        }
        for urls in [&mut a, &mut b] {
            for url in urls.iter_mut() {
                self.resolve(url, deadline).await?;
            }
            urls.sort_by_cached_key(Url::to_string);
        }
        match a.iter().zip(&b).find(|(a, b)| a != b) {
            None => Ok(()),
            Some((a, b)) => Err(format!("resolved urls: \"{a}\" != \"{b}\"")),
        }
    }

    /// Puts the address in the place of the name, which may come up a little later than the machine that has it.
    /// `localhost` stays: whose address it is depends on who asks.
    async fn resolve(&self, url: &mut Url, deadline: Instant) -> Result<(), String> {
        if url.scheme.is_unix() || url.host == "localhost" || url.ip().is_some() {
            return Ok(());
        }
        loop {
            match self.address(&url.host, url.port).await {
                Ok(address) => {
                    tracing::info!(%url, resolved = %address, "resolved URL Host");
                    url.host = address.ip().to_string();
                    return Ok(());
                }
                Err(error) if Instant::now() + RETRY > deadline => return Err(error),
                Err(error) => tracing::warn!(%url, error, retry_interval = ?RETRY, "failed to resolve URL Host"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}

fn quoted(urls: &[Url]) -> String {
    let words: Vec<String> = urls.iter().map(|url| format!("\"{url}\"")).collect();
    format!("[{}]", words.join(" "))
}
