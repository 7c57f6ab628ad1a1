//! The incoming side: judges who comes, and hands what they say to Raft.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use keyport_api::raftpb::Message;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::frame::{self, Frame, FrameError, FrameReader, Kind};
use super::handshake::{self, Caller, Refusal};

/// Members not known yet that may have a stream at once: a cluster that grew while this member was away.
pub(super) const MAX_UNKNOWN: usize = 8;
/// Things told about peers that are remembered, so that they are told once.
const MAX_TOLD: usize = 256;
/// In how many steps a stream's silence is measured.
const PATIENCE: u32 = 5;
/// Messages of one read that are handed over at once.
const MAX_BATCH: usize = 128;

/// Streams that come in.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    streams: Mutex<Streams>,
    told: Mutex<HashSet<(u64, String)>>,
}

#[derive(Debug, Default)]
struct Streams {
    by_sender: HashMap<u64, (u64, CancellationToken)>,
    last: u64,
}

impl Incoming {
    /// A new stream of that sender; replaces the one before.
    fn open(&self, from: u64, cancel: CancellationToken) -> u64 {
        let mut streams = self.streams.lock();
        streams.last += 1;
        let number = streams.last;
        if let Some((_, before)) = streams.by_sender.insert(from, (number, cancel)) {
            before.cancel();
        }
        number
    }

    /// Returns whether it was that sender's latest.
    fn closed(&self, from: u64, number: u64) -> bool {
        let mut streams = self.streams.lock();
        let latest = streams.by_sender.get(&from).is_some_and(|(latest, _)| *latest == number);
        if latest {
            streams.by_sender.remove(&from);
        }
        latest
    }

    /// Whether that sender has a stream.
    pub(super) fn is_open(&self, from: u64) -> bool {
        self.streams.lock().by_sender.contains_key(&from)
    }

    /// Ends that sender's stream.
    pub(super) fn close(&self, from: u64) {
        if let Some((_, cancel)) = self.streams.lock().by_sender.remove(&from) {
            cancel.cancel();
        }
    }

    /// Whether this was not told before about that peer, since it last behaved.
    fn is_news(&self, from: u64, what: String) -> bool {
        let mut told = self.told.lock();
        if told.len() >= MAX_TOLD {
            told.clear();
        }
        told.insert((from, what))
    }

    fn behaves(&self, from: u64) {
        self.told.lock().retain(|(peer, _)| *peer != from);
    }
}

/// Why an incoming stream ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("closed by the peer")]
    Closed,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("upgrade failed: {0}")]
    Upgrade(#[from] hyper::Error),
    #[error("nothing was heard for too long")]
    Silent,
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("not wanted any more")]
    Cancelled,
}

impl Shared {
    /// Who comes, if they may.
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let judged = if self.is_ready() { handshake::judge(headers, &self.local) } else { Err(Refusal::NotReady) };
        let judged = judged.and_then(|caller| match self.is_removed(caller.id) {
            true => Err(Refusal::Removed),
            false => Ok(caller),
        });
        judged.inspect_err(|refusal| {
            let who = headers.get(handshake::SERVER_FROM).and_then(|id| id.to_str().ok());
            let from = who.and_then(|id| u64::from_str_radix(id, 16).ok()).unwrap_or_default();
            self.refused(from, *refusal);
        })
    }

    /// Tells once.
    pub(super) fn refused(&self, from: u64, refusal: Refusal) {
        if self.incoming.is_news(from, refusal.to_string()) {
            tracing::warn!(peer = %format_args!("{from:x}"), reason = %refusal, "refused a peer");
        }
    }

    pub(super) fn accept_stream<B>(self: &Arc<Self>, request: Request<B>) -> Result<Response<Full<Bytes>>, Refusal> {
        let caller = self.admit(request.headers())?;
        let from = caller.id;
        if !handshake::has_upgrade(request.headers()) {
            return Err(Refusal::Protocol);
        }
        self.welcome(caller).inspect_err(|refusal| self.refused(from, *refusal))?;
        let cancel = self.cancel.child_token();
        let number = self.incoming.open(from, cancel.clone());
        let (shared, upgrade) = (Arc::clone(self), hyper::upgrade::on(request));
        self.runtime.spawn(async move {
            let ended = tokio::select! {
                () = cancel.cancelled() => Ended::Cancelled,
                ended = shared.read_stream(from, upgrade) => ended,
            };
            let latest = shared.incoming.closed(from, number);
            shared.stream_ended(from, &ended, latest);
        });
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        handshake::put_upgrade(response.headers_mut());
        handshake::put_identity(response.headers_mut(), &self.local);
        Ok(response)
    }

    fn stream_ended(&self, from: u64, ended: &Ended, latest: bool) {
        match ended {
            Ended::Frame(_) | Ended::Silent | Ended::Upgrade(_) => {
                self.observer.receive_failed(from, 1);
                if self.incoming.is_news(from, ended.to_string()) {
                    tracing::warn!(peer = %format_args!("{from:x}"), reason = %ended, "cut off a peer's stream");
                }
            }
            Ended::Closed | Ended::Io(_) | Ended::Cancelled => {
                tracing::debug!(peer = %format_args!("{from:x}"), reason = %ended, "a peer's stream ended");
            }
        }
        if latest {
            self.forget_provisional(from);
        }
    }

    async fn read_stream(&self, from: u64, upgrade: OnUpgrade) -> Ended {
        let upgraded = match tokio::time::timeout(self.options.read_timeout, upgrade).await {
            Ok(Ok(upgraded)) => upgraded,
            Ok(Err(error)) => return error.into(),
            Err(_) => return Ended::Silent,
        };
        let mut stream = TokioIo::new(upgraded);
        let mut frames = FrameReader::new(self.options.max_entry_bytes);
        let mut behaved = false;
        // One timer for the stream, not one for each read.
        let mut patience = tokio::time::interval(self.options.read_timeout / PATIENCE);
        let mut silent = 0;
        loop {
            let count = tokio::select! {
                biased;
                read = stream.read_buf(frames.space()) => match read {
                    Ok(0) if frames.is_empty() => return Ended::Closed,
                    Ok(0) => return FrameError::Truncated.into(),
                    Ok(count) => count,
                    Err(error) => return error.into(),
                },
                _ = patience.tick() => {
                    silent += 1;
                    // The first tick comes at once.
                    if silent > PATIENCE {
                        return Ended::Silent;
                    }
                    continue;
                }
            };
            silent = 0;
            self.observer.received(from, count as u64);
            let pong = match self.take_frames(from, &mut frames) {
                Ok(pong) => pong,
                Err(error) => return error.into(),
            };
            if let Some(number) = pong {
                let pong = frame::number_frame(Kind::Pong, number);
                match tokio::time::timeout(self.options.read_timeout, stream.write_all(&pong)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return error.into(),
                    Err(_) => return Ended::Silent,
                }
                if !std::mem::replace(&mut behaved, true) {
                    self.incoming.behaves(from);
                }
            }
        }
    }

    /// Hands over all whole frames; returns the last ping among them.
    fn take_frames(&self, from: u64, frames: &mut FrameReader) -> Result<Option<u64>, FrameError> {
        let mut batch = Vec::new();
        let mut ping = None;
        let result = loop {
            match frames.next() {
                Ok(None) => break Ok(()),
                Ok(Some(frame)) => match self.take_frame(from, frame, &mut batch) {
                    Ok(number) => ping = number.or(ping),
                    Err(error) => break Err(error),
                },
                Err(error) => break Err(error),
            }
        };
        // What came before the first wrong byte is as good as ever.
        self.step(from, batch);
        result.map(|()| ping)
    }

    fn take_frame(&self, from: u64, frame: Frame, batch: &mut Vec<Message>) -> Result<Option<u64>, FrameError> {
        match frame.kind {
            Kind::Messages => {
                let mut payload = frame.payload;
                while let Some(message) = frame::next_message(&mut payload)? {
                    if message.from() != from || message.to() != self.local.member_id {
                        return Err(FrameError::Address { from: message.from(), to: message.to() });
                    }
                    batch.push(message);
                    if batch.len() >= MAX_BATCH {
                        self.step(from, std::mem::take(batch));
                    }
                }
                Ok(None)
            }
            Kind::Ping => frame.number().map(Some),
            other => Err(FrameError::Unexpected(other)),
        }
    }
}
