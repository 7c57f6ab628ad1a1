use std::ops::ControlFlow;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::items::{Item, Items};
use super::*;
use crate::backend::{
    Applied, Backend, BackendError, BackendOptions, Batch, Bucket, ClosedFile, RowKey, Rows as _, adopt,
};
use crate::{Record, Versions};

fn options() -> BackendOptions {
    let batch_interval = Duration::from_secs(3600);
    BackendOptions { batch_interval, unsafe_no_fsync: true, ..BackendOptions::default() }
}

fn open(path: &Path) -> Backend {
    Backend::open(path, options()).unwrap()
}

fn applied(index: u64) -> Applied {
    Applied { index, term: 3 }
}

/// One log entry: a row of history with a value of this size, and rows of other buckets.
fn entry(backend: &Backend, index: u64, value_bytes: usize) {
    let mut batch = Batch::new();
    let main = i64::try_from(index).unwrap();
    let versions = Versions { create_revision: main, mod_revision: main, version: 1, lease: 0 };
    batch.put_record(
        RowKey::new(main, 0),
        Record::new(format!("key{index}").as_bytes(), &vec![7; value_bytes], versions),
    );
    batch.put(Bucket::Lease, index.to_be_bytes().to_vec(), b"lease".to_vec());
    batch.put(Bucket::Cluster, b"clusterVersion".to_vec(), b"3.7.0".to_vec());
    backend.commit(batch, Some(applied(index)));
}

fn image(backend: &Backend) -> Vec<Bytes> {
    let mut reader = backend.image().unwrap();
    std::iter::from_fn(|| reader.next_chunk().unwrap()).collect()
}

fn write(path: &Path, chunks: &[Bytes]) -> Result<Applied, BackendError> {
    let mut writer = ImageWriter::create(path, options())?;
    chunks.iter().try_for_each(|chunk| writer.write(chunk))?;
    writer.finish()
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_image_becomes_the_same_database() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (open(&dir.path().join("db")), dir.path().join("5.snap.db"));
    for index in 1..=5000 {
        entry(&from, index, 1000);
    }
    let mut reader = from.image().unwrap();
    assert_eq!(reader.applied(), applied(5000));
    assert_eq!(reader.get(Bucket::Cluster, b"clusterVersion").unwrap().as_deref(), Some(&b"3.7.0"[..]));
    assert_eq!(reader.get(Bucket::Cluster, b"downgrade").unwrap(), None);
    // What comes later is not in it.
    let hash = from.hash().unwrap();
    entry(&from, 5001, 10);
    from.flush().unwrap();

    let mut writer = ImageWriter::create(&to, options()).unwrap();
    let mut chunks = 0;
    while let Some(chunk) = reader.next_chunk().unwrap() {
        assert!(chunk.len() <= CHUNK_BYTES);
        writer.write(&chunk).unwrap();
        chunks += 1;
    }
    assert!(chunks > 4);
    assert!(reader.next_chunk().unwrap().is_none());
    let [new, db] = &names(dir.path())[..] else { panic!("there are two") };
    assert!(new.starts_with("5.snap.db.") && new.ends_with(".tmp.image") && db == "db", "{new}");
    assert_eq!(writer.finish().unwrap(), applied(5000));
    assert_eq!(names(dir.path()), ["5.snap.db", "db"]);

    let copy = open(&to);
    assert_eq!(copy.durable_applied(), applied(5000));
    assert_eq!(copy.hash().unwrap(), hash);
    assert!(copy.size_in_use() > 5_000_000 && copy.size() < 8_000_000, "{} {}", copy.size_in_use(), copy.size());
    assert_eq!(image(&copy), image_of_first(&dir.path().join("first")));
}

/// The image of a database with the first 5000 entries and no more.
fn image_of_first(path: &Path) -> Vec<Bytes> {
    let backend = open(path);
    (1..=5000).for_each(|index| entry(&backend, index, 1000));
    image(&backend)
}

#[test]
fn an_empty_database_has_an_image_too() {
    let dir = tempfile::tempdir().unwrap();
    let chunks = image(&open(&dir.path().join("db")));
    assert_eq!(chunks.len(), 1);
    assert_eq!(write(&dir.path().join("copy"), &chunks).unwrap(), Applied::default());
}

#[test]
fn a_row_longer_than_a_chunk_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let from = open(&dir.path().join("db"));
    for (index, size) in (1..).zip([10, 5 << 20, 10, CHUNK_BYTES, CHUNK_BYTES - 600, 10, 3 << 20]) {
        entry(&from, index, size);
    }
    let chunks = image(&from);
    assert!(chunks.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= CHUNK_BYTES));
    let to = dir.path().join("copy");
    assert_eq!(write(&to, &chunks).unwrap(), applied(7));
    assert_eq!(open(&to).hash().unwrap(), from.hash().unwrap());
}

#[test]
fn it_does_not_matter_where_the_stream_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let from = open(&dir.path().join("db"));
    (1..=30).for_each(|index| entry(&from, index, 50));
    let [whole] = &image(&from)[..] else { panic!("it is small") };
    for (name, len) in [("1", 1), ("7", 7), ("61", 61), ("500", 500)] {
        let pieces: Vec<Bytes> = whole.chunks(len).map(|piece| whole.slice_ref(piece)).collect();
        let to = dir.path().join(name);
        assert_eq!(write(&to, &pieces).unwrap(), applied(30));
        assert_eq!(open(&to).hash().unwrap(), from.hash().unwrap());
    }
}

#[test]
fn two_writers_of_one_name_do_not_meet() {
    let dir = tempfile::tempdir().unwrap();
    let from = open(&dir.path().join("db"));
    (1..=30).for_each(|index| entry(&from, index, 50));
    let (chunks, to) = (image(&from), dir.path().join("copy"));
    let [mut first, mut second] = [(); 2].map(|()| ImageWriter::create(&to, options()).unwrap());
    for chunk in &chunks {
        first.write(chunk).unwrap();
    }
    first.finish().unwrap();
    for chunk in &chunks {
        second.write(chunk).unwrap();
    }
    assert_eq!(names(dir.path()).len(), 3);
    second.finish().unwrap();
    assert_eq!(names(dir.path()), ["copy", "db"]);
    assert_eq!(open(&to).durable_applied(), applied(30));
}

#[test]
fn every_cut_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let from = open(&dir.path().join("db"));
    (1..=3).for_each(|index| entry(&from, index, 5));
    let [chunk] = &image(&from)[..] else { panic!("it is small") };
    let to = dir.path().join("copy");
    for len in (0..chunk.len()).step_by(5).chain(chunk.len() - 10..chunk.len()) {
        let error = write(&to, &[chunk.slice(..len)]).unwrap_err();
        assert!(matches!(error, BackendError::Corrupt { .. }), "{len}: {error}");
    }
    let twice = [chunk.clone(), Bytes::from_static(&[END, 0, 0, 0, 0, 0, 0, 0, 0])];
    assert!(write(&to, &twice).is_err());
    assert!(write(&to, &[chunk.clone(), chunk.clone()]).is_err());
    assert_eq!(names(dir.path()), ["db"], "nothing is left of any of them");
}

#[test]
fn bytes_of_a_bad_peer_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let from = open(&dir.path().join("db"));
    (1..=20).for_each(|index| entry(&from, index, 30));
    let [chunk] = &image(&from)[..] else { panic!("it is small") };
    let to = dir.path().join("copy");
    // Some bytes say something else. What is inside a value nobody can tell.
    for at in (0..chunk.len()).step_by(31) {
        let mut bytes = chunk.to_vec();
        bytes[at] ^= 0xff;
        drop(write(&to, &[bytes.into()]));
    }
    let head = [MAGIC, &[ENCODING_VERSION], &1_u64.to_be_bytes()].concat();
    let bucket = |name: &str| [&[BUCKET, u8::try_from(name.len()).unwrap()], name.as_bytes()].concat();
    let length = |len: u32| len.to_be_bytes().to_vec();
    let row = |key: &[u8], value: &[u8]| {
        let length = |bytes: &[u8]| length(u32::try_from(bytes.len()).unwrap());
        [&[ROW][..], &length(key), &length(value), key, value].concat()
    };
    let before_key: Vec<u8> =
        ["alarm", "auth", "authRoles", "authUsers", "cluster"].iter().flat_map(|name| bucket(name)).collect();
    let history = RowKey::new(1, 0).encode();
    let newer = [MAGIC, &[ENCODING_VERSION], &2_u64.to_be_bytes()].concat();
    let other = [MAGIC, &[ENCODING_VERSION + 1], &1_u64.to_be_bytes()].concat();
    let end: Vec<u8> = Bucket::ALL.iter().flat_map(|other| bucket(other.name())).collect();
    let bad: [(&str, Vec<u8>); 13] = [
        ("no image", b"POST / HTTP/1.1".to_vec()),
        ("a newer schema", newer),
        ("another encoding", other),
        ("an unknown bucket", [head.clone(), bucket("alarms")].concat()),
        ("a bucket too early", [head.clone(), bucket("auth")].concat()),
        ("a bucket twice", [head.clone(), bucket("alarm"), bucket("alarm")].concat()),
        ("a row in no bucket", [head.clone(), row(b"key", b"")].concat()),
        ("a huge key", [head.clone(), bucket("alarm"), vec![ROW], length(u32::MAX), length(0), vec![1; 9]].concat()),
        ("a huge value", [head.clone(), bucket("alarm"), vec![ROW], length(1), length(u32::MAX), vec![1]].concat()),
        ("rows the wrong way round", [head.clone(), bucket("alarm"), row(b"b", b""), row(b"a", b"")].concat()),
        ("history with a bad key", [head.clone(), before_key.clone(), bucket("key"), row(b"a", b"")].concat()),
        ("history with a bad value", [head.clone(), before_key, bucket("key"), row(&history, b"\xff")].concat()),
        ("an end that counts wrong", [head, end, vec![END], 1_u64.to_be_bytes().to_vec()].concat()),
    ];
    for (what, bytes) in bad {
        let mut writer = ImageWriter::create(&to, options()).unwrap();
        let error = writer.write(&bytes).expect_err(what);
        println!("{what}: {error}");
        assert!(writer.write(chunk).is_err(), "nothing is taken after that");
        assert!(writer.finish().is_err());
    }
    assert_eq!(names(dir.path()), ["copy", "db"], "those with another byte in a value were complete");
}

#[test]
fn a_database_of_a_newer_version_is_refused_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let from = open(&dir.path().join("db"));
    let mut batch = Batch::new();
    batch.put(Bucket::Meta, crate::backend::schema::STORAGE_VERSION_KEY.to_vec(), b"99.0.0".to_vec());
    from.commit(batch, None);
    let error = write(&dir.path().join("copy"), &image(&from)).unwrap_err();
    assert!(matches!(error, BackendError::NewerSchema { .. }), "{error}");
    assert_eq!(names(dir.path()), ["db"]);
}

#[test]
fn what_a_killed_process_left_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    drop(open(&path));
    for name in ["7.snap.db.tmp.image", "db.tmp.defragment", "7.snap.db", "db.tmpl"] {
        std::fs::write(dir.path().join(name), b"x").unwrap();
    }
    drop(open(&path));
    assert_eq!(names(dir.path()), ["7.snap.db", "db", "db.tmpl"]);
    // And is in nobody's way.
    std::fs::write(dir.path().join("copy.tmp.image"), b"x").unwrap();
    write(&dir.path().join("copy"), &image(&open(&path))).unwrap();
}

#[test]
fn a_finished_image_can_be_looked_into_first() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    let backend = open(&from);
    entry(&backend, 1, 10);
    entry(&backend, 2, 10);
    write(&to, &image(&backend)).unwrap();
    let rows = |bucket: Bucket, most: usize| {
        let mut rows = Vec::new();
        let file = ClosedFile::open(&to).unwrap();
        file.each_row(bucket, &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            if rows.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
        .unwrap();
        rows
    };
    assert_eq!(rows(Bucket::Cluster, 9), [(b"clusterVersion".to_vec(), b"3.7.0".to_vec())]);
    let lease = |id: u64| (id.to_be_bytes().to_vec(), b"lease".to_vec());
    assert_eq!(rows(Bucket::Lease, 9), [lease(1), lease(2)]);
    assert_eq!(rows(Bucket::Lease, 1), [lease(1)]);
    assert_eq!(rows(Bucket::Members, 9), []);
    assert!(matches!(ClosedFile::open(&from), Err(BackendError::Locked(_))), "it is open");
    assert_eq!(backend.install(&to).unwrap(), applied(2), "and is as good as before");
    let garbage = dir.path().join("garbage");
    std::fs::write(&garbage, [7; 9000]).unwrap();
    assert!(matches!(ClosedFile::open(&garbage), Err(BackendError::Corrupt { .. })));
}

#[test]
fn what_is_not_wanted_gets_no_name() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    let backend = open(&from);
    entry(&backend, 1, 10);
    let refused = || BackendError::corrupt(&to, "not wanted");
    for wanted in [false, true] {
        let mut writer = ImageWriter::create(&to, BackendOptions::default()).unwrap();
        image(&backend).iter().for_each(|chunk| writer.write(chunk).unwrap());
        let finished = writer.finish_if(|file, found| {
            assert_eq!((found, ClosedFile::open(file).unwrap().applied()), (applied(1), applied(1)));
            if wanted { Ok(()) } else { Err(refused()) }
        });
        assert_eq!((finished.is_ok(), to.exists()), (wanted, wanted));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1 + usize::from(wanted));
    }
}

#[test]
fn a_start_adopts_a_finished_image() {
    let dir = tempfile::tempdir().unwrap();
    let (path, new) = (dir.path().join("db"), dir.path().join("9.snap.db"));
    let backend = open(&path);
    entry(&backend, 1, 10);
    drop(backend);
    assert!(adopt(&new, &path).is_err(), "there is none");
    std::fs::write(&new, b"this is no database").unwrap();
    assert!(adopt(&new, &path).is_err());
    assert_eq!(open(&path).durable_applied(), applied(1));

    std::fs::remove_file(&new).unwrap();
    let other = open(&dir.path().join("other"));
    (1..=9).for_each(|index| entry(&other, index, 10));
    write(&new, &image(&other)).unwrap();
    assert_eq!(adopt(&new, &path).unwrap(), applied(9));
    assert!(!new.exists());
    let backend = open(&path);
    assert_eq!(backend.durable_applied(), applied(9));
    assert_eq!(backend.hash().unwrap(), other.hash().unwrap());
}

/// A small image.
static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let from = open(&dir.path().join("db"));
    (1..=20).for_each(|index| entry(&from, index, 30));
    image(&from).concat()
});

/// How many items are taken from the front.
fn taken(bytes: &[u8]) -> Result<usize, BackendError> {
    let mut items = Items { path: Path::new("image"), rest: bytes };
    let (mut bucket, mut count) = (None, 0);
    if items.head()? {
        while let Some(item) = items.next(bucket)? {
            count += 1;
            match item {
                Item::Bucket(next) => bucket = Some(next),
                Item::Row(..) => {}
                Item::End(_) => break,
            }
        }
    }
    Ok(count)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_is_taken_apart_without_a_panic(
        edits in vec((any::<Index>(), any::<u8>()), 0..5),
        cut in any::<Index>(),
        tail in vec(any::<u8>(), 0..40),
    ) {
        let mut bytes = WHOLE.clone();
        for (at, byte) in &edits {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        bytes.extend(&tail);
        let whole = taken(&WHOLE).unwrap();
        match taken(&bytes) {
            Ok(count) => prop_assert!(count <= whole + 40),
            Err(BackendError::Corrupt { .. } | BackendError::NewerSchema { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
