//! Where a member is, as it is written.

use std::net::SocketAddr;

use crate::config::{Scheme, Url};
use crate::net::Names;

/// Where members listen if nothing else is said.
const PORT: &str = "2379";

/// One place that connections are passed on to, with the rank that a SRV record gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Its scheme says nothing: it is dialled as it is.
    pub(super) url: Url,
    pub(super) priority: u16,
    pub(super) weight: u16,
}

/// What is wrong with the places that are named.
#[derive(Debug, thiserror::Error)]
pub(super) enum EndpointError {
    #[error("error parsing endpoint {0:?}")]
    Text(String),
    #[error("failed to validate listen address: {0}")]
    Listen(String),
    #[error("failed to resolve listen host: {0}")]
    ListenHost(String),
    #[error("failed to resolve endpoint host: {0}")]
    Host(String),
    #[error("SRV or endpoint ({endpoint}->{address}) should not resolve to the gateway listen addr ({listen})")]
    Own { endpoint: String, address: SocketAddr, listen: String },
}

impl Endpoint {
    /// `host`, `host:port`, or a URL, of which the scheme and what is behind the port count for nothing.
    ///
    /// # Errors
    /// When there is no host, or the port is none.
    pub(super) fn parse(text: &str) -> Result<Endpoint, EndpointError> {
        let bad = || EndpointError::Text(text.to_owned());
        let place = text.trim().split_once("://").map_or(text.trim(), |(_, rest)| rest);
        let place = place.split(['/', '?', '#']).next().unwrap_or_default();
        let has_port = place.rsplit_once(':').is_some_and(|(_, port)| is_number(port));
        let place = if has_port { place.to_owned() } else { format!("{place}:{PORT}") };
        let url = address(&place).filter(|url| !url.host.is_empty()).ok_or_else(bad)?;
        Ok(Endpoint { url, priority: 0, weight: 0 })
    }
}

/// Where to listen.
///
/// # Errors
/// When it is no host and port.
pub(super) fn parse_listen(text: &str) -> Result<Url, EndpointError> {
    match address(text) {
        Some(url) if url.host.is_empty() => Err(EndpointError::ListenHost(url.host)),
        found => found.ok_or_else(|| EndpointError::Listen(text.to_owned())),
    }
}

fn address(text: &str) -> Option<Url> {
    Url::parse(&format!("{}://{text}", Scheme::Http.as_str())).ok()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// All names have addresses, and none of them is where the gateway itself listens: it would call itself for ever.
///
/// # Errors
/// When that is not so.
pub(super) async fn check(listen: &Url, endpoints: &[Endpoint]) -> Result<(), EndpointError> {
    let names = Names::System;
    let own = names.all(&listen.host, listen.port).await;
    let own = own.map_err(|_| EndpointError::ListenHost(listen.host.clone()))?;
    for Endpoint { url, .. } in endpoints {
        let found = names.all(&url.host, url.port).await.map_err(|_| EndpointError::Host(url.host.clone()))?;
        let is_own = |address: &&SocketAddr| {
            let everywhere = |own: &SocketAddr| own.ip().is_unspecified() && is_here(address);
            own.iter().any(|own| own == *address || own.port() == address.port() && everywhere(own))
        };
        if let Some(address) = found.iter().find(is_own) {
            let (endpoint, listen) = (url.authority(), listen.authority());
            return Err(EndpointError::Own { endpoint, address: *address, listen });
        }
    }
    Ok(())
}

/// An address that always is this machine's.
fn is_here(address: &SocketAddr) -> bool {
    address.ip().is_loopback() || address.ip().is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_as_etcd_reads_them() {
        for (text, place) in [
            ("10.0.0.1", "10.0.0.1:2379"),
            ("a.example:1", "a.example:1"),
            ("http://a.example:1/path", "a.example:1"),
            ("https://a.example", "a.example:2379"),
            ("[::1]", "[::1]:2379"),
            ("[::1]:5", "[::1]:5"),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().url.authority(), place, "{text}");
        }
        for text in ["", "http://", "::1", "a:b:1", "a:99999", ":2379"] {
            let told = Endpoint::parse(text).unwrap_err().to_string();
            assert_eq!(told, format!("error parsing endpoint {text:?}"));
        }
    }

    #[test]
    fn where_to_listen_is_a_host_and_a_port() {
        assert_eq!(parse_listen("127.0.0.1:23790").unwrap().authority(), "127.0.0.1:23790");
        assert!(matches!(parse_listen(":23790"), Err(EndpointError::ListenHost(_))));
        assert!(matches!(parse_listen("127.0.0.1"), Err(EndpointError::Listen(_))));
    }

    #[tokio::test]
    async fn it_does_not_call_itself() {
        let check = async |listen: &str, endpoint: &str| {
            check(&parse_listen(listen).unwrap(), &[Endpoint::parse(endpoint).unwrap()]).await
        };
        for (listen, endpoint) in [("127.0.0.1:1", "127.0.0.1:1"), ("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1")]
        {
            assert!(matches!(check(listen, endpoint).await, Err(EndpointError::Own { .. })), "{listen} {endpoint}");
        }
        for (listen, endpoint) in
            [("127.0.0.1:1", "127.0.0.1:2"), ("0.0.0.0:1", "127.0.0.1:2"), ("0.0.0.0:1", "10.9.9.9:1")]
        {
            check(listen, endpoint).await.unwrap();
        }
        let nowhere = check("127.0.0.1:1", "nobody.invalid:1").await.unwrap_err();
        assert_eq!(nowhere.to_string(), "failed to resolve endpoint host: nobody.invalid");
    }
}
