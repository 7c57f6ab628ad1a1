//! A log of etcd's whose end a crash tore: what is torn was never acknowledged, and is cut off as etcd does it. What is damaged
//! otherwise had been on the disk, and is refused.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyport_api::etcdserverpb::HashKvRequest;
use keyport_tests::grpc::{Grpc, put};
use keyport_tests::wait::eventually;
use keyport_tests::{Flavor, Server};

use super::{contents, copy, database, is_converted};

const SECTOR: usize = 512;

/// A directory that an etcd has left without being asked to: the last record of its log is a put of these bytes, which nobody
/// else has.
struct Left {
    server: Server,
    acknowledged: (i64, u32),
    last: Vec<u8>,
}

async fn hash(server: &Server) -> (i64, u32) {
    let answer = server.grpc().await.maintenance.hash_kv(HashKvRequest { revision: 0 }).await.unwrap().into_inner();
    (answer.header.unwrap().revision, answer.hash)
}

async fn left(flavor: Flavor) -> Left {
    let mut server = Server::of(flavor).start();
    let mut c = server.grpc().await;
    for i in 0..30 {
        c.put(&format!("k{i}"), &i.to_string().repeat(500)).await;
    }
    let acknowledged = hash(&server).await;
    server.stop();
    // The database does not have what comes now.
    let early = fs::read(database(server.data_dir())).unwrap();
    server.restart();
    let last: Vec<u8> = (0..5000).map(|n: usize| b'a' + u8::try_from(n * n % 23).unwrap()).collect();
    server.grpc().await.put("last", std::str::from_utf8(&last).unwrap()).await;
    server.kill();
    fs::write(database(server.data_dir()), early).unwrap();
    Left { server, acknowledged, last }
}

fn segment(data: &Path) -> PathBuf {
    data.join("member/wal/0000000000000000-0000000000000000.wal")
}

/// The word before the record of the last value, not far before that.
fn word(bytes: &[u8], value: usize) -> usize {
    let words = (0..value).rev().filter(|at| at % 8 == 0);
    words.into_iter().find(|at| (5000..5300).contains(&length(bytes, *at))).expect("a length")
}

/// Of the record behind a word.
fn length(bytes: &[u8], word: usize) -> usize {
    usize::try_from(u64::from_le_bytes(bytes[word..word + 8].try_into().unwrap()) << 8 >> 8).unwrap()
}

impl Left {
    /// A copy whose last value, in a log that ends with it, something was done to. That is told where the value is.
    fn with(&self, change: impl FnOnce(&mut Vec<u8>, usize)) -> tempfile::TempDir {
        let data = tempfile::tempdir().unwrap();
        copy(self.server.data_dir(), data.path());
        let mut bytes = fs::read(segment(data.path())).unwrap();
        let at = bytes.windows(64).position(|window| window == &self.last[..64]).expect("it is in the log");
        // What etcd wrote after its acknowledgement cannot be there if that was not given.
        let word = word(&bytes, at);
        let end = (word + 8 + length(&bytes, word)).next_multiple_of(8);
        bytes[end..].fill(0);
        change(&mut bytes, at);
        fs::write(segment(data.path()), bytes).unwrap();
        data
    }

    /// Both go on without the last value, and with everything else.
    async fn is_cut_off(&self, what: &str, change: impl Fn(&mut Vec<u8>, usize)) {
        let etcds = self.with(&change);
        let etcd = Server::of(self.server.flavor()).data_dir(etcds.path()).start();
        assert_eq!(hash(&etcd).await, self.acknowledged, "{what}: {:?}", self.server.flavor());
        let ours = self.with(&change);
        let torn = fs::read(segment(ours.path())).unwrap();
        let mut keyport = Server::of(Flavor::Keyport).data_dir(ours.path()).start();
        assert_eq!(hash(&keyport).await, self.acknowledged, "{what}: {:?}", self.server.flavor());
        assert!(keyport.grpc().await.get("last").await.is_none());
        assert!(is_converted(ours.path()) && keyport.log().contains("cutting off the torn end"), "{what}");
        let kept = fs::read(segment(ours.path()).with_extension("wal.broken")).unwrap();
        assert!(torn.starts_with(&kept) && torn[kept.len()..].iter().all(|byte| *byte == 0), "{what}");
        // And it goes on from there.
        let revision = keyport.grpc().await.put("after", "v").await;
        assert_eq!(revision, self.acknowledged.0 + 1);
        keyport.kill();
        keyport.restart();
        assert_eq!(keyport.grpc().await.get("after").await.unwrap().mod_revision, revision);
    }

    /// Nothing is written.
    fn is_refused(&self, what: &str, change: impl FnOnce(&mut Vec<u8>, usize)) {
        let data = self.with(change);
        let before = contents(data.path());
        let out = Server::of(Flavor::Keyport).data_dir(data.path()).run_to_end();
        let told = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{what}: {told}");
        assert!(told.contains("corrupt at offset ") && told.contains("Nothing in it was changed"), "{what}: {told}");
        assert!(contents(data.path()) == before, "{what}: something was changed");
    }
}

/// Where the first whole sector of the value begins.
fn sector(at: usize) -> usize {
    at.next_multiple_of(SECTOR)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_tore_is_cut_off_as_etcd_does_it() {
    for flavor in Flavor::releases() {
        let left = left(flavor).await;
        left.is_cut_off("the file ends within it", |bytes, at| bytes.truncate(at + 1000)).await;
        left.is_cut_off("its first sector alone", |bytes, at| bytes[sector(at)..].fill(0)).await;
        left.is_cut_off("a sector of it", |bytes, at| bytes[sector(at) + SECTOR..][..SECTOR].fill(0)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_crash_explains_is_refused() {
    for flavor in Flavor::releases() {
        let left = left(flavor).await;
        // It works as it is.
        let whole = left.with(|_, _| {});
        let server = Server::of(Flavor::Keyport).data_dir(whole.path()).start();
        assert_eq!(server.grpc().await.get("last").await.unwrap().value, left.last);
        left.is_refused("a byte", |bytes, at| bytes[at + 100] ^= 1);
        left.is_refused("all of it, with something else", |bytes, at| bytes[at..][..5000].fill(0xee));
        // Long before the end, an entry of which there is proof that it was committed: etcd cuts off all that follows.
        let value = "15".repeat(500);
        left.is_refused("a sector of an earlier one", |bytes, _| {
            let at = bytes.windows(1000).position(|window| window == value.as_bytes()).expect("it is in the log");
            bytes[sector(at)..][..SECTOR.min(at + 1000 - sector(at))].fill(0);
        });
        left.is_refused("its length", |bytes, at| {
            let word = word(bytes, at);
            bytes[word + 5] = 0x33;
        });
    }
}

/// As it comes: while much is being written, whatever the file has by then.
#[tokio::test]
async fn what_was_acknowledged_before_a_kill_is_there() {
    for flavor in Flavor::peers() {
        let mut server = Server::of(flavor).start();
        let mut acknowledged = Vec::new();
        for round in 0..2 {
            let writers: Vec<_> = (0..8).map(|writer| tokio::spawn(write(server.addr(), round, writer))).collect();
            let witness = format!("{round}/0/40");
            let mut c = server.grpc().await;
            eventually("much", async || c.get(&witness).await).await;
            server.kill();
            for writer in writers {
                acknowledged.extend(writer.await.unwrap());
            }
            if round == 0 {
                server.restart();
            }
        }
        server.become_a(Flavor::Keyport);
        server.restart();
        let mut c = server.grpc().await;
        for key in &acknowledged {
            assert!(c.get(key).await.is_some(), "{flavor:?}: {key} of {}", acknowledged.len());
        }
    }
}

/// Writes until the server is gone; the keys that were acknowledged.
async fn write(addr: SocketAddr, round: usize, writer: usize) -> Vec<String> {
    let mut c = Grpc::lazy(addr);
    let mut acknowledged = Vec::new();
    loop {
        let key = format!("{round}/{writer}/{}", acknowledged.len());
        let put = put(&key, &"v".repeat(acknowledged.len() * 37 % 3000));
        match tokio::time::timeout(Duration::from_secs(10), c.kv.put(put)).await {
            Ok(Ok(_)) => acknowledged.push(key),
            Ok(Err(_)) | Err(_) => return acknowledged,
        }
    }
}
