//! Signs of life: a member that works sends them, and one of whose threads stands still does not.

use keyport_tests::cluster::threads::StoppedThread;
use keyport_tests::wait::{eventually, eventually_blocking};
use keyport_tests::{Flavor, Server};

use super::Manager;

const SIGN: &str = "WATCHDOG=1";
/// Microseconds. A sign is due every half of it.
const INTERVAL: &str = "100000";
/// Of one connection, under way at once.
const MOST_WRITES: usize = 2000;

fn watched(manager: &Manager) -> Server {
    let server = Server::builder().env("NOTIFY_SOCKET", &manager.name).env("WATCHDOG_USEC", INTERVAL).start();
    assert_eq!(manager.told(), "READY=1");
    server
}

/// How often the log says that the thread does not answer.
fn complaints(server: &Server, thread: &str) -> usize {
    let of_thread = format!("\"thread\":\"{thread}\"");
    let is_one = |line: &&str| line.contains("a part of the member does not answer") && line.contains(&of_thread);
    server.log().lines().filter(is_one).count()
}

/// Reads what was told: signs of life and nothing else.
fn signs(manager: &Manager) -> usize {
    let told = manager.told_by_now();
    assert!(told.iter().all(|text| text == SIGN), "{told:?}");
    told.len()
}

/// No sign comes while it looks in vain for a thread that stands still, which is in the log as often as a sign would have been due. By the
/// second time that it says so it has asked after the thread had stopped, and what was sent before can be read.
fn sends_none(server: &Server, manager: &Manager, thread: &str) {
    let before = complaints(server, thread);
    let looked = |times: usize| {
        eventually_blocking("it looks again", || (complaints(server, thread) >= before + times).then_some(()));
    };
    looked(2);
    signs(manager);
    looked(7);
    let sent = signs(manager);
    assert_eq!(sent, 0, "signs of life without {thread}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_works_sends_signs_of_life_until_it_ends() {
    if Flavor::under_test() != Flavor::Keyport {
        return println!("skipped: etcd sends none");
    }
    let dir = tempfile::tempdir().unwrap();
    let manager = Manager::at_path(&dir, "notify");
    let mut server = watched(&manager);
    for _ in 0..5 {
        assert_eq!(manager.told(), SIGN);
    }
    tokio::task::block_in_place(|| server.stop());
    let mut told = manager.told_by_now();
    assert!(told.contains(&"STOPPING=1".to_owned()), "{told:?}");
    told.retain(|text| text != "STOPPING=1");
    assert!(told.iter().all(|text| text == SIGN), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_with_a_thread_that_stands_still_sends_none() {
    if Flavor::under_test() != Flavor::Keyport {
        return println!("skipped: etcd sends none");
    }
    let dir = tempfile::tempdir().unwrap();
    for thread in ["raft", "keyport-io-0"] {
        let manager = Manager::at_path(&dir, thread);
        let server = watched(&manager);
        assert_eq!(manager.told(), SIGN);
        let Some(stopped) = StoppedThread::of(server.pid(), thread) else {
            return println!("skipped: one may not trace here");
        };
        sends_none(&server, &manager, thread);
        drop(stopped);
        assert_eq!(manager.told(), SIGN, "{thread} goes on");
    }
}

/// It applies what does not fit between two writes of the log: many at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_does_not_apply_sends_none() {
    if Flavor::under_test() != Flavor::Keyport {
        return println!("skipped: etcd sends none");
    }
    let dir = tempfile::tempdir().unwrap();
    let manager = Manager::at_path(&dir, "apply");
    let server = watched(&manager);
    let client = server.grpc().await;
    let Some(stopped) = StoppedThread::of(server.pid(), "apply") else {
        return println!("skipped: one may not trace here");
    };
    let mut writes = Vec::new();
    eventually("it misses it", async || {
        if complaints(&server, "apply") == 0 {
            // More of them than a connection may have unread would have it closed.
            let room = MOST_WRITES.saturating_sub(writes.len());
            for number in 0..room.min(200) {
                let mut client = client.clone();
                writes.push(tokio::spawn(async move { client.put(&format!("k{number}"), "v").await }));
            }
        }
        (complaints(&server, "apply") > 0).then_some(())
    })
    .await;
    sends_none(&server, &manager, "apply");
    drop(stopped);
    assert_eq!(manager.told(), SIGN);
    for write in writes {
        write.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_meant_for_another_process_is_not_answered() {
    if Flavor::under_test() != Flavor::Keyport {
        return println!("skipped: etcd sends none");
    }
    let dir = tempfile::tempdir().unwrap();
    for (name, variable, value) in [("pid", "WATCHDOG_PID", "1"), ("usec", "WATCHDOG_USEC", "often")] {
        let manager = Manager::at_path(&dir, name);
        let server = Server::builder().env("NOTIFY_SOCKET", &manager.name).env("WATCHDOG_USEC", INTERVAL);
        let mut server = server.env(variable, value).start();
        assert_eq!(manager.told(), "READY=1");
        tokio::task::block_in_place(|| server.stop());
        assert_eq!(manager.told(), "STOPPING=1");
        assert!(manager.told_nothing_yet());
        assert_eq!(server.log().contains("WATCHDOG_USEC=\\\"often\\\" is no number above 0"), name == "usec");
    }
}
