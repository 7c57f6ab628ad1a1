//! What has been asked and answered in a call that streams both ways, as far as it decides when the call is over.
//!
//! The end of the request body does not end a watch, so a watch whose caller can say no more would stay open for
//! ever after its last watcher is gone, and its reader would wait for ever. The gateway keeps count and ends it.

use std::collections::HashSet;

use keyport_api::error::Error;
use keyport_api::etcdserverpb::watch_request::RequestUnion;
use keyport_api::etcdserverpb::{LeaseKeepAliveRequest, LeaseKeepAliveResponse, WatchRequest};
use tonic::Status;

use crate::calls::WatchReply;

/// The state of a call, told of every message.
pub(super) trait Dialogue: Default + Send + 'static {
    type Request;
    type Response;

    /// A request arrived; an error refuses it and ends the call.
    fn asked(&mut self, request: &Self::Request) -> Result<(), Status>;
    /// No more requests come. An error says that the call makes no sense without one.
    fn ended(&mut self) -> Result<(), Status>;
    /// The service answered.
    fn answered(&mut self, response: &Self::Response);
    /// Whether something asked has not been answered yet.
    fn owes(&self) -> bool;
    /// Whether messages may come that answer nothing asked.
    fn open(&self) -> bool;
}

/// Watchers come and go by request, and by the server's word.
#[derive(Debug, Default)]
pub(super) struct WatchDialogue {
    started: bool,
    unanswered: usize,
    live: HashSet<i64>,
}

impl Dialogue for WatchDialogue {
    type Request = WatchRequest;
    type Response = WatchReply;

    fn asked(&mut self, request: &WatchRequest) -> Result<(), Status> {
        match request.request_union {
            Some(RequestUnion::CreateRequest(_)) => self.unanswered += 1,
            None if !self.started => return Err(Error::NothingWatched.into()),
            _ => {}
        }
        self.started = true;
        Ok(())
    }

    fn ended(&mut self) -> Result<(), Status> {
        if self.started { Ok(()) } else { Err(Error::NothingWatched.into()) }
    }

    fn answered(&mut self, response: &WatchReply) {
        if response.created {
            self.unanswered = self.unanswered.saturating_sub(1);
        }
        if response.canceled {
            self.live.remove(&response.watch_id);
        } else if response.created {
            self.live.insert(response.watch_id);
        }
    }

    fn owes(&self) -> bool {
        self.unanswered > 0
    }

    fn open(&self) -> bool {
        !self.live.is_empty()
    }
}

/// One answer for each request.
#[derive(Debug, Default)]
pub(super) struct KeepAliveDialogue {
    unanswered: usize,
}

impl Dialogue for KeepAliveDialogue {
    type Request = LeaseKeepAliveRequest;
    type Response = LeaseKeepAliveResponse;

    fn asked(&mut self, _request: &LeaseKeepAliveRequest) -> Result<(), Status> {
        self.unanswered += 1;
        Ok(())
    }

    fn ended(&mut self) -> Result<(), Status> {
        Ok(())
    }

    fn answered(&mut self, _response: &LeaseKeepAliveResponse) {
        self.unanswered = self.unanswered.saturating_sub(1);
    }

    fn owes(&self) -> bool {
        self.unanswered > 0
    }

    fn open(&self) -> bool {
        false
    }
}

/// The dialogue that goes with a request message and its answers.
pub(super) trait Opens<R> {
    type Dialogue: Dialogue<Request = Self, Response = R>;
}

impl Opens<WatchReply> for WatchRequest {
    type Dialogue = WatchDialogue;
}

impl Opens<LeaseKeepAliveResponse> for LeaseKeepAliveRequest {
    type Dialogue = KeepAliveDialogue;
}
