//! Whether a caller calls from where his certificate says that he is.

use std::net::IpAddr;

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;
use tokio::sync::OnceCell;

use super::certificate::Certificate;

/// He calls from elsewhere.
#[derive(Debug, thiserror::Error)]
pub(super) enum Misplaced {
    #[error("x509: certificate is valid for {}, not {remote}", list(.addresses))]
    Address { addresses: Vec<IpAddr>, remote: IpAddr },
    #[error("tls: \"{remote}\" does not match any of DNSNames {names:?}{}", in_parentheses(.lookup))]
    Name { names: Vec<String>, remote: IpAddr, lookup: Option<String> },
}

fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn in_parentheses(error: &Option<String>) -> String {
    error.as_deref().map(|error| format!(" ({error})")).unwrap_or_default()
}

/// As etcd has it: nobody is judged by a certificate that names no place.
///
/// # Errors
/// When neither his address nor, by either way of DNS, his name is in the certificate.
pub(super) async fn check(certificate: &Certificate, remote: IpAddr) -> Result<(), Misplaced> {
    let remote = remote.to_canonical();
    let (addresses, names) = (&certificate.addresses, &certificate.dns_names);
    if (addresses.is_empty() && names.is_empty()) || addresses.contains(&remote) {
        return Ok(());
    }
    if names.is_empty() {
        return Err(Misplaced::Address { addresses: addresses.clone(), remote });
    }
    let mut lookup = match names_of(remote).await {
        Ok(found) if found.iter().any(|name| names.iter().any(|pattern| is_named(pattern, name))) => return Ok(()),
        Ok(_) => None,
        Err(error) => Some(error),
    };
    for name in names.iter().filter(|name| !name.starts_with("*.")) {
        match tokio::net::lookup_host((name.as_str(), 0)).await {
            Ok(mut found) => {
                if found.any(|found| found.ip().to_canonical() == remote) {
                    return Ok(());
                }
            }
            Err(error) => lookup = Some(format!("lookup {name}: {error}")),
        }
    }
    Err(Misplaced::Name { names: names.clone(), remote, lookup })
}

/// `*.x` is whatever ends in `.x` here, with as many parts as it likes.
fn is_named(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(suffix) if suffix.starts_with('.') => name.ends_with(suffix),
        _ => pattern == name,
    }
}

async fn names_of(address: IpAddr) -> Result<Vec<String>, String> {
    static RESOLVER: OnceCell<TokioResolver> = OnceCell::const_new();
    let make = async || TokioResolver::builder_tokio().and_then(|builder| builder.build());
    let resolver = RESOLVER.get_or_try_init(make).await.map_err(|error| error.to_string())?;
    let found = resolver.reverse_lookup(address).await.map_err(|error| format!("lookup {address}: {error}"))?;
    let names = found.answers().iter().filter_map(|record| match &record.data {
        RData::PTR(name) => Some(name.0.to_ascii()),
        _ => None,
    });
    Ok(names.map(|name| name.strip_suffix('.').map(str::to_owned).unwrap_or(name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(addresses: &[&str], names: &[&str]) -> Certificate {
        Certificate {
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            dns_names: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Certificate::default()
        }
    }

    #[tokio::test]
    async fn a_certificate_binds_its_holder_to_the_places_that_it_names() {
        let here = "127.0.0.1".parse().unwrap();
        for (addresses, names) in [(&[][..], &[][..]), (&["127.0.0.1"], &[]), (&["::1"], &["localhost"])] {
            assert!(check(&certificate(addresses, names), here).await.is_ok(), "{addresses:?} {names:?}");
        }
        assert!(check(&certificate(&["127.0.0.1"], &[]), "::ffff:127.0.0.1".parse().unwrap()).await.is_ok());
        let refused = check(&certificate(&["10.0.0.1", "::1"], &[]), here).await.unwrap_err().to_string();
        assert_eq!(refused, "x509: certificate is valid for 10.0.0.1, ::1, not 127.0.0.1");
        let refused = check(&certificate(&["10.0.0.1"], &["nowhere.invalid"]), here).await.unwrap_err().to_string();
        let begin = "tls: \"127.0.0.1\" does not match any of DNSNames [\"nowhere.invalid\"]";
        assert!(refused.starts_with(begin), "{refused}");
    }

    #[test]
    fn stars_are_taken_by_their_end() {
        assert!(is_named("*.x.test", "a.b.x.test") && is_named("x.test", "x.test"));
        assert!(!is_named("*.x.test", "x.test") && !is_named("x.test", "a.x.test"));
    }
}
