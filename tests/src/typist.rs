//! Somebody who types: a script in a shell of its own machine, with everything that it starts.
//!
//! What it starts in the background is in a process namespace of its own, and so ends with the shell, whatever happens.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use crate::cluster::Hosts;
use crate::spawn::spawn;
use crate::target::{Flavor, etcd_tool};

/// How long a script may take, in seconds; then it is killed.
const PATIENCE: &str = "900";

/// Fills a folder with the programs that may be typed: `keyport`, `etcd` (of which release, a test says), `etcdctl`, `etcdutl`.
///
/// # Errors
/// If a link cannot be made.
///
/// # Panics
/// If a program is not there.
pub fn programs(folder: &Path, etcd: Flavor) -> io::Result<()> {
    symlink(Flavor::Keyport.binary(), folder.join("keyport"))?;
    symlink(etcd.binary(), folder.join("etcd"))?;
    ["etcdctl", "etcdutl"].into_iter().try_for_each(|name| symlink(etcd_tool(name), folder.join(name)))
}

/// Has bash run a script on the only host, in a folder, with further programs.
///
/// # Errors
/// If it cannot be started.
pub fn types(hosts: &Hosts, folder: &Path, programs: &Path, script: &Path) -> io::Result<ExitStatus> {
    let mut path = programs.as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut command = hosts.host(0).command("timeout");
    command.args(["--signal=KILL", PATIENCE, "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "bash"]);
    command.args([OsStr::new("--norc"), script.as_os_str()]).current_dir(folder);
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_a_setting(name)) {
        command.env_remove(name);
    }
    command.env("PATH", path).stdin(Stdio::null());
    spawn(command)?.wait()
}

/// Of a server or a client, which whoever reads the page need not have.
fn is_a_setting(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    ["ETCD_", "ETCDCTL_", "KEYPORT_"].iter().any(|prefix| name.starts_with(prefix)) || name.ends_with("_PROXY")
}
