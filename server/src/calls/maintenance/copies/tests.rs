use keyport_storage::backend::schema::CONSISTENT_INDEX;
use keyport_storage::backend::{Applied, BackendOptions, Batch};
use keyport_storage::bbolt::Reader;
use tempfile::TempDir;
use tokio::time::{Duration, advance, sleep};
use tonic::Code;

use super::kept::{KEEP, MOST};
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

/// As if somebody had hashed it: what tells copies apart here is a number.
async fn kept(copies: &Arc<Copies>, number: u8) -> Arc<SharedCopy> {
    let copy = copies.get().await.unwrap();
    copy.digests().set(Digests { database: [number; 32], file: [number; 32] }).unwrap();
    copies.keep(&copy);
    copy
}

fn finds(copies: &Copies, number: u8) -> bool {
    copies.find(|digests| digests.file == [number; 32]).is_some()
}

/// Lets what is due be done.
async fn pass(time: Duration) {
    advance(time).await;
    for _ in 0..4 {
        // Nobody waits: time goes on by itself as soon as there is nothing else to do.
        sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_found_until_nobody_has_used_it_for_long() {
    let (_dir, copies) = copies();
    let copy = kept(&copies, 1).await;
    copies.keep(&copy);
    let used = Arc::clone(&copy);
    drop(copy);
    pass(3 * KEEP).await;
    assert!(finds(&copies, 1) && !finds(&copies, 2), "somebody uses it");
    drop(used);
    pass(KEEP - Duration::from_secs(1)).await;
    assert!(finds(&copies, 1), "and just did");
    pass(KEEP - Duration::from_secs(1)).await;
    assert_eq!(copies.places.available_permits(), MAX_COPIES - 1);
    pass(2 * KEEP).await;
    assert!(!finds(&copies, 1));
    assert_eq!(copies.places.available_permits(), MAX_COPIES);
}

#[tokio::test]
async fn few_are_kept_and_those_that_nobody_uses_make_room() {
    let (_dir, copies) = copies();
    for number in 0..=u8::try_from(MOST).unwrap() {
        kept(&copies, number).await;
    }
    assert!(!finds(&copies, 0) && finds(&copies, 1) && finds(&copies, 2));
    let used = copies.find(|digests| digests.file == [1; 32]).unwrap();
    let mut held = Vec::new();
    for _ in 0..MAX_COPIES - 1 {
        held.push(copies.get().await.unwrap());
    }
    assert!(finds(&copies, 1) && !finds(&copies, 2));
    let refusal = copies.get().await.unwrap_err();
    assert_eq!(refusal.code(), Code::ResourceExhausted);
    drop(used);
    copies.get().await.unwrap();
    assert!(!finds(&copies, 1));
}
