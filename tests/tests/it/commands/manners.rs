//! Commands that are interrupted leave nothing, and how far they are is told to a terminal alone.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use keyport_tests::program::Program;
use keyport_tests::wait::eventually_blocking;
use keyport_tests::{Flavor, Server, terminal};
use rustix::process::Signal;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpStream, UnixListener};

use super::{ended, keyport, text, told};

/// Somebody who listens and never answers.
#[test]
fn an_interrupted_save_leaves_nothing() {
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = deaf.local_addr().unwrap().to_string();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("backup.db");
    fs::write(&file, "an older one").unwrap();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let args = ["snapshot", "save", text(&file), "--endpoints", &endpoint, "--dial-timeout=600"];
        let mut program = Program::start(Flavor::Keyport, args);
        let part = place.path().join("backup.db.part");
        eventually_blocking("it has begun", || part.exists().then_some(()));
        assert_eq!(program.end(signal).code(), Some(code), "{}", program.log());
        let names: Vec<_> = fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["backup.db"], "{signal:?}");
        assert_eq!(fs::read(&file).unwrap(), b"an older one");
    }
}

/// The socket of a relay in front of the server, for a path is no address that HTTP has.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_reached_through_a_socket() {
    let server = Server::of(Flavor::Keyport).start();
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("server.sock");
    let (listener, to) = (UnixListener::bind(&socket).unwrap(), server.addr());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(to).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        }
    });
    let url = format!("unix://{}", text(&socket));
    let (backup, report) = (place.path().join("backup.db"), place.path().join("report.tar.gz"));
    ended(&keyport(&["snapshot", "save", text(&backup), "--endpoints", &url]), 0);
    ended(&keyport(&["snapshot", "status", text(&backup)]), 0);
    let listed = ended(&keyport(&["doctor", "--endpoint", &url, "-o", text(&report)]), 0);
    assert!(listed.contains("status.json"), "{listed}");
}

/// What a command writes where its standard error is a terminal.
fn on_a_terminal(args: &[&str]) -> String {
    let (mut screen, program) = terminal::open().unwrap();
    let mut command = Command::new(Flavor::Keyport.binary());
    let mut child = command.args(args).stdout(Stdio::null()).stderr(program).spawn().unwrap();
    drop(command);
    let mut shown = Vec::new();
    // Nobody has the other end any more: that is an error, and the end.
    let _ = screen.read_to_end(&mut shown);
    assert!(child.wait().unwrap().success(), "{args:?}: {}", told(&shown));
    told(&shown)
}

#[tokio::test(flavor = "multi_thread")]
async fn how_far_it_is_is_told_to_a_terminal_alone() {
    let mut server = Server::of(Flavor::Keyport).start();
    let mut c = server.grpc().await;
    for n in 0..2000 {
        c.put(&format!("k{n}"), "v").await;
    }
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("backup.db");
    server.etcdctl().ok(&["snapshot", "save", text(&file)]);
    server.stop();
    let [restored, back] = ["restored", "back"].map(|name| place.path().join(name));
    let data = text(server.data_dir());
    let check = ["check", data];
    let status = ["snapshot", "status", text(&file)];
    let restore = ["snapshot", "restore", text(&file), "--data-dir", text(&restored)];
    let migrate = ["migrate", "--data-dir", data, "--to-etcd", text(&back)];
    for (args, word) in
        [(&check[..], "rows of history"), (&status, "reading: "), (&restore, "checking: "), (&migrate, "writing: ")]
    {
        let shown = on_a_terminal(args);
        assert!(shown.contains(word) && shown.ends_with("\r\x1b[K"), "{args:?}: {shown:?}");
        for made in [&restored, &back] {
            let _ = fs::remove_dir_all(made);
        }
        let piped = keyport(args);
        assert!(piped.stderr.is_empty(), "{args:?}: {}", told(&piped.stderr));
        ended(&piped, 0);
        for made in [&restored, &back] {
            let _ = fs::remove_dir_all(made);
        }
    }
}
