//! The service manager that started the process: what it is told, by systemd's `sd_notify` for units with `Type=notify`, and what
//! it has opened for the service.
//!
//! A datagram to the socket that `NOTIFY_SOCKET` names; without the variable nothing happens. The service does not depend
//! on its manager's listening, so a message that cannot be sent is a warning.

mod descriptors;
mod watchdog;

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

pub(crate) use descriptors::DescriptorsError;
pub(crate) use descriptors::descriptors;
pub(crate) use watchdog::watched_over;

/// What the manager says to this process alone, and what is none of its children's business.
pub(crate) const VARIABLES: [&str; 6] =
    [VARIABLE, watchdog::INTERVAL, watchdog::FOR, descriptors::COUNT, descriptors::FOR, descriptors::NAMES];
const VARIABLE: &str = "NOTIFY_SOCKET";
/// A manager that does not read its messages may hold up the service for this long.
const PATIENCE: Duration = Duration::from_secs(1);

/// How far the service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It serves.
    Ready,
    /// It is about to end.
    Stopping,
}

impl Stage {
    fn message(self) -> &'static str {
        match self {
            Stage::Ready => "READY=1",
            Stage::Stopping => "STOPPING=1",
        }
    }
}

/// Tells the manager, if there is one that wants to know.
pub(crate) fn tell(stage: Stage) {
    let message = stage.message();
    if notify(message, PATIENCE) {
        tracing::info!(message, "notified the service manager");
    }
}

/// Sends a message, and says so if that fails. False as well if nobody wants to know.
fn notify(message: &str, patience: Duration) -> bool {
    let Some(socket) = std::env::var_os(VARIABLE).filter(|socket| !socket.is_empty()) else { return false };
    let sent = send(&socket, message, patience);
    if let Err(error) = &sent {
        tracing::warn!(socket = %socket.to_string_lossy(), message, %error, "cannot notify the service manager");
    }
    sent.is_ok()
}

/// Waits for a manager that does not read for no longer than `patience`.
fn send(socket: &OsStr, message: &str, patience: Duration) -> io::Result<()> {
    let address = address(socket)?;
    let datagrams = UnixDatagram::unbound()?;
    datagrams.set_nonblocking(patience.is_zero())?;
    datagrams.set_write_timeout(Some(patience).filter(|patience| !patience.is_zero()))?;
    datagrams.send_to_addr(message.as_bytes(), &address).map(drop)
}

/// A path, or a name that is in no file system, written with an `@`.
fn address(socket: &OsStr) -> io::Result<SocketAddr> {
    match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        [b'/', ..] => SocketAddr::from_pathname(socket),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "neither an absolute path nor a name that begins with @")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_to_paths_and_to_names() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let name = format!("keyport-notify-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        for (manager, socket) in
            [(UnixDatagram::bind(&path).unwrap(), path.clone().into_os_string()), (manager, format!("@{name}").into())]
        {
            send(&socket, Stage::Ready.message(), PATIENCE).unwrap();
            send(&socket, Stage::Stopping.message(), PATIENCE).unwrap();
            let mut text = [0; 64];
            for expected in ["READY=1", "STOPPING=1"] {
                let len = manager.recv(&mut text).unwrap();
                assert_eq!(&text[..len], expected.as_bytes());
            }
        }
    }

    #[test]
    fn what_is_no_socket_is_an_error() {
        for socket in ["/no/such/socket", "relative", "vsock:2:1234", &format!("/{}", "x".repeat(200))] {
            assert!(send(OsStr::new(socket), "READY=1", PATIENCE).is_err(), "{socket}");
        }
    }
}
