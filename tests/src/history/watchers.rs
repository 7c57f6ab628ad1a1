//! Watchers that follow everything the clients write, over gRPC, JSON and server-sent events, from the first revision to the last:
//! whenever a stream ends they come back where they were, to the same member or to the next.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use http::Method;
use http_body_util::BodyExt;
use keyport_api::etcdserverpb::{
    WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse, watch_request::RequestUnion,
};
use keyport_api::json::ToJson;
use keyport_api::mvccpb::Event;
use keyport_api::mvccpb::event::EventType;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::ReceiverStream;

use super::check::{Change, Item};
use super::faces::{Wire, pair, parse, unsigned};
use super::{Endpoints, PREFIX};
use crate::grpc::{Grpc, bytes, prefix_end, text};
use crate::sse::EventStream;

/// How a watcher speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// With previous pairs, and asking for progress all the time.
    Grpc,
    /// `POST /v3/watch`
    Json,
    /// `GET /v3/watch`
    Sse,
}

/// What a watcher saw, in order.
#[derive(Debug)]
pub struct Log {
    /// For reports.
    pub name: String,
    /// The first revision asked for.
    pub from: u64,
    /// Everything that came.
    pub items: Mutex<Vec<Item>>,
    /// The last revision of which everything has come.
    pub seen: AtomicU64,
}

/// How often a watcher that wanders changes its member.
const STAY: Duration = Duration::from_millis(700);
/// Between two attempts to come back.
const PAUSE: Duration = Duration::from_millis(50);
/// A stream that opens takes no longer on a member that is there.
const OPEN: Duration = Duration::from_secs(2);
const PROGRESS: Duration = Duration::from_millis(100);

pub(super) struct Watcher {
    pub(super) kind: Kind,
    pub(super) home: usize,
    /// Goes to another member every now and then, whether that one is up to date or not.
    pub(super) wanders: bool,
    pub(super) endpoints: Endpoints,
    pub(super) log: Arc<Log>,
}

impl Watcher {
    /// Follows until it is aborted.
    pub(super) async fn run(mut self) {
        let mut last_id = String::new();
        loop {
            let addr = self.endpoints.of(self.home);
            let stay = if self.wanders { STAY } else { Duration::from_secs(3600) };
            // However it ends, the watcher comes back.
            let _ = timeout(stay, async {
                match self.kind {
                    Kind::Grpc => self.grpc(addr).await,
                    Kind::Json => self.json(addr).await,
                    Kind::Sse => self.sse(addr, &mut last_id).await,
                }
            })
            .await;
            self.push(Item::Cut);
            if self.wanders {
                self.home += 1;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn push(&self, item: Item) {
        match &item {
            Item::Message { changes, .. } => {
                let last = changes.last().map_or(0, |change| change.revision);
                self.log.seen.fetch_max(last, SeqCst);
            }
            Item::Progress { revision } => drop(self.log.seen.fetch_max(*revision, SeqCst)),
            Item::Opened { .. } | Item::Cut => {}
        }
        self.log.items.lock().push(item);
    }

    /// The next revision of which this watcher has seen nothing: what it was sent, not what a bookmark promised.
    fn next(&self) -> u64 {
        let items = self.log.items.lock();
        let last = items.iter().rev().find_map(|item| match item {
            Item::Message { changes, .. } => changes.last().map(|change| change.revision + 1),
            _ => None,
        });
        last.unwrap_or(self.log.from)
    }

    fn create(&self, prev_kv: bool) -> (u64, WatchRequest) {
        let from = self.next();
        let create = WatchCreateRequest {
            key: bytes(PREFIX),
            range_end: prefix_end(PREFIX.as_bytes()),
            start_revision: i64::try_from(from).unwrap_or(0),
            prev_kv,
            progress_notify: true,
            ..WatchCreateRequest::default()
        };
        (from, WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) })
    }

    /// Whether to go on.
    fn message(&self, message: &WatchResponse, prev_kv: bool) -> bool {
        let revision = unsigned(message.header.unwrap_or_default().revision);
        if message.canceled {
            self.push(Item::Cut);
            return false;
        }
        if !message.created && message.events.is_empty() {
            self.push(Item::Progress { revision });
        }
        if !message.events.is_empty() {
            let changes = message.events.iter().map(|event| change(event, prev_kv)).collect();
            self.push(Item::Message { revision, whole: true, changes });
        }
        true
    }

    async fn grpc(&self, addr: SocketAddr) -> Option<()> {
        let (send, requests) = mpsc::channel(8);
        let (from, create) = self.create(true);
        send.send(create).await.ok()?;
        let mut client = Grpc::lazy(addr).watch;
        let mut answers = timeout(OPEN, client.watch(ReceiverStream::new(requests))).await.ok()?.ok()?.into_inner();
        self.push(Item::Opened { from, addr });
        let mut progress = Instant::now() + PROGRESS;
        loop {
            tokio::select! {
                message = answers.message() => {
                    if !self.message(&message.ok()??, true) {
                        return None;
                    }
                }
                () = tokio::time::sleep_until(progress) => {
                    progress = Instant::now() + PROGRESS;
                    let ask = WatchRequest { request_union: Some(RequestUnion::ProgressRequest(WatchProgressRequest {})) };
                    // A full queue is a stream that does not read just now.
                    let _ = send.try_send(ask);
                }
            }
        }
    }

    async fn json(&self, addr: SocketAddr) -> Option<()> {
        let (from, create) = self.create(false);
        let mut body = Vec::new();
        create.write(&mut body).ok()?;
        let mut answer = timeout(OPEN, Wire::new(addr).open(Method::POST, "/v3/watch", &[], body)).await.ok()?.ok()?;
        self.push(Item::Opened { from, addr });
        let mut buffer = Vec::new();
        loop {
            let frame = answer.frame().await?.ok()?;
            buffer.extend_from_slice(&frame.into_data().ok()?);
            while let Some(at) = buffer.iter().position(|b| *b == b'\n') {
                let rest = buffer.split_off(at + 1);
                let line = std::mem::replace(&mut buffer, rest);
                let line: serde_json::Value = serde_json::from_slice(&line).ok()?;
                let result = serde_json::to_vec(line.get("result")?).ok()?;
                if !self.message(&parse(&result).expect("a watch answer"), false) {
                    return None;
                }
            }
        }
    }

    async fn sse(&self, addr: SocketAddr, last_id: &mut String) -> Option<()> {
        let path = format!("/v3/watch?prefix={PREFIX}&encoding=base64&start_revision={}", self.log.from);
        let mut headers = vec![("accept", "text/event-stream")];
        if !last_id.is_empty() {
            headers.push(("last-event-id", last_id.as_str()));
        }
        let answer = timeout(OPEN, Wire::new(addr).open(Method::GET, &path, &headers, "")).await.ok()?.ok()?;
        self.push(Item::Opened { from: self.next(), addr });
        let mut stream = EventStream::over(answer, last_id);
        loop {
            let event = stream.next().await?;
            last_id.clone_from(&event.id);
            let revision = event.id.split(['.', '~']).next().and_then(|id| id.parse().ok()).unwrap_or(0);
            match event.event.as_str() {
                "put" | "delete" => {
                    let parsed: Event = parse(event.data.as_bytes()).expect("an event");
                    let whole = !event.id.contains('.');
                    self.push(Item::Message { revision, whole, changes: vec![change(&parsed, false)] });
                }
                "bookmark" => self.push(Item::Progress { revision }),
                "opened" => {}
                other => panic!("{}: {other} {}", self.log.name, event.data),
            }
        }
    }
}

fn change(event: &Event, prev_kv: bool) -> Change {
    let (key, pair) = pair(event.kv.as_ref().unwrap_or(&keyport_api::mvccpb::KeyValue::default()));
    let is_put = event.r#type() == EventType::Put;
    Change {
        revision: pair.mod_revision,
        key,
        pair: is_put.then_some(pair),
        previous: prev_kv.then(|| event.prev_kv.as_ref().map(|kv| text(&kv.value))),
    }
}

/// The history that a member keeps, from a revision to another, as one watcher sees it that was never cut.
///
/// # Panics
/// If the member does not send it.
pub async fn read_back(mut c: Grpc, from: u64, to: u64) -> Vec<Change> {
    let mut stream = c.watch();
    let create = crate::grpc::watch_all(PREFIX);
    stream.create(WatchCreateRequest { start_revision: i64::try_from(from).unwrap_or(0), ..create }).await;
    let mut changes: Vec<Change> = Vec::new();
    while changes.last().map_or(from - 1, |last| last.revision) < to {
        let message = stream.next().await;
        assert!(!message.canceled, "{message:?}");
        changes.extend(message.events.iter().map(|event| change(event, false)));
    }
    changes
}
