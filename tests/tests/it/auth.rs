//! Users, roles, and what they may.

mod advisories;
mod audit;
mod identities;
mod inside;
pub(crate) mod jwt;
mod life;
mod logins;
mod matrix;
mod permissions;
mod resources;
mod session;
mod watches;

use http::Method;
use http_body_util::{BodyExt, Full};
use keyport_tests::Server;
use keyport_tests::http::{Answer, Http, b64};
use keyport_tests::wait::{eventually, within};
use serde_json::{Value, json};

/// A server with users and roles, and authentication on.
pub(crate) struct Realm {
    pub(crate) server: Server,
    pub(crate) http: Http,
}

impl Realm {
    /// - `root`
    /// - `reader` may read `k/` and what is under it, and `a`
    /// - `writer` may do both under `k/`
    /// - `nobody` may do nothing
    /// - `cert` has no password
    async fn start() -> Realm {
        Realm::on(Server::start()).await
    }

    pub(crate) async fn on(server: Server) -> Realm {
        let http = server.http();
        Realm::over(server, http).await
    }

    /// One that is spoken to somewhere else than it usually is.
    async fn over(server: Server, http: Http) -> Realm {
        for (path, body) in [
            ("role/add", json!({ "name": "reads" })),
            (
                "role/grant",
                json!({ "name": "reads", "perm": { "permType": "READ", "key": b64("k/"), "range_end": b64("k0") } }),
            ),
            ("role/grant", json!({ "name": "reads", "perm": { "permType": "READ", "key": b64("a") } })),
            ("role/add", json!({ "name": "writes" })),
            (
                "role/grant",
                json!({ "name": "writes", "perm": { "permType": "READWRITE", "key": b64("k/"), "range_end": b64("k0") } }),
            ),
            ("user/add", json!({ "name": "root", "password": "root's" })),
            ("user/add", json!({ "name": "reader", "password": "reader's" })),
            ("user/add", json!({ "name": "writer", "password": "writer's" })),
            ("user/add", json!({ "name": "nobody", "password": "nobody's" })),
            ("user/add", json!({ "name": "cert", "options": { "no_password": true } })),
            ("user/grant", json!({ "user": "root", "role": "root" })),
            ("user/grant", json!({ "user": "reader", "role": "reads" })),
            ("user/grant", json!({ "user": "writer", "role": "writes" })),
            ("enable", json!({})),
        ] {
            http.call(&format!("/v3/auth/{path}"), body).await;
        }
        Realm { server, http }
    }

    /// A token for one of the users.
    pub(crate) async fn token(&self, user: &str) -> String {
        self.token_of(user, &format!("{user}'s")).await
    }

    /// A token for whoever has this password.
    pub(crate) async fn token_of(&self, user: &str, password: &str) -> String {
        let answer = self.http.call("/v3/auth/authenticate", json!({ "name": user, "password": password })).await;
        answer["token"].as_str().unwrap().to_owned()
    }

    /// What comes of a call by whoever holds a token; nobody if it is empty.
    pub(crate) async fn ask(&self, token: &str, path: &str, body: Value) -> Answer {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend((!token.is_empty()).then_some(("authorization", token)));
        self.http.send(Method::POST, path, &headers, body.to_string()).await
    }

    /// Puts a key under a lease of a second.
    async fn lease(&self, token: &str) {
        self.done(token, "/v3/lease/grant", json!({ "ID": 7, "TTL": 1 })).await;
        self.done(token, "/v3/kv/put", json!({ "key": b64("k/leased"), "lease": 7 })).await;
    }

    /// What the cluster does of its own accord is done: that lease ends, and health is told.
    async fn goes_on(&self, token: &str) {
        eventually("the lease ends", async || {
            let found = self.done(token, "/v3/kv/range", json!({ "key": b64("k/leased") })).await;
            found.get("kvs").is_none().then_some(())
        })
        .await;
        let health = self.http.send(Method::GET, "/health", &[], "").await;
        assert_eq!((health.status.as_u16(), health.json()["health"].clone()), (200, json!("true")));
    }

    /// The first message of an answer, whether more follow or not.
    async fn first(&self, token: &str, path: &str, body: &Value) -> Value {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend((!token.is_empty()).then_some(("authorization", token)));
        let body = Full::new(format!("{body}\n").into()).boxed();
        let mut answer = self.http.open(Method::POST, path, &headers, body).await;
        let mut text = Vec::new();
        while let Some(part) = within("a part of an answer", answer.body_mut().frame()).await {
            text.extend(part.unwrap().into_data().unwrap_or_default());
            if text.ends_with(b"\n") {
                break;
            }
        }
        let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        serde_json::from_slice(line).unwrap_or_else(|error| panic!("{path}: {error} in {text:?}"))
    }

    /// The same of a call that succeeds.
    pub(crate) async fn done(&self, token: &str, path: &str, body: Value) -> Value {
        let answer = self.ask(token, path, body.clone()).await;
        assert_eq!(answer.status, 200, "{path} {body}: {}", answer.text());
        answer.json()
    }

    /// The same of a call that does not: the message.
    async fn refusal(&self, token: &str, path: &str, body: Value) -> String {
        let answer = self.ask(token, path, body.clone()).await;
        assert_ne!(answer.status, 200, "{path} {body}: {}", answer.text());
        answer.json()["message"].as_str().unwrap_or_default().to_owned()
    }
}

const DENIED: &str = "etcdserver: permission denied";
const NO_NAME: &str = "etcdserver: user name is empty";
const NO_TOKEN: &str = "etcdserver: invalid auth token";
