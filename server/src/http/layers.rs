//! The layers of the stack, one thing each: a [`tower::Layer`] and the [`tower::Service`] that it makes, around any service
//! of HTTP whose body can be made of bytes. [`Stack`](super::Stack) says in which order they stand, and why.
//!
//! They ask the request's [`Call`] for what is known of it.

mod attendance;
mod audit;
mod check;
mod clean_path;
mod cors;
mod gateway_names;
mod hosts;
mod identity;
mod limits;
mod line;
mod log;
mod metrics;
mod origins;
mod panics;
mod quota;
mod rate;
mod rate_fields;
mod request_id;
mod trace;
mod well_formed;

pub use attendance::{Attendance, AttendanceLayer, Attended, LastWord, LastsLong};
pub use audit::{Audit, AuditLayer};
pub use check::{Check, CheckLayer, Checked};
pub use clean_path::CleanPath;
pub use cors::{Cors, CorsLayer};
pub use gateway_names::GatewayNames;
pub use hosts::Hosts;
pub(crate) use hosts::host;
pub use identity::{Identify, Identity, IdentityLayer};
pub use limits::{Limits, LimitsLayer};
pub use line::{InLine, InLineLayer};
pub use log::{Log, LogLayer};
pub use metrics::{Count, CountLayer};
pub use origins::Origins;
pub use panics::{CatchPanic, CatchPanicLayer};
pub use quota::Quota;
pub use rate::Rate;
pub use rate_fields::{RateFields, RateFieldsLayer};
pub use request_id::{RequestId, RequestIdLayer};
pub(super) use request_id::{X_REQUEST_ID, fresh};
pub use trace::{Trace, TraceLayer, Traced};
pub use well_formed::WellFormed;

use std::pin::Pin;
use std::task::{Context, Poll};

use http::Request;
use pin_project_lite::pin_project;

use super::{Call, Protocol};

/// What a request speaks; plain HTTP if nobody has said.
fn protocol<B>(request: &Request<B>) -> Protocol {
    Call::get(request.extensions()).map_or(Protocol::Http, |call| call.protocol)
}

pin_project! {
    /// An answer that is there at once, or the one of the service behind. The first is rare, and in a box: every layer above
    /// moves what the larger one of the two takes.
    #[project = AnswerProj]
    #[derive(Debug)]
    pub enum Answer<F, T> {
        Now { answer: Option<Box<T>> },
        Later { #[pin] answer: F },
    }
}

impl<F, T> Answer<F, T> {
    fn now(answer: T) -> Answer<F, T> {
        Answer::Now { answer: Some(Box::new(answer)) }
    }
}

impl<F: Future<Output = Result<T, E>>, T, E> Future for Answer<F, T> {
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, E>> {
        match self.project() {
            AnswerProj::Now { answer } => match answer.take() {
                Some(answer) => Poll::Ready(Ok(*answer)),
                None => Poll::Pending,
            },
            AnswerProj::Later { answer } => answer.poll(cx),
        }
    }
}

/// The rest of a layer's service: always ready, as everything here is.
macro_rules! ready_as_inner {
    () => {
        fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
            self.inner.poll_ready(cx)
        }
    };
}
use ready_as_inner;
