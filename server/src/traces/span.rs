//! The span of one call.

use std::time::{Instant, SystemTime};

use opentelemetry::trace::{SpanBuilder, SpanKind, Status as SpanStatus, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::trace::SdkTracer;

use crate::steps::Step;

/// What the clock of spans said when that of the server said something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    wall: SystemTime,
    instant: Instant,
}

impl Times {
    pub(super) fn new(instant: Instant) -> Times {
        let now = SystemTime::now();
        Times { wall: now.checked_sub(instant.elapsed()).unwrap_or(now), instant }
    }

    pub(super) fn at(self, instant: Instant) -> SystemTime {
        self.wall + instant.saturating_duration_since(self.instant)
    }
}

/// A span that has not ended. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Span {
    tracer: SdkTracer,
    /// Has the span in it.
    context: Context,
    times: Times,
}

impl Span {
    pub(super) fn new(tracer: SdkTracer, context: Context, times: Times) -> Span {
        Span { tracer, context, times }
    }

    pub(crate) fn set(&self, key: &'static str, value: impl Into<Value>) {
        self.context.span().set_attribute(KeyValue::new(key, value));
    }

    /// The call has failed, and not by its caller's fault.
    pub(crate) fn fail(&self, why: impl Into<std::borrow::Cow<'static, str>>) {
        self.context.span().set_status(SpanStatus::error(why));
    }

    /// Tells of a part of the call.
    pub(crate) fn step(&self, step: &Step) {
        let Step { name, start, end } = *step;
        let builder = SpanBuilder::from_name(name).with_kind(SpanKind::Internal).with_start_time(self.times.at(start));
        let step = self.context.with_span(self.tracer.build_with_context(builder, &self.context));
        step.span().end_with_timestamp(self.times.at(end));
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        self.context.span().end_with_timestamp(self.times.at(Instant::now()));
    }
}
