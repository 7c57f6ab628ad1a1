//! Runs etcd's own command line client.

use std::ffi::OsString;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::certificates::Pair;
use crate::spawn::spawn;
use crate::target::etcd_tool;

/// `etcdctl` with the endpoints of one server, or of several.
#[derive(Clone, Debug)]
pub struct Etcdctl {
    endpoints: String,
    flags: Vec<OsString>,
}

impl Etcdctl {
    /// For the server at `addr`.
    pub fn new(addr: SocketAddr) -> Etcdctl {
        Etcdctl::of([addr])
    }

    /// For several members of a cluster.
    pub fn of(addrs: impl IntoIterator<Item = SocketAddr>) -> Etcdctl {
        let endpoints: Vec<String> = addrs.into_iter().map(|addr| addr.to_string()).collect();
        Etcdctl { endpoints: endpoints.join(","), flags: Vec::new() }
    }

    /// For a server that `ca` vouches for.
    pub fn trusting(addr: SocketAddr, ca: &Path) -> Etcdctl {
        let flags = vec!["--cacert".into(), ca.into()];
        Etcdctl { endpoints: format!("https://{addr}"), flags }
    }

    /// For such a server, to which it shows a certificate.
    pub fn encrypted(addr: SocketAddr, ca: &Path, shown: &Pair) -> Etcdctl {
        let mut ctl = Etcdctl::trusting(addr, ca);
        ctl.flags.extend(["--cert".into(), shown.cert.clone().into(), "--key".into(), shown.key.clone().into()]);
        ctl
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(etcd_tool("etcdctl"));
        command.env("ETCDCTL_API", "3").args(["--endpoints", &self.endpoints]).args(&self.flags).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn output(&self, args: &[&str]) -> Output {
        self.output_of(args, "")
    }

    /// Runs it to its end with `input` as what is typed.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn output_of(&self, args: &[&str], input: &str) -> Output {
        let mut command = self.command(args);
        command.stdin(Stdio::piped());
        let mut child = spawn(command).expect("etcdctl can be started");
        if let Some(mut stdin) = child.stdin.take() {
            let _ = stdin.write_all(input.as_bytes());
        }
        child.wait_with_output().expect("etcdctl can be waited for")
    }

    /// What it prints.
    ///
    /// # Panics
    /// If it fails, with what it said.
    pub fn ok(&self, args: &[&str]) -> String {
        self.ok_of(args, "")
    }

    /// What it prints for `input` typed.
    ///
    /// # Panics
    /// If it fails, with what it said.
    pub fn ok_of(&self, args: &[&str], input: &str) -> String {
        let out = self.output_of(args, input);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(out.status.success(), "etcdctl {args:?}: {}\n{}{}", out.status, text(&out.stdout), text(&out.stderr));
        text(&out.stdout)
    }

    /// Starts it, for commands that go on until they are stopped; its output is piped.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(&self, args: &[&str]) -> Child {
        spawn(self.command(args)).expect("etcdctl can be started")
    }
}
