//! A page that logs in: by a cookie that its scripts do not see, and that foreign pages cannot use. (etcd knows nothing of it.)

use http::Method;
use keyport_tests::Server;
use keyport_tests::http::{Answer, b64};
use serde_json::{Value, json};

use super::{DENIED, Realm};

impl Realm {
    async fn session(&self, verb: Method, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.http.send(verb, path, headers, body).await
    }

    async fn login(&self, name: &str, password: &str) -> Answer {
        self.session(Method::POST, "/v3/session", &[], json!({ "name": name, "password": password })).await
    }

    async fn whoami(&self, headers: &[(&str, &str)]) -> Answer {
        self.session(Method::GET, "/v3/session", headers, Value::Null).await
    }

    /// What a browser would send back.
    pub(super) async fn cookie(&self, name: &str, password: &str) -> String {
        let answer = self.login(name, password).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let cookie = answer.header("set-cookie");
        for part in ["keyport=", "; Path=/", "; HttpOnly", "; SameSite=Strict"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert_eq!(answer.header("cache-control"), "no-store");
        cookie.split(';').next().unwrap().to_owned()
    }
}

async fn realm() -> Option<Realm> {
    let realm = Realm::start().await;
    (!realm.server.is_etcd()).then_some(realm)
}

#[tokio::test]
async fn a_page_logs_in_and_out() {
    let Some(realm) = realm().await else { return };
    let cookie = realm.cookie("reader", "reader's").await;
    let by_cookie = [("cookie", &*cookie)];
    let me = realm.whoami(&by_cookie).await;
    assert_eq!(
        (me.status.as_u16(), me.json()),
        (200, json!({ "authentication": true, "user": "reader", "roles": ["reads"] }))
    );
    let range = |key: &str| json!({ "key": b64(key) }).to_string();
    let ask =
        async |headers: &[(&str, &str)], key| realm.http.send(Method::POST, "/v3/kv/range", headers, range(key)).await;
    assert_eq!(ask(&by_cookie, "k/1").await.status, 200);
    assert_eq!(ask(&by_cookie, "z").await.json()["message"], DENIED);
    let events = realm.http.get_stream("/v3/watch?key=k/1", &by_cookie).await;
    assert_eq!(events.status(), 200);
    // Whoever gets a browser to send it from elsewhere has nothing of it.
    for foreign in [("origin", "http://elsewhere.example"), ("sec-fetch-site", "cross-site")] {
        assert_eq!(ask(&[by_cookie[0], foreign], "k/1").await.status, 403, "{foreign:?}");
    }
    // What was said in so many words counts for more.
    let root = realm.token("root").await;
    let me = realm.whoami(&[by_cookie[0], ("authorization", &root)]).await;
    assert_eq!(me.json()["user"], "root");

    let ended = realm.session(Method::DELETE, "/v3/session", &by_cookie, Value::Null).await;
    assert_eq!(ended.status, 204);
    let taken: Vec<_> = ended.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(taken.len() == 2 && taken.iter().all(|cookie| cookie.contains("Max-Age=0")), "{taken:?}");
    assert_eq!(realm.whoami(&by_cookie).await.status, 401, "who has kept it has nothing of it");
    assert_eq!(realm.whoami(&[("authorization", &root)]).await.json()["user"], "root");
}

/// One that is left over from a time with encryption does not stand in the way of the other.
#[tokio::test]
async fn a_cookie_of_an_encrypted_connection_counts_for_nothing_on_another_one() {
    let Some(realm) = realm().await else { return };
    let cookie = realm.cookie("reader", "reader's").await;
    let both = format!("__Host-keyport=bad; {cookie}");
    assert_eq!(realm.whoami(&[("cookie", &both)]).await.json()["user"], "reader");
    let other = cookie.replace("keyport=", "__Host-keyport=");
    assert_eq!(realm.whoami(&[("cookie", &other)]).await.status, 401);
}

#[tokio::test]
async fn who_cannot_log_in_is_told_nothing_else() {
    let Some(realm) = realm().await else { return };
    for (name, password) in [("reader", "other"), ("nosuch", "x"), ("cert", "x"), ("", "")] {
        let answer = realm.login(name, password).await;
        assert_eq!((answer.status.as_u16(), answer.header("set-cookie")), (401, ""), "{name}");
        assert_eq!(answer.json()["detail"], "keyport: invalid user name or password", "{name}");
    }
    for body in
        ["", "{}", "[]", r#"{"name":"a"}"#, r#"{"name":"a","password":1}"#, r#"{"name":"a","password":"canary","x":1}"#]
    {
        let answer = realm.http.send(Method::POST, "/v3/session", &[], body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(!answer.text().contains("canary"), "{}", answer.text());
    }
    let large = json!({ "name": "a", "password": "x".repeat(20_000) });
    assert_eq!(realm.session(Method::POST, "/v3/session", &[], large).await.status, 413);
    let anyone = realm.whoami(&[]).await;
    assert_eq!((anyone.status.as_u16(), anyone.json()["type"].clone()), (401, json!("/problems/unauthenticated")));
    assert_eq!(realm.whoami(&[("cookie", "keyport=other")]).await.status, 401);

    let root = realm.token("root").await;
    realm.done(&root, "/v3/auth/disable", json!({})).await;
    assert_eq!(realm.whoami(&[]).await.json(), json!({ "authentication": false }));
    let answer = realm.login("reader", "reader's").await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()["detail"].clone()),
        (409, json!("etcdserver: authentication is not enabled"))
    );
}

/// Others on the way may write it into their logs, so somebody has to have wanted it.
#[tokio::test]
async fn a_token_in_the_query_is_taken_where_that_is_allowed() {
    for (args, status) in [(&[][..], 401), (&["--access-token-in-query"], 200)] {
        let realm = Realm::on(Server::builder().args(args).start()).await;
        if realm.server.is_etcd() {
            return;
        }
        let token = realm.token("reader").await;
        let path = format!("/v3/watch?key=k/1&access_token={token}");
        assert_eq!(realm.http.get_stream(&path, &[]).await.status(), status, "{args:?}");
        assert!(!realm.server.log().contains(&token));
    }
}

#[tokio::test]
async fn one_s_own_password() {
    let Some(realm) = realm().await else { return };
    let change = async |headers: &[(&str, &str)], old: &str, new: &str| {
        realm.session(Method::PUT, "/v3/session/password", headers, json!({ "old": old, "new": new })).await
    };
    let cookie = realm.cookie("reader", "reader's").await;
    let by_cookie = [("cookie", &*cookie)];
    assert_eq!(change(&[], "reader's", "new").await.status, 401);
    assert_eq!(change(&by_cookie, "other", "new").await.status, 401);
    assert_eq!(change(&by_cookie, "reader's", &"x".repeat(73)).await.status, 400);
    let empty = change(&by_cookie, "reader's", "").await;
    assert_eq!((empty.status.as_u16(), empty.json()["detail"].clone()), (400, json!("the new password is empty")));
    assert_eq!(change(&by_cookie, "reader's", "new").await.status, 204);
    assert_eq!(realm.whoami(&by_cookie).await.status, 401, "what was given out for the old one ends");
    assert_eq!(realm.login("reader", "reader's").await.status, 401);
    let cookie = realm.cookie("reader", "new").await;
    assert_eq!(realm.whoami(&[("cookie", &cookie)]).await.json()["user"], "reader");
    // Somebody else's is still root's affair.
    let change = json!({ "name": "reader", "password": "mine" });
    let token = realm.token("writer").await;
    assert_eq!(realm.refusal(&token, "/v3/auth/user/changepw", change).await, DENIED);
}
