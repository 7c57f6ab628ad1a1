//! The way of spans to the collector: a bounded queue, and a task that sends what is in it by the batch.
//!
//! What finds no room, and what the collector does not take, is lost, counted, and said in the log once a minute.

use std::mem;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};
use prometheus::IntCounter;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

/// Spans that wait. As long as those of OpenTelemetry's own.
const MOST: usize = 2048;
const BATCH: usize = 512;
/// How long a batch is waited for.
const GATHERING: Duration = Duration::from_secs(1);
/// How long the collector may take for one.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take for what is left at the end.
const FAREWELL: Duration = Duration::from_secs(3);
const BETWEEN_WARNINGS: Duration = Duration::from_secs(60);

/// What became of spans.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    pub(super) told: IntCounter,
    pub(super) lost: IntCounter,
}

/// Where spans go when they end.
#[derive(Debug)]
pub(super) struct Queue {
    sender: mpsc::Sender<SpanData>,
    counts: Counts,
}

impl Queue {
    pub(super) fn new(counts: Counts) -> (Queue, mpsc::Receiver<SpanData>) {
        let (sender, spans) = mpsc::channel(MOST);
        (Queue { sender, counts }, spans)
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.sender.try_send(span).is_err() {
            self.counts.lost.inc();
        }
    }

    /// Nothing here waits: [`tell`] does, when it is stopped.
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Sends until `stop` says so, and then what is left.
pub(super) async fn tell(
    mut spans: mpsc::Receiver<SpanData>,
    exporter: impl SpanExporter,
    counts: Counts,
    stop: CancellationToken,
) {
    let mut sender = Sender { exporter, warned: None, lost_before: counts.lost.get(), counts };
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = gather(&mut spans, &mut batch) => {}
        }
        if batch.is_empty() {
            return;
        }
        let patience = async {
            tokio::select! {
                () = sleep(PATIENCE) => {}
                () = stopped(&stop) => {}
            }
        };
        sender.send(mem::take(&mut batch), patience).await;
    }
    let end = Instant::now() + FAREWELL;
    spans.close();
    loop {
        let room = BATCH.saturating_sub(batch.len());
        spans.recv_many(&mut batch, room).await;
        if batch.is_empty() {
            return;
        }
        sender.send(mem::take(&mut batch), sleep_until(end)).await;
    }
}

/// Done a while after the server has been stopped.
async fn stopped(stop: &CancellationToken) {
    stop.cancelled().await;
    sleep(FAREWELL).await;
}

/// Waits until there is something to send, and a while for more. Given up, it leaves what it has in `batch`. Nothing comes
/// any more if that stays empty.
async fn gather(spans: &mut mpsc::Receiver<SpanData>, batch: &mut Vec<SpanData>) {
    if spans.recv_many(batch, BATCH).await == 0 {
        return;
    }
    let end = Instant::now() + GATHERING;
    while let Some(room @ 1..) = BATCH.checked_sub(batch.len()) {
        match timeout_at(end, spans.recv_many(batch, room)).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return,
        }
    }
}

/// The way to the collector, with what is said about it.
struct Sender<E> {
    exporter: E,
    counts: Counts,
    warned: Option<Instant>,
    /// How many were when that was said last.
    lost_before: u64,
}

impl<E: SpanExporter> Sender<E> {
    async fn send(&mut self, batch: Vec<SpanData>, patience: impl Future<Output = ()>) {
        let spans = batch.len() as u64;
        let sent = tokio::select! {
            sent = self.exporter.export(batch) => sent.map_err(|error| error.to_string()),
            () = patience => Err("it does not answer".to_owned()),
        };
        let Err(why) = sent else {
            self.counts.told.inc_by(spans);
            return;
        };
        self.counts.lost.inc_by(spans);
        if self.warned.is_none_or(|warned| warned.elapsed() >= BETWEEN_WARNINGS) {
            self.warned = Some(Instant::now());
            let lost = self.counts.lost.get();
            tracing::warn!(
                error = why,
                spans = lost - self.lost_before,
                "the trace collector does not take spans; they are lost"
            );
            self.lost_before = lost;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::error::OTelSdkError;
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    /// A collector of this process.
    #[derive(Clone, Debug, Default)]
    struct Collector {
        taken: Arc<AtomicUsize>,
        refuses: bool,
        hangs: bool,
    }

    impl SpanExporter for Collector {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            assert!((1..=BATCH).contains(&batch.len()));
            if self.hangs {
                std::future::pending::<()>().await;
            }
            if self.refuses {
                return Err(OTelSdkError::InternalFailure("on purpose".to_owned()));
            }
            self.taken.fetch_add(batch.len(), Ordering::Relaxed);
            Ok(())
        }
    }

    /// Ends `spans` spans before anybody sends; then stops. What was told, and lost.
    async fn outcome(collector: &Collector, spans: usize) -> (u64, u64) {
        let counter = |name: &str| IntCounter::new(name, name).unwrap();
        let counts = Counts { told: counter("told"), lost: counter("lost") };
        let (queue, waiting) = Queue::new(counts.clone());
        let provider = SdkTracerProvider::builder().with_span_processor(queue).build();
        (0..spans).for_each(|_| provider.tracer("t").start("s").end());
        let stop = CancellationToken::new();
        stop.cancel();
        tell(waiting, collector.clone(), counts.clone(), stop).await;
        (counts.told.get(), counts.lost.get())
    }

    #[tokio::test]
    async fn what_finds_no_room_is_lost_and_what_waits_is_sent_at_the_end() {
        let collector = Collector::default();
        assert_eq!(outcome(&collector, MOST + 7).await, (MOST as u64, 7));
        assert_eq!(collector.taken.load(Ordering::Relaxed), MOST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_collector_that_refuses_or_hangs_costs_spans_and_no_more_time_than_there_is() {
        for collector in
            [Collector { refuses: true, ..Collector::default() }, Collector { hangs: true, ..Collector::default() }]
        {
            let start = Instant::now();
            assert_eq!(outcome(&collector, 3 * BATCH).await, (0, 3 * BATCH as u64));
            assert!(start.elapsed() <= FAREWELL + Duration::from_millis(10), "{:?}", start.elapsed());
        }
    }
}
