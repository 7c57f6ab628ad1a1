//! What a user may do, told to root and to himself; and what is shown to root alone for as long as he is that. (etcd knows nothing of it.)

use http::Method;
use keyport_tests::Server;
use keyport_tests::http::Answer;
use keyport_tests::sse::EventStream;
use serde_json::{Value, json};

use super::{DENIED, Realm};

impl Realm {
    async fn get(&self, token: &str, path: &str) -> Answer {
        self.http.send(Method::GET, path, &[("authorization", token)], "").await
    }
}

#[tokio::test]
async fn what_a_user_may_is_told_to_root_and_to_himself() {
    let realm = Realm::start().await;
    if realm.server.is_etcd() {
        return;
    }
    let root = realm.token("root").await;
    // What touches is one.
    for perm in
        [json!({ "permission": "readwrite", "from": "k0", "to": "k5" }), json!({ "permission": "write", "from": "x" })]
    {
        let headers = [("authorization", &*root)];
        let path = "/v3/roles/reads/permissions";
        assert_eq!(realm.http.send(Method::POST, path, &headers, perm.to_string()).await.status, 204);
    }
    let of_reader = json!({
        "name": "reader", "roles": ["reads"],
        "read": [{ "key": "a" }, { "from": "k/", "to": "k5" }], "write": [{ "from": "k0", "to": "k5" }, { "from": "x" }],
    });
    let path = "/v3/users/reader/permissions";
    assert_eq!(realm.get(&root, path).await.json(), of_reader);
    let fresh = realm.token("reader").await;
    assert_eq!(realm.get(&fresh, path).await.json(), of_reader);
    for (query, may_read, may_write) in [
        ("key=a", true, false),
        ("key=b", false, false),
        ("prefix=k/", true, false),
        ("prefix=k", false, false),
        ("from=k0&to=k3", true, true),
        ("prefix=y", false, true),
        ("prefix=", false, false),
        ("key_b64=YQ==", true, false),
    ] {
        let told = realm.get(&root, &format!("{path}?{query}")).await.json();
        assert_eq!((&told["may_read"], &told["may_write"]), (&json!(may_read), &json!(may_write)), "{query}: {told}");
    }
    let of_root = realm.get(&root, "/v3/users/root/permissions?prefix=").await.json();
    assert_eq!((&of_root["read"], &of_root["may_write"]), (&json!([{ "prefix": "" }]), &json!(true)));
    let refused = realm.get(&realm.token("writer").await, path).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["detail"]), (403, &json!(DENIED)));
    assert_eq!(realm.http.get(path).await.status, 401);
    assert_eq!(realm.get(&root, "/v3/users/gone/permissions").await.status, 404);
    for query in ["key=a&prefix=b", "to=b", "from=b&to=a", "keys=a"] {
        assert_eq!(realm.get(&root, &format!("{path}?{query}")).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn who_is_root_no_more_looks_on_no_more() {
    let realm = Realm::start().await;
    if realm.server.is_etcd() {
        return;
    }
    let root = realm.token("root").await;
    realm.done(&root, "/v3/auth/user/add", json!({ "name": "chief", "password": "chief's" })).await;
    realm.done(&root, "/v3/auth/user/grant", json!({ "user": "chief", "role": "root" })).await;
    let chief = realm.token("chief").await;
    let mut streams = Vec::new();
    for path in ["/v3/warnings?watch", "/v3/statistics?watch"] {
        let answer = realm.http.get_stream(path, &[("authorization", &*chief)]).await;
        assert_eq!(answer.status(), 200, "{path}");
        streams.push(EventStream::over(answer.into_body(), ""));
    }
    // Another change of users and roles is no matter to him.
    realm.done(&root, "/v3/auth/role/add", json!({ "name": "more" })).await;
    let log = async |level: &str| {
        let headers = [("authorization", &*root)];
        let answer = realm.http.send(Method::PUT, "/debug/log", &headers, json!({ "level": level }).to_string()).await;
        assert_eq!(answer.status, 200);
    };
    log("debug").await;
    loop {
        let event = streams[0].next().await.expect("he may look");
        assert_eq!(event.event, "warning");
        let line: Value = serde_json::from_str(&event.data).unwrap();
        if line["level-now"] == "debug" {
            break;
        }
    }
    let revoke = json!({ "name": "chief", "role": "root" });
    // At once, and not when there is something to be told.
    realm.done(&root, "/v3/auth/user/revoke", revoke).await;
    for stream in &mut streams {
        let last = loop {
            let event = stream.next().await.expect("it says why it ends");
            if event.event != "sample" {
                break event;
            }
        };
        let problem: Value = serde_json::from_str(&last.data).unwrap();
        assert_eq!((&*last.event, &problem["status"]), ("failed", &json!(403)), "{problem}");
        assert_eq!(stream.next().await, None);
    }
}

/// How all members are is for everybody who is somebody; and for nobody any more once he is deleted, or once users and roles are on.
#[tokio::test]
async fn who_is_nobody_any_more_looks_on_no_more() {
    let server = Server::start();
    if server.is_etcd() {
        return;
    }
    let http = server.http();
    let open = async |headers: &[(&str, &str)]| {
        let answer = http.get_stream("/v3/overview?watch", headers).await;
        assert_eq!(answer.status(), 200);
        let mut events = EventStream::over(answer.into_body(), "");
        assert_eq!(events.next().await.unwrap().event, "overview");
        events
    };
    let ends = async |mut events: EventStream, status: u16| {
        let last = loop {
            let event = events.next().await.expect("it says why it ends");
            if event.event != "overview" {
                break event;
            }
        };
        let problem: Value = serde_json::from_str(&last.data).unwrap();
        assert_eq!((&*last.event, &problem["status"]), ("failed", &json!(status)), "{problem}");
        assert_eq!(events.next().await, None);
    };
    let anyone = open(&[]).await;
    let realm = Realm::on(server).await;
    ends(anyone, 401).await;
    let (root, reader) = (realm.token("root").await, realm.token("reader").await);
    let (by_reader, mut by_root) = (open(&[("authorization", &reader)]).await, open(&[("authorization", &root)]).await);
    realm.done(&root, "/v3/auth/user/delete", json!({ "name": "reader" })).await;
    ends(by_reader, 403).await;
    realm.done(&root, "/v3/kv/put", json!({ "key": "YQ==" })).await;
    assert_eq!(by_root.next().await.unwrap().event, "overview", "who may is told");
}
