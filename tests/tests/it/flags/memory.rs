//! `--memory-mlock`: all of the process in RAM, or a start that is refused.

use std::process::{Command, Output};

use keyport_tests::server::free_port;
use keyport_tests::{Flavor, Server};
use rustix::thread::{CapabilitySet, capabilities};

/// Runs it without the right to lock memory, and with so much that anybody may lock.
fn without_rights(limit: &str, data: &str) -> Output {
    let [client, peer] = [free_port(), free_port()].map(|port| format!("http://127.0.0.1:{port}"));
    let mut command = Command::new("prlimit");
    command.arg(format!("--memlock={limit}"));
    if rustix::process::geteuid().is_root() {
        command.args(["setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"]);
    }
    command.arg(Flavor::Keyport.binary()).args(["--memory-mlock", "--data-dir", data]);
    command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
    command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
    command.args(["--initial-cluster", &format!("default={peer}")]);
    command.output().expect("util-linux is there")
}

#[test]
fn a_limit_is_told_before_it_is_reached() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let output = without_rights("65536:65536", data.to_str().unwrap());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{text}");
    for part in ["--memory-mlock: this process may lock 65536 bytes", "RLIMIT_MEMLOCK", "LimitMEMLOCK=infinity"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!data.exists(), "nothing was written");
}

#[tokio::test]
async fn what_it_has_stays_in_memory() {
    if !capabilities(None).unwrap().effective.contains(CapabilitySet::IPC_LOCK) {
        return; // we may not
    }
    let locked = |server: &Server| server.memory_mib("VmLck");
    let plain = Server::of(Flavor::Keyport).start();
    assert_eq!(locked(&plain), 0);
    let server = Server::of(Flavor::Keyport).args(["--memory-mlock"]).start();
    let (before, resident) = (locked(&server), server.memory_mib("VmRSS"));
    assert!(before > 0, "{before}");
    let mut grpc = server.grpc().await;
    for n in 0..40 {
        grpc.put(&format!("k{n}"), &"v".repeat(1 << 20)).await;
    }
    // It has more by now, and that is locked, too.
    assert!(server.memory_mib("VmRSS") > resident && locked(&server) >= before);
}
