use keyport_api::methods::Method;

use super::{Head, Member, Raw, options, start};

const ASKS: &str = "connection: upgrade\r\nupgrade: websocket\r\n";
const VERSION: &str = "sec-websocket-version: 13\r\n";
const KEY: &str = "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

async fn ask(raw: &mut Raw, path: &str, headers: &[&str]) -> (Head, String) {
    let (head, body) = raw.call("GET", path, &headers.concat(), "").await;
    let said = body["message"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
    (head, said)
}

#[tokio::test]
async fn one_that_is_wrong_is_told_what_is() {
    let (_member, mut raw) = start().await;
    for (headers, said) in [
        (vec![ASKS, VERSION], "`Sec-WebSocket-Key` header missing"),
        (
            vec![ASKS, VERSION, "sec-websocket-key: short\r\n"],
            "`Sec-WebSocket-Key` header is not the base64 of 16 bytes",
        ),
        (
            vec![ASKS, VERSION, "sec-websocket-key: \x7e\r\n"],
            "`Sec-WebSocket-Key` header is not the base64 of 16 bytes",
        ),
        (vec!["upgrade: websocket\r\n", VERSION, KEY], "Connection header did not include 'upgrade'"),
    ] {
        for path in ["/v3/watch", "/v3/lease/keepalive", "/v3/maintenance/snapshot"] {
            let (head, text) = ask(&mut raw, path, &headers).await;
            assert_eq!((head.status, text.as_str()), (400, said), "{path}");
        }
    }
    for version in ["sec-websocket-version: 8\r\n", ""] {
        let (head, text) = ask(&mut raw, "/v3/watch", &[ASKS, version, KEY]).await;
        assert_eq!((head.status, text.as_str()), (426, "`Sec-WebSocket-Version` header did not include '13'"));
        let told = ["sec-websocket-version", "upgrade", "connection"].map(|name| head.header(name).unwrap());
        assert_eq!(told, ["13", "websocket", "upgrade"]);
    }
    raw.request("GET", "/v3/watch", &[ASKS, VERSION, KEY].concat(), "").await;
    assert_eq!(raw.head().await.status, 101, "and the connection is as good as new");
}

#[tokio::test]
async fn a_unary_path_has_no_socket() {
    let (_member, mut raw) = start().await;
    for (path, status) in [("/v3/kv/range", 405), ("/v3/nothing", 404)] {
        for headers in [&[ASKS, VERSION, KEY][..], &[ASKS]] {
            assert_eq!(ask(&mut raw, path, headers).await.0.status, status, "{path}");
        }
    }
}

/// As `curl --http2` does without encryption.
#[tokio::test]
async fn an_offer_of_something_else_is_no_handshake() {
    const OFFER: &str = "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n";
    let member = Member::start().await;
    let address = member.serve(options());
    let mut raw = Raw::open(address).await;
    let (head, _) = raw.call("GET", "/v3/kv/put", OFFER, "").await;
    assert_eq!(head.status, 405);
    raw.request("GET", "/v3/watch?key=k&access_token=t", OFFER, "").await;
    let head = raw.head().await;
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
    // Its refusals are those of plain HTTP.
    let mut raw = Raw::open(address).await;
    let (head, _) = raw.call("GET", "/v3/watch?key=k", &format!("{OFFER}grpc-timeout: never\r\n"), "").await;
    assert_eq!((head.status, head.header("content-type")), (400, Some("application/problem+json")));
    assert_eq!((member.begun(Method::Put), member.begun(Method::Watch)), (0, 0));
}
