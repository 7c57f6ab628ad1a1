//! Follows an election: its present leader, each change of what it proclaims, then its successor.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use keyport_api::error::{Error, of_own_client};
use keyport_api::etcdserverpb::ResponseHeader;
use keyport_api::mvccpb::KeyValue;
use keyport_api::v3electionpb::LeaderResponse;
use keyport_storage::watch::WatchMessage;
use keyport_storage::{EventKind, KeyRange};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::calls::queue::{Queue, line};
use crate::gate::{Pass, StreamEnd};

/// Proclamations that may wait for a slow observer; the observer's pace then holds back its own reading alone.
const BUFFER: usize = 2;
/// How long one that does not read is waited for to hear why its stream ends.
const LAST_WORD: Duration = Duration::from_secs(1);

type Answer = Result<LeaderResponse, Status>;

pub(in crate::calls) fn start(queue: Queue, pass: Pass, name: Bytes, mut end: StreamEnd) -> ReceiverStream<Answer> {
    let (answers, stream) = mpsc::channel(BUFFER);
    tokio::spawn(async move {
        let mut observed = pin!(observe(&queue, &pass, &name, &answers));
        let gate = &queue.desk.gate;
        let mut rules_changed = gate.rules_changed();
        let (key, range_end) = line(&name);
        let line = [KeyRange::new(key, range_end)];
        let reason = loop {
            tokio::select! {
                outcome = &mut observed => break outcome.err().map(of_own_client),
                reason = end.reached() => break Some(reason.into()),
                () = answers.closed() => break None,
                () = rules_changed.again() => {
                    if let Err(error) = gate.still_may_read(&pass, &line) {
                        break Some(of_own_client(error));
                    }
                }
            }
        };
        if let Some(reason) = reason {
            // Whoever is slow to read does not hold up a server that stops.
            let _ = answers.send_timeout(Err(reason), LAST_WORD).await;
        }
    });
    ReceiverStream::new(stream)
}

/// Ends when the observer is gone.
async fn observe(queue: &Queue, pass: &Pass, name: &Bytes, answers: &mpsc::Sender<Answer>) -> Result<(), Error> {
    loop {
        let (header, leader) = match queue.first(pass, name).await? {
            (header, Some(leader)) => (header, leader),
            (header, None) => match first_candidate(queue, name, header.revision + 1).await? {
                Some(leader) => as_of_change(queue, leader),
                None => continue,
            },
        };
        let from = header.revision + 1;
        let key = leader.key.clone();
        if !tell(header, leader, answers).await {
            return Ok(());
        }
        let events = queue.watch(key, Bytes::new(), from)?;
        'reign: while let Some(message) = events.next().await {
            match message {
                WatchMessage::Events { selection, .. } => {
                    for selected in selection.iter() {
                        if selected.event.kind == EventKind::Delete {
                            break 'reign;
                        }
                        let (header, leader) = as_of_change(queue, selected.event.kv.to_message());
                        if !tell(header, leader, answers).await {
                            return Ok(());
                        }
                    }
                }
                WatchMessage::Compacted { .. } => break 'reign,
                _ => {}
            }
        }
    }
}

/// Waits for someone to enter a line that was empty before `revision`; none when it has to be looked at again.
async fn first_candidate(queue: &Queue, name: &Bytes, revision: i64) -> Result<Option<KeyValue>, Error> {
    let (key, range_end) = line(name);
    let events = queue.watch(key, range_end, revision)?;
    while let Some(message) = events.next().await {
        match message {
            WatchMessage::Events { selection, .. } => {
                let entered = selection.iter().find(|selected| selected.event.kind == EventKind::Put);
                if let Some(entered) = entered {
                    return Ok(Some(entered.event.kv.to_message()));
                }
            }
            WatchMessage::Compacted { .. } => return Ok(None),
            _ => {}
        }
    }
    Err(Error::Stopped)
}

/// A leader that is known from a change of its key.
fn as_of_change(queue: &Queue, kv: KeyValue) -> (ResponseHeader, KeyValue) {
    (queue.node().header(kv.mod_revision), kv)
}

/// Whether the observer is still there.
async fn tell(header: ResponseHeader, kv: KeyValue, answers: &mpsc::Sender<Answer>) -> bool {
    answers.send(Ok(LeaderResponse { header: Some(header), kv: Some(kv) })).await.is_ok()
}
