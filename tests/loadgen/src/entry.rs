//! How clients come in: to which address, over TLS or not, logged in or not.

mod login;
mod socket;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::fail::{Fail, net};
pub(crate) use login::Login;
pub(crate) use socket::Socket;
pub(crate) use tls::{ClientTls, Protocol, Scope, ServerFiles, Tls, TlsMode};

/// What a connection may take to stand.
const PATIENCE: Duration = Duration::from_secs(5);

/// One connection's way in.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) addr: SocketAddr,
    pub(crate) tls: Option<ClientTls>,
    pub(crate) login: Option<Arc<Login>>,
}

impl Entry {
    /// Connects, and shakes hands if there is TLS.
    pub(crate) async fn dial(&self, protocol: Protocol) -> Result<Socket, Fail> {
        let connect = async {
            let tcp = TcpStream::connect(self.addr).await.map_err(net)?;
            tcp.set_nodelay(true).map_err(net)?;
            match &self.tls {
                None => Ok(Socket::Plain(tcp)),
                Some(tls) => Ok(Socket::Tls(Box::new(tls.connect(self.addr, tcp, protocol).await?))),
            }
        };
        tokio::time::timeout(PATIENCE, connect).await.map_err(net)?
    }

    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

/// The ways in for all connections of a run.
#[derive(Clone, Default)]
pub(crate) struct Access {
    pub(crate) tls: Option<ClientTls>,
    /// Connections share them when there are more connections.
    pub(crate) logins: Vec<Arc<Login>>,
}

impl Access {
    /// For the connection of this number.
    pub(crate) fn entry(&self, addr: SocketAddr, number: usize) -> Entry {
        let login = number.checked_rem(self.logins.len()).map(|at| self.logins[at].clone());
        Entry { addr, tls: self.tls.clone(), login }
    }

    /// For a connection without a login.
    pub(crate) fn stranger(&self, addr: SocketAddr) -> Entry {
        Entry { addr, tls: self.tls.clone(), login: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_share_logins_in_turn() {
        let logins: Vec<_> = ["a", "b"].map(|name| Arc::new(Login::new(name, ""))).into();
        let access = Access { logins, ..Access::default() };
        let addr = SocketAddr::from(([127, 0, 0, 1], 1));
        let names = (0..3).map(|number| access.entry(addr, number).login.map(|login| login.name));
        assert_eq!(names.collect::<Vec<_>>(), [Some("a"), Some("b"), Some("a")]);
        assert!(Access::default().entry(addr, 0).login.is_none());
        assert!(access.stranger(addr).login.is_none());
    }
}
