//! A terminal for a program, and what it shows there.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// What is shown on it, and the program's end of it. It becomes nobody's own terminal: who leads a session without one would have
/// this, and be hung up with it.
///
/// # Errors
/// When the system has no more of them.
pub fn open() -> io::Result<(File, File)> {
    let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&screen)?;
    unlockpt(&screen)?;
    let name = ptsname(&screen, Vec::new())?.into_string().map_err(io::Error::other)?;
    let flags = i32::try_from(OFlags::NOCTTY.bits()).map_err(io::Error::other)?;
    let program = File::options().read(true).write(true).custom_flags(flags).open(name)?;
    Ok((screen.into(), program))
}
