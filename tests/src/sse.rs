//! Reads server-sent events as a browser's `EventSource` would.

use bytes::BytesMut;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::http::Http;
use crate::wait::within;

/// One event, as the standard's parser dispatches it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// The last `id:` seen, kept from earlier events if this one had none.
    pub id: String,
    /// `event:`, "message" if it had none.
    pub event: String,
    /// The `data:` lines joined.
    pub data: String,
}

/// An open event stream.
#[derive(Debug)]
pub struct EventStream {
    body: Incoming,
    buffer: BytesMut,
    last_id: String,
    /// Comment lines seen: heartbeats.
    pub comments: usize,
}

impl EventStream {
    /// Opens one; `last_id` is sent as `Last-Event-ID` if not empty.
    ///
    /// # Panics
    /// If the answer is not an event stream.
    pub async fn open(http: &Http, path: &str, last_id: &str) -> EventStream {
        let mut headers = vec![("accept", "text/event-stream"), ("cache-control", "no-cache")];
        if !last_id.is_empty() {
            headers.push(("last-event-id", last_id));
        }
        let answer = http.get_stream(path, &headers).await;
        assert_eq!(answer.status(), 200, "{path}");
        let kind = answer.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or("");
        assert!(kind.starts_with("text/event-stream"), "{path}: {kind}");
        EventStream::over(answer.into_body(), last_id)
    }

    /// Reads an answer that is open already.
    pub fn over(body: Incoming, last_id: &str) -> EventStream {
        EventStream { body, buffer: BytesMut::new(), last_id: last_id.into(), comments: 0 }
    }

    /// The next event; `None` at the end of the stream.
    ///
    /// # Panics
    /// If nothing comes.
    pub async fn next(&mut self) -> Option<SseEvent> {
        let (mut event, mut data) = (String::new(), None::<String>);
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                if let Some(data) = data {
                    let event = if event.is_empty() { "message".into() } else { event };
                    return Some(SseEvent { id: self.last_id.clone(), event, data });
                }
                event.clear();
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line.as_str(), ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" => self.comments += 1,
                "id" if !value.contains('\0') => self.last_id = value.into(),
                "event" => event = value.into(),
                "data" => match &mut data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                    }
                    None => data = Some(value.into()),
                },
                _ => {}
            }
        }
    }

    /// Waits for a comment line, as heartbeats are.
    pub async fn comment(&mut self) {
        let before = self.comments;
        while self.comments == before {
            let Some(line) = self.line().await else { panic!("the stream ended") };
            self.comments += usize::from(line.starts_with(':'));
        }
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.buffer.iter().position(|b| *b == b'\n') {
                let line = self.buffer.split_to(at + 1);
                let line = String::from_utf8_lossy(line.get(..at)?).into_owned();
                return Some(line.strip_suffix('\r').unwrap_or(&line).to_string());
            }
            let frame = within("an event", self.body.frame()).await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }
}
