//! What is held as long as a stream of events is open: a key, a lease, a lock, an office. While it is, its lease is renewed here, at
//! the member that has the stream; when it ends, whichever way, the lease ends, and all with it. A member that is killed cannot
//! see to that: then the lease ends when its time is over. Whether somebody may go on is asked with each renewal, and at once when
//! users or roles have changed.
//!
//! | `event:` | `data:` |
//! |---|---|
//! | `waiting` | others come first |
//! | `held` | what is held |
//! | `lost` | the lease has ended, as when somebody revoked it; the end |
//! | `failed` | problem details, also when the server stops; the end |

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::Response;
use http::request::Parts;
use keyport_api::error::Error;
use tokio::sync::mpsc::{self, Sender};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::own_lease::OwnLease;
use crate::faces::events::{self, Framing};
use crate::faces::query::parameters;
use crate::faces::text::GatewayBody;
use crate::http::layers::LastsLong;

/// The name in a query that asks for it.
const HOLD: &str = "hold";

/// Events that may wait for a reader.
const BUFFER: usize = 4;

/// How long a lease may have ended before that is noticed.
pub(super) const NOTICED: Duration = Duration::from_millis(200);

/// How often a stream says something, lest somebody on the way takes it for dead.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);

/// Seconds that such a lease has, unless the request says so.
pub(super) const TTL: i64 = 10;

/// Whether a request is for that: by what it accepts, or by a name in its query.
pub(super) fn is_asked_for(parts: &Parts) -> bool {
    let named = || parameters(parts.uri.query()?).find(|given| given.name == HOLD);
    // A mistake is told where it is read.
    events::hears(&parts.headers) || named().is_some_and(|given| given.flag().unwrap_or(true))
}

/// Holds what a lease stands for: `taking` says what that is, once it is. `waiting` is said before, if there is something to say.
pub(super) fn stream(
    parts: &Parts,
    stop: CancellationToken,
    lease: OwnLease,
    waiting: Option<Bytes>,
    taking: impl Future<Output = Result<Bytes, Failure>> + Send + 'static,
) -> Response<GatewayBody> {
    let framing = Framing::of(parts);
    let (events, reader) = mpsc::channel(BUFFER);
    if let Some(waiting) = waiting {
        // There is room for the first one.
        let _ = events.try_send(event(framing, "waiting", &waiting));
    }
    let holder = Holder { framing, events, stop, lease };
    tokio::spawn(holder.attend(taking));
    let frames = stream::unfold(reader, async |mut reader| reader.recv().await.map(|frame| (frame, reader)));
    let mut response = Response::new(GatewayBody::stream(frames));
    framing.describe(response.headers_mut());
    response.extensions_mut().insert(LastsLong);
    response.extensions_mut().insert(framing.last_word());
    response
}

/// Who looks after the lease until the stream ends.
struct Holder {
    framing: Framing,
    events: Sender<Bytes>,
    stop: CancellationToken,
    lease: OwnLease,
}

/// Why a stream ends.
enum End {
    /// Nobody reads it any more.
    Over,
    Lost,
    Failed(Failure),
}

impl Holder {
    async fn attend(self, taking: impl Future<Output = Result<Bytes, Failure>> + Send) {
        let end = tokio::select! {
            end = self.hold(taking) => end,
            () = self.events.closed() => End::Over,
            () = self.stop.cancelled() => End::Failed(Error::Stopped.into()),
        };
        let last = match end {
            End::Over => return,
            End::Lost => event(self.framing, "lost", b"{}"),
            End::Failed(failure) => event(self.framing, "failed", &failure.document()),
        };
        // A reader that does not read hears nothing.
        let _ = self.events.try_send(last);
    }

    async fn hold(&self, taking: impl Future<Output = Result<Bytes, Failure>> + Send) -> End {
        let held = tokio::select! {
            end = self.keep_alive() => return end,
            taken = taking => match taken {
                Ok(held) => held,
                Err(failure) => return End::Failed(failure),
            },
        };
        // Who waited long has all of the time now.
        match self.lease.renewed().await {
            Ok(true) => {}
            Ok(false) => return End::Lost,
            Err(error) => return End::Failed(error.into()),
        }
        if self.say(event(self.framing, "held", &held)).await.is_err() {
            return End::Over;
        }
        self.keep_alive().await
    }

    /// Renews the lease, and says so now and then, until one of the two is no longer possible.
    async fn keep_alive(&self) -> End {
        let mut judged_anew = match self.lease.judged_anew() {
            Ok(judged_anew) => judged_anew,
            Err(error) => return End::Failed(error.into()),
        };
        let ttl = Duration::from_secs(self.lease.get().ttl.unsigned_abs());
        let (mut renewal, mut heartbeat, mut look) = (interval(ttl / 3), interval(HEARTBEAT), interval(NOTICED));
        heartbeat.reset();
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_known = false;
        let mut ends = pin!(sleep_until(Instant::now() + ttl));
        loop {
            tokio::select! {
                // Its time begins no earlier than it was asked for.
                asked = renewal.tick() => match self.lease.renewed().await {
                    Ok(true) => ends.as_mut().reset(asked + ttl),
                    Ok(false) => return End::Lost,
                    // Without a leader nothing ends, and there may be one again in time.
                    Err(error) if error.code() == tonic::Code::Unavailable => {}
                    Err(error) => return End::Failed(error.into()),
                },
                due = judged_anew.is_due() => match due {
                    Ok(()) => renewal.reset_immediately(),
                    Err(error) => return End::Failed(error.into()),
                },
                _ = look.tick() => if is_known && !self.lease.is_there() {
                    return End::Lost;
                } else {
                    // A member that is behind has not heard of it yet.
                    is_known |= self.lease.is_there();
                },
                _ = heartbeat.tick() => if self.say(self.framing.heartbeat()).await.is_err() {
                    return End::Over;
                },
                () = ends.as_mut() => return End::Failed(Error::NoLeader.into()),
            }
        }
    }

    /// Waits for a slow reader as long as the lease lasts, and no longer.
    async fn say(&self, frame: Bytes) -> Result<(), ()> {
        let ttl = Duration::from_secs(self.lease.get().ttl.unsigned_abs());
        self.events.send_timeout(frame, ttl).await.map_err(drop)
    }
}

/// `data` is a document of one line.
pub(super) fn event(framing: Framing, name: &str, data: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(data.len() + 64);
    framing.event(&mut out, None::<i64>, name, |out| out.extend_from_slice(data.trim_ascii_end()));
    out.into()
}
