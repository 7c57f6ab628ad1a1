//! Snapshots for many clients at once, for clients that do not read, and on a disk that has no room for them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;

use keyport_api::etcdserverpb::{DefragmentRequest, SnapshotRequest};
use keyport_tests::Server;
use keyport_tests::grpc::{Grpc, refused};
use keyport_tests::tiny::Tiny;
use keyport_tests::wait::{eventually, within};
use tonic::Code;

const MEGABYTE: usize = 1 << 20;

async fn fill(c: &mut Grpc, megabytes: usize) {
    let value = "x".repeat(MEGABYTE);
    for i in 0..megabytes {
        c.put(&format!("k{i}"), &value).await;
    }
}

/// Files that the process has open though they have no name any more, and what they take, in bytes.
fn nameless(server: &Server) -> (usize, u64) {
    let mut found = BTreeSet::new();
    for file in fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap() {
        let path = file.unwrap().path();
        let Ok(target) = fs::read_link(&path) else { continue };
        let target = target.to_string_lossy().into_owned();
        if target.contains("/snap/db") && target.ends_with(" (deleted)") {
            let file = fs::metadata(&path).unwrap();
            found.insert((file.ino(), file.blocks() * 512));
        }
    }
    (found.len(), found.iter().map(|(_, bytes)| bytes).sum())
}

async fn copies_are_gone(server: &Server) {
    eventually("the copies are gone", async || (nameless(server).0 == 0).then_some(())).await;
}

/// A number of `/proc/<pid>/status`.
fn status(server: &Server, name: &str) -> usize {
    let text = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel tells");
    line.trim_start_matches(':').split_whitespace().next().unwrap().parse().unwrap()
}

/// How many bytes a client is sent.
async fn read(c: &mut Grpc) -> usize {
    let mut parts = within("a snapshot", c.maintenance.snapshot(SnapshotRequest {})).await.unwrap().into_inner();
    let mut bytes = 0;
    while let Some(part) = within("a part", parts.message()).await.unwrap() {
        bytes += part.blob.len();
    }
    bytes
}

#[tokio::test]
async fn sixty_four_clients_that_do_not_read() {
    let server = Server::start();
    if server.is_etcd() {
        return; // reads its database in place
    }
    let mut c = server.grpc().await;
    fill(&mut c, 20).await;
    let whole = read(&mut c).await;
    let (threads, memory) = (status(&server, "Threads"), status(&server, "VmRSS"));
    let mut clients = Vec::new();
    for _ in 0..64 {
        let mut other = server.grpc().await;
        clients.push(tokio::spawn(async move {
            other.maintenance.snapshot(SnapshotRequest {}).await.map(tonic::Response::into_inner)
        }));
    }
    let mut streams = Vec::new();
    for client in clients {
        streams.push(within("a snapshot", client).await.unwrap().unwrap());
    }
    let (files, bytes) = nameless(&server);
    let more = status(&server, "Threads").saturating_sub(threads);
    let memory = status(&server, "VmRSS").saturating_sub(memory);
    println!("{files} copies of {bytes} bytes, {more} more threads, {memory} KiB more memory");
    assert!((1..=4).contains(&files), "{files} copies");
    assert!(more <= 20, "{more} more threads");
    c.put("k", "v").await;
    let mut first = streams.swap_remove(0);
    let mut sent = 0;
    while let Some(part) = within("a part", first.message()).await.unwrap() {
        sent += part.blob.len();
    }
    assert_eq!(sent, whole, "who reads gets all of it");
    drop((first, streams));
    copies_are_gone(&server).await;
    read(&mut c).await;
}

#[tokio::test]
async fn a_disk_with_too_little_room() {
    let Some(tiny) = Tiny::new(400) else { return eprintln!("skipped: may not mount") };
    let server = Server::builder().data_dir(tiny.path().join("data")).start();
    if server.is_etcd() {
        return; // reads its database in place
    }
    let mut c = server.grpc().await;
    fill(&mut c, 8).await;
    let whole = read(&mut c).await;
    copies_are_gone(&server).await;
    let text = "keyport: not enough disk space to copy the database";
    let refusal = eventually("too little room", async || {
        // Enough to go on, and too little for a copy that leaves an eighth of the disk. Meanwhile the log may give some back.
        tiny.leave(30);
        within("a snapshot", c.maintenance.snapshot(SnapshotRequest {})).await.err()
    })
    .await;
    refused(Err::<(), _>(refusal), Code::ResourceExhausted, text);
    let defragment = within("a defragmentation", c.maintenance.defragment(DefragmentRequest {})).await;
    refused(defragment, Code::ResourceExhausted, text);
    fill(&mut c, 2).await;
    tiny.grow();
    assert!(read(&mut c).await >= whole);
    within("a defragmentation", c.maintenance.defragment(DefragmentRequest {})).await.unwrap();
}
