//! Sockets to listen on that somebody else has opened for this process. Each is for the listener that has its address.

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use socket2::{Socket, Type};

/// Those that no listener has taken yet.
#[derive(Debug, Default)]
pub(crate) struct Handed(Vec<HandedSocket>);

#[derive(Debug)]
struct HandedSocket {
    /// For people.
    name: String,
    at: Place,
    socket: Socket,
}

/// Where a socket listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// Why a socket that was handed over is not used. Nothing is served then: whoever connects to it would wait for ever.
#[derive(Debug, thiserror::Error)]
pub enum HandedError {
    #[error(
        "the service manager has handed over {name}, which is no socket that listens for TCP connections or at a path"
    )]
    Unfit { name: String },
    #[error(
        "the service manager has handed over {name}, which listens at {at}: none of the URLs to listen on has that address, \
         or another socket is there already"
    )]
    Stranger { name: String, at: String },
}

impl Handed {
    /// # Errors
    /// When one of them is no socket that listens.
    pub(crate) fn of(named: impl IntoIterator<Item = (String, OwnedFd)>) -> Result<Handed, HandedError> {
        let sockets = named.into_iter().map(|(name, fd)| {
            let socket = Socket::from(fd);
            match place(&socket) {
                Some(at) => Ok(HandedSocket { name, at, socket }),
                None => Err(HandedError::Unfit { name }),
            }
        });
        sockets.collect::<Result<_, _>>().map(Handed)
    }

    /// The one that listens there.
    pub(super) fn take(&mut self, at: &Place) -> Option<Socket> {
        let found = self.0.iter().position(|handed| handed.at == *at)?;
        let HandedSocket { name, socket, .. } = self.0.swap_remove(found);
        tracing::info!(address = %at, socket = name, "listening on a socket of the service manager's");
        Some(socket)
    }

    /// # Errors
    /// When one is left.
    pub(crate) fn are_all_taken(self) -> Result<(), HandedError> {
        match self.0.into_iter().next() {
            Some(HandedSocket { name, at, .. }) => Err(HandedError::Stranger { name, at: at.to_string() }),
            None => Ok(()),
        }
    }
}

fn place(socket: &Socket) -> Option<Place> {
    let listens = socket.is_listener().is_ok_and(|listens| listens);
    if !listens || socket.r#type().ok() != Some(Type::STREAM) {
        return None;
    }
    let address = socket.local_addr().ok()?;
    let path = || address.as_pathname().map(Path::to_owned).map(Place::Unix);
    address.as_socket().map(Place::Tcp).or_else(path)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Tcp(address) => address.fmt(f),
            Place::Unix(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_socket_is_for_the_listener_at_its_address_and_for_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let (tcp, unix) = (TcpListener::bind("127.0.0.1:0").unwrap(), UnixListener::bind(&path).unwrap());
        let address = tcp.local_addr().unwrap();
        let mut handed = Handed::of([("a".to_owned(), tcp.into()), ("b".to_owned(), unix.into())]).unwrap();
        let elsewhere = SocketAddr::new("0.0.0.0".parse().unwrap(), address.port());
        assert!(handed.take(&Place::Tcp(elsewhere)).is_none());
        let taken = handed.take(&Place::Tcp(address)).unwrap();
        assert_eq!(taken.local_addr().unwrap().as_socket(), Some(address));
        assert!(handed.take(&Place::Tcp(address)).is_none());
        assert!(handed.take(&Place::Unix(dir.path().join("other"))).is_none());
        assert!(handed.take(&Place::Unix(path)).is_some());
        handed.are_all_taken().unwrap();
    }

    #[test]
    fn what_nobody_takes_is_refused_by_name_and_address() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        let handed = Handed::of([("descriptor 3".to_owned(), tcp.into())]).unwrap();
        let error = handed.are_all_taken().unwrap_err().to_string();
        assert!(error.contains(&format!("descriptor 3, which listens at {address}:")), "{error}");
    }

    #[test]
    fn what_does_not_listen_is_refused() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let connected = TcpStream::connect(tcp.local_addr().unwrap()).unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        for fd in [connected.into(), UdpSocket::bind("127.0.0.1:0").unwrap().into(), OwnedFd::from(file)] {
            let error = Handed::of([("descriptor 3".to_owned(), fd)]).unwrap_err();
            assert!(matches!(&error, HandedError::Unfit { name } if name == "descriptor 3"), "{error}");
        }
    }
}
