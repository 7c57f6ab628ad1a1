//! What clients say does not become a label: the series of the metrics are as many after an attack as before it.

use http::Method;
use keyport_tests::http::Http;

use super::{Siege, nothing};

/// How many samples there are. Some come up with the first call of their kind.
async fn series(http: &Http) -> usize {
    http.get("/metrics").await.text().lines().filter(|line| !line.starts_with('#')).count()
}

#[tokio::test]
async fn nobody_makes_series() {
    let siege = Siege::start();
    siege
        .row("names that are new each time", async |server| {
            let (http, http2) = (server.http(), Http::h2c(server.addr()));
            let ask = async |n: usize| {
                let name = format!("x{n}");
                let version = name.repeat(if n.is_multiple_of(2) { 1 } else { 1000 });
                let agent = [("user-agent", &*name), ("client-api-version", &*version), ("x-request-id", &*name)];
                let verb = Method::from_bytes(format!("VERB{n}").as_bytes()).unwrap();
                http.send(verb, "/version", &[], "").await;
                for path in [
                    format!("/{name}"),
                    format!("/v3/{name}/{name}"),
                    format!("/livez/{name}"),
                    format!("/health?exclude={name}"),
                    format!("/v3/watch?{name}=1"),
                ] {
                    http.send(Method::GET, &path, &agent, "").await;
                    http.send(Method::POST, &path, &agent, "").await;
                }
                for path in
                    [format!("/{name}.KV/Put"), format!("/etcdserverpb.KV/{name}"), "/etcdserverpb.KV/Range".to_owned()]
                {
                    for kind in ["application/grpc", "application/grpc-web", "application/grpc-web-text"] {
                        let headers =
                            [("content-type", kind), ("te", "trailers"), ("grpc-encoding", &*name), agent[0], agent[1]];
                        http2.send(Method::POST, &path, &headers, b"\0\0\0\0\0".to_vec()).await;
                    }
                }
                http.post("/v3/auth/authenticate", format!(r#"{{"name":"{name}","password":"{name}"}}"#)).await;
            };
            for n in 0..2 {
                ask(n).await;
            }
            let before = series(&http).await;
            for n in 2..18 {
                ask(n).await;
            }
            let after = series(&http).await;
            // The versions that clients name are taken up to a number, if they look like some.
            assert!(after <= before + 45, "{before} series became {after}");
            let text = http.get("/metrics").await.text();
            let versions = |line: &&str| line.starts_with("etcd_server_client_requests_total");
            assert!(!text.lines().filter(|line| !versions(line)).any(|line| line.contains("x17")));
            let longest = text.lines().map(str::len).max();
            assert!(longest < Some(400), "{longest:?}");
            nothing()
        })
        .await;
    siege.end().await;
}
