//! Descriptors that the manager has opened for the service: systemd's socket activation.
//!
//! `LISTEN_FDS` says how many there are, from 3 on, for the process in `LISTEN_PID`, and `LISTEN_FDNAMES` what they are called.
//! They belong to whoever asks first, and to none of the children of this process.

use std::ffi::OsString;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::sockopt::socket_acceptconn;

/// How many.
pub(super) const COUNT: &str = "LISTEN_FDS";
/// The process that they are meant for.
pub(super) const FOR: &str = "LISTEN_PID";
/// What they are called, with colons in between.
pub(super) const NAMES: &str = "LISTEN_FDNAMES";

const FIRST: RawFd = 3;

/// Set when they have been handed out.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// One of them.
#[derive(Debug)]
pub(crate) struct Descriptor {
    /// Its number, and its name if it has one: for people.
    pub(crate) name: String,
    pub(crate) fd: OwnedFd,
}

/// Why what the manager says cannot be so.
#[derive(Debug, thiserror::Error)]
pub enum DescriptorsError {
    #[error("the service manager says LISTEN_FDS={0:?}, which is not how many there may be")]
    Count(OsString),
    #[error("the service manager has handed over {name} (LISTEN_FDS), which is no socket: {source}")]
    NoSocket { name: String, source: Errno },
    #[error("the service manager has handed over {name} (LISTEN_FDS), a socket that does not listen")]
    DoesNotListen { name: String },
}

/// Those that are meant for this process. Further calls get none.
///
/// # Errors
/// When the manager has not handed over what it says.
pub(crate) fn descriptors() -> Result<Vec<Descriptor>, DescriptorsError> {
    let names = announced(std::process::id(), std::env::var_os)?;
    if TAKEN.swap(true, Ordering::AcqRel) {
        return Ok(Vec::new());
    }
    (FIRST..).zip(names).map(|(number, name)| take(number, name)).collect()
}

/// The names of the descriptors for this process.
fn announced(own: u32, variable: impl Fn(&'static str) -> Option<OsString>) -> Result<Vec<String>, DescriptorsError> {
    let text = |name| variable(name).and_then(|value| value.into_string().ok());
    if text(FOR).is_none_or(|process| process != own.to_string()) {
        return Ok(Vec::new());
    }
    let said = variable(COUNT).unwrap_or_default();
    // As many as a process may have unless its limit is raised.
    let count = said.to_str().and_then(|count| count.parse::<usize>().ok()).filter(|count| *count <= 1024);
    let count = count.ok_or(DescriptorsError::Count(said))?;
    let names = text(NAMES).unwrap_or_default();
    let mut names = names.split(':').filter(|name| !name.is_empty());
    let name = |number| match names.next() {
        Some(name) => format!("descriptor {number}, {name:?}"),
        None => format!("descriptor {number}"),
    };
    Ok((FIRST..).take(count).map(name).collect())
}

#[expect(unsafe_code, reason = "a number is all that a process has of the descriptors that it was started with")]
fn take(number: RawFd, name: String) -> Result<Descriptor, DescriptorsError> {
    // SAFETY: this only asks the kernel, which says so if nothing is open there.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    match socket_acceptconn(borrowed).and_then(|listens| fcntl_setfd(borrowed, FdFlags::CLOEXEC).map(|()| listens)) {
        Ok(true) => {}
        Ok(false) => return Err(DescriptorsError::DoesNotListen { name }),
        Err(source) => return Err(DescriptorsError::NoSocket { name, source }),
    }
    // SAFETY: it is open, and a socket that listens. The server opens its own later, so it is the manager's, which has opened it for
    // this process to take. It is taken once.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    Ok(Descriptor { name, fd })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(count: &str, process: &str, names: &str) -> Result<Vec<String>, DescriptorsError> {
        announced(7, |name| {
            let value = [(COUNT, count), (FOR, process), (NAMES, names)].into_iter().find(|(known, _)| *known == name);
            value.map(|(_, value)| value.into())
        })
    }

    #[test]
    fn descriptors_are_for_the_process_that_is_named() {
        assert_eq!(said("2", "7", "client:peer").unwrap(), ["descriptor 3, \"client\"", "descriptor 4, \"peer\""]);
        assert_eq!(said("2", "7", "client").unwrap(), ["descriptor 3, \"client\"", "descriptor 4"]);
        assert_eq!(said("2", "7", "").unwrap().len(), 2);
        assert_eq!(said("0", "7", "").unwrap(), [""; 0]);
        for other in ["8", "", "77", "07"] {
            assert_eq!(said("2", other, "client:peer").unwrap(), [""; 0], "{other:?}");
        }
        assert_eq!(announced(7, |_| None).unwrap(), [""; 0]);
    }

    #[test]
    fn a_count_that_is_none_is_refused() {
        for count in ["", "-1", "two", "1025", "18446744073709551616"] {
            assert!(matches!(said(count, "7", ""), Err(DescriptorsError::Count(said)) if said == count), "{count:?}");
        }
    }

    #[test]
    fn what_is_no_socket_is_an_error() {
        let error = take(RawFd::MAX, "descriptor 3".to_owned()).unwrap_err();
        assert!(error.to_string().contains("descriptor 3 (LISTEN_FDS), which is no socket"), "{error}");
    }
}
