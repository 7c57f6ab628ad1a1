//! Proxies between members, as the environment names them: by the variables, and the rules for whom they are not, of Go's
//! programs. This machine itself is never called by way of a proxy.
//!
//! Whatever the scheme, the proxy is asked for a tunnel (`CONNECT`): streams of Raft are no requests that it could make.

use std::net::IpAddr;
use std::sync::LazyLock;
use std::{env, io};

use base64_simd::STANDARD;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::config::{Scheme, Url};

/// Of what a proxy says before the tunnel begins.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Those of this process's environment, read once.
pub(super) static OF_ENVIRONMENT: LazyLock<Proxies> = LazyLock::new(|| {
    Proxies::read(|name| env::var(name).or_else(|_| env::var(name.to_ascii_lowercase())).unwrap_or_default())
});

/// See the module's text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    not_for: Vec<Exception>,
}

/// Where a proxy is, and what it wants to be told of who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proxy {
    pub(super) url: Url,
    /// `user:password`.
    login: Option<String>,
}

/// Whom no proxy is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Exception {
    Everybody,
    /// The network's address, and how many bits of it count; a port, if only that is meant.
    Network(IpAddr, u8, Option<u16>),
    /// What a name ends with, after a dot; and whether the name alone is meant, too.
    Name {
        name: String,
        itself: bool,
        port: Option<u16>,
    },
}

impl Proxies {
    /// By the variables that `variable` knows, in capital letters.
    fn read(variable: impl Fn(&str) -> String) -> Proxies {
        let proxy = |name: &str| {
            let text = variable(name);
            let read = Proxy::read(&text);
            if read.is_none() && !text.is_empty() {
                // There may be a password in it.
                tracing::warn!(variable = name, "not the URL of an HTTP proxy; calling members directly");
            }
            read
        };
        Proxies {
            http: proxy("HTTP_PROXY"),
            https: proxy("HTTPS_PROXY"),
            not_for: variable("NO_PROXY").split(',').filter_map(Exception::read).collect(),
        }
    }

    /// Through which to call somebody; none is asked for directly.
    pub(super) fn to(&self, url: &Url) -> Option<&Proxy> {
        let proxy = match url.scheme {
            Scheme::Http => self.http.as_ref(),
            Scheme::Https => self.https.as_ref(),
            Scheme::Unix | Scheme::Unixs => None,
        }?;
        let host = url.host.trim_end_matches('.').to_ascii_lowercase();
        let address = host.split('%').next().and_then(|host| host.parse::<IpAddr>().ok());
        let is_here = host == "localhost" || address.is_some_and(|address| address.to_canonical().is_loopback());
        let is_excepted = self.not_for.iter().any(|exception| exception.covers(&host, address, url.port));
        (!is_here && !is_excepted).then_some(proxy)
    }
}

#[cfg(test)]
impl Proxies {
    /// Whoever is called.
    pub(super) fn all_through(proxy: &str) -> Proxies {
        Proxies::read(|name| if name == "NO_PROXY" { String::new() } else { proxy.to_owned() })
    }
}

impl Proxy {
    /// `http://user:password@host:port`, of which host alone has to be there.
    fn read(text: &str) -> Option<Proxy> {
        let text = text.trim().trim_end_matches('/');
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return None,
            None => text,
        };
        let (login, place) = match rest.rsplit_once('@') {
            Some((login, place)) => (Some(percent_decode_str(login).decode_utf8_lossy().into_owned()), place),
            None => (None, rest),
        };
        let url = Url::parse(&format!("http://{place}")).or_else(|_| Url::parse(&format!("http://{place}:80"))).ok()?;
        (!url.host.is_empty()).then_some(Proxy { url, login })
    }

    /// Has the proxy connect to somebody; what is sent on `wire` afterwards, he gets.
    ///
    /// # Errors
    /// When the proxy will not.
    pub(super) async fn tunnel<W: AsyncRead + AsyncWrite + Unpin>(&self, wire: &mut W, to: &Url) -> io::Result<()> {
        let host = if to.host.contains(':') { format!("[{}]", to.host) } else { to.host.clone() };
        let place = format!("{host}:{}", to.port);
        let mut request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n");
        if let Some(login) = &self.login {
            request += &format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode_to_string(login));
        }
        wire.write_all(format!("{request}\r\n").as_bytes()).await?;
        wire.flush().await?;
        let (mut head, mut byte) = (Vec::new(), [0]);
        // Byte by byte: what comes behind it is not the proxy's.
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() == MAX_HEAD_BYTES {
                return Err(io::Error::other("the proxy's answer is too long"));
            }
            wire.read_exact(&mut byte).await?;
            head.extend(byte);
        }
        let line = String::from_utf8_lossy(&head);
        let line = line.lines().next().unwrap_or_default();
        match line.split(' ').nth(1) {
            Some("200") if line.starts_with("HTTP/1.") => Ok(()),
            _ => Err(io::Error::other(format!("the proxy refuses: {}", line.escape_debug()))),
        }
    }
}

impl Exception {
    fn read(text: &str) -> Option<Exception> {
        let text = text.trim().to_ascii_lowercase();
        if text == "*" {
            return Some(Exception::Everybody);
        }
        if let Some((network, bits)) = text.split_once('/')
            && let (Ok(network), Ok(bits)) = (network.parse(), bits.parse())
        {
            return Some(Exception::Network(network, bits, None));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if text.parse::<IpAddr>().is_err() => (host, Some(port.parse().ok()?)),
            _ => (text.as_str(), None),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Some(Exception::Network(address, u8::MAX, port));
        }
        let below = host.strip_prefix('*').unwrap_or(host);
        let name = below.strip_prefix('.').unwrap_or(below).to_owned();
        let itself = !below.starts_with('.');
        (!name.is_empty()).then_some(Exception::Name { name, itself, port })
    }

    fn covers(&self, host: &str, address: Option<IpAddr>, at: u16) -> bool {
        match self {
            Exception::Everybody => true,
            Exception::Network(network, bits, port) => {
                let same = address.is_some_and(|address| begins_alike(address, *network, *bits));
                same && port.is_none_or(|port| port == at)
            }
            Exception::Name { name, itself, port } => {
                let same = match host.strip_suffix(name.as_str()) {
                    Some("") => *itself,
                    Some(before) => before.ends_with('.'),
                    None => false,
                };
                same && port.is_none_or(|port| port == at)
            }
        }
    }
}

/// Whether two addresses have the first bits in common.
fn begins_alike(one: IpAddr, other: IpAddr, bits: u8) -> bool {
    let first = |all: u128, of: u32| {
        let bits = u32::from(bits).min(of);
        all.checked_shr(of - bits).unwrap_or(0)
    };
    match (one.to_canonical(), other.to_canonical()) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            let [one, other] = [one, other].map(|address| first(u128::from(address.to_bits()), 32));
            one == other
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            let [one, other] = [one, other].map(|address| first(address.to_bits(), 128));
            one == other
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    fn proxies(not_for: &str) -> Proxies {
        Proxies::read(|name| match name {
            "HTTP_PROXY" => "plain.test:3128".to_owned(),
            "HTTPS_PROXY" => "http://me:pass%20word@secure.test".to_owned(),
            _ => not_for.to_owned(),
        })
    }

    #[test]
    fn whom_they_are_for() {
        let to = |not_for: &str, url: &str| {
            proxies(not_for).to(&Url::parse(url).unwrap()).map(|proxy| proxy.url.to_string())
        };
        let (plain, secure) = (Some("http://plain.test:3128".to_owned()), Some("http://secure.test:80".to_owned()));
        assert_eq!(to("", "http://peer.test:2380"), plain);
        assert_eq!(to("", "https://peer.test:2380"), secure);
        for here in ["localhost:1", "LOCALHOST:1", "127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(to("", &format!("https://{here}")), None, "{here}");
        }
        assert_eq!(to("", "unix:///run/socket"), None);
        for (not_for, url, direct) in [
            ("*", "http://peer.test:1", true),
            ("peer.test", "http://peer.test:1", true),
            ("peer.test", "http://a.PEER.test.:1", true),
            ("peer.test", "http://xpeer.test:1", false),
            (" other , .test ", "http://peer.test:1", true),
            (".peer.test", "http://peer.test:1", false),
            (".peer.test", "http://a.peer.test:1", true),
            ("*.peer.test", "http://a.peer.test:1", true),
            ("peer.test:2", "http://peer.test:1", false),
            ("peer.test:2", "http://peer.test:2", true),
            ("192.0.2.1", "http://192.0.2.1:1", true),
            ("192.0.2.1", "http://192.0.2.2:1", false),
            ("192.0.2.1:9", "http://192.0.2.1:1", false),
            ("192.0.2.0/24", "http://192.0.2.77:1", true),
            ("192.0.2.0/24", "http://192.0.3.77:1", false),
            ("0.0.0.0/0", "http://192.0.3.77:1", true),
            ("2001:db8::/32", "http://[2001:db8:1::1]:1", true),
            ("2001:db8::1", "http://[2001:db8::1]:1", true),
            ("[2001:db8::1]:7", "http://[2001:db8::1]:1", false),
            ("", "http://peer.test:1", false),
        ] {
            assert_eq!(to(not_for, url).is_none(), direct, "{url} with NO_PROXY={not_for}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_none() {
        for text in ["", "https://secure.test:1", "socks5://a.test:1", "http://", "http://a.test:port"] {
            assert_eq!(Proxy::read(text), None, "{text}");
        }
    }

    #[tokio::test]
    async fn a_tunnel_is_asked_for() {
        let proxies = proxies("");
        let to = Url::parse("https://[2001:db8::1]:2380").unwrap();
        let proxy = proxies.to(&to).unwrap();
        let ask = async |answer: &[u8]| {
            let (mut ours, mut theirs) = duplex(64 * 1024);
            theirs.write_all(answer).await.unwrap();
            theirs.shutdown().await.unwrap();
            let outcome = proxy.tunnel(&mut ours, &to).await.map_err(|error| error.to_string());
            let mut asked = vec![0; 1024];
            let len = theirs.read(&mut asked).await.unwrap();
            drop(theirs);
            let mut rest = String::new();
            ours.read_to_string(&mut rest).await.unwrap();
            (outcome, String::from_utf8_lossy(&asked[..len]).into_owned(), rest)
        };
        let (outcome, asked, rest) = ask(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\nhello").await;
        assert_eq!((outcome, rest.as_str()), (Ok(()), "hello"));
        let login = "bWU6cGFzcyB3b3Jk";
        assert_eq!(
            asked,
            format!(
                "CONNECT [2001:db8::1]:2380 HTTP/1.1\r\nHost: [2001:db8::1]:2380\r\nProxy-Authorization: Basic {login}\r\n\r\n"
            )
        );
        let (outcome, ..) = ask(b"HTTP/1.1 403 Forbidden\r\n\r\n").await;
        assert_eq!(outcome, Err("the proxy refuses: HTTP/1.1 403 Forbidden".to_owned()));
        assert!(ask(b"HTTP/1.1 200 OK\r\n").await.0.is_err_and(|why| why.contains("eof")), "it ends before that");
    }
}
