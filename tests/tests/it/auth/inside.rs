//! What is for those alone who run a member, while there are users: etcd shows it to everybody.

use http::Method;
use keyport_tests::Server;
use keyport_tests::http::Answer;
use serde_json::json;

use super::Realm;

const PAGE: &str = "/debug/vars";

impl Realm {
    async fn page(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.http.send(Method::GET, path, headers, "").await
    }

    async fn page_by(&self, authorization: &str) -> u16 {
        self.page(PAGE, &[("authorization", authorization)]).await.status.as_u16()
    }
}

#[tokio::test]
async fn how_the_process_stands_is_told_to_root_alone() {
    let server = Server::start();
    if server.is_etcd() {
        return;
    }
    assert_eq!(server.http().get(PAGE).await.status, 200, "nobody is asked who he is");
    let realm = Realm::on(server).await;
    let nobody = realm.page(PAGE, &[]).await;
    assert_eq!((nobody.status.as_u16(), nobody.header("content-type")), (401, "application/problem+json"));
    assert!(nobody.header("www-authenticate").starts_with("Bearer"), "{:?}", nobody.headers);
    assert!(!nobody.text().contains("cmdline"), "{}", nobody.text());
    assert_eq!(realm.page_by("made-up.1").await, 401);
    // Wrong, and right: in base64.
    assert_eq!(realm.page_by("Basic cm9vdDp3cm9uZw==").await, 401);
    assert_eq!(realm.page_by("Basic cm9vdDpyb290J3M=").await, 200);
    let (root, writer) = (realm.token("root").await, realm.token("writer").await);
    assert_eq!((realm.page_by(&writer).await, realm.page_by(&root).await), (403, 200));
    let told = realm.page(PAGE, &[("authorization", &root)]).await;
    assert!(told.json()["cmdline"].is_array(), "{}", told.text());
    // Whoever gets the role later, and loses it.
    realm.done(&root, "/v3/auth/user/grant", json!({ "user": "writer", "role": "root" })).await;
    assert_eq!(realm.page_by(&writer).await, 200);
    realm.done(&root, "/v3/auth/user/revoke", json!({ "name": "writer", "role": "root" })).await;
    assert_eq!(realm.page_by(&writer).await, 403);

    for path in [
        "/metrics",
        "/health",
        "/livez",
        "/readyz",
        "/version",
        "/ui/",
        "/ui/settings.json",
        "/openapi.json",
        "/openapi-3.0.json",
        "/",
    ] {
        assert_eq!(realm.page(path, &[]).await.status, 200, "{path}");
    }
    realm.done(&root, "/v3/auth/disable", json!({})).await;
    assert_eq!(realm.page(PAGE, &[]).await.status, 200);
}

#[tokio::test]
async fn what_is_logged_and_where_the_time_goes_is_for_root_alone() {
    let server = Server::builder().args(["--enable-pprof"]).start();
    if server.is_etcd() {
        return;
    }
    let realm = Realm::on(server).await;
    let (root, writer) = (realm.token("root").await, realm.token("writer").await);
    for path in ["/debug/log", "/debug/pprof/", "/debug/pprof/profile?seconds=1", "/debug/pprof/heap"] {
        assert_eq!(realm.page(path, &[]).await.status, 401, "{path}");
        assert_eq!(realm.page(path, &[("authorization", &writer)]).await.status, 403, "{path}");
        let status = realm.page(path, &[("authorization", &root)]).await.status.as_u16();
        assert_eq!(status, if path.ends_with("heap") { 404 } else { 200 }, "{path}");
    }
    let change = async |headers: &[(&str, &str)]| {
        realm.http.send(Method::PUT, "/debug/log", headers, r#"{"level":"warn"}"#).await.status.as_u16()
    };
    assert_eq!((change(&[]).await, change(&[("authorization", &writer)]).await), (401, 403));
    assert_eq!(realm.page("/debug/log", &[("authorization", &root)]).await.json()["level"], "info");
    assert_eq!(change(&[("authorization", &root)]).await, 200);
    assert_eq!(realm.page("/debug/log", &[("authorization", &root)]).await.json()["level"], "warn");
}
