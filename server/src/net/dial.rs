//! The way out: the one place where a URL becomes a connection, encrypted where it says so, and through a proxy where the
//! environment says so.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use keyport_raft::peers::{self, Dialling, PeerStream};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;
use tower::Service;

use super::proxy::{self, Proxies};
use super::{Secure, Socket, Wire};
use crate::config::{Url, UrlError};
use crate::tls::Outgoing;

/// A connection that says nothing is probed after this, and again after this, so many times.
const KEEPALIVE: Duration = Duration::from_secs(5);
const PROBES: u32 = 3;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error(transparent)]
    Url(#[from] UrlError),
    #[error(transparent)]
    Connect(#[from] io::Error),
    #[error("no encrypted connection: {0}")]
    Encrypt(io::Error),
    #[error("no connection within {0:?}")]
    Timeout(Duration),
}

/// A connection to where a URL says, within `patience`; the name's addresses are tried one after the other, each for its
/// part of it. What is written is sent without delay.
async fn dial(url: &Url, patience: Duration, tls: &Outgoing) -> Result<Socket, DialError> {
    dial_by(url, patience, tls, &proxy::OF_ENVIRONMENT).await
}

async fn dial_by(url: &Url, patience: Duration, tls: &Outgoing, proxies: &Proxies) -> Result<Socket, DialError> {
    check(url)?;
    let dialled = async {
        let wire = match proxies.to(url) {
            None => connect(url, patience).await?,
            Some(proxy) => {
                let mut wire = connect(&proxy.url, patience).await?;
                proxy.tunnel(&mut wire, url).await?;
                wire
            }
        };
        if !url.scheme.is_tls() {
            return Ok(Socket::Plain(wire));
        }
        // The path of a socket is no name that a certificate could have.
        let host = if url.scheme.is_unix() { "localhost" } else { &url.host };
        let encrypted = tls.encrypt(wire, host).await.and_then(|(wire, session)| Secure::new(wire, session));
        encrypted.map(|secure| Socket::Secure(Box::new(secure))).map_err(DialError::Encrypt)
    };
    timeout(patience, dialled).await.unwrap_or(Err(DialError::Timeout(patience)))
}

/// Whether a URL is of a kind that can be dialled.
fn check(url: &Url) -> Result<(), UrlError> {
    if url.host.is_empty() { Err(UrlError::HostPort(url.to_string())) } else { Ok(()) }
}

async fn connect(url: &Url, patience: Duration) -> io::Result<Wire> {
    if url.scheme.is_unix() {
        return UnixStream::connect(&url.host).await.map(Wire::Unix);
    }
    tcp(url, patience).await.map(Wire::Tcp)
}

/// A connection to the host and port of a URL, whatever is spoken on it; the name's addresses are tried one after the other,
/// each for its part of the time.
///
/// # Errors
/// What was wrong with the last of them.
pub(crate) async fn tcp(url: &Url, patience: Duration) -> io::Result<TcpStream> {
    let addresses: Vec<_> = lookup_host((url.host.as_str(), url.port)).await?.collect();
    let part = patience / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match timeout(part, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE).with_retries(PROBES);
                SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

/// Dials for a client of HTTP, which has not more than the text of a URL.
#[derive(Clone, Debug)]
pub(crate) struct Dialler {
    /// Where to, whatever the client says: requests go to [`Url::origin`] then, which has not the path of a unix socket.
    pub(crate) always: Option<Url>,
    pub(crate) patience: Duration,
    pub(crate) tls: Outgoing,
}

impl Service<Uri> for Dialler {
    type Response = TokioIo<Socket>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Socket>, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Dialler { always, patience, tls } = self.clone();
        Box::pin(async move {
            let url = match always {
                Some(url) => url,
                None => {
                    let (scheme, authority) =
                        (uri.scheme_str().unwrap_or_default(), uri.authority().map_or("", |it| it.as_str()));
                    Url::parse(&format!("{scheme}://{authority}"))?
                }
            };
            dial(&url, patience, &tls).await.map(TokioIo::new)
        })
    }
}

/// The connections of Raft: streams and snapshots.
#[derive(Clone, Debug)]
pub(crate) struct PeerDialler(pub(crate) Outgoing);

impl peers::Dial for PeerDialler {
    fn check(&self, url: &str) -> Result<(), peers::DialError> {
        Url::parse(url).and_then(|url| check(&url)).map_err(|error| peers::DialError::Url(error.to_string()))
    }

    fn dial<'a>(&'a self, url: &'a str, patience: Duration) -> Dialling<'a> {
        Box::pin(async move {
            let url = Url::parse(url).map_err(DialError::from)?;
            Ok(Box::new(dial(&url, patience, &self.0).await?) as Box<dyn PeerStream>)
        })
    }
}

impl From<DialError> for peers::DialError {
    fn from(error: DialError) -> peers::DialError {
        match error {
            DialError::Url(error) => peers::DialError::Url(error.to_string()),
            DialError::Connect(error) | DialError::Encrypt(error) => peers::DialError::Connect(error),
            DialError::Timeout(_) => peers::DialError::Timeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use keyport_raft::peers::Dial as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, UnixListener};

    use super::*;
    use crate::tls::Speaks;

    const LONG: Duration = Duration::from_secs(20);

    fn peers() -> PeerDialler {
        PeerDialler(Outgoing::without_files(Speaks::Http1))
    }

    #[tokio::test]
    async fn plain_urls_are_dialled_over_tcp_and_unix_sockets() {
        let peers = peers();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://localhost:{}", tcp.local_addr().unwrap().port())).unwrap();
        let (ours, theirs) = tokio::join!(dial(&url, LONG, &peers.0), tcp.accept());
        let Ok(Socket::Plain(Wire::Tcp(ours))) = ours else { panic!("{ours:?}") };
        assert!(ours.nodelay().unwrap() && SockRef::from(&ours).keepalive().unwrap());
        drop((ours, theirs));

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let unix = UnixListener::bind(&path).unwrap();
        let url = Url::parse(&format!("unix://{}", path.display())).unwrap();
        let (ours, theirs) = tokio::join!(dial(&url, LONG, &peers.0), unix.accept());
        ours.unwrap().write_all(b"hello").await.unwrap();
        let mut heard = String::new();
        theirs.unwrap().0.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "hello");
    }

    #[tokio::test]
    async fn through_a_proxy_names_are_its_own_business() {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxies = Proxies::all_through(&tcp.local_addr().unwrap().to_string());
        let url = Url::parse("http://peer.invalid:2380").unwrap();
        let peers = peers();
        let (ours, theirs) = tokio::join!(dial_by(&url, LONG, &peers.0, &proxies), async {
            let (mut theirs, _) = tcp.accept().await.unwrap();
            let mut asked = [0; 1024];
            let len = theirs.read(&mut asked).await.unwrap();
            theirs.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            (theirs, String::from_utf8_lossy(&asked[..len]).into_owned())
        });
        let (mut theirs, asked) = theirs;
        assert_eq!(asked, "CONNECT peer.invalid:2380 HTTP/1.1\r\nHost: peer.invalid:2380\r\n\r\n");
        let mut ours = ours.unwrap();
        ours.write_all(b"hello").await.unwrap();
        drop(ours);
        let mut heard = String::new();
        theirs.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "hello");
    }

    #[tokio::test]
    async fn what_cannot_be_dialled_says_why() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let refused = peers().dial(&format!("http://{closed}"), LONG).await.unwrap_err();
        assert!(
            matches!(refused, peers::DialError::Connect(error) if error.kind() == io::ErrorKind::ConnectionRefused)
        );
        for (url, reason) in [
            ("infra0:2380", "URL scheme must be http, https, unix, or unixs: infra0:2380"),
            ("http://infra0", "URL address does not have the form \"host:port\": http://infra0"),
            ("http://:2380", "URL address does not have the form \"host:port\": http://:2380"),
            ("http://a:1/path", "URL must not contain a path: http://a:1/path"),
            ("http://u@a:1", "URL address does not have the form \"host:port\": http://u@a:1"),
        ] {
            let checked = peers().check(url).unwrap_err().to_string();
            let dialled = peers().dial(url, LONG).await.unwrap_err().to_string();
            assert_eq!((checked.as_str(), dialled.as_str()), (reason, reason));
        }
    }

    #[tokio::test]
    async fn clients_of_http_come_by_the_same_way() {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut dialler = Dialler { always: None, patience: LONG, tls: peers().0 };
        let uri: Uri = format!("http://{}/version", tcp.local_addr().unwrap()).parse().unwrap();
        let (ours, theirs) = tokio::join!(dialler.call(uri), tcp.accept());
        assert!(ours.is_ok() && theirs.is_ok());
    }
}
