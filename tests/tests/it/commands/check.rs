//! `keyport check`: what stopped and killed members left is sound and stays as it is, and damage is found.

use std::fs;
use std::path::{Path, PathBuf};

use keyport_tests::random::Random;
use keyport_tests::{Flavor, Server};

use super::{copy, ended, files, keyport, text};
use crate::backups::fill;

fn check(data: &Path, code: i32) -> String {
    ended(&keyport(&["check", text(data)]), code)
}

fn segments(data: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(data.join("member/wal")).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> = names.filter(|path| path.extension().is_some_and(|e| e == "wal")).collect();
    segments.sort();
    segments
}

/// Of Keyport and of etcds, stopped and killed.
#[tokio::test(flavor = "multi_thread")]
async fn what_members_leave_is_sound_and_stays_as_it_is() {
    for flavor in [Flavor::Keyport].into_iter().chain(Flavor::peers()) {
        for is_killed in [false, true] {
            let mut server = Server::of(flavor).start();
            fill(&server).await;
            let data = server.data_dir().to_owned();
            let running = check(&data, 1);
            assert!(
                running.contains("in use by another process") || running.contains("locked"),
                "{flavor:?}: {running}"
            );
            if is_killed {
                server.kill();
            } else {
                server.stop();
            }
            let before = files(&data);
            let told = check(&data, 0);
            assert!(told.ends_with("sound\n"), "{flavor:?}: {told}");
            let owner = if flavor == Flavor::Keyport { "of Keyport" } else { "of an etcd" };
            for part in [owner, "1 members, ", "database  ", "log       ", "together  "] {
                assert!(told.contains(part), "{flavor:?}, {part}: {told}");
            }
            // What a killed one has in its log alone is not in its database.
            if !is_killed {
                assert!(told.contains("1 leases, 2 users, ") && told.contains("compacted at 15"), "{flavor:?}: {told}");
            }
            assert!(files(&data) == before, "{flavor:?} {is_killed}: nothing is written");
            // And what was looked at still starts.
            server.restart();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_found_where_it_is() {
    for flavor in [Flavor::Keyport].into_iter().chain(Flavor::peers()) {
        let mut server = Server::of(flavor).start();
        fill(&server).await;
        server.stop();
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("data");
        let fresh = || {
            let _ = fs::remove_dir_all(&data);
            copy(server.data_dir(), &data);
        };

        // A byte of a value in the log: it is told with the file and the offset.
        fresh();
        let segment = segments(&data).remove(0);
        let mut bytes = fs::read(&segment).unwrap();
        let at = bytes.windows(8).position(|window| window == b"value 30").expect("it is in the log");
        bytes[at] ^= 1;
        fs::write(&segment, &bytes).unwrap();
        let told = check(&data, 2);
        let (_, offset) = told.split_once(": corrupt at offset ").unwrap_or_else(|| panic!("{told}"));
        let offset: usize = offset.split(':').next().unwrap().parse().unwrap();
        assert!(offset < at && at < offset + 200, "{offset} {at}");
        assert!(told.contains(text(&segment)) && told.contains("checksum mismatch"), "{told}");
        assert!(
            told.contains("database  ") && told.ends_with("1 problem\n"),
            "the database is looked at all the same: {told}"
        );
        assert!(fs::read(&segment).unwrap() == bytes);

        // The same in the database.
        fresh();
        let database = data.join("member/snap/db");
        let mut bytes = fs::read(&database).unwrap();
        let places: Vec<usize> = (0..bytes.len() - 8).filter(|at| bytes[*at..].starts_with(b"value 30")).collect();
        assert!(!places.is_empty());
        if flavor == Flavor::Keyport {
            places.iter().for_each(|at| bytes[*at] ^= 1);
            fs::write(&database, &bytes).unwrap();
            let told = check(&data, 2);
            assert!(told.contains(text(&database)) && told.contains("log       "), "{told}");
        } else {
            // bbolt has no checksums of rows; what is found is damage of its pages. Some are free, if etcd has committed while
            // it was filled, and still hold what they held.
            for page in places.iter().map(|at| at / 4096 * 4096) {
                bytes[page + 20..page + 24].fill(0xff);
            }
            fs::write(&database, &bytes).unwrap();
            let told = check(&data, 2);
            assert!(told.contains("at byte ") || told.contains("damaged"), "{told}");
        }

        // An older log than the database, one that is not there, and no database.
        fresh();
        fs::remove_dir_all(data.join("member/wal")).unwrap();
        assert!(check(&data, 2).contains("PROBLEM"), "{flavor:?}");
        fresh();
        fs::remove_file(data.join("member/snap/db")).unwrap();
        let told = check(&data, 2);
        assert!(told.contains("member/snap/db") && told.contains("log       "), "{told}");
    }
    let nothing = tempfile::tempdir().unwrap();
    assert!(check(nothing.path(), 1).contains("no data directory"));
    assert!(ended(&keyport(&["check"]), 1).contains("DATA_DIR"));
    assert!(ended(&keyport(&["check", "--help"]), 0).contains("Exit status"));
}

/// Database and log of two members are each sound, and not one member's.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_of_one_history_is_told() {
    let mut one = Server::of(Flavor::Keyport).start();
    let mut other = Server::of(Flavor::Keyport).start();
    fill(&one).await;
    other.grpc().await.put("k", "v").await;
    one.stop();
    other.stop();
    let place = tempfile::tempdir().unwrap();
    copy(one.data_dir(), place.path());
    fs::remove_dir_all(place.path().join("member/wal")).unwrap();
    copy(&other.data_dir().join("member/wal"), &place.path().join("member/wal"));
    let told = check(place.path(), 2);
    assert!(
        told.contains("entries were lost") || told.contains("one history") || told.contains("does not have entry"),
        "{told}"
    );
}

/// Whatever byte is damaged, it ends with a verdict.
#[tokio::test(flavor = "multi_thread")]
async fn no_damage_makes_it_panic() {
    let mut server = Server::of(Flavor::Keyport).start();
    fill(&server).await;
    server.stop();
    let place = tempfile::tempdir().unwrap();
    let mut random = Random::new(12);
    for turn in 0..60 {
        let data = place.path().join("data");
        let _ = fs::remove_dir_all(&data);
        copy(server.data_dir(), &data);
        let path = if turn % 2 == 0 { data.join("member/snap/db") } else { segments(&data).remove(0) };
        let mut bytes = fs::read(&path).unwrap();
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        for _ in 0..=turn % 4 {
            let at = random.below(end);
            bytes[at] = bytes[at].wrapping_add(1 + random.below(255) as u8);
        }
        fs::write(&path, &bytes).unwrap();
        let out = keyport(&["check", text(&data)]);
        let (told, errors) = (super::told(&out.stdout), super::told(&out.stderr));
        assert!(matches!(out.status.code(), Some(0 | 2)), "{turn}: {:?} {told}{errors}", out.status);
        assert!(!errors.contains("panicked"), "{turn}: {errors}");
        assert!(fs::read(&path).unwrap() == bytes, "{turn}");
    }
}
