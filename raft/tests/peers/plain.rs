//! The connections of these tests: TCP, to addresses.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use keyport_raft::peers::{Dial, DialError, Dialling, PeerStream};
use tokio::net::TcpStream;

struct Plain;

/// Dials `http://` and an address.
pub(crate) fn plain() -> Arc<dyn Dial> {
    Arc::new(Plain)
}

fn address(url: &str) -> Result<SocketAddr, DialError> {
    let address = url.strip_prefix("http://").and_then(|address| address.parse().ok());
    address.ok_or_else(|| DialError::Url(url.to_owned()))
}

impl Dial for Plain {
    fn check(&self, url: &str) -> Result<(), DialError> {
        address(url).map(|_| ())
    }

    fn dial<'a>(&'a self, url: &'a str, patience: Duration) -> Dialling<'a> {
        Box::pin(async move {
            let connecting = TcpStream::connect(address(url)?);
            let stream = tokio::time::timeout(patience, connecting).await.map_err(|_| DialError::Timeout)??;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn PeerStream>)
        })
    }
}
