//! `If-Match` and `If-None-Match`, and what shells write instead.

use http::Method;
use tokio::task::JoinSet;

use super::{Store, problem};

#[tokio::test]
async fn writing_depends_on_what_is_there() {
    let store = Store::start();
    let put = async |key: &str, headers: &[(&str, &str)]| {
        let answer = store.ask(Method::PUT, key, headers, "x").await;
        (answer.status.as_u16(), answer.header("etag").to_owned())
    };
    let tag = |revision: i64| format!("\"{revision}\"");
    assert_eq!(put("k", &[("if-match", "*")]).await, (412, String::new()), "it is not there");
    assert_eq!(put("k?update", &[]).await, (412, String::new()));
    assert_eq!(put("k?cas=7", &[]).await, (412, String::new()));
    assert_eq!(put("k", &[("if-match", "\"0\"")]).await, (412, String::new()), "nothing has such a tag");
    assert_eq!(put("k", &[("if-none-match", "*")]).await, (201, tag(2)));
    assert_eq!(put("k", &[("if-none-match", "*")]).await, (412, tag(2)), "it is there: this is what it is");
    assert_eq!(put("k?create", &[]).await, (412, tag(2)));
    assert_eq!(put("k?cas=0", &[]).await, (412, tag(2)));
    assert_eq!(put("k", &[("if-match", "\"2\"")]).await, (200, tag(3)));
    assert_eq!(put("k", &[("if-match", "\"2\"")]).await, (412, tag(3)));
    assert_eq!(put("k?cas=3", &[]).await, (200, tag(4)));
    assert_eq!(put("k", &[("if-match", "\"1\", \"4.json\"")]).await, (200, tag(5)), "one of several, of the document");
    assert_eq!(put("k", &[("if-match", "\"1\", \"4\"")]).await, (412, tag(5)));
    assert_eq!(put("k", &[("if-match", "W/\"5\"")]).await, (412, tag(5)), "a weak tag is not good enough");
    assert_eq!(put("k", &[("if-match", "\"of another server\"")]).await, (412, tag(5)));
    assert_eq!(put("k", &[("if-none-match", "\"5\"")]).await, (412, tag(5)));
    assert_eq!(put("k", &[("if-none-match", "\"4\"")]).await, (200, tag(6)));
    assert_eq!(put("k?update&create=false", &[]).await, (200, tag(7)));
    assert_eq!(put("k?create=false", &[]).await, (200, tag(8)));
    for (key, headers) in [
        ("k?cas=8&create", &[][..]),
        ("k?cas=8&update", &[]),
        ("k?cas=8", &[("if-match", "\"8\"")]),
        ("k", &[("if-match", "\"8\""), ("if-none-match", "*")]),
    ] {
        let refused = store.ask(Method::PUT, key, headers, "x").await;
        assert_eq!(problem(&refused).0, 400, "{key} {headers:?}: conditions that are in each other's way");
    }
    let delete = async |key: &str| store.delete(key).await.status.as_u16();
    assert_eq!((delete("k?cas=7").await, delete("k?cas=8").await, delete("k?cas=8").await), (412, 204, 412));
    let refused = store.delete("k?cas=8").await;
    assert_eq!(problem(&refused), (412, "the key is not there".into()));
}

#[tokio::test]
async fn polling_is_cheap() {
    let store = Store::start();
    store.put("k", "one").await;
    let poll = async |headers: &[(&str, &str)]| {
        let answer = store.ask(Method::GET, "k", headers, "").await;
        (answer.status.as_u16(), answer.body.len(), answer.header("etag").to_owned())
    };
    for known in ["\"2\"", "W/\"2\"", "\"9\", \"2\"", "*"] {
        assert_eq!(poll(&[("if-none-match", known)]).await, (304, 0, "\"2\"".into()), "{known}");
    }
    for other in ["\"1\"", "\"2.json\"", "\"0\"", "2x", ""] {
        assert_eq!(poll(&[("if-none-match", other)]).await.0, 200, "{other}");
    }
    let document = ("accept", "application/json");
    assert_eq!(poll(&[document, ("if-none-match", "\"2\"")]).await.0, 200, "the document is another one");
    assert_eq!(poll(&[document, ("if-none-match", "\"2.json\"")]).await.0, 304);
    let many: Vec<_> = (10..300).map(|n| format!("\"{n}\"")).collect();
    let written = store.ask(Method::PUT, "many", &[("if-none-match", &many.join(", "))], "x").await;
    assert_eq!(written.status, 201, "{}", written.text());
    assert_eq!(poll(&[("if-match", "\"2\"")]).await.0, 200);
    assert_eq!(poll(&[("if-match", "\"1\"")]).await.0, 412);
}

/// 32 clients count by reading, adding one, and writing what nobody has changed meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn no_update_is_lost() {
    const CLIENTS: usize = 32;
    const EACH: usize = 20;
    let store = Store::start();
    store.put("count", "0").await;
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let http = store.server.http();
        clients.spawn(async move {
            let mut counted = 0;
            while counted < EACH {
                let seen = http.get("/v3/keys/count").await;
                let next = (seen.text().parse::<usize>().unwrap() + 1).to_string();
                let condition = [("if-match", seen.header("etag"))];
                let answer = http.send(Method::PUT, "/v3/keys/count", &condition, next).await;
                match answer.status.as_u16() {
                    200 => counted += 1,
                    412 => assert_ne!(answer.header("etag"), seen.header("etag")),
                    status => panic!("{status}: {}", answer.text()),
                }
            }
        });
    }
    clients.join_all().await;
    let end = store.get("count").await;
    assert_eq!(end.text(), (CLIENTS * EACH).to_string());
    assert_eq!(end.header("keyport-version"), (CLIENTS * EACH + 1).to_string(), "one write for each");
}
