//! Peer URLs, as far as they can be dialled.

use http::Uri;
use http::uri::Scheme;

/// Why a peer cannot be dialled at a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum UrlError {
    #[error("peer URLs over TLS are not supported yet: {0}")]
    Tls(String),
    #[error("peer URLs must be http://host:port: {0}")]
    Form(String),
}

/// Where a peer listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PeerUrl {
    /// Name or address, without the brackets of IPv6.
    pub(super) host: String,
    pub(super) port: u16,
    /// For the `Host` header.
    pub(super) authority: String,
}

impl PeerUrl {
    pub(super) fn parse(text: &str) -> Result<PeerUrl, UrlError> {
        let form = || UrlError::Form(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| form())?;
        if uri.scheme() == Some(&Scheme::HTTPS) {
            return Err(UrlError::Tls(text.to_owned()));
        }
        let (Some(authority), Some(port)) = (uri.authority(), uri.port_u16()) else { return Err(form()) };
        if uri.scheme() != Some(&Scheme::HTTP) || !matches!(uri.path(), "" | "/") || authority.as_str().contains('@') {
            return Err(form());
        }
        let host = authority.host();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || uri.query().is_some() {
            return Err(form());
        }
        Ok(PeerUrl { host: host.to_owned(), port, authority: authority.as_str().to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_urls_are_taken_apart() {
        let url = PeerUrl::parse("http://[::1]:2380").unwrap();
        assert_eq!((url.host.as_str(), url.port, url.authority.as_str()), ("::1", 2380, "[::1]:2380"));
        assert_eq!(PeerUrl::parse("http://infra0:2380/").unwrap().host, "infra0");
    }

    #[test]
    fn others_are_refused() {
        assert!(matches!(PeerUrl::parse("https://infra0:2380"), Err(UrlError::Tls(_))));
        for url in ["", "infra0:2380", "unix://socket", "http://infra0", "http://a:1/path", "http://u@a:1", "ftp://a:1"]
        {
            assert!(matches!(PeerUrl::parse(url), Err(UrlError::Form(_))), "{url}");
        }
    }
}
