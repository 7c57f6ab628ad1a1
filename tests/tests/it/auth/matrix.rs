//! Who may make which call: every RPC by everybody over every face, compared with what a real etcd answers.
//!
//! `KEYPORT_TESTS_BLESS=1` records the table anew; against an etcd, that is etcd's.

use std::fmt::Write;
use std::net::Ipv4Addr;

use bytes::Bytes;
use http::Method as Verb;
use http_body_util::BodyExt;
use keyport_api::methods::{Method, MethodInfo};
use keyport_tests::certificates::{Authority, Holder};
use keyport_tests::encrypted;
use keyport_tests::grpc::frame;
use keyport_tests::http::{Http, b64};
use keyport_tests::target::workspace;
use keyport_tests::wait::within;
use keyport_tests::{Flavor, Server, websocket};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::{Value, json};

use super::Realm;
use super::jwt::{Keys, hs256, realm_of, said};
use crate::tls::Encrypted;

/// Requests that succeed, or fail for another reason than who makes them, without changing what the next one is about.
fn requests(method: Method, own_url: &str) -> Vec<Value> {
    let key = b64("k/1");
    let leader = json!({ "name": b64("k/e"), "key": b64("k/e/1"), "rev": 99, "lease": 77 });
    let one = match method {
        Method::Range | Method::RangeStream | Method::DeleteRange => json!({ "key": key }),
        Method::Put => json!({ "key": key, "value": key }),
        Method::Txn => {
            return vec![
                json!({ "success": [{ "requestRange": { "key": key } }] }),
                json!({ "success": [{ "requestPut": { "key": key } }] }),
                json!({ "compare": [{ "key": b64("z") }] }),
            ];
        }
        Method::Compact => json!({ "revision": 1_000_000 }),
        Method::Watch => json!({ "create_request": { "key": key } }),
        Method::LeaseGrant => json!({ "TTL": 1000 }),
        Method::LeaseRevoke => json!({ "ID": 77 }),
        Method::LeaseKeepAlive => return vec![json!({ "ID": 1234 }), json!({ "ID": 77 })],
        Method::LeaseTimeToLive => {
            return vec![json!({ "ID": 1234 }), json!({ "ID": 1234, "keys": true }), json!({ "ID": 77 })];
        }
        Method::MemberAdd => json!({ "peerURLs": [own_url] }),
        Method::MemberUpdate => json!({ "ID": 1, "peerURLs": ["http://127.0.0.1:1"] }),
        Method::MemberRemove | Method::MemberPromote => json!({ "ID": 1 }),
        Method::Alarm => return vec![json!({}), json!({ "action": "DEACTIVATE", "memberID": 1, "alarm": "NOSPACE" })],
        Method::MoveLeader => json!({ "targetID": 1 }),
        Method::Downgrade => json!({ "action": "VALIDATE", "version": "9.9" }),
        Method::Authenticate => json!({ "name": "reader", "password": "reader's" }),
        Method::UserAdd => json!({ "name": "reader", "password": "?" }),
        Method::UserGet => return vec![json!({ "name": "reader" }), json!({ "name": "root" })],
        Method::UserDelete | Method::UserChangePassword => json!({ "name": "nosuch" }),
        Method::UserGrantRole => json!({ "user": "nosuch", "role": "reads" }),
        Method::UserRevokeRole => json!({ "name": "nosuch", "role": "reads" }),
        Method::RoleAdd => json!({ "name": "reads" }),
        Method::RoleGet => return vec![json!({ "role": "reads" }), json!({ "role": "nosuch" })],
        Method::RoleDelete => json!({ "role": "nosuch" }),
        Method::RoleGrantPermission => json!({ "name": "nosuch", "perm": { "key": key } }),
        Method::RoleRevokePermission => json!({ "role": "nosuch", "key": key }),
        Method::Lock => json!({ "name": b64("k/l"), "lease": 77 }),
        Method::Unlock => json!({ "key": b64("k/l/1") }),
        Method::Campaign => json!({ "name": b64("k/c"), "lease": 77, "value": key }),
        Method::Leader | Method::Observe => json!({ "name": b64("k/e") }),
        Method::Proclaim => json!({ "leader": leader, "value": key }),
        Method::Resign => json!({ "leader": leader }),
        _ => json!({}),
    };
    vec![one]
}

/// What a call comes to: 0 and nothing, or a code and its message.
#[derive(Debug, PartialEq, Eq)]
struct Outcome(u64, String);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Face {
    Json,
    Grpc,
    GrpcWeb,
    WebSocket,
    Sse,
}

/// Somebody who makes all the calls.
struct Caller<'a> {
    name: &'static str,
    /// None if it is empty.
    token: &'a str,
    /// By which gRPC goes.
    http2: Http,
    /// Whether that shows a certificate, which is for gRPC alone.
    is_certified: bool,
}

struct Faces {
    realm: Realm,
    pool: DescriptorPool,
}

impl Realm {
    fn caller<'a>(&self, name: &'static str, token: &'a str) -> Caller<'a> {
        Caller { name, token, http2: self.server.http2(), is_certified: false }
    }
}

impl Faces {
    async fn ask(&self, face: Face, caller: &Caller<'_>, method: &MethodInfo, body: &Value) -> Outcome {
        match face {
            Face::Json => self.json(caller.token, method.routes[0], body).await,
            Face::Grpc => self.grpc("application/grpc", caller, method, body).await,
            Face::GrpcWeb => self.grpc("application/grpc-web+proto", caller, method, body).await,
            Face::WebSocket => self.websocket(caller.token, method.routes[0], body).await,
            Face::Sse => self.events(caller.token, method.routes[0], body).await,
        }
    }

    async fn json(&self, token: &str, route: &str, body: &Value) -> Outcome {
        Faces::said_in_json(&self.realm.first(token, route, body).await)
    }

    async fn websocket(&self, token: &str, route: &str, body: &Value) -> Outcome {
        let bearer =
            if token.is_empty() { String::new() } else { format!("Sec-WebSocket-Protocol: Bearer, {token}\r\n") };
        let (mut socket, head) = websocket::open(self.realm.server.addr(), route, &bearer).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(socket.send(websocket::text(&body.to_string())).await);
        Faces::said_in_json(&websocket::message(&mut socket).await)
    }

    /// A stream of events, which a problem is the answer to where it does not begin.
    async fn events(&self, token: &str, route: &str, body: &Value) -> Outcome {
        let key = percent_encoding::utf8_percent_encode(
            body["create_request"]["key"].as_str().unwrap(),
            percent_encoding::NON_ALPHANUMERIC,
        );
        let mut headers = Vec::new();
        headers.extend((!token.is_empty()).then_some(("authorization", token)));
        let answer = self.realm.http.get_stream(&format!("{route}?key_b64={key}"), &headers).await;
        if answer.status() == 200 {
            assert_eq!(answer.headers()["content-type"], "text/event-stream");
            return Outcome(0, String::new());
        }
        let (status, document) = (answer.status(), within("a problem", answer.collect()).await.unwrap().to_bytes());
        let problem: Value = serde_json::from_slice(&document).unwrap();
        assert_eq!(problem["status"], status.as_u16());
        let code = problem["grpc_code"].as_u64().unwrap_or_else(|| panic!("{problem}"));
        Outcome(code, problem["detail"].as_str().unwrap().to_owned())
    }

    fn said_in_json(value: &Value) -> Outcome {
        // An answer of its own, one message of a stream, or a watch that was refused in a message.
        let error = value.get("error").filter(|error| error.is_object()).unwrap_or(value);
        let reason = value["result"]["cancel_reason"].as_str();
        match (error["code"].as_u64(), reason) {
            (Some(code), _) => Outcome(code, error["message"].as_str().unwrap_or_default().to_owned()),
            (None, Some(reason)) => Outcome(0, reason.to_owned()),
            (None, None) => Outcome(0, String::new()),
        }
    }

    async fn grpc(&self, content_type: &str, caller: &Caller<'_>, method: &MethodInfo, body: &Value) -> Outcome {
        let request = self.pool.get_message_by_name(method.request).unwrap();
        let message = DynamicMessage::deserialize(request, body).unwrap().encode_to_vec();
        let mut headers = vec![("content-type", content_type), ("te", "trailers")];
        headers.extend((!caller.token.is_empty()).then_some(("token", caller.token)));
        let body = http_body_util::Full::new(Bytes::from(frame(&message))).boxed();
        let mut answer = caller.http2.open(Verb::POST, method.path, &headers, body).await;
        if let Some(status) = answer.headers().get("grpc-status") {
            let message = answer.headers().get("grpc-message").map_or("", |message| message.to_str().unwrap());
            return Outcome(status.to_str().unwrap().parse().unwrap(), percent_decoded(message));
        }
        let (body, mut data) = (answer.body_mut(), Vec::new());
        while let Some(part) = within("a part of an answer", body.frame()).await {
            match part.unwrap().into_data() {
                Ok(more) => data.extend(more),
                Err(part) => return said_in(&text_of(part.trailers_ref().unwrap())),
            }
            while let Some((flag, message)) = taken(&mut data) {
                if flag & 0x80 != 0 {
                    return said_in(&String::from_utf8_lossy(&message));
                }
                if method.kind.server_streams() {
                    let reply = self.pool.get_message_by_name(method.response).unwrap();
                    let reply = DynamicMessage::decode(reply, &message[..]).unwrap();
                    let reason = reply.get_field_by_name("cancel_reason");
                    return Outcome(0, reason.and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default());
                }
            }
        }
        panic!("{} ended without a status", method.path);
    }
}

/// What others say in the first message of a watch is the answer where streams of events are asked for.
fn in_place_of_a_message(outcome: &Outcome) -> Outcome {
    let said = outcome.1.strip_prefix("rpc error: code = ").and_then(|said| said.split_once(" desc = "));
    let Some((code, text)) = said else { return Outcome(outcome.0, outcome.1.clone()) };
    let code = match code {
        "InvalidArgument" => 3,
        "PermissionDenied" => 7,
        "Unauthenticated" => 16,
        other => panic!("{other}"),
    };
    Outcome(code, text.to_owned())
}

/// The first whole message, and what it is flagged with.
fn taken(data: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let (&[flag, a, b, c, d], _) = data.split_first_chunk()?;
    let end = 5 + u32::from_be_bytes([a, b, c, d]) as usize;
    let message = data.get(5..end)?.to_vec();
    data.drain(..end);
    Some((flag, message))
}

fn text_of(trailers: &http::HeaderMap) -> String {
    trailers.iter().map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap())).collect()
}

fn said_in(trailers: &str) -> Outcome {
    let field = |name: &str| {
        let found = trailers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        found.unwrap_or_default().trim().to_owned()
    };
    Outcome(field("grpc-status").parse().unwrap(), percent_decoded(&field("grpc-message")))
}

fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

/// What the calls of the table are about, as far as it is not there already: a lease with a key, an election, and `pen`, who may
/// put `k/1`. A token of somebody who is gone.
pub(super) async fn furnish(realm: &Realm) -> String {
    let root = realm.token("root").await;
    realm.done(&root, "/v3/lease/grant", json!({ "ID": 1234, "TTL": 100_000 })).await;
    realm.done(&root, "/v3/kv/put", json!({ "key": b64("k/leased"), "lease": 1234 })).await;
    realm.done(&root, "/v3/kv/put", json!({ "key": b64("k/e/1"), "value": b64("elected") })).await;
    realm.done(&root, "/v3/auth/role/add", json!({ "name": "puts" })).await;
    let puts = json!({ "name": "puts", "perm": { "permType": "WRITE", "key": b64("k/1") } });
    realm.done(&root, "/v3/auth/role/grant", puts).await;
    realm.done(&root, "/v3/auth/user/add", json!({ "name": "pen", "password": "pen's" })).await;
    realm.done(&root, "/v3/auth/user/grant", json!({ "user": "pen", "role": "puts" })).await;
    realm.done(&root, "/v3/auth/user/add", json!({ "name": "gone", "password": "gone's" })).await;
    let gone = realm.token("gone").await;
    realm.done(&root, "/v3/auth/user/delete", json!({ "name": "gone" })).await;
    gone
}

#[tokio::test]
async fn who_may_make_which_call() {
    let realm = Realm::on(Server::start()).await;
    let gone = furnish(&realm).await;
    let (nobody, reader, writer) =
        (realm.token("nobody").await, realm.token("reader").await, realm.token("writer").await);
    let (pen, root) = (realm.token("pen").await, realm.token("root").await);
    let callers = [
        ("anyone", ""),
        ("bad token", "bad"),
        ("token of the future", "abcdefghijklmnop.99999999999"),
        ("deleted user", gone.as_str()),
        ("user without roles", &nobody),
        ("reader", &reader),
        ("writer of a prefix", &writer),
        ("writer of a key", &pen),
        ("root", &root),
    ];
    let callers = callers.map(|(name, token)| realm.caller(name, token));
    compare(realm, &callers, "who-may.txt").await;
}

/// What is signed says by itself who somebody is and since when, so more can be wrong with it.
#[tokio::test]
async fn what_a_signed_token_is_good_for() {
    let keys = Keys::new();
    let secret = keys.secret("secret");
    let realm = realm_of(Flavor::under_test(), &keys.options("HS256", "secret", "")).await;
    let (old_root, old_writer) = (realm.token("root").await, realm.token("writer").await);
    furnish(&realm).await;
    let (root, writer) = (realm.token("root").await, realm.token("writer").await);
    let like_root = |claim: &str, value: Value| {
        let mut claims = said(&root, 1);
        claims[claim] = value;
        hs256(&json!({ "alg": "HS256" }), &claims, secret)
    };
    let callers = [
        ("expired", like_root("exp", json!(1))),
        ("tampered with", format!("{root}A")),
        ("deleted user", like_root("username", json!("gone"))),
        ("old, of a writer", old_writer),
        ("old, of root", old_root),
        ("writer", writer),
        ("root", root.clone()),
    ];
    let callers = callers.each_ref().map(|(name, token)| realm.caller(name, token));
    compare(realm, &callers, "who-may-signed.txt").await;
}

/// Over gRPC a certificate says who somebody is, unless a token does.
#[tokio::test]
async fn who_may_by_certificate() {
    let authority = Authority::new();
    let ca = authority.file();
    let server = Encrypted::certifying(&authority, &[]).await;
    let realm = Realm::over(server.server, Http::new(server.plain)).await;
    furnish(&realm).await;
    let (writer, secure) = (realm.token("writer").await, (Ipv4Addr::LOCALHOST, server.client).into());
    let mut callers = Vec::new();
    for (name, holder, token) in [
        ("user without roles", "nobody", ""),
        ("without password", "cert", ""),
        ("a stranger", "stranger", ""),
        ("reader", "reader", ""),
        ("writer", "writer", ""),
        ("token of writer", "reader", writer.as_str()),
        ("bad token", "writer", "bad"),
        ("root", "root", ""),
    ] {
        let shown = authority.issue(&format!("cn-{holder}"), &Holder::new(holder, &[]));
        let http2 = Http::h2c(encrypted::Encrypted::showing(Some(&shown), secure, &ca).speaking_http2().tunnel().await);
        callers.push(Caller { name, token, http2, is_certified: true });
    }
    compare(realm, &callers, "who-may-certified.txt").await;
}

/// Every call by all of these over every face, held against a table in `tests/golden`.
async fn compare(realm: Realm, callers: &[Caller<'_>], table_file: &str) {
    let root = realm.token("root").await;
    let members = realm.done(&root, "/v3/cluster/member/list", json!({})).await;
    let own_url = members["members"][0]["peerURLs"][0].as_str().unwrap().to_owned();
    let is_etcd = realm.server.is_etcd();
    let pool = DescriptorPool::decode(keyport_api::FILE_DESCRIPTOR_SET).unwrap();
    let faces = Faces { realm, pool };
    let (mut table, mut differences) = (String::new(), Vec::new());
    let mut same = |what: String, outcome: &Outcome, expected: &Outcome| {
        if outcome != expected {
            differences.push(format!("{what}: {outcome:?}, not {expected:?}"));
        }
    };
    for method in Method::ALL.into_iter().map(Method::info).filter(|method| !method.foreign) {
        for mut body in requests(method.method, &own_url) {
            // In the table's order, whether the library keeps another one or not.
            body.sort_all_objects();
            writeln!(table, "{} {}", method.path, body.to_string().replace(&own_url, "OWN")).unwrap();
            for caller in callers {
                let &Caller { name, is_certified, .. } = caller;
                // It would end the test; and etcd would wait for what such a token promises.
                let ends = method.method == Method::AuthDisable && ["root", "old, of root"].contains(&name);
                if ends || (is_etcd && name == "token of the future") {
                    continue;
                }
                // etcd ends this stream without a word; what it would say is what it says of the same keys here.
                let mute = is_etcd && method.method == Method::Observe;
                let asked = if mute { Method::Leader.info() } else { method };
                let outcome = faces.ask(Face::Grpc, caller, asked, &body).await;
                if method.route().is_some() && !mute && !is_certified {
                    let json = faces.ask(Face::Json, caller, method, &body).await;
                    same(format!("{} {body} by {name} in JSON", method.path), &json, &outcome);
                }
                if !is_etcd && !method.kind.client_streams() {
                    let web = faces.ask(Face::GrpcWeb, caller, method, &body).await;
                    same(format!("{} {body} by {name} over gRPC-Web", method.path), &web, &outcome);
                }
                if !is_etcd && method.kind.server_streams() && method.route().is_some() && !is_certified {
                    let socket = faces.ask(Face::WebSocket, caller, method, &body).await;
                    same(format!("{} {body} by {name} over WebSocket", method.path), &socket, &outcome);
                }
                if !is_etcd && method.method == Method::Watch && !is_certified {
                    let expected = &in_place_of_a_message(&outcome);
                    let events = faces.ask(Face::Sse, caller, method, &body).await;
                    same(format!("{} {body} by {name} as events", method.path), &events, expected);
                }
                if name != "token of the future" {
                    writeln!(table, "    {name:20}{} {}", outcome.0, outcome.1).unwrap();
                } else if method.method != Method::Authenticate {
                    let bad = faces.ask(Face::Grpc, &faces.realm.caller("bad token", "bad"), method, &body).await;
                    same(format!("{} {body} by a token of the future", method.path), &outcome, &bad);
                }
            }
        }
    }
    let file = workspace().join("tests/golden").join(table_file);
    if std::env::var_os("KEYPORT_TESTS_BLESS").is_some() {
        std::fs::write(&file, &table).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    let mut call = "";
    for (ours, theirs) in table.lines().zip(expected.lines()) {
        call = if ours.starts_with(' ') { call } else { ours };
        if ours != theirs {
            differences.push(format!("{call}: {ours:?}, not {theirs:?}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!(table.lines().count(), expected.lines().count());
}
