//! Copies of Keyport's own data file, taken like backups.

use std::fs;

use keyport_tests::{Flavor, Server};
use serde_json::Value;

use super::{done, fill, keyport, refused, state, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_data_file_is_a_backup_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::of(Flavor::Keyport).start();
    fill(&server).await;
    let expected = state(&server).await;
    // Whole after a stop; after a kill with what was in the file by then, which is all of it here.
    server.stop();
    let (database, stopped) = (server.data_dir().join("member/snap/db"), dir.path().join("stopped.db"));
    fs::copy(&database, &stopped).unwrap();
    server.restart();
    assert_eq!(state(&server).await, expected);
    server.kill();
    let killed = dir.path().join("killed.db");
    fs::copy(&database, &killed).unwrap();
    for file in [&stopped, &killed] {
        let before = fs::read(file).unwrap();
        let status = done(&keyport(&["status", text(file), "-w", "json"]));
        let status: Value = serde_json::from_str(&status).unwrap();
        assert_eq!(status["totalKey"], 18, "{status}");
        let data = file.with_extension("data");
        let restore = ["restore", text(file), "--data-dir", text(&data)];
        assert!(refused(&keyport(&restore)).contains("--skip-hash-check"));
        done(&keyport(&[&restore[..], &["--skip-hash-check"]].concat()));
        assert!(fs::read(file).unwrap() == before, "the copy stays as it is");
        let restored = Server::of(Flavor::Keyport).data_dir(&data).start();
        assert_eq!(state(&restored).await, expected, "{file:?}");
    }
    let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, ["killed.data", "killed.db", "stopped.data", "stopped.db"]);
}

#[tokio::test]
async fn a_file_in_use_or_damaged_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::of(Flavor::Keyport).start();
    server.grpc().await.put("k", "v").await;
    let database = server.data_dir().join("member/snap/db");
    let told = refused(&keyport(&["status", text(&database)]));
    assert!(told.contains("in use") || told.contains("locked"), "{told}");
    let (cut, data) = (dir.path().join("cut.db"), dir.path().join("data"));
    let whole = fs::read(&database).unwrap();
    for length in [9, 512, 4096, 8192] {
        fs::write(&cut, &whole[..length]).unwrap();
        let told = refused(&keyport(&["restore", text(&cut), "--data-dir", text(&data), "--skip-hash-check"]));
        assert!(told.contains("cut.db") && !told.contains("panicked") && !data.exists(), "{length}: {told}");
    }
}
