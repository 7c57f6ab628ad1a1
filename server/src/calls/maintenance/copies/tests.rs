use keyport_storage::backend::schema::CONSISTENT_INDEX;
use keyport_storage::backend::{Applied, BackendOptions, Batch};
use keyport_storage::bbolt::Reader;
use tempfile::TempDir;
use tonic::Code;

use super::*;

fn copies() -> (TempDir, Arc<Copies>) {
    let dir = tempfile::tempdir().unwrap();
    let options = BackendOptions { unsafe_no_fsync: true, ..BackendOptions::default() };
    let backend = Backend::open(&dir.path().join("db"), options).unwrap();
    (dir, Arc::new(Copies::new(Arc::new(backend))))
}

/// The last entry in a copy.
fn index(copy: &SharedCopy) -> u64 {
    let mut bytes = vec![0; usize::try_from(copy.len()).unwrap()];
    copy.read_at(0, &mut bytes).unwrap();
    let reader = Reader::open(&bytes[..]).unwrap();
    let mut buckets = reader.buckets().unwrap();
    let mut meta = buckets.find(b"meta").unwrap().unwrap();
    while let Some(row) = meta.next_row().unwrap() {
        if row.key == CONSISTENT_INDEX {
            return u64::from_be_bytes(row.value.try_into().unwrap());
        }
    }
    0
}

/// Polls a request once: it has been made.
async fn ask(copies: &Arc<Copies>) -> tokio::task::JoinHandle<Result<Arc<SharedCopy>, Status>> {
    let copies = Arc::clone(copies);
    let (asked, was_asked) = tokio::sync::oneshot::channel();
    let request = tokio::spawn(async move {
        let get = copies.get();
        tokio::pin!(get);
        let first = futures_util::poll!(&mut get);
        let _ = asked.send(());
        match first {
            std::task::Poll::Ready(outcome) => outcome,
            std::task::Poll::Pending => get.await,
        }
    });
    was_asked.await.unwrap();
    request
}

#[tokio::test]
async fn those_who_ask_before_it_is_begun_share_a_copy() {
    let (_dir, copies) = copies();
    let all = futures_util::future::join_all((0..20).map(|_| copies.get())).await;
    let all: Vec<_> = all.into_iter().map(Result::unwrap).collect();
    assert!(all.iter().all(|copy| Arc::ptr_eq(copy, &all[0])));
    // Later on another one is made, as of then.
    copies.backend.commit(Batch::new(), Some(Applied { index: 7, term: 1 }));
    let later = copies.get().await.unwrap();
    assert!(!Arc::ptr_eq(&later, &all[0]));
    assert_eq!((index(&all[0]), index(&later)), (0, 7));
}

#[tokio::test]
async fn who_asks_while_one_is_made_gets_the_next() {
    let (_dir, copies) = copies();
    let busy = copies.making.acquire().await.unwrap();
    let (first, second) = (ask(&copies).await, ask(&copies).await);
    copies.backend.commit(Batch::new(), Some(Applied { index: 7, term: 1 }));
    drop(busy);
    let (first, second) = (first.await.unwrap().unwrap(), second.await.unwrap().unwrap());
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(index(&first), 7, "as of when it was begun");
}

#[tokio::test]
async fn there_are_few_of_them() {
    let (_dir, copies) = copies();
    let mut held = Vec::new();
    for _ in 0..MAX_COPIES {
        held.push(copies.get().await.unwrap());
    }
    let refusal = copies.get().await.unwrap_err();
    assert_eq!((refusal.code(), refusal.message()), (Code::ResourceExhausted, "etcdserver: too many requests"));
    held.pop();
    // Whoever made it may hold it a moment longer.
    drop(copies.places.acquire().await.unwrap());
    copies.get().await.unwrap();
}

#[tokio::test]
async fn a_copy_ends_with_the_last_who_wants_it() {
    let (dir, copies) = copies();
    let busy = copies.making.acquire().await.unwrap();
    let (first, second) = (ask(&copies).await, ask(&copies).await);
    assert_eq!(copies.places.available_permits(), MAX_COPIES - 1);
    for request in [first, second] {
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());
    }
    drop(busy);
    // All places are free again once nothing is made.
    let all = copies.places.acquire_many(u32::try_from(MAX_COPIES).unwrap()).await.unwrap();
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["db"]);
    drop(all);
    copies.get().await.unwrap();
}
