//! What is asked, and what has to come of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) method: &'static str,
    /// `{NAME}` stands for what an earlier row has saved.
    pub(super) path: &'static str,
    pub(super) headers: Map<String, Value>,
    /// In base64.
    pub(super) body: Option<String>,
    /// A stream: once this is there …
    pub(super) first: Option<&'static str>,
    /// … this is asked …
    pub(super) meanwhile: Option<Box<Row>>,
    /// … and it is read until this is.
    pub(super) until: Option<&'static str>,
    /// A text of the document that is kept for later.
    pub(super) save: Option<&'static str>,
    pub(super) wanted: Wanted,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) status: u16,
    pub(super) headers: &'static [(&'static str, &'static str)],
    /// All of the body, or a part of it.
    pub(super) body: Option<&'static [u8]>,
    pub(super) part: &'static str,
}

fn row(method: &'static str, path: &'static str, body: &[u8], status: u16) -> Row {
    let body = (!body.is_empty()).then(|| STANDARD.encode(body));
    let wanted = Wanted { status, ..Wanted::default() };
    let headers = Map::new();
    Row { method, path, headers, body, first: None, meanwhile: None, until: None, save: None, wanted }
}

impl Row {
    fn with(mut self, name: &str, value: &str) -> Row {
        self.headers.insert(name.to_owned(), json!(value));
        self
    }

    fn says(mut self, part: &'static str) -> Row {
        self.wanted.part = part;
        self
    }

    fn is(mut self, body: &'static [u8]) -> Row {
        self.wanted.body = Some(body);
        self
    }

    fn head(mut self, headers: &'static [(&'static str, &'static str)]) -> Row {
        self.wanted.headers = headers;
        self
    }

    fn save(mut self, name: &'static str) -> Row {
        self.save = Some(name);
        self
    }

    /// As the programs read it.
    pub(super) fn told(&self) -> Value {
        json!({
            "method": self.method,
            "path": self.path,
            "headers": self.headers,
            "body": self.body,
            "first": self.first,
            "meanwhile": self.meanwhile.as_ref().map(|row| row.told()),
            "until": self.until,
            "save": self.save,
        })
    }

    fn stream(mut self, first: &'static str, meanwhile: Option<Row>, until: &'static str) -> Row {
        (self.first, self.meanwhile, self.until) = (Some(first), meanwhile.map(Box::new), Some(until));
        self
    }
}

pub(super) fn rows() -> Vec<Row> {
    let json = "application/json";
    [keys(json), lists(), streams(), lines(), transactions(json)].concat()
}

fn keys(json: &str) -> Vec<Row> {
    vec![
        row("PUT", "/v3/keys/app/db", b"one", 201).head(&[("etag", "\"2\""), ("location", "/v3/keys/app/db")]),
        row("GET", "/v3/keys/app/db", b"", 200).is(b"one").head(&[("keyport-revision", "2"), ("keyport-version", "1")]),
        row("HEAD", "/v3/keys/app/db", b"", 200).is(b"").head(&[("content-length", "3")]),
        row("GET", "/v3/keys/app/db", b"", 200).with("Accept", json).says(r#""value":"one""#),
        row("PUT", "/v3/keys/app/db", b"two", 412)
            .with("If-Match", "\"9\"")
            .head(&[("etag", "\"2\"")])
            .says("revision-mismatch"),
        row("PUT", "/v3/keys/app/db?cas=2", b"two", 200).head(&[("etag", "\"3\"")]),
        row("PUT", "/v3/keys/app/db", b"x", 412).with("If-None-Match", "*"),
        row("GET", "/v3/keys/app/db?wait=30s", b"", 200).with("If-None-Match", "\"2\"").is(b"two"),
        row("GET", "/v3/keys/app/db?rev=2", b"", 200).is(b"one"),
        row("PUT", "/v3/keys/%FF%20%2F%C3%BC", b"\x00\xff\xfe\r\n", 201),
        row("GET", "/v3/keys/%FF%20/%C3%BC", b"", 200).is(b"\x00\xff\xfe\r\n"),
        row("GET", "/v3/keys/app/db", b"", 206)
            .with("Range", "bytes=1-")
            .is(b"wo")
            .head(&[("content-range", "bytes 1-2/3")]),
        row("PUT", "/v3/keys/here?ttl=600", b"up", 201).says(r#""lease":"#).save("lease"),
        row("GET", "/v3/leases/{LEASE}?keys", b"", 200).says(r#"{"key":"here"}"#),
        row("PATCH", "/v3/keys/visits?increment=2", b"", 201).says(r#""key":"visits""#),
        row("PATCH", "/v3/keys/doc", br#"{"a":1}"#, 201).with("Content-Type", "application/merge-patch+json"),
        row("POST", "/v3/keys/jobs/", b"work", 201).with("Idempotency-Key", "one"),
        row("POST", "/v3/keys/jobs/", b"work", 201)
            .with("Idempotency-Key", "one")
            .head(&[("idempotent-replayed", "true")]),
        row("GET", "/v3/history/app/db", b"", 200).says(r#""value":"one""#),
        row("DELETE", "/v3/keys/visits?prev", b"", 200).says(r#""value":"2""#),
        row("DELETE", "/v3/keys/doc", b"", 204),
        row("GET", "/v3/keys/doc", b"", 404)
            .head(&[("content-type", "application/problem+json")])
            .says("key-not-found"),
    ]
}

fn lists() -> Vec<Row> {
    vec![
        row("GET", "/v3/keys?prefix=app/&recursive", b"", 200).says(r#""key":"app/db""#),
        row("GET", "/v3/keys?keys_only", b"", 200).says(r#""prefix":"app/""#),
        row("GET", "/v3/keys?limit=1&recursive", b"", 200).says(r#""next":"#),
        row("GET", "/v3/keys?recursive&keys_only", b"", 200)
            .with("Accept", "application/x-ndjson")
            .head(&[("content-type", "application/x-ndjson")])
            .says("\"key\":\"here\""),
        row("GET", "/v3/keys?prefix=app/&recursive&search=wo&in=values", b"", 200).says(r#""key":"app/db""#),
        row("DELETE", "/v3/keys?prefix=jobs/", b"", 200).says(r#"{"deleted":"1"}"#),
    ]
}

fn streams() -> Vec<Row> {
    let (events, lines) = ("text/event-stream", "application/x-ndjson");
    let put = |path, value: &[u8]| Some(row("PUT", path, value, 200));
    vec![
        row("GET", "/v3/keys/app/db", b"", 200)
            .with("Accept", events)
            .head(&[("content-type", "text/event-stream"), ("x-accel-buffering", "no")])
            .stream("event: opened", put("/v3/keys/app/db", b"three"), "\"value\":\"three\""),
        row("GET", "/v3/keys?prefix=app/&watch&initial", b"", 200).with("Accept", lines).stream(
            "\"event\":\"synced\"",
            put("/v3/keys/app/x", b"four"),
            "\"value\":\"four\"",
        ),
        row("GET", "/v3/watch?prefix=app/&unnamed", b"", 200).with("Accept", events).stream(
            "{\"event\":\"opened\"",
            put("/v3/keys/app/x", b"five"),
            "data: {\"event\":\"put\",\"data\":{\"key\":\"app/x\"",
        ),
        row("PUT", "/v3/keys/held?hold", b"me", 200).with("Accept", events).stream(
            "event: held",
            put("/v3/keys/app/x", b"six"),
            "\"key\":\"held\"",
        ),
    ]
}

/// Leases, locks, elections.
fn lines() -> Vec<Row> {
    let events = "text/event-stream";
    vec![
        row("POST", "/v3/leases", br#"{"ttl":600}"#, 201).save("id"),
        row("POST", "/v3/leases/{ID}/keepalive", b"", 200).says(r#""ttl":"600""#),
        row("DELETE", "/v3/leases/{ID}", b"", 204),
        row("POST", "/v3/locks/nightly", b"me", 201).says(r#""name":"nightly""#).save("lease"),
        row("POST", "/v3/locks/nightly", b"you", 409).says(r#""holder":"#),
        row("GET", "/v3/locks/nightly", b"", 200).says(r#""value":"me""#),
        row("DELETE", "/v3/locks/nightly?lease={LEASE}", b"", 204),
        row("POST", "/v3/locks/nightly?hold", b"me", 200).with("Accept", events).stream(
            "event: held",
            None,
            "event: held",
        ),
        row("POST", "/v3/elections/chief", b"m1", 201).save("lease"),
        row("GET", "/v3/elections/chief", b"", 200).says(r#""value":"m1""#),
        row("GET", "/v3/elections/chief?watch", b"", 200).with("Accept", events).stream(
            "event: leader",
            Some(row("PUT", "/v3/elections/chief?lease={LEASE}", b"m2", 200)),
            "\"value\":\"m2\"",
        ),
        row("DELETE", "/v3/elections/chief?lease={LEASE}", b"", 204),
        row("POST", "/v3/elections/chief?hold", b"m3", 200).with("Accept", events).stream(
            "event: held",
            None,
            "event: held",
        ),
    ]
}

fn transactions(json: &str) -> Vec<Row> {
    let wish = br#"{"if":[{"key":"paid","exists":false}],"then":[{"put":{"key":"paid","value":"1"}}]}"#;
    let other = br#"{"then":[{"put":{"key":"paid","value":"2"}}]}"#;
    vec![
        row("POST", "/v3/transactions", wish, 200)
            .with("Content-Type", json)
            .with("Idempotency-Key", "\"pay\"")
            .says(r#"{"succeeded":true,"revision":"#),
        row("POST", "/v3/transactions", wish, 200)
            .with("Content-Type", json)
            .with("Idempotency-Key", "\"pay\"")
            .head(&[("idempotent-replayed", "true")])
            .says(r#"{"succeeded":true,"revision":"#),
        row("POST", "/v3/transactions", other, 422).with("Idempotency-Key", "\"pay\"").says("idempotency-key-reused"),
        row("POST", "/v3/transactions", wish, 200).says(r#"{"succeeded":false"#),
        row(
            "POST",
            "/v3/keys:batch",
            br#"{"operations":[{"put":{"key":"a","value":"1"}},{"delete":{"prefix":"app/"}}]}"#,
            200,
        )
        .says(r#"{"delete":{"deleted":"2"}}"#),
        row("GET", "/v3/keys/paid", b"", 200).is(b"1"),
    ]
}
