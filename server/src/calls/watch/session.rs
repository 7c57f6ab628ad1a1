//! One watch stream: requests in, replies out, until the client is gone.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use keyport_api::bounds;
use keyport_api::error::Error;
use keyport_api::etcdserverpb::watch_create_request::FilterType;
use keyport_api::etcdserverpb::watch_request::RequestUnion;
use keyport_api::etcdserverpb::{WatchCreateRequest, WatchRequest};
use keyport_storage::watch::{EventFilters, WatchMessage, WatchSpec, WatchStream, Watched};
use tokio::time::{Instant, Sleep};
use tokio_stream::Stream;
use tonic::{Code, Status};

use super::{Desk, WatchReply};
use crate::auth::Needs as _;
use crate::gate::{Heard, Pass, StreamEnd};

/// Requests taken up before replies get their turn again.
const REQUESTS_PER_POLL: usize = 32;
/// Watchers that are judged anew before replies get their turn again.
const JUDGED_PER_POLL: usize = 512;
/// Replies that may wait for the client while further requests of it are taken up.
const MAX_BACKLOG: usize = 128;

/// The replies of a watch stream.
#[derive(Debug)]
pub struct WatchSession<S> {
    desk: Desk,
    pass: Pass,
    hub: WatchStream,
    /// None once the client said all it had to say; that does not end the stream.
    requests: Option<S>,
    /// What comes before the next message: the rest of one that was cut, and refusals.
    next: VecDeque<WatchReply>,
    /// When watchers that asked for it are told how far they are; none before one asks.
    progress: Option<Pin<Box<Sleep>>>,
    /// What was handed out last, and when. The connection asks for more once it has taken that.
    sending: Option<(Sent, std::time::Instant)>,
    /// Those whose caller must not read any more what they watch, and why: to be told with the end of each.
    denied: HashMap<i64, Error>,
    /// When users, roles or what they may have changed.
    rules_changed: Heard,
    /// Whose caller is still to be judged by the changed rules.
    unjudged: Vec<(i64, Watched)>,
    end: StreamEnd,
    ended: bool,
}

/// A reply, as far as metrics tell replies apart.
#[derive(Clone, Copy, Debug)]
enum Sent {
    Control,
    Events(usize),
}

impl<S> WatchSession<S> {
    pub(super) fn new(desk: Desk, pass: Pass, requests: S) -> WatchSession<S> {
        let hub = desk.node.state().hub.stream();
        let end = desk.gate.end_of(&pass);
        let rules_changed = desk.gate.rules_changed();
        WatchSession {
            desk,
            pass,
            hub,
            requests: Some(requests),
            next: VecDeque::new(),
            progress: None,
            sending: None,
            denied: HashMap::new(),
            rules_changed,
            unjudged: Vec::new(),
            end,
            ended: false,
        }
    }

    fn send<T>(&mut self, reply: WatchReply) -> Poll<Option<Result<WatchReply, T>>> {
        let sent = reply.events.as_ref().map_or(Sent::Control, |events| Sent::Events(events.len()));
        self.sending = Some((sent, std::time::Instant::now()));
        Poll::Ready(Some(Ok(reply)))
    }

    fn note_sent(&mut self) {
        let Some((sent, since)) = self.sending.take() else { return };
        let (metrics, took) = (self.desk.node.metrics(), since.elapsed().as_secs_f64());
        match sent {
            Sent::Control => metrics.watch_send_control.observe(took),
            Sent::Events(count) => {
                metrics.watch_send.observe(took);
                metrics.watch_send_per_event.observe(took / count.max(1) as f64);
            }
        }
    }

    /// The last that the client hears.
    fn fail<T>(&mut self, status: impl Into<Status>) -> Poll<Option<Result<T, Status>>> {
        self.ended = true;
        Poll::Ready(Some(Err(status.into())))
    }

    fn take_up(&mut self, request: WatchRequest) {
        match request.request_union {
            Some(RequestUnion::CreateRequest(request)) => {
                if request.progress_notify && self.progress.is_none() {
                    self.progress = Some(Box::pin(tokio::time::sleep(self.progress_interval())));
                }
                // What is asked for in vain is refused for that, whoever asks.
                let checked = match request.start_revision {
                    ..0 => Ok(()),
                    _ => {
                        let renewed = self.desk.gate.renew(&self.pass);
                        let checked = self.desk.gate.check(&renewed, &request);
                        // What was begun by a token goes on after it has ended.
                        if checked.is_ok() {
                            self.pass = renewed;
                        }
                        checked.and_then(|()| self.desk.gate.count_one(&self.pass, &request))
                    }
                };
                if let Some(trail) = self.pass.caller().trail() {
                    trail.asked(request.keys(), checked);
                }
                match checked {
                    // Whether it was created or refused, the stream says so itself.
                    Ok(()) => _ = self.hub.create(spec(request)),
                    Err(error) => self.refuse(error),
                }
            }
            Some(RequestUnion::CancelRequest(request)) => {
                self.hub.cancel(request.watch_id);
            }
            Some(RequestUnion::ProgressRequest(_)) => self.hub.request_progress(),
            None => {}
        }
    }

    fn refuse(&mut self, error: Error) {
        let cancel_reason = Cow::Owned(error.rpc_text());
        self.next.push_back(WatchReply {
            header: self.desk.node.current_header(),
            watch_id: -1,
            created: true,
            canceled: true,
            cancel_reason,
            ..WatchReply::default()
        });
    }

    /// Ends what the caller must not watch any more, as far as its turn goes; whether something is left to be judged.
    fn judge_anew(&mut self) -> bool {
        if self.rules_changed.anew() {
            self.unjudged = self.hub.watched();
        }
        let rest = self.unjudged.len().saturating_sub(JUDGED_PER_POLL);
        for (watch_id, watched) in self.unjudged.drain(rest..) {
            let Err(error) = self.desk.gate.still_may_read(&self.pass, watched.ranges()) else { continue };
            if self.hub.cancel(watch_id) {
                self.denied.insert(watch_id, error);
            }
        }
        rest > 0
    }

    /// A little longer for some streams than for others, so that not all of them speak at once.
    fn progress_interval(&self) -> Duration {
        let interval = self.desk.node.limits().progress_interval;
        interval + interval.mul_f64(rand::random::<f64>() / 10.0)
    }

    fn poll_progress(&mut self, cx: &mut Context<'_>) {
        let interval = self.progress_interval();
        let Some(sleep) = &mut self.progress else { return };
        while sleep.as_mut().poll(cx).is_ready() {
            let timed = self.desk.node.metrics().watch_send_progress.start_timer();
            self.hub.notify_progress();
            timed.observe_duration();
            sleep.as_mut().reset(Instant::now() + interval);
        }
    }

    fn reply(&mut self, message: WatchMessage) -> WatchReply {
        let reply = WatchReply::default();
        match message {
            WatchMessage::Created { watch_id, revision } => {
                WatchReply { header: self.desk.node.header(revision), watch_id, created: true, ..reply }
            }
            WatchMessage::Refused { revision, error } => WatchReply {
                header: self.desk.node.header(revision),
                watch_id: -1,
                created: true,
                canceled: true,
                cancel_reason: Cow::Owned(error.to_string()),
                ..reply
            },
            WatchMessage::Events { watch_id, revision, selection, fragment } => {
                let reply = WatchReply { header: self.desk.node.header(revision), watch_id, ..reply };
                if fragment { self.cut(reply, &selection) } else { WatchReply { events: Some(selection), ..reply } }
            }
            WatchMessage::Progress { watch_id, revision } => {
                WatchReply { header: self.desk.node.header(revision), watch_id, ..reply }
            }
            WatchMessage::Canceled { watch_id, revision } => {
                let cancel_reason = self.denied.remove(&watch_id).map(|error| Cow::Owned(error.rpc_text()));
                let cancel_reason = cancel_reason.unwrap_or_default();
                WatchReply { header: self.desk.node.header(revision), watch_id, canceled: true, cancel_reason, ..reply }
            }
            WatchMessage::Compacted { watch_id, compact_revision } => {
                WatchReply { header: self.desk.node.header(0), watch_id, canceled: true, compact_revision, ..reply }
            }
        }
    }

    /// The first fragment of a message; the others wait for their turn.
    fn cut(&mut self, reply: WatchReply, selection: &Arc<keyport_storage::watch::Selection>) -> WatchReply {
        let limit = bounds::max_message_bytes(self.desk.node.limits().request_bytes);
        if selection.encoded_len() <= limit || selection.len() < 2 {
            return WatchReply { events: Some(Arc::clone(selection)), ..reply };
        }
        let parts = selection.split(limit);
        let last = parts.len() - 1;
        self.next.extend(parts.into_iter().enumerate().map(|(i, part)| WatchReply {
            fragment: i < last,
            events: Some(Arc::new(part)),
            ..reply.clone()
        }));
        self.next.pop_front().unwrap_or(reply)
    }
}

/// How far a turn at the requests got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// All that were there are taken up; the next one wakes the task.
    Idle,
    /// Others may be waiting.
    Over,
}

impl<S> WatchSession<S>
where
    S: Stream<Item = Result<WatchRequest, Status>> + Unpin,
{
    /// Takes up what the client asks for, as far as its turn goes and there is room for answers: a client that does not
    /// read is not heard.
    fn poll_requests(&mut self, cx: &mut Context<'_>) -> Result<Turn, Status> {
        for _ in 0..REQUESTS_PER_POLL {
            if self.hub.backlog() + self.next.len() >= MAX_BACKLOG {
                return Ok(Turn::Over);
            }
            let Some(requests) = &mut self.requests else { return Ok(Turn::Idle) };
            match Pin::new(requests).poll_next(cx) {
                Poll::Ready(Some(Ok(request))) => self.take_up(request),
                Poll::Ready(Some(Err(status))) => {
                    if status.code() != Code::Cancelled {
                        self.desk.node.metrics().stream_failures.with_label_values(&["receive", "watch"]).inc();
                    }
                    return Err(status);
                }
                Poll::Ready(None) => self.requests = None,
                Poll::Pending => return Ok(Turn::Idle),
            }
        }
        Ok(Turn::Over)
    }
}

impl<S> Stream for WatchSession<S>
where
    S: Stream<Item = Result<WatchRequest, Status>> + Unpin,
{
    type Item = Result<WatchReply, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        this.note_sent();
        if this.ended {
            return Poll::Ready(None);
        }
        if let Some(reason) = this.end.reason() {
            return this.fail(reason);
        }
        if this.judge_anew() {
            cx.waker().wake_by_ref();
        }
        if let Some(fragment) = this.next.pop_front() {
            return this.send(fragment);
        }
        let turn = match this.poll_requests(cx) {
            Ok(turn) => turn,
            Err(status) => return this.fail(status),
        };
        if this.progress.is_some() {
            this.poll_progress(cx);
        }
        if let Some(refusal) = this.next.pop_front() {
            return this.send(refusal);
        }
        match this.hub.poll_next(cx) {
            Poll::Ready(Some(message)) => {
                let reply = this.reply(message);
                this.send(reply)
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                if turn == Turn::Over {
                    // Not every request has an answer, and nobody else knows of those that are still to be read.
                    cx.waker().wake_by_ref();
                }
                if this.rules_changed.poll(cx).is_ready() {
                    this.unjudged = this.hub.watched();
                    cx.waker().wake_by_ref();
                }
                let reason = ready!(this.end.poll(cx));
                this.fail(reason)
            }
        }
    }
}

fn spec(request: WatchCreateRequest) -> WatchSpec {
    let has = |filter: FilterType| request.filters.contains(&i32::from(filter));
    let filters = EventFilters { no_put: has(FilterType::Noput), no_delete: has(FilterType::Nodelete) };
    WatchSpec {
        ranges: vec![WatchSpec::request_range(request.key, request.range_end)],
        start_revision: request.start_revision,
        watch_id: request.watch_id,
        prev_kv: request.prev_kv,
        filters,
        progress_notify: request.progress_notify,
        fragment: request.fragment,
    }
}
