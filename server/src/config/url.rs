//! The URLs of flags: where to listen and what to advertise.

use std::fmt;
use std::net::IpAddr;

/// `http`, `https`, or the same over a unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    Http,
    Https,
    Unix,
    Unixs,
}

impl Scheme {
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Unix => "unix",
            Scheme::Unixs => "unixs",
        }
    }

    pub fn is_tls(self) -> bool {
        matches!(self, Scheme::Https | Scheme::Unixs)
    }

    pub fn is_unix(self) -> bool {
        matches!(self, Scheme::Unix | Scheme::Unixs)
    }
}

/// A checked URL. For unix sockets `host` is the whole path and `port` is 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    pub scheme: Scheme,
    /// Without the brackets of an IPv6 address.
    pub host: String,
    pub port: u16,
}

/// Why a text is not such a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("URL scheme must be http, https, unix, or unixs: {0}")]
    Scheme(String),
    #[error("URL address does not have the form \"host:port\": {0}")]
    HostPort(String),
    #[error("URL must not contain a path: {0}")]
    Path(String),
    #[error("expected IP in URL for binding ({0})")]
    NotBindable(String),
}

impl Url {
    pub fn parse(text: &str) -> Result<Url, UrlError> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").ok_or_else(|| UrlError::Scheme(text.to_owned()))?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            "unix" => Scheme::Unix,
            "unixs" => Scheme::Unixs,
            _ => return Err(UrlError::Scheme(text.to_owned())),
        };
        let bad_host = || UrlError::HostPort(text.to_owned());
        if scheme.is_unix() {
            if rest.is_empty() {
                return Err(bad_host());
            }
            return Ok(Url { scheme, host: rest.to_owned(), port: 0 });
        }
        if rest.contains(['/', '?', '#']) {
            return Err(UrlError::Path(text.to_owned()));
        }
        let (host, port) = rest.rsplit_once(':').ok_or_else(bad_host)?;
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        if host.contains('@') || (bare.is_none() && host.contains(':')) {
            return Err(bad_host());
        }
        let port = if port.bytes().all(|b| b.is_ascii_digit()) { port.parse().ok() } else { None };
        Ok(Url { scheme, host: bare.unwrap_or(host).to_owned(), port: port.ok_or_else(bad_host)? })
    }

    /// A listener takes an IP address or `localhost`; other names would be resolved to who knows where.
    pub fn check_bindable(&self) -> Result<(), UrlError> {
        let bindable = self.scheme.is_unix() || self.host == "localhost" || self.ip().is_some();
        if bindable { Ok(()) } else { Err(UrlError::NotBindable(self.to_string())) }
    }

    pub fn ip(&self) -> Option<IpAddr> {
        // A zone ("fe80::1%eth0") is the resolver's business; the address alone decides here.
        self.host.split('%').next().and_then(|h| h.parse().ok())
    }

    pub fn is_unspecified(&self) -> bool {
        self.ip().is_some_and(|ip| ip.is_unspecified())
    }

    /// The URL as HTTP has it, where there are no unix sockets: this machine, for what is asked through one.
    pub(crate) fn origin(&self) -> String {
        match self.scheme {
            Scheme::Unix => "http://localhost".to_owned(),
            Scheme::Unixs => "https://localhost".to_owned(),
            Scheme::Http | Scheme::Https => self.to_string(),
        }
    }

    /// `host:port`, or the path of a unix socket.
    pub fn authority(&self) -> String {
        if self.scheme.is_unix() {
            self.host.clone()
        } else if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority())
    }
}

/// Reads a comma-separated list; sorted and without repeats, as the member list shows it.
pub(super) fn parse_list(text: &str) -> Result<Vec<Url>, UrlError> {
    let mut urls = text.split(',').filter(|t| !t.trim().is_empty()).map(Url::parse).collect::<Result<Vec<_>, _>>()?;
    urls.sort_by_cached_key(Url::to_string);
    urls.dedup();
    Ok(urls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        for text in
            ["http://localhost:2379", "https://10.0.0.1:1", "http://[::1]:2379", "unix:///tmp/a.sock", "unixs://s:1"]
        {
            assert_eq!(Url::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Url::parse(" HTTP://127.0.0.1:80 ").unwrap().to_string(), "http://127.0.0.1:80");
        assert_eq!(Url::parse("http://[::1]:2379").unwrap().host, "::1");
    }

    #[test]
    fn names_what_is_wrong() {
        let error = |text: &str| Url::parse(text).unwrap_err().to_string();
        assert_eq!(error("127.0.0.1:2379"), "URL scheme must be http, https, unix, or unixs: 127.0.0.1:2379");
        assert_eq!(error("ftp://a:1"), "URL scheme must be http, https, unix, or unixs: ftp://a:1");
        assert_eq!(error("http://localhost"), "URL address does not have the form \"host:port\": http://localhost");
        assert_eq!(
            error("http://localhost:99999"),
            "URL address does not have the form \"host:port\": http://localhost:99999"
        );
        assert_eq!(
            error("http://localhost:+1"),
            "URL address does not have the form \"host:port\": http://localhost:+1"
        );
        assert_eq!(error("http://::1:2379"), "URL address does not have the form \"host:port\": http://::1:2379");
        assert_eq!(error("http://localhost:1/x"), "URL must not contain a path: http://localhost:1/x");
        assert_eq!(error("unix://"), "URL address does not have the form \"host:port\": unix://");
    }

    #[test]
    fn binds_to_addresses_only() {
        let check = |text: &str| Url::parse(text).unwrap().check_bindable().map_err(|e| e.to_string());
        for good in ["http://localhost:1", "http://0.0.0.0:1", "http://[::]:1", "unix://x"] {
            assert_eq!(check(good), Ok(()));
        }
        assert_eq!(check("http://example.com:1"), Err("expected IP in URL for binding (http://example.com:1)".into()));
        assert!(check("http://:1").is_err());
    }

    #[test]
    fn lists_are_sorted_and_unique() {
        let urls = parse_list("http://b:1, http://a:2,http://b:1,").unwrap();
        assert_eq!(urls.iter().map(Url::to_string).collect::<Vec<_>>(), ["http://a:2", "http://b:1"]);
        assert_eq!(parse_list("").unwrap(), []);
    }
}
