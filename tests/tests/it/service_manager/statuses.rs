//! Exit statuses, as docs/install.md has them. Those of a member that is removed, of damage and of interrupted commands are looked at
//! where these things are.

use std::process::Command;

use keyport_tests::wait::eventually_blocking;
use keyport_tests::{Flavor, Server};
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn a_member_that_is_asked_to_end_ends_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start();
        kill_process(Pid::from_raw(i32::try_from(server.pid()).unwrap()).unwrap(), signal).unwrap();
        let status = eventually_blocking("it ends", || server.ended());
        match server.is_etcd() {
            // It sends itself the signal once more.
            true => assert!(!status.success()),
            false => assert_eq!(status.code(), Some(0), "{signal:?}"),
        }
    }
}

#[test]
fn a_member_that_cannot_start_ends_with_1_and_says_why_at_last() {
    if Flavor::under_test() != Flavor::Keyport {
        return println!("skipped: etcd has other texts");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let other = Server::start();
    let data = other.data_dir().to_owned();
    for (args, why) in [
        (vec![format!("--listen-metrics-urls=http://{address}")], "in use"),
        (vec!["--election-timeout=1".to_owned()], "election"),
        (vec![format!("--data-dir={}", data.display())], data.to_str().unwrap()),
    ] {
        let ended = Server::builder().args(args.iter()).run_to_end();
        let log = String::from_utf8_lossy(&ended.stderr).into_owned() + &String::from_utf8_lossy(&ended.stdout);
        assert_eq!(ended.status.code(), Some(1), "{args:?}: {log}");
        let last = log.lines().last().unwrap_or_default();
        assert!(last.contains("\"level\":\"fatal\"") && last.contains(why), "{args:?}: {log}");
    }
}

#[test]
fn what_is_typed_wrongly_is_2_of_a_member_and_1_of_a_command() {
    if Flavor::under_test() != Flavor::Keyport {
        return println!("skipped: etcd has other commands");
    }
    let status = |args: &[&str]| {
        let out = Command::new(Flavor::Keyport.binary()).args(args).output().unwrap();
        assert!(!out.stderr.is_empty(), "{args:?}");
        out.status.code()
    };
    for args in [&["--nonsense"][..], &["--name"], &["nonsense"]] {
        assert_eq!(status(args), Some(2), "{args:?}");
    }
    let commands: [&[&str]; 8] = [
        &["snapshot", "nonsense"],
        &["migrate"],
        &["check"],
        &["dump", "keys", "/no/such/directory"],
        &["doctor"],
        &["gateway", "start", "--endpoints="],
        &["completions", "nonsense"],
        &["cluster", "--nonsense"],
    ];
    for args in commands {
        assert_eq!(status(args), Some(1), "{args:?}");
    }
}
