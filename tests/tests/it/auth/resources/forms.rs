//! Every form of every resource, as the document names them, each with the call that wants the same.

mod managing;
mod taking;

use http::Method as Verb;
use keyport_api::methods::Method;
use keyport_tests::http::b64;
use serde_json::{Value, json};

/// A request, and what it is called in the table.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub(super) verb: Verb,
    pub(super) path: String,
    pub(super) headers: &'static [(&'static str, &'static str)],
    pub(super) body: &'static str,
    /// What asks for the same by the gateway: who may do the one may do the other.
    pub(super) twin: Option<(Method, Value)>,
}

impl Form {
    /// Whether its answer goes on as long as it is read.
    pub(super) fn is_stream(&self) -> bool {
        let named = ["watch", "hold"].iter().any(|name| self.path.contains(name));
        named || self.headers.contains(&EVENTS[0])
    }
}

/// Requests that succeed, or fail for another reason than who makes them, and leave what the next one is about or what
/// [`super::restore`] brings back.
///
/// # Panics
/// For a resource that has no row here.
pub(super) fn forms(id: &str) -> Vec<Form> {
    match id {
        "keysGet" => key_get(),
        "keysHistory" => ["k/1?limit=1&before=9", "k/1?consistency=serializable", "?key_b64=ay8x"]
            .map(|key| form(Verb::GET, &format!("/v3/history/{key}"), &[], "", Some((Method::Range, at("k/1")))))
            .into(),
        "keysPut" => key_put(),
        "keysPatch" => key_patch(),
        "keysAdd" => key_add(),
        "keysDelete" => key_delete(),
        "keysList" => list(),
        "keysDeleteAll" => {
            let below = || Some((Method::DeleteRange, of("k/none/", "k/none0")));
            vec![
                form(Verb::DELETE, "/v3/keys?prefix=k/none/", &[], "", below()),
                form(Verb::DELETE, "/v3/keys?prefix_b64=ay9ub25lLw==", &[], "", below()),
                form(Verb::DELETE, "/v3/keys?prefix=z", &[], "", Some((Method::DeleteRange, of("z", "{")))),
                form(Verb::DELETE, "/v3/keys?all=true", &[], "", Some((Method::Range, of("\0", "\0")))),
            ]
        }
        "leasesList" => vec![form(Verb::GET, "/v3/leases", &[], "", Some((Method::LeaseLeases, json!({}))))],
        "leasesGrant" => {
            let like = || Some((Method::LeaseGrant, json!({ "TTL": 600 })));
            vec![
                form(Verb::POST, "/v3/leases", &[], r#"{"ttl":600}"#, like()),
                form(Verb::POST, "/v3/leases", &[], r#"{"ttl":600,"id":1234}"#, like()),
                form(Verb::POST, "/v3/leases?hold", &[], "", like()),
            ]
        }
        "leasesShow" => {
            let like = |keys: bool| Some((Method::LeaseTimeToLive, json!({ "ID": 1234, "keys": keys })));
            vec![
                form(Verb::GET, "/v3/leases/1234", &[], "", like(false)),
                form(Verb::GET, "/v3/leases/0x4d2", &[], "", like(false)),
                form(Verb::GET, "/v3/leases/1234?keys", &[], "", like(true)),
                form(Verb::GET, "/v3/leases/77", &[], "", Some((Method::LeaseTimeToLive, json!({ "ID": 77 })))),
            ]
        }
        "leasesKeepAlive" => {
            let like = |id: u64| Some((Method::LeaseKeepAlive, json!({ "ID": id })));
            vec![
                form(Verb::POST, "/v3/leases/1234/keepalive", &[], "", like(1234)),
                form(Verb::POST, "/v3/leases/77/keepalive", &[], "", like(77)),
            ]
        }
        "leasesRevoke" => vec![
            form(Verb::DELETE, "/v3/leases/1234", &[], "", None),
            form(Verb::DELETE, "/v3/leases/77", &[], "", Some((Method::LeaseRevoke, json!({ "ID": 77 })))),
        ],
        "watchEvents" => vec![
            form(Verb::GET, "/v3/watch?key=k/1", &[], "", Some((Method::Range, at("k/1")))),
            form(Verb::GET, "/v3/watch?prefix=k/", LINES, "", Some((Method::Range, of("k/", "k0")))),
        ],
        "maintenanceSnapshotFile" => {
            vec![form(Verb::GET, "/v3/snapshot", &[], "", Some((Method::Hash, json!({}))))]
        }
        "operationsPaths" => vec![form(Verb::GET, "/v3/", &[], "", None)],
        "sessionShow" => vec![form(Verb::GET, "/v3/session", &[], "", None)],
        "sessionBegin" => {
            vec![form(Verb::POST, "/v3/session", &[], r#"{"name":"reader","password":"reader's"}"#, None)]
        }
        "sessionChangePassword" => {
            vec![form(Verb::PUT, "/v3/session/password", &[], r#"{"old":"other","new":"x"}"#, None)]
        }
        // The last one: whom a cookie names is nobody from here on.
        "sessionEnd" => vec![form(Verb::DELETE, "/v3/session", &[], "", None)],
        other => taking::forms(other)
            .or_else(|| managing::forms(other))
            .unwrap_or_else(|| panic!("{other} is a resource that no form asks for: who may?")),
    }
}

const EVENTS: &[(&str, &str)] = &[("accept", "text/event-stream")];
const LINES: &[(&str, &str)] = &[("accept", "application/x-ndjson")];

fn key_get() -> Vec<Form> {
    let get = |path: &str, headers| form(Verb::GET, path, headers, "", Some((Method::Range, at("k/1"))));
    vec![
        get("/v3/keys/k/1", &[]),
        get("/v3/keys/k/1", &[("accept", "application/json")]),
        get("/v3/keys/k/1", &[("if-match", "\"1\"")]),
        get("/v3/keys/k/1", &[("range", "bytes=0-0")]),
        get("/v3/keys/?key_b64=ay8x", &[]),
        get("/v3/keys/k/1?rev=1", &[]),
        get("/v3/keys/k/1?consistency=serializable", &[]),
        get("/v3/keys/k/1?wait=1", &[]),
        get("/v3/keys/k/1?wait=600", &[("if-none-match", "\"1\"")]),
        get("/v3/keys/k/1?watch", &[]),
        get("/v3/keys/k/1", EVENTS),
        get("/v3/keys/k/1?watch", LINES),
        form(Verb::GET, "/v3/keys/z", &[], "", Some((Method::Range, at("z")))),
    ]
}

/// What looks before it writes, as one transaction.
fn looks_first() -> Option<(Method, Value)> {
    let put = json!({ "requestPut": { "key": b64("k/1"), "value": b64("1") } });
    Some((Method::Txn, json!({ "compare": [{ "key": b64("k/1") }], "success": [put] })))
}

fn key_put() -> Vec<Form> {
    let put = |path: &str| {
        form(Verb::PUT, path, &[], "1", Some((Method::Put, json!({ "key": b64("k/1"), "value": "MQ==" }))))
    };
    let held = || Some((Method::Put, json!({ "key": b64("k/held"), "value": "MQ==" })));
    let guarded = |path: &str, headers| form(Verb::PUT, path, headers, "1", looks_first());
    let previous = json!({ "key": b64("k/1"), "value": "MQ==", "prev_kv": true });
    let leased = |lease: u64| Some((Method::Put, json!({ "key": b64("k/leased"), "lease": lease })));
    vec![
        put("/v3/keys/k/1"),
        put("/v3/keys/?key_b64=ay8x"),
        put("/v3/keys/k/1?ttl=600"),
        form(Verb::PUT, "/v3/keys/k/held?hold", &[], "1", held()),
        form(Verb::PUT, "/v3/keys/k/held", EVENTS, "1", held()),
        form(Verb::PUT, "/v3/keys/k/leased?lease=1234", &[], "", leased(1234)),
        form(Verb::PUT, "/v3/keys/k/leased?lease=77", &[], "", leased(77)),
        form(Verb::PUT, "/v3/keys/k/1?prev", &[], "1", Some((Method::Put, previous))),
        guarded("/v3/keys/k/1?cas=1", &[]),
        guarded("/v3/keys/k/1?create", &[]),
        guarded("/v3/keys/k/1?update", &[]),
        guarded("/v3/keys/k/1?update&ttl=600", &[]),
        guarded("/v3/keys/k/1", &[("if-match", "\"1\"")]),
        guarded("/v3/keys/k/1", &[("if-none-match", "*")]),
        form(Verb::PUT, "/v3/keys/z", &[], "1", Some((Method::DeleteRange, at("z")))),
    ]
}

fn key_patch() -> Vec<Form> {
    let patch = |path: &str, headers, body| form(Verb::PATCH, path, headers, body, looks_first());
    let json_patch: &[_] = &[("content-type", "application/json-patch+json")];
    vec![
        patch("/v3/keys/k/1?increment=0", &[], ""),
        patch("/v3/keys/?key_b64=ay8x&append", &[], ""),
        patch("/v3/keys/k/1", &[("content-type", "application/merge-patch+json")], "1"),
        patch("/v3/keys/k/1", json_patch, r#"[{"op":"test","path":"","value":1}]"#),
        patch("/v3/keys/k/1?increment=0&cas=1", &[], ""),
        patch("/v3/keys/k/1?increment=0&update&prev", &[], ""),
    ]
}

/// The key beside the prefix is written, too.
fn key_add() -> Vec<Form> {
    let beside = json!({ "requestPut": { "key": b64("__k/jobs/"), "value": "" } });
    let own = json!({ "requestPut": { "key": b64("k/jobs/1"), "value": "" } });
    let twin =
        json!({ "compare": [{ "key": b64("__k/jobs/") }, { "key": b64("k/jobs/1") }], "success": [beside, own] });
    let add = |path: &str| form(Verb::POST, path, &[], "x", Some((Method::Txn, twin.clone())));
    vec![
        add("/v3/keys/k/jobs/"),
        add("/v3/keys/?key_b64=ay9qb2JzLw=="),
        add("/v3/keys/k/jobs/?ttl=600"),
        add("/v3/keys/k/jobs/?lease=1234"),
    ]
}

fn key_delete() -> Vec<Form> {
    let delete = |key: &str| Some((Method::DeleteRange, at(key)));
    let previous = json!({ "key": b64("k/none"), "prev_kv": true });
    vec![
        form(Verb::DELETE, "/v3/keys/k/none", &[], "", delete("k/none")),
        form(Verb::DELETE, "/v3/keys/k/1", &[], "", None),
        form(Verb::DELETE, "/v3/keys/?key_b64=ay8x", &[], "", None),
        form(Verb::DELETE, "/v3/keys/k/1?cas=1", &[], "", looks_first()),
        form(Verb::DELETE, "/v3/keys/k/1", &[("if-match", "\"1\"")], "", looks_first()),
        form(Verb::DELETE, "/v3/keys/k/none?prev", &[], "", Some((Method::DeleteRange, previous))),
        form(Verb::DELETE, "/v3/keys/k/1?prev", &[], "", None),
    ]
}

fn list() -> Vec<Form> {
    let list = |query: &str, headers| {
        form(Verb::GET, &format!("/v3/keys?{query}"), headers, "", Some((Method::Range, of("k/", "k0"))))
    };
    let all = |query: &str, headers| {
        form(Verb::GET, &format!("/v3/keys{query}"), headers, "", Some((Method::Range, of("\0", "\0"))))
    };
    vec![
        list("prefix=k/", &[]),
        list("prefix_b64=ay8=", &[]),
        list("prefix=k/&separator=x&counts", &[]),
        list("prefix=k/&recursive&keys_only", &[]),
        list("prefix=k/&recursive&limit=1", &[]),
        list("prefix=k/&download", &[]),
        list(&format!("prefix=k/&recursive&after={}", super::CURSOR), &[]),
        list("prefix=k/&search=1", &[]),
        list("prefix=k/&regex=1&in=both", &[]),
        list("prefix=k/&rev=1", &[]),
        list("prefix=k/&consistency=serializable", &[]),
        list("prefix=k/", LINES),
        list("prefix=k/&watch", &[]),
        list("prefix=k/", EVENTS),
        list("prefix=k/&watch", LINES),
        all("", &[]),
        all("?recursive", LINES),
        all("?watch", &[]),
        form(Verb::GET, "/v3/keys?prefix=a", &[], "", Some((Method::Range, of("a", "b")))),
    ]
}

fn at(key: &str) -> Value {
    json!({ "key": b64(key) })
}

fn of(key: &str, end: &str) -> Value {
    json!({ "key": b64(key), "range_end": b64(end) })
}

fn form(
    verb: Verb,
    path: &str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    twin: Option<(Method, Value)>,
) -> Form {
    Form { verb, path: path.to_owned(), headers, body, twin }
}
