//! Founders by DNS: one SRV record each, under `_etcd-server._tcp` of a domain, or `_etcd-server-ssl._tcp`.

use super::DiscoveryError;
use crate::bootstrap::plan::Plan;
use crate::config::{Config, Url, parse_members};
use crate::net::Names;

/// The members that DNS names. This one is the record whose address is one that it advertises; the others are numbered,
/// as no record has a name.
pub(in crate::bootstrap) async fn find(
    config: &Config,
    names: &Names,
    domain: &str,
    suffix: &str,
) -> Result<Plan, DiscoveryError> {
    let suffix = if suffix.is_empty() { String::new() } else { format!("-{suffix}") };
    let own = Own { name: &config.name, advertised: &config.cluster.advertise_peer_urls };
    let mut pairs = Vec::new();
    let mut errors = Vec::new();
    let mut number = 0;
    for (scheme, service) in [("https", "etcd-server-ssl"), ("http", "etcd-server")] {
        let service = format!("{service}{suffix}");
        match own.pairs(names, scheme, &service, domain, &mut number).await {
            Ok(found) => pairs.extend(found),
            Err(error) => errors.push(format!("error querying DNS SRV records for _{service} {error}")),
        }
    }
    if pairs.is_empty() {
        return Err(DiscoveryError::Dns(errors.join("; ")));
    }
    for node in &pairs {
        tracing::info!(node, "got bootstrap from DNS for etcd-server");
    }
    let members = parse_members(&pairs.join(",")).map_err(DiscoveryError::Dns)?;
    let plan = Plan { members, token: config.cluster.token.clone() };
    if plan.own(&config.name).is_err() {
        // The reason may be one of those that spared the other service's records.
        errors.iter().for_each(|error| tracing::warn!(error, "failed to resolve during SRV discovery"));
        return Err(DiscoveryError::NotInDns(config.name.clone()));
    }
    Ok(plan)
}

struct Own<'a> {
    name: &'a str,
    advertised: &'a [Url],
}

impl Own<'_> {
    /// What `--initial-cluster` would say of one service.
    async fn pairs(
        &self,
        names: &Names,
        scheme: &str,
        service: &str,
        domain: &str,
        number: &mut usize,
    ) -> Result<Vec<String>, String> {
        let mut addresses = Vec::new();
        for url in self.advertised.iter().filter(|url| !url.scheme.is_unix()) {
            addresses.push((names.address(&url.host, url.port).await?, url));
        }
        let targets = names.service(&format!("_{service}._tcp.{}", domain.trim_end_matches('.'))).await?;
        let mut pairs = Vec::new();
        let mut error = None;
        for target in targets {
            let address = match names.address(&target.host, target.port).await {
                Ok(address) => address,
                Err(reason) => {
                    tracing::warn!(host = target.host, error = reason, "failed to resolve the target of a SRV record");
                    error = Some(reason);
                    continue;
                }
            };
            let host = if target.host.contains(':') { format!("[{}]", target.host) } else { target.host };
            let url = format!("{scheme}://{host}:{}", target.port);
            match addresses.iter().find(|(own, _)| *own == address) {
                Some((_, own)) if own.scheme.as_str() != scheme => {
                    error = Some(format!(
                        "bootstrap at {url} from DNS for {service} has scheme mismatch with expected peer {own}"
                    ));
                }
                Some(_) => pairs.push(format!("{}={url}", self.name)),
                None => {
                    pairs.push(format!("{number}={url}"));
                    *number += 1;
                }
            }
        }
        match error {
            Some(error) if pairs.is_empty() => Err(error),
            _ => Ok(pairs),
        }
    }
}
