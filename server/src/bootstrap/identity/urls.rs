//! Whether two lists of URLs mean the same places.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::bootstrap::BootstrapError;
use crate::config::Url;

/// Names may come up a little after the machines that have them.
const RESOLVE: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_secs(1);

/// What a member says of itself must be what is said of it.
pub(super) async fn check_advertised(name: &str, advertised: &[Url], listed: &[Url]) -> Result<(), BootstrapError> {
    let Err(reason) = same_urls(advertised, listed, Instant::now() + RESOLVE).await else { return Ok(()) };
    let pairs = |urls: &[&Url], head: &str| urls.iter().map(|url| format!("{head}{url}")).collect::<Vec<_>>().join(",");
    let only_listed: Vec<&Url> = listed.iter().filter(|url| !advertised.contains(url)).collect();
    if !only_listed.is_empty() {
        return Err(BootstrapError::NotAdvertised {
            listed: pairs(&only_listed, &format!("{name}=")),
            advertised: pairs(&advertised.iter().collect::<Vec<_>>(), ""),
            reason,
        });
    }
    let only_advertised: Vec<&Url> = advertised.iter().filter(|url| !listed.contains(url)).collect();
    Err(BootstrapError::NotListed {
        advertised: pairs(&only_advertised, ""),
        listed: pairs(&listed.iter().collect::<Vec<_>>(), &format!("{name}=")),
    })
}

/// Compares URL by URL, and where the texts differ, the addresses behind the names.
///
/// # Errors
/// The reason why they are not the same.
pub(in crate::bootstrap) async fn same_urls(a: &[Url], b: &[Url], deadline: Instant) -> Result<(), String> {
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
            resolve(url, deadline).await?;
        }
        urls.sort_by_cached_key(Url::to_string);
    }
    match a.iter().zip(&b).find(|(a, b)| a != b) {
        None => Ok(()),
        Some((a, b)) => Err(format!("resolved urls: \"{a}\" != \"{b}\"")),
    }
}

fn quoted(urls: &[Url]) -> String {
    let words: Vec<String> = urls.iter().map(|url| format!("\"{url}\"")).collect();
    format!("[{}]", words.join(" "))
}

/// Puts the address in the place of the name. `localhost` stays: whose address it is depends on who asks.
async fn resolve(url: &mut Url, deadline: Instant) -> Result<(), String> {
    if url.scheme.is_unix() || url.host == "localhost" || url.ip().is_some() {
        return Ok(());
    }
    loop {
        let found = tokio::net::lookup_host((url.host.as_str(), url.port)).await.map(preferred);
        let error = match found {
            Ok(Some(address)) => {
                tracing::info!(%url, resolved = %address, "resolved URL Host");
                url.host = address.ip().to_string();
                return Ok(());
            }
            Ok(None) => "no address".to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(%url, error, retry_interval = ?RETRY, "failed to resolve URL Host");
        if Instant::now() + RETRY > deadline {
            return Err(format!("cannot resolve {url}: {error}"));
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// One address a name, the same one whoever asks: the first of IPv4, else the first.
fn preferred(addresses: impl Iterator<Item = SocketAddr>) -> Option<SocketAddr> {
    let addresses: Vec<SocketAddr> = addresses.collect();
    addresses.iter().find(|address| address.is_ipv4()).or_else(|| addresses.first()).copied()
}
