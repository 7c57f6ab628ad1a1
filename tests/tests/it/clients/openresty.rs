//! lua-resty-etcd, by which Apache APISIX reads its configuration, over HTTP: it runs within OpenResty alone, so these are the
//! requests that it sends. Numbers are numbers and enumerations, too; nothing says that a body is JSON; nothing is sent
//! where there are no arguments; a watch is a body that has ended, whose answer goes on.

use http::Method;
use keyport_tests::Server;
use keyport_tests::http::{Http, b64};
use keyport_tests::wait::within;
use serde_json::{Value, json};

use crate::auth::Realm;

struct Library {
    http: Http,
    token: Option<String>,
}

impl Library {
    async fn ask(&self, path: &str, body: Option<Value>) -> Value {
        let headers: Vec<_> = self.token.iter().map(|token| ("Authorization", token.as_str())).collect();
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let answer = self.http.send(Method::POST, &format!("/v3{path}"), &headers, body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        // It decodes what comes by this type alone.
        assert!(answer.header("content-type").starts_with("application/json"), "{path}");
        answer.json()
    }

    /// All that it fills in where nothing is asked for.
    async fn read(&self, key: &str, range_end: &str) -> Value {
        let asked = json!({
            "key": b64(key), "range_end": b64(range_end), "limit": 0, "revision": 0, "sort_order": 0, "sort_target": 0,
            "serializable": false, "keys_only": false, "count_only": false, "min_mod_revision": 0, "max_mod_revision": 0,
            "min_create_revision": 0, "max_create_revision": 0,
        });
        self.ask("/kv/range", Some(asked)).await
    }

    async fn set(&self, key: &str, value: &str) -> Value {
        self.ask("/kv/put", Some(json!({ "key": b64(key), "value": b64(value), "prev_kv": true }))).await
    }

    async fn log_in(&mut self, user: &str) {
        let who = json!({ "name": user, "password": format!("{user}'s") });
        let token = self.ask("/auth/authenticate", Some(who)).await["token"].as_str().map(str::to_owned);
        assert!(token.is_some());
        self.token = token;
    }

    async fn is_content(&self) {
        let version = self.http.get("/version").await.json();
        assert!(version["etcdserver"].as_str().unwrap().starts_with("3."), "{version}");

        self.set("k/a", "1").await;
        let before = self.set("k/a", "2").await;
        assert_eq!(before["prev_kv"]["value"], b64("1"));
        self.set("k/b", "").await;
        let found = self.read("k/", "k0").await;
        assert_eq!(found["kvs"][0]["value"], b64("2"), "{found}");
        // Of values that are empty nothing is said.
        assert_eq!((found["kvs"][1]["key"].clone(), found["kvs"][1].get("value")), (json!(b64("k/b")), None));
        let revision: u64 = found["header"]["revision"].as_str().unwrap().parse().unwrap();

        self.watch(revision + 1).await;

        let compare = json!([{ "key": b64("k/a"), "result": "EQUAL", "target": "CREATE", "createRevision": 0 }]);
        let put = json!([{ "requestPut": { "key": b64("k/a"), "value": b64("3") } }]);
        let done = self.ask("/kv/txn", Some(json!({ "compare": compare, "success": put }))).await;
        assert_eq!(done.get("succeeded"), None, "{done}");

        let granted = self.ask("/lease/grant", Some(json!({ "TTL": 60, "ID": 0 }))).await;
        let lease = granted["ID"].as_str().unwrap().to_owned();
        self.ask("/kv/put", Some(json!({ "key": b64("k/leased"), "value": b64("x"), "lease": lease }))).await;
        let kept = self.ask("/lease/keepalive", Some(json!({ "ID": lease }))).await;
        assert_eq!(kept["result"]["TTL"], "60");
        let told = self.ask("/kv/lease/timetolive", Some(json!({ "ID": lease, "keys": true }))).await;
        assert_eq!(told["keys"], json!([b64("k/leased")]));
        let leases = self.ask("/lease/leases", None).await;
        assert_eq!(leases["leases"], json!([{ "ID": lease }]));
        self.ask("/kv/lease/revoke", Some(json!({ "ID": lease }))).await;

        let gone = json!({ "key": b64("k/"), "range_end": b64("k0"), "prev_kv": true });
        assert_eq!(self.ask("/kv/deleterange", Some(gone)).await["deleted"], "2");
    }

    /// What is read of it ends with a line feed, however many lines there are; a deletion has no value.
    async fn watch(&self, start_revision: u64) {
        let headers: Vec<_> = self.token.iter().map(|token| ("Authorization", token.as_str())).collect();
        let asked = json!({ "create_request": {
            "key": b64("k/"), "range_end": b64("k0"), "start_revision": start_revision, "prev_kv": true,
            "progress_notify": true, "watch_id": 0, "fragment": true,
        } });
        let body = http_body_util::BodyExt::boxed(http_body_util::Full::new(asked.to_string().into()));
        let mut answer = self.http.open(Method::POST, "/v3/watch", &headers, body).await;
        assert_eq!(answer.status(), 200);
        self.set("k/a", "2").await;
        self.ask("/kv/deleterange", Some(json!({ "key": b64("k/b") }))).await;
        let mut events = Vec::new();
        while events.len() < 2 {
            let part = http_body_util::BodyExt::frame(answer.body_mut());
            let chunk = within("a chunk", part).await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(chunk.last(), Some(&b'\n'));
            for line in chunk.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let line: Value = serde_json::from_slice(line).unwrap();
                assert_eq!(line.get("error"), None, "{line}");
                events.extend(line["result"]["events"].as_array().into_iter().flatten().cloned());
            }
        }
        assert_eq!(events[0]["kv"]["value"], b64("2"));
        assert_eq!((events[1]["type"].clone(), events[1]["kv"].get("value")), (json!("DELETE"), None), "{events:?}");
        self.set("k/b", "").await;
    }
}

#[tokio::test]
async fn its_requests_are_answered_as_it_reads_them() {
    let server = Server::start();
    let mut library = Library { http: server.http(), token: None };
    library.is_content().await;
    let _realm = Realm::on(server).await;
    library.log_in("root").await;
    library.is_content().await;
}
