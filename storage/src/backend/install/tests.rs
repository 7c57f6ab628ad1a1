use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;

use super::*;
use crate::backend::tests::{EIO, ENOSPC, Faults, check_prefix, entry, options, rows};
use crate::backend::{Batch, Bucket, ImageReader, ImageWriter};

/// A finished image of a database in which these many entries were applied.
fn finished(dir: &Path, entries: u64) -> std::path::PathBuf {
    let source = dir.join("source");
    let backend = Backend::open(&source, options()).unwrap();
    (backend.durable_applied().index + 1..=entries).for_each(|index| entry(&backend, index));
    let file = dir.join(format!("{entries}.snap.db"));
    let mut writer = ImageWriter::create(&file, options()).unwrap();
    let mut reader = backend.image().unwrap();
    while let Some(chunk) = reader.next_chunk().unwrap() {
        writer.write(&chunk).unwrap();
    }
    assert_eq!(writer.finish().unwrap().index, entries);
    file
}

fn read_out(mut reader: ImageReader) -> usize {
    std::iter::from_fn(|| reader.next_chunk().unwrap()).map(|chunk| chunk.len()).sum()
}

#[test]
fn the_new_database_is_there_at_once_and_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let file = finished(dir.path(), 100);
    let backend = Backend::open(&path, options()).unwrap();
    (1..=10).for_each(|index| entry(&backend, index));
    backend.flush().unwrap();
    let old_image = backend.image().unwrap();
    let expected = read_out(backend.image().unwrap());
    let old = backend.edition();
    // In the buffer only.
    entry(&backend, 11);
    let mut batch = Batch::new();
    batch.put(Bucket::Cluster, b"only here".to_vec(), b"x".to_vec());
    backend.commit(batch, None);

    assert_eq!(backend.install(&file).unwrap(), Applied { index: 100, term: 1 });
    assert!(!file.exists());
    assert_eq!(check_prefix(&backend), 100);
    assert_eq!(backend.get(Bucket::Cluster, b"only here").unwrap(), None);
    assert_eq!(backend.flush().unwrap().index, 100);

    // Who was there before sees what was there before, and what is said to it goes nowhere.
    assert!(old.is_retired() && !backend.edition().is_retired());
    assert_eq!(read_out(old_image), expected);
    assert!(old.get(Bucket::Cluster, b"only here").unwrap().is_some());
    let mut batch = Batch::new();
    batch.put(Bucket::Cluster, b"late".to_vec(), b"x".to_vec());
    old.commit(batch, Some(Applied { index: 12, term: 1 }));
    assert!(old.get(Bucket::Cluster, b"late").unwrap().is_some());
    assert_eq!(backend.flush().unwrap().index, 100);
    drop(old);

    entry(&backend, 101);
    assert_eq!(backend.flush().unwrap().index, 101);
    backend.defragment().unwrap();
    entry(&backend, 102);
    drop(backend);
    let backend = Backend::open(&path, options()).unwrap();
    assert_eq!(check_prefix(&backend), 102);
    assert_eq!(backend.get(Bucket::Cluster, b"late").unwrap(), None);
    // And once more.
    let file = finished(dir.path(), 300);
    assert_eq!(backend.install(&file).unwrap().index, 300);
    assert_eq!(check_prefix(&backend), 300);
}

#[test]
fn what_cannot_be_installed_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let faults = Arc::new(Faults::default());
    let backend = Backend::open_with(&path, options(), faults.layer()).unwrap();
    (1..=10).for_each(|index| entry(&backend, index));
    backend.flush().unwrap();
    let junk = dir.path().join("junk");
    std::fs::write(&junk, vec![7; 100_000]).unwrap();
    let whole = finished(dir.path(), 50);
    let cut = finished(dir.path(), 200);
    File::options().write(true).open(&cut).unwrap().set_len(20_000).unwrap();
    for file in [&dir.path().join("none"), &junk, &cut] {
        assert!(backend.install(file).is_err());
        assert_eq!((check_prefix(&backend), backend.failure().is_none()), (10, true));
    }
    // The device is full when the file is opened.
    faults.fail_after(0, ENOSPC);
    assert!(backend.install(&whole).is_err());
    *faults.writes_left.lock() = None;
    assert!(backend.failure().is_none());
    entry(&backend, 11);
    backend.flush().unwrap();
    assert_eq!(check_prefix(&backend), 11);
    assert_eq!(backend.install(&whole).unwrap().index, 50);
    assert_eq!(check_prefix(&backend), 50);
    drop(backend);
    assert_eq!(check_prefix(&Backend::open(&path, options()).unwrap()), 50);
}

#[test]
fn a_machine_lost_in_between_leaves_one_of_the_two() {
    let mut found = [0; 2];
    for syncs in 0..8 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let file = finished(dir.path(), 60);
        let faults = Arc::new(Faults::default());
        let backend = Backend::open_with(&path, options(), faults.layer()).unwrap();
        (1..=10).for_each(|index| entry(&backend, index));
        backend.flush().unwrap();
        // What is written from here on and not synced is gone.
        faults.errno.store(EIO, Ordering::SeqCst);
        *faults.syncs_left.lock() = Some(syncs);
        let told = backend.install(&file);
        faults.gone.store(true, Ordering::SeqCst);
        drop(backend);
        faults.pending.lock().clear();
        let backend = Backend::open(&path, options()).unwrap();
        let index = check_prefix(&backend);
        assert!(index == 60 || (index == 10 && told.is_err()), "{syncs}: {index}, {told:?}");
        found[usize::from(index == 60)] += 1;
    }
    assert!(found[1] > 0, "{found:?}");
}

#[test]
fn a_machine_lost_while_an_image_is_written_leaves_nothing_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let backend = Backend::open(&dir.path().join("db"), options()).unwrap();
    (1..=100).for_each(|index| entry(&backend, index));
    for syncs in 0..12 {
        let file = dir.path().join("100.snap.db");
        let faults = Arc::new(Faults::default());
        faults.errno.store(EIO, Ordering::SeqCst);
        *faults.syncs_left.lock() = Some(syncs);
        let files = Files { options: options(), layer: faults.layer(), database: None };
        let written = ImageWriter::create_with(&file, &files).and_then(|mut writer| {
            let mut reader = backend.image().unwrap();
            while let Some(chunk) = reader.next_chunk().unwrap() {
                writer.write(&chunk)?;
            }
            writer.finish()
        });
        faults.gone.store(true, Ordering::SeqCst);
        faults.pending.lock().clear();
        assert_eq!(written.is_ok(), file.exists());
        if written.is_ok() {
            assert_eq!(check_prefix(&Backend::open(&file, options()).unwrap()), 100, "{syncs}");
        }
        assert!(syncs < 11 || written.is_ok(), "it takes fewer syncs than that");
        let _ = std::fs::remove_file(&file);
    }
}

#[test]
fn nobody_is_left_waiting_for_the_old_buffers() {
    let dir = tempfile::tempdir().unwrap();
    let few = BackendOptions { batch_limit: 4, ..options() };
    let backend = Backend::open(&dir.path().join("db"), few).unwrap();
    let images: Vec<_> = (1..=5).map(|n| finished(dir.path(), n * 20)).collect();
    let (done, last) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        // As a compaction does that has not heard of it.
        scope.spawn(|| {
            let mut edition = backend.edition();
            for n in 0_u64.. {
                if done.load(Ordering::SeqCst) {
                    break;
                }
                let mut batch = Batch::new();
                batch.put(Bucket::Auth, (n % 100).to_be_bytes().to_vec(), b"x".to_vec());
                edition.commit(batch, None);
                if n % 50 == 0 {
                    edition = backend.edition();
                }
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                let least = last.load(Ordering::SeqCst);
                let seen = rows(&backend).len() as u64;
                assert!(seen.is_multiple_of(20) && seen >= least, "{seen} after {least}");
            }
        });
        for (n, file) in (1..).zip(&images) {
            assert_eq!(backend.install(file).unwrap().index, n * 20);
            last.store(n * 20, Ordering::SeqCst);
            backend.flush().unwrap();
        }
        done.store(true, Ordering::SeqCst);
    });
    assert!(backend.failure().is_none());
    assert_eq!(rows(&backend).len(), 100);
}

#[test]
fn a_file_that_another_takes_the_name_of_is_not_taken_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let [first, second] = [20, 30].map(|entries| finished(dir.path(), entries));
    let armed = Arc::new(AtomicBool::new(false));
    let layer: storage::StorageLayer = {
        let (armed, first, second) = (Arc::clone(&armed), first.clone(), second.clone());
        Arc::new(move |file| {
            if armed.swap(false, Ordering::SeqCst) {
                std::fs::rename(&second, &first).unwrap();
            }
            Box::new(file)
        })
    };
    let backend = Backend::open_with(&path, options(), Some(layer)).unwrap();
    armed.store(true, Ordering::SeqCst);
    assert!(backend.install(&first).is_err());
    assert!(backend.failure().is_some(), "what is written would go to a file without a name");
    drop(backend);
    assert_eq!(check_prefix(&Backend::open(&path, options()).unwrap()), 30);
}

#[test]
fn a_renaming_that_may_not_last_ends_all_writing() {
    let dir = tempfile::tempdir().unwrap();
    let backend = Backend::open(&dir.path().join("db"), options()).unwrap();
    let failure = BackendError::NoSpace(dir.path().to_path_buf());
    assert!(backend.shared.note(&Err::<(), _>(Failure::Kept(failure.clone()))).is_none());
    assert!(backend.shared.note(&Err::<(), _>(Failure::Lost(failure))).is_some());
    assert!(backend.failure().is_some() && backend.flush().is_err());
}
