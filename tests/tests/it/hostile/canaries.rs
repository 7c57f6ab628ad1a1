//! Secrets with a mark on them: said over every face, rightly and wrongly, and then looked for in all that the server writes.

mod resources;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use keyport_api::authpb::UserAddOptions;
use keyport_api::etcdserverpb::auth_client::AuthClient;
use keyport_api::etcdserverpb::{AuthUserAddRequest, AuthenticateRequest};
use keyport_tests::encrypted::curl;
use keyport_tests::grpc::{frame, get, put};
use keyport_tests::http::b64;
use keyport_tests::{Flavor, Server, websocket};
use prost::Message as _;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use tonic::Request;

use super::tls_of;
use crate::auth::Realm;
use crate::auth::jwt::Keys;

/// A user's password, and what others take for it.
const PASSWORD: &str = "canary-password";
const WRONG: &str = "canary-wrong";
const VALUE: &str = "canary-value";
const COOKIE: &str = "canary-cookie";
const TOKEN: &str = "canary-token.1";

/// What the server has said, and what it has been told that nobody else may hear.
struct Watched {
    realm: Realm,
    secrets: Vec<String>,
    answers: RefCell<Vec<String>>,
}

impl Watched {
    async fn start(dir: &Path, args: &[String]) -> Watched {
        let audit = format!("--audit-log={}", dir.join("audit").display());
        let own = [
            audit,
            "--log-level=debug".to_owned(),
            "--metrics=extensive".to_owned(),
            "--access-token-in-query".to_owned(),
            "--bcrypt-cost=4".to_owned(),
            "--discovery-password=canary-discovery".to_owned(),
            // Every call is slow, and has its line.
            "--warning-unary-request-duration=1ns".to_owned(),
        ];
        let server = Server::of(Flavor::Keyport).args(own).args(args).start();
        let realm = Realm::on(server).await;
        let root = realm.token("root").await;
        let user = json!({ "name": "canary", "password": PASSWORD });
        assert_eq!(realm.ask(&root, "/v3/auth/user/add", user).await.status, 200);
        assert_eq!(
            realm.ask(&root, "/v3/auth/user/grant", json!({ "user": "canary", "role": "writes" })).await.status,
            200
        );
        let token = realm.token_of("canary", PASSWORD).await;
        let secrets = vec![root, token];
        Watched { realm, secrets, answers: RefCell::default() }
    }

    fn heard(&self, answer: impl Into<String>) {
        self.answers.borrow_mut().push(answer.into());
    }

    async fn ask(&self, verb: Method, path: &str, headers: &[(&str, &str)], body: String) {
        let answer = self.realm.http.send(verb, path, headers, body).await;
        // Whoever may read a value is told it.
        if !answer.status.is_success() {
            self.heard(format!("{:?} {}", answer.headers, answer.text()));
        }
    }

    /// By every way to say who one is, over HTTP/1.1.
    async fn over_json(&self) {
        let good = self.secrets[1].as_str();
        let bearer = |token: &str| format!("Bearer {token}");
        for token in [good, TOKEN, &format!("{good}x"), &format!("{TOKEN}.{TOKEN}.{TOKEN}")] {
            for (name, value) in [
                ("authorization", token.to_owned()),
                ("authorization", bearer(token)),
                ("grpc-metadata-token", token.to_owned()),
                ("grpc-metadata-authorization", bearer(token)),
                ("cookie", format!("keyport={token}; other={COOKIE}")),
                ("cookie", format!("token={token}")),
                ("proxy-authorization", bearer(token)),
            ] {
                let headers = [(name, value.as_str())];
                for (path, body) in [
                    ("/v3/kv/put", json!({ "key": b64("k/1"), "value": b64(VALUE) })),
                    ("/v3/kv/put", json!({ "key": b64("not-mine"), "value": b64(VALUE) })),
                    ("/v3/kv/range", json!({ "key": b64("not-mine") })),
                    ("/v3/kv/put", json!({ "key": b64("k/1"), "value": format!("*{}", b64(VALUE)) })),
                    ("/v3/nothing", json!({ "value": VALUE })),
                ] {
                    self.ask(Method::POST, path, &headers, body.to_string()).await;
                }
                self.ask(Method::GET, "/v3/session", &headers, String::new()).await;
                self.ask(Method::GET, "/v3/watch?key=not-mine", &headers, String::new()).await;
            }
            let query = format!("/v3/watch?key=not-mine&access_token={token}");
            self.ask(Method::GET, &query, &[], String::new()).await;
            self.ask(Method::GET, &format!("/v3/nothing?access_token={token}"), &[], String::new()).await;
            self.ask(Method::GET, &format!("/v3/watch?access_token={token}&start={token}"), &[], String::new()).await;
            let events = self.realm.http.get_stream(&format!("/v3/watch?key=k/1&access_token={token}"), &[]).await;
            drop(events);
            let protocol = format!("Sec-WebSocket-Protocol: Bearer, {token}\r\n");
            let (mut socket, head) = websocket::open(self.realm.server.addr(), "/v3/watch", &protocol).await;
            self.heard(head);
            socket.send(websocket::text(&json!({ "create_request": { "key": b64("not-mine") } }).to_string())).await;
            socket.send(websocket::text(&format!("{{\"canary\": {VALUE}"))).await;
            socket.finish().await;
            self.heard(String::from_utf8_lossy(&socket.read_to_end().await));
        }
        for password in [PASSWORD, WRONG] {
            self.ask(
                Method::POST,
                "/v3/kv/range",
                &[("authorization", &basic(password))],
                json!({ "key": b64("not-mine") }).to_string(),
            )
            .await;
            for body in [
                json!({ "name": "canary", "password": password }).to_string(),
                json!({ "name": "nosuch", "password": password }).to_string(),
                format!(r#"{{"name":"canary","password":{password}}}"#),
                format!(r#"{{"name":"canary","password":"{password}","{password}":1}}"#),
            ] {
                for path in ["/v3/auth/authenticate", "/v3/session"] {
                    self.ask(Method::POST, path, &[], body.clone()).await;
                }
            }
            let change = json!({ "old": password, "new": format!("{WRONG}{}", "x".repeat(80)) }).to_string();
            self.ask(Method::PUT, "/v3/session/password", &[("authorization", &bearer(good))], change).await;
            for path in ["user/add", "user/changepw"] {
                let body = json!({ "name": "canary", "password": password, "hashedPassword": password }).to_string();
                self.ask(Method::POST, &format!("/v3/auth/{path}"), &[("authorization", &bearer(good))], body).await;
            }
        }
    }

    /// The same over gRPC, and in the form that pages send.
    async fn over_grpc(&self) {
        let mut c = self.realm.server.grpc().await;
        for token in [self.secrets[1].as_str(), TOKEN] {
            for name in ["token", "authorization"] {
                for key in ["k/1", "not-mine"] {
                    let mut request = Request::new(put(key, VALUE));
                    request.metadata_mut().insert(name, token.parse().unwrap());
                    if let Err(status) = c.kv.put(request).await {
                        self.heard(format!("{status:?}"));
                    }
                }
            }
            for kind in ["application/grpc-web", "application/grpc-web-text"] {
                let message = frame(&get("not-mine").encode_to_vec());
                let headers = [("content-type", kind), ("token", token)];
                self.ask(Method::POST, "/etcdserverpb.KV/Range", &headers, String::from_utf8(message).unwrap()).await;
            }
        }
        let mut auth = AuthClient::new(c.channel.clone());
        for (name, password) in [("canary", PASSWORD), ("canary", WRONG), ("nosuch", PASSWORD)] {
            let request = AuthenticateRequest { name: name.to_owned(), password: password.to_owned() };
            if let Err(status) = auth.authenticate(request).await {
                self.heard(format!("{status:?}"));
            }
            let request = AuthUserAddRequest {
                name: name.to_owned(),
                password: password.to_owned(),
                options: Some(UserAddOptions { no_password: true }),
                hashed_password: password.to_owned(),
            };
            if let Err(status) = auth.user_add(request).await {
                self.heard(format!("{status:?}"));
            }
        }
    }

    /// Nothing that the server writes has one of the secrets in it.
    async fn end(mut self, dir: &Path, files: &[PathBuf]) {
        for path in ["/debug/vars", "/health", "/readyz?verbose", "/v3", "/version"] {
            let answer = self.realm.http.send(Method::GET, path, &[("authorization", &self.secrets[0])], "").await;
            assert_eq!(answer.status.as_u16(), if path == "/v3" { 307 } else { 200 }, "{path}");
            self.heard(answer.text());
        }
        let metrics = self.realm.http.get("/metrics").await.text();
        self.realm.server.stop();
        let answers = self.answers.take();
        let mut said = vec![self.realm.server.log(), metrics];
        let audit = fs::read_to_string(dir.join("audit")).unwrap();
        let told = audit.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        assert!(told.map(|line| line["more"].as_u64().unwrap_or(1)).sum::<u64>() > 50, "{audit}");
        said.push(audit);
        for text in [PASSWORD, WRONG, COOKIE, TOKEN, "canary-discovery", "root's"] {
            self.secrets.extend([text.to_owned(), STANDARD.encode(text)]);
        }
        self.secrets.push(STANDARD.encode(format!("canary:{PASSWORD}")));
        for file in files {
            // Any line of a key gives it away.
            let text = String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned();
            self.secrets
                .extend(text.lines().filter(|line| line.len() > 15 && !line.starts_with("---")).map(str::to_owned));
        }
        for text in answers.iter().chain(&said) {
            self.secrets.iter().for_each(|secret| assert_not_in(text, secret));
        }
        // What is wrong with a value is told to whoever has sent it.
        for (text, value) in said.iter().flat_map(|text| [(text, VALUE.to_owned()), (text, b64(VALUE))]) {
            assert_not_in(text, &value);
        }
    }
}

fn basic(password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("canary:{password}")))
}

fn assert_not_in(text: &str, secret: &str) {
    if let Some(at) = text.find(secret) {
        let before = text.get(..at).and_then(|before| before.get(at.saturating_sub(300)..)).unwrap_or_default();
        panic!("{secret} behind {before}");
    }
}

async fn nothing_is_told(args: &[String], files: &[PathBuf]) {
    let dir = tempfile::tempdir().unwrap();
    let watched = Watched::start(dir.path(), args).await;
    watched.over_json().await;
    watched.over_resources().await;
    watched.over_grpc().await;
    watched.end(dir.path(), files).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_simple_tokens() {
    nothing_is_told(&[], &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_signed_tokens() {
    let keys = Keys::new();
    keys.secret("secret");
    nothing_is_told(&[keys.options("HS256", "secret", "")], &[keys.path("secret")]).await;
}

/// Over TLS, where the server has a key of its own to keep.
#[tokio::test(flavor = "multi_thread")]
async fn with_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let (authority, own, addr, flags) = tls_of();
    let watched = Watched::start(dir.path(), &flags).await;
    for args in [&["--user", "canary:canary-password"][..], &["--header", "Authorization: Bearer canary-token.1"]] {
        let url = format!("https://{addr}/health");
        curl(&authority.file(), None, &[args, &["--no-fail", &url]].concat());
    }
    // What is wrong with the files is told, and nothing of what is in them.
    let key = fs::read_to_string(&own.key).unwrap();
    fs::write(&own.key, key.replace("BEGIN", "BEGINNING")).unwrap();
    curl(&authority.file(), None, &[&format!("https://{addr}/health")]);
    fs::write(&own.key, &key).unwrap();
    watched.over_grpc().await;
    for n in 0..60 {
        watched
            .ask(
                Method::POST,
                "/v3/kv/range",
                &[("authorization", TOKEN)],
                json!({ "key": b64(n.to_string()) }).to_string(),
            )
            .await;
    }
    watched.end(dir.path(), &[own.key]).await;
}
