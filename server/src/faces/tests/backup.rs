//! The database as a file.

use keyport_api::error::Error;
use keyport_api::methods::Method;
use keyport_storage::bbolt::Reader;
use sha2::{Digest as _, Sha256};

use crate::testing::Member;
use crate::testing::h2::H2;
use crate::testing::raw::{Head, Raw};

const PATH: &str = "/v3/snapshot";

async fn get(raw: &mut Raw, headers: &str) -> (Head, Vec<u8>) {
    raw.request("GET", PATH, headers, "").await;
    let head = raw.head().await;
    let body = if head.status == 304 { Vec::new() } else { raw.body(&head).await };
    (head, body)
}

fn tag(head: &Head) -> String {
    head.header("etag").unwrap().to_owned()
}

async fn start() -> (Member, Raw) {
    let member = Member::start().await;
    member.commit(&[(b"foo", Some(b"bar"))]).await;
    let address = member.serve(member.gateway());
    (member, Raw::open(address).await)
}

#[tokio::test]
async fn a_file_is_what_it_says_and_passes_the_gate() {
    let (member, mut raw) = start().await;
    let (head, file) = get(&mut raw, "").await;
    assert_eq!((head.status, member.admissions.take()), (200, vec![Method::Snapshot]));
    let (database, digest) = file.split_at(file.len() - 32);
    assert_eq!((database.len() % 512, digest), (0, &*Sha256::digest(database)));
    Reader::open(database).unwrap().check().unwrap();
    let expected = format!("sha-256=:{}:", base64_simd::STANDARD.encode_to_string(Sha256::digest(&file)));
    assert_eq!(head.header("repr-digest"), Some(&*expected));
    assert_eq!(head.header("content-length"), Some(&*file.len().to_string()));
    for (name, expected) in
        [("accept-ranges", "bytes"), ("cache-control", "no-store"), ("content-type", "application/octet-stream")]
    {
        assert_eq!(head.header(name), Some(expected), "{name}");
    }
    let name = head.header("content-disposition").unwrap();
    assert!(name.starts_with("attachment; filename=\"keyport-2") && name.ends_with(".db\""), "{name}");

    raw.request("HEAD", PATH, "", "").await;
    let told = raw.head().await;
    let length = Some(file.len().to_string());
    assert_eq!((told.status, told.header("content-length")), (200, length.as_deref()));
    assert_eq!(tag(&told), tag(&head), "nothing has changed");
    let (again, nothing) = get(&mut raw, &format!("if-none-match: {}\r\n", tag(&head))).await;
    assert_eq!((again.status, nothing.len()), (304, 0));

    member.admissions.take();
    member.admissions.refuse(Some(Error::PermissionDenied));
    let (head, problem) = get(&mut raw, "").await;
    assert_eq!((head.status, head.header("content-type")), (403, Some("application/problem+json")));
    assert!(String::from_utf8_lossy(&problem).contains("permission denied"));
}

#[tokio::test]
async fn who_was_interrupted_gets_the_rest_of_the_same_copy() {
    let (member, mut raw) = start().await;
    let (head, file) = get(&mut raw, "").await;
    let (first, end) = (tag(&head), file.len());
    member.commit(&[(b"foo", Some(b"another"))]).await;
    // The digest has a part of its own, and a part may be on both sides of its beginning.
    for (asked, start, stop) in [
        ("0-0".to_owned(), 0, 1),
        ("1000-".to_owned(), 1000, end),
        (format!("{}-{}", end - 40, end - 20), end - 40, end - 19),
        ("-7".to_owned(), end - 7, end),
    ] {
        for condition in ["if-match", "if-range"] {
            let (head, part) = get(&mut raw, &format!("range: bytes={asked}\r\n{condition}: {first}\r\n")).await;
            assert_eq!((head.status, tag(&head)), (206, first.clone()), "{asked} {condition}");
            let range = format!("bytes {start}-{}/{end}", stop - 1);
            assert_eq!(head.header("content-range"), Some(&*range));
            assert!(part == file[start..stop], "{asked}");
        }
    }
    let (head, _) = get(&mut raw, &format!("range: bytes={end}-\r\nif-match: {first}\r\n")).await;
    assert_eq!((head.status, head.header("content-range")), (416, Some(&*format!("bytes */{end}"))));
    let (head, all) = get(&mut raw, &format!("if-match: \"other\", {first}\r\n")).await;
    assert_eq!((head.status, all == file), (200, true));
}

#[tokio::test]
async fn a_part_of_nobody_knows_what_is_not_given() {
    let (member, mut raw) = start().await;
    let (head, file) = get(&mut raw, "").await;
    let first = tag(&head);
    member.commit(&[(b"foo", Some(b"another"))]).await;
    for headers in ["range: bytes=10-\r\n", "range: bytes=10-\r\nif-range: \"other\"\r\n"] {
        let (head, new) = get(&mut raw, headers).await;
        assert_eq!((head.status, new.len()), (200, file.len()), "{headers}");
        assert!(tag(&head) != first && new != file);
    }
    let (head, _) = get(&mut raw, "range: bytes=10-\r\nif-match: \"other\"\r\n").await;
    assert_eq!(head.status, 412);
    // Any copy will do for whoever says so.
    assert_eq!(get(&mut raw, "if-match: *\r\n").await.0.status, 200);
}

#[tokio::test]
async fn it_is_the_same_over_http2_and_under_every_prefix() {
    let (member, mut raw) = start().await;
    let (_, file) = get(&mut raw, "").await;
    let mut client = H2::open(member.serve(member.gateway())).await;
    for path in [PATH, "/v3beta/snapshot"] {
        let (head, body) = client.get(path).await;
        assert_eq!((head.status.as_u16(), body == file), (200, true), "{path}");
        assert_eq!(head.headers["content-length"], file.len().to_string());
    }
    // Many at once share a copy.
    let all = futures_util::future::join_all((0..12).map(|_| async {
        let mut raw = Raw::open(client.address()).await;
        get(&mut raw, "").await
    }));
    for (head, body) in all.await {
        assert!(head.status == 429 || body == file, "{}", head.status);
    }
}
