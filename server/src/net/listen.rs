//! Sockets to listen on.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use rustix::net::{SocketFlags, acceptfrom_with};
use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::{TcpListener, UnixListener};

use super::handed::{Handed, Place};
use super::{Arrival, StdSocket};
use crate::config::{ListenConfig, Url};
use crate::tls::{Acceptor, Speaks, Tls};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;
/// How soon a silent connection is probed, and how often.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// What a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// Everything.
    All,
    /// gRPC only, because HTTP has listeners of its own.
    Grpc,
    /// Everything but gRPC.
    Http,
    /// Metrics and health.
    Metrics,
}

/// A socket that listens.
#[derive(Debug)]
pub struct Listener {
    pub face: Face,
    pub url: Url,
    socket: ListenSocket,
    /// Encrypts what comes in, if the URL says so.
    tls: Option<Acceptor>,
}

/// One for peers.
#[derive(Debug)]
pub(crate) struct PeerListener {
    socket: ListenSocket,
    tls: Option<Acceptor>,
}

#[derive(Debug)]
enum ListenSocket {
    Tcp(AsyncFd<std::net::TcpListener>),
    Unix(UnixListener),
}

/// Why a listener cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {url}: {source}")]
pub struct BindError {
    pub url: Url,
    pub source: io::Error,
}

/// Opens the listeners for clients. Must be called within a tokio runtime. `tls` need not have been opened yet.
pub fn bind(config: &ListenConfig, tls: &Tls) -> Result<Vec<Listener>, BindError> {
    bind_clients(config, tls, &mut Handed::default())
}

/// The same, but for those that were handed over.
pub(crate) fn bind_clients(config: &ListenConfig, tls: &Tls, handed: &mut Handed) -> Result<Vec<Listener>, BindError> {
    let client_face = if config.client_http.is_empty() { Face::All } else { Face::Grpc };
    let groups = [(client_face, &config.client), (Face::Http, &config.client_http), (Face::Metrics, &config.metrics)];
    let mut listeners = Vec::new();
    for (face, url) in groups.iter().flat_map(|(face, urls)| urls.iter().map(move |url| (*face, url))) {
        let tls = url.scheme.is_tls().then(|| acceptor(face, tls));
        listeners.push(Listener { face, url: url.clone(), socket: open(url, config, handed)?, tls });
    }
    Ok(listeners)
}

/// Opens the listeners for peers, in the same way. Must be called within a tokio runtime.
pub(crate) fn bind_peers(
    config: &ListenConfig,
    tls: &Tls,
    handed: &mut Handed,
) -> Result<Vec<PeerListener>, BindError> {
    let listener = |url: &Url| {
        let tls = url.scheme.is_tls().then(|| tls.peers());
        Ok(PeerListener { socket: open(url, config, handed)?, tls })
    };
    config.peer.iter().map(listener).collect()
}

fn acceptor(face: Face, tls: &Tls) -> Acceptor {
    match face {
        Face::All | Face::Http => tls.clients(),
        Face::Grpc => tls.clients().speaking(Speaks::Http2),
        Face::Metrics => tls.clients().checking_names(),
    }
}

/// Whether somebody could listen there now.
///
/// # Errors
/// When not.
pub(crate) fn check_free(address: SocketAddr) -> io::Result<()> {
    std::net::TcpListener::bind(address).map(drop)
}

fn open(url: &Url, config: &ListenConfig, handed: &mut Handed) -> Result<ListenSocket, BindError> {
    let opened = if url.scheme.is_unix() {
        bind_unix(&url.host, handed).map(ListenSocket::Unix)
    } else {
        bind_tcp(url, config.reuse_port, handed).and_then(|socket| watched(socket.into())).map(ListenSocket::Tcp)
    };
    opened.map_err(|source| BindError { url: url.clone(), source })
}

impl Listener {
    /// Where it listens, with the port that the system chose for port 0; `None` for unix sockets.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.socket {
            ListenSocket::Tcp(listener) => listener.get_ref().local_addr().ok(),
            ListenSocket::Unix(_) => None,
        }
    }
}

impl Listener {
    /// The next connection.
    pub(crate) async fn accept(&self) -> io::Result<Arrival> {
        self.socket.accept(self.tls.as_ref()).await
    }
}

impl PeerListener {
    /// The next connection.
    pub(crate) async fn accept(&self) -> io::Result<Arrival> {
        self.socket.accept(self.tls.as_ref()).await
    }
}

impl ListenSocket {
    async fn accept(&self, tls: Option<&Acceptor>) -> io::Result<Arrival> {
        let (socket, remote) = match self {
            ListenSocket::Tcp(listener) => {
                let (socket, remote) = listener.async_io(Interest::READABLE, next).await?;
                (StdSocket::Tcp(socket), Some(remote))
            }
            ListenSocket::Unix(listener) => (StdSocket::Unix(listener.accept().await?.0.into_std()?), None),
        };
        Ok(Arrival::new(socket, remote, tls.cloned()))
    }
}

/// tokio's own listener registers what it accepts with the loop that accepts, from which it would have to be taken again.
#[expect(unsafe_code, reason = "tokio cannot know of every kind of socket that it stays open while it is watched")]
fn watched(socket: std::net::TcpListener) -> io::Result<AsyncFd<std::net::TcpListener>> {
    // SAFETY: a listener owns its descriptor, always the same, until it is dropped, which is after it is watched.
    Ok(unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?)
}

/// One that is known to no event loop yet: it belongs to another one than whoever accepts it.
fn next(listener: &std::net::TcpListener) -> io::Result<(std::net::TcpStream, SocketAddr)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (socket, remote) = rustix::io::retry_on_intr(|| acceptfrom_with(listener, flags))?;
    let remote = remote.and_then(|remote| remote.try_into().ok());
    Ok((socket.into(), remote.ok_or(io::ErrorKind::InvalidData)?))
}

/// Opens one that nothing is spoken on yet, or takes that which was handed over. Must be called within a tokio runtime.
///
/// # Errors
/// When nobody can listen there.
pub(crate) fn listen(url: &Url, handed: &mut Handed) -> io::Result<TcpListener> {
    bind_tcp(url, false, handed).and_then(|socket| TcpListener::from_std(socket.into()))
}

fn address(url: &Url) -> io::Result<SocketAddr> {
    Ok(match (url.host.as_str(), url.ip()) {
        // Whatever the hosts file says: the name promises the loopback.
        ("localhost", _) => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), url.port),
        (_, Some(ip)) if !url.host.contains('%') => SocketAddr::new(ip, url.port),
        (host, _) => {
            (host, url.port).to_socket_addrs()?.next().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?
        }
    })
}

fn bind_tcp(url: &Url, reuse_port: bool, handed: &mut Handed) -> io::Result<Socket> {
    let address = address(url)?;
    if let Some(socket) = handed.take(&Place::Tcp(address)) {
        prepare(&socket)?;
        return Ok(socket);
    }
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    prepare(&socket)?;
    // Without it, a restart would wait for connections of the last run to time out. Go sets it always, too.
    socket.set_reuse_address(true)?;
    if reuse_port {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

/// What holds for every one. Connections inherit the first two.
fn prepare(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE))?;
    socket.set_nonblocking(true)
}

/// A socket file that nobody listens on any more is replaced; a live one is not.
fn bind_unix(path: &str, handed: &mut Handed) -> io::Result<UnixListener> {
    let path = Path::new(path);
    if let Some(socket) = handed.take(&Place::Unix(path.to_owned())) {
        socket.set_nonblocking(true)?;
        return UnixListener::from_std(socket.into());
    }
    let stale = std::os::unix::net::UnixStream::connect(path)
        .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if stale {
        std::fs::remove_file(path)?;
    }
    UnixListener::bind(path)
}
