//! Pages in a browser beside a server: what those of other sites must not do, whatever way they try. (etcd lets them.)

mod browser;

use http::Method;
use keyport_tests::grpc::{frame, put};
use keyport_tests::http::{Http, b64};
use keyport_tests::{Flavor, Server};
use prost::Message;
use serde_json::json;

const FOREIGN: &[&[(&str, &str)]] = &[
    &[("origin", "http://elsewhere.example")],
    &[("origin", "null")],
    &[("sec-fetch-site", "cross-site")],
    &[("origin", "http://elsewhere.example"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")],
];

const SOCKET: &[(&str, &str)] = &[
    ("connection", "upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

fn with<'a>(headers: &[(&'a str, &'a str)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [headers, more].concat()
}

async fn put_by(http: &Http, headers: &[(&str, &str)]) -> u16 {
    let body = json!({ "key": b64("k"), "value": b64("v") }).to_string();
    http.send(Method::POST, "/v3/kv/put", headers, body).await.status.as_u16()
}

async fn socket_by(http: &Http, headers: &[(&str, &str)]) -> u16 {
    http.get_stream("/v3/watch", &with(headers, SOCKET)).await.status().as_u16()
}

#[tokio::test]
async fn pages_of_other_sites_do_nothing() {
    let server = Server::start();
    if server.is_etcd() {
        return;
    }
    let http = server.http();
    for foreign in FOREIGN {
        // What a form or a script may send without asking first.
        assert_eq!(put_by(&http, &with(foreign, &[("content-type", "text/plain")])).await, 403, "{foreign:?}");
        let headers = with(foreign, &[("content-type", "application/grpc-web+proto")]);
        let answer =
            http.send(Method::POST, "/etcdserverpb.KV/Put", &headers, frame(&put("k", "v").encode_to_vec())).await;
        assert_eq!(answer.header("grpc-status"), "7", "{foreign:?}");
        for verb in [Method::PUT, Method::DELETE, Method::PATCH] {
            assert_eq!(http.send(verb.clone(), "/health", foreign, "").await.status, 403, "{verb} {foreign:?}");
        }
        assert_eq!(socket_by(&http, foreign).await, 403, "{foreign:?}");
        // Reading is done, and not shown to the page.
        let answer = http.send(Method::GET, "/version", foreign, "").await;
        assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (200, ""), "{foreign:?}");
    }
    assert_eq!(server.grpc().await.revision().await, 1, "nothing was written");

    let own = format!("http://{}", server.addr());
    for allowed in [&[("origin", &*own)][..], &[("sec-fetch-site", "same-origin")], &[("sec-fetch-site", "none")], &[]]
    {
        assert_eq!(put_by(&http, allowed).await, 200, "{allowed:?}");
        assert_eq!(socket_by(&http, allowed).await, 101, "{allowed:?}");
    }
}

/// A name of somebody's own that leads here: to a browser it is his site, and his pages may do all to it.
#[tokio::test]
async fn other_names_lead_nowhere() {
    let server = Server::start();
    if server.is_etcd() {
        return;
    }
    let http = server.http();
    for host in
        ["elsewhere.example", "elsewhere.example:2379", "localhost.elsewhere.example", "127.0.0.1.elsewhere.example"]
    {
        let named = [("host", host)];
        let own = format!("http://{host}");
        assert_eq!(put_by(&http, &[("host", host), ("origin", &own)]).await, 421, "{host}");
        for path in ["/v3/watch?key=k", "/metrics", "/health", "/version", "/docs"] {
            assert_eq!(http.send(Method::GET, path, &named, "").await.status, 421, "{host}{path}");
        }
        assert_eq!(socket_by(&http, &named).await, 421, "{host}");
    }
    assert_eq!(server.grpc().await.revision().await, 1, "nothing was written");
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    for host in ["localhost", "LOCALHOST:2379", "a.localhost", "127.0.0.1", "10.9.8.7:1", "[::1]:2379", &name] {
        assert_eq!(http.send(Method::GET, "/version", &[("host", host)], "").await.status, 200, "{host}");
    }
}

/// The address that means any leads to this machine, too, and some browsers let pages of any site go there.
#[tokio::test]
async fn pages_do_not_go_to_any_address() {
    let of = |list: &str| Server::of(Flavor::Keyport).args([format!("--host-whitelist={list}")]).start();
    let (server, open) = (of("own"), of("own,0.0.0.0,::"));
    for host in ["0.0.0.0", "0.0.0.0:2379", "[::]:2379"] {
        let own = format!("http://{host}");
        for header in [("origin", own.as_str()), ("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "no-cors")] {
            let headers = [("host", host), header];
            for path in ["/version", "/v3/watch?key=k"] {
                let answer = server.http().send(Method::GET, path, &headers, "").await;
                assert_eq!(answer.status, 421, "{headers:?} {path}");
            }
            assert_eq!(put_by(&server.http(), &headers).await, 421, "{headers:?}");
            assert_eq!(put_by(&open.http(), &headers).await, 200, "{headers:?}");
        }
        assert_eq!(put_by(&server.http(), &[("host", host)]).await, 200, "{host}: of no page");
    }
}

#[tokio::test]
async fn whoever_wants_to_lets_them() {
    let server = Server::builder().args(["--cors=*", "--host-whitelist=*"]).start();
    let http = server.http();
    for foreign in FOREIGN {
        assert_eq!(put_by(&http, &with(foreign, &[("host", "elsewhere.example")])).await, 200, "{foreign:?}");
    }
    let listed =
        Server::builder().args(["--cors=http://page.example:80", "--host-whitelist=own.example,127.0.0.1"]).start();
    if listed.is_etcd() {
        return; // answers those of others, too
    }
    let http = listed.http();
    let host = ("host", "own.example");
    // As a browser says it, and as it was listed.
    assert_eq!(put_by(&http, &[host, ("origin", "http://page.example")]).await, 200);
    assert_eq!(put_by(&http, &[host, ("origin", "http://page.example:80")]).await, 200);
    assert_eq!(put_by(&http, &[host, ("origin", "http://elsewhere.example")]).await, 403);
    assert_eq!(put_by(&http, &[("host", "localhost")]).await, 421, "only what is listed");
}
