//! Bytes of an etcd's database that are not what they were: every byte of its metas, and pages at random. It is refused, and stays
//! as it is; or what is damaged was in nobody's way. Never a panic.

use std::fs;
use std::path::Path;

use keyport_tests::random::Random;
use keyport_tests::wait::eventually_blocking;
use keyport_tests::{Flavor, Server};
use serde_json::json;

use super::{contents, copy, database, is_converted};
use crate::backups::{fill_open, keyport, text};

/// Of a meta page: from the first byte of its content to the last of its checksum.
const META: std::ops::Range<usize> = 16..80;
const PAGE: usize = 4096;

async fn left(flavor: Flavor) -> Server {
    let mut server = Server::of(flavor).start();
    fill_open(&server).await;
    // Without pages that nobody needs any more.
    server.http().call("/v3/maintenance/defragment", json!({})).await;
    server.stop();
    server
}

/// Restores a file: what it says if that is refused, and leaves nothing.
fn restore(file: &Path, data: &Path) -> Option<String> {
    let _ = fs::remove_dir_all(data);
    let out = keyport(&["restore", text(file), "--data-dir", text(data), "--skip-hash-check"]);
    let told = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!told.contains("panicked") && matches!(out.status.code(), Some(0 | 1)), "{:?}: {told}", out.status);
    assert_eq!(data.exists(), out.status.success(), "{told}");
    (!out.status.success()).then_some(told)
}

/// Starts on a copy of a directory with another database: what it says if that is refused, and changes nothing.
fn take_over(server: &Server, bytes: &[u8]) -> Option<String> {
    let data = tempfile::tempdir().unwrap();
    copy(server.data_dir(), data.path());
    fs::write(database(data.path()), bytes).unwrap();
    let before = contents(data.path());
    let mut keyport = Server::of(Flavor::Keyport).data_dir(data.path()).spawn_only();
    let status = eventually_blocking("a verdict", || match keyport.ended() {
        Some(status) => Some(Some(status)),
        None => keyport.log().contains("ready to serve client requests").then_some(None),
    });
    let log = keyport.log();
    assert!(!log.contains("panicked"), "{log}");
    let Some(status) = status else {
        assert!(is_converted(data.path()));
        return None;
    };
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(contents(data.path()) == before, "something was changed: {log}");
    Some(log)
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_metas_are_refused_and_one_good_one_is_enough() {
    let server = left(*Flavor::releases().first().unwrap()).await;
    let whole = fs::read(database(server.data_dir())).unwrap();
    let place = tempfile::tempdir().unwrap();
    let (file, data) = (place.path().join("db"), place.path().join("data"));
    for byte in META {
        let mut bytes = whole.clone();
        for meta in [0, PAGE] {
            bytes[meta + byte] ^= 0x11;
        }
        fs::write(&file, &bytes).unwrap();
        assert!(restore(&file, &data).is_some(), "byte {byte} of both");
        if byte % 16 == 3 {
            let told = take_over(&server, &bytes);
            assert!(told.is_some(), "byte {byte} of both");
        }
    }
    for meta in [0, PAGE] {
        let mut bytes = whole.clone();
        bytes[meta + 40] ^= 0x11;
        fs::write(&file, &bytes).unwrap();
        assert_eq!(restore(&file, &data), None, "the other one is good");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_at_random_end_in_a_verdict() {
    let server = left(*Flavor::releases().last().unwrap()).await;
    let whole = fs::read(database(server.data_dir())).unwrap();
    // Those that say which they are, and no more of a large value.
    let has_head = |page: &usize| whole[page * PAGE..].starts_with(&page.to_le_bytes());
    let pages: Vec<usize> = (2..whole.len() / PAGE).filter(has_head).collect();
    let place = tempfile::tempdir().unwrap();
    let (file, data) = (place.path().join("db"), place.path().join("data"));
    let mut random = Random::new(36);
    let mut refused = 0;
    for turn in 0..80 {
        let mut bytes = whole.clone();
        let page = pages[random.below(pages.len())] * PAGE;
        match turn % 4 {
            // Its head, its table, anything in it, all of it.
            0 => bytes[page + random.below(16)] ^= 1 << random.below(8),
            1 => bytes[page + 16 + random.below(64)] ^= 1 << random.below(8),
            2 => bytes[page + random.below(PAGE)] ^= 0xff,
            _ => bytes[page..page + PAGE].fill_with(|| random.below(256) as u8),
        }
        fs::write(&file, &bytes).unwrap();
        let told = restore(&file, &data);
        refused += usize::from(told.is_some());
        if turn % 8 < 2 {
            take_over(&server, &bytes);
        }
    }
    assert!(refused > 20, "{refused}");
}
