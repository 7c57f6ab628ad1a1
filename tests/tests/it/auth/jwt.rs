//! Tokens that are signed, and that no server has to remember.

mod keys;

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use keyport_tests::grpc::{get, put, refused};
use keyport_tests::http::b64;
use keyport_tests::{Flavor, Server};
use serde_json::{Value, json};
use tonic::{Code, Request};

use super::{DENIED, NO_NAME, NO_TOKEN, Realm};
pub(crate) use keys::{Keys, Kind, hs256};

const OLD: &str = "etcdserver: revision of auth store is old";
const WRONG_PASSWORD: &str = "etcdserver: authentication failed, invalid user ID or password";

/// Users and roles before such tokens. Passwords are cheap: they are not what this is about.
pub(super) async fn realm_of(flavor: Flavor, options: &str) -> Realm {
    Realm::on(Server::of(flavor).args([options, "--bcrypt-cost=4"]).start()).await
}

pub(super) fn with_token<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("token", token.parse().unwrap());
    request
}

pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The JSON of a token's part.
pub(super) fn said(token: &str, part: usize) -> Value {
    let text = token.split('.').nth(part).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

/// Every method and every form of keys: what one server signs, the other takes, whichever is etcd.
#[tokio::test]
async fn every_method_is_etcds() {
    let keys = Keys::new();
    keys.pair("rsa", Kind::Rsa(2048));
    keys.pair("p256", Kind::Ec("P-256"));
    keys.pair("p384", Kind::Ec("P-384"));
    keys.pair("p521", Kind::Ec("P-521"));
    keys.pair("ed", Kind::Ed25519);
    for name in ["rsa", "p256", "p521"] {
        keys.in_own_form(name);
    }
    for name in ["rsa", "p384"] {
        keys.certificate(name);
    }
    keys.public_pkcs1("rsa");
    keys.secret("secret");
    let other = Flavor::peers().into_iter().next().unwrap();
    for (method, private, public) in [
        ("RS256", "rsa.own", "rsa.pub"),
        ("RS384", "rsa.pem", "rsa.crt"),
        ("RS512", "rsa.pem", "rsa.rsapub"),
        ("PS256", "rsa.own", ""),
        ("PS384", "rsa.pem", "rsa.pub"),
        ("PS512", "rsa.pem", "rsa.crt"),
        ("ES256", "p256.own", "p256.pub"),
        ("ES384", "p384.pem", "p384.crt"),
        ("ES512", "p521.own", ""),
        ("HS256", "secret", ""),
        ("HS384", "secret", "rsa.pub"),
        ("HS512", "secret", ""),
        ("EdDSA", "ed.pem", "ed.pub"),
    ] {
        let options = keys.options(method, private, public);
        let mut realms = vec![realm_of(Flavor::Keyport, &options).await];
        // Older ones do not know this method.
        if method != "EdDSA" || !other.older_than("3.6") {
            realms.push(realm_of(other, &options).await);
        }
        for maker in &realms {
            let before = now();
            let token = maker.token("writer").await;
            let ends = said(&token, 1)["exp"].as_u64().unwrap();
            assert!((before + 300..=now() + 300).contains(&ends), "{method}: {before} {ends}");
            assert_eq!(said(&token, 0), json!({ "alg": method, "typ": "JWT" }));
            assert_eq!(said(&token, 1), json!({ "username": "writer", "revision": 14, "exp": ends }));
            for taker in &realms {
                let what = format!("{method} by {:?} at {:?}", maker.server.flavor(), taker.server.flavor());
                taker.done(&token, "/v3/kv/put", json!({ "key": b64("k/1") })).await;
                taker.done(&format!("Bearer {token}"), "/v3/kv/range", json!({ "key": b64("k/1") })).await;
                assert_eq!(taker.refusal(&token, "/v3/kv/put", json!({ "key": b64("a") })).await, DENIED, "{what}");
                let mut grpc = taker.server.grpc().await;
                grpc.kv.put(with_token(put("k/2", "v"), &token)).await.expect(&what);
                grpc.kv.range(with_token(get("k/2"), &token)).await.expect(&what);
                // One letter of the signature is another.
                let at = token.rfind('.').unwrap() + 1;
                let letter = if &token[at..=at] == "A" { "B" } else { "A" };
                let tampered = format!("{}{letter}{}", &token[..at], &token[at + 1..]);
                let message = grpc.kv.range(with_token(get("k/2"), &tampered)).await;
                refused(message, Code::Unauthenticated, NO_TOKEN);
            }
        }
    }
}

/// Who has to give up etcd's way asks for it.
#[tokio::test]
async fn a_token_without_an_end_may_be_none() {
    let keys = Keys::new();
    let secret = keys.secret("secret");
    let options = keys.options("HS256", "secret", "");
    let server = Server::of(Flavor::Keyport).args([options.as_str(), "--auth-token-must-end", "--bcrypt-cost=4"]);
    let realm = Realm::on(server.start()).await;
    let own = realm.token("reader").await;
    let revision = said(&own, 1)["revision"].clone();
    let of = |claims: Value| hs256(&json!({ "alg": "HS256", "typ": "JWT" }), &claims, secret);
    let key = json!({ "key": b64("a") });
    let ends = of(json!({ "username": "reader", "revision": revision, "exp": now() + 1000 }));
    let endless = of(json!({ "username": "reader", "revision": revision }));
    for token in [&own, &ends] {
        realm.done(token, "/v3/kv/range", key.clone()).await;
    }
    assert_eq!(realm.refusal(&endless, "/v3/kv/range", key).await, NO_TOKEN);
}

/// What a token says is held against the time, and against users and roles as they are.
#[tokio::test]
async fn only_what_is_true_now_counts() {
    let keys = Keys::new();
    let secret = keys.secret("secret");
    let realm = realm_of(Flavor::under_test(), &keys.options("HS256", "secret", "")).await;
    if realm.server.older_than("3.6") {
        return; // its library took times of any type, and did not look at some
    }
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let token_of = |claims: Value| hs256(&header, &claims, secret);
    let revision = said(&realm.token("reader").await, 1)["revision"].as_u64().unwrap();
    let (past, future) = (now() - 1, now() + 1000);
    let of = |user: &str, revision: u64| json!({ "username": user, "revision": revision, "exp": future });
    let with = |mut claims: Value, name: &str, value: Value| {
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = of("reader", revision);
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    let good = of("reader", revision);
    let key = json!({ "key": b64("a") });
    for claims in [
        good.clone(),
        without("exp"),
        with(good.clone(), "nbf", json!(past)),
        with(good.clone(), "exp", json!(future as f64 + 0.5)),
        with(good.clone(), "iat", json!(future)),
        with(good.clone(), "revision", json!(revision as f64 + 0.9)),
    ] {
        realm.done(&token_of(claims), "/v3/kv/range", key.clone()).await;
    }
    for header in [json!({ "alg": "HS256" }), json!({ "alg": "HS256", "typ": "anything", "kid": "none" })] {
        realm.done(&hs256(&header, &good, secret), "/v3/kv/range", key.clone()).await;
    }
    for claims in [
        with(good.clone(), "exp", json!(past)),
        with(good.clone(), "exp", json!(future.to_string())),
        with(good.clone(), "exp", json!(null)),
        with(good.clone(), "nbf", json!(future)),
        with(good.clone(), "nbf", json!("now")),
        with(good.clone(), "username", json!(7)),
        with(good.clone(), "revision", json!(revision.to_string())),
        without("username"),
        without("revision"),
    ] {
        let refusal = realm.refusal(&token_of(claims.clone()), "/v3/kv/range", key.clone()).await;
        assert_eq!(refusal, NO_TOKEN, "{claims}");
    }
    for header in ["none", "None", "hs256", "HS384", "RS256", ""].map(|alg| json!({ "alg": alg })) {
        let refusal = realm.refusal(&hs256(&header, &good, secret), "/v3/kv/range", key.clone()).await;
        assert_eq!(refusal, NO_TOKEN, "{header}");
    }
    let signed = token_of(good.clone());
    let (text, _) = signed.rsplit_once('.').unwrap();
    let short = secret.trim_ascii_end();
    for token in [
        format!("{text}."),
        text.to_owned(),
        format!("{signed}.{signed}"),
        hs256(&header, &good, b""),
        hs256(&header, &good, short),
        hs256(&json!({ "alg": "none" }), &good, b"").rsplit_once('.').unwrap().0.to_owned() + ".",
        "abcdefghijklmnop.18446744073709551615".to_owned(),
    ] {
        assert_eq!(realm.refusal(&token, "/v3/kv/range", key.clone()).await, NO_TOKEN, "{token}");
    }

    // Whose name is no user's, is somebody all the same.
    for (user, list, admin) in [("", None, NO_NAME), ("stranger", None, "etcdserver: user name not found")] {
        let token = token_of(of(user, revision));
        assert_eq!(realm.refusal(&token, "/v3/kv/range", key.clone()).await, DENIED, "{user:?}");
        assert_eq!(realm.refusal(&token, "/v3/auth/user/list", json!({})).await, admin, "{user:?}");
        let answer = realm.ask(&token, "/v3/cluster/member/list", json!({})).await;
        assert_eq!(answer.json()["message"].as_str(), list, "{user:?}");
    }
    let mine = json!({ "key": b64("k/1") });
    let nobody = token_of(of("writer", 0));
    assert_eq!(realm.refusal(&nobody, "/v3/kv/put", mine.clone()).await, NO_NAME);
    // Who claims to know more than there is yet may write and not read.
    let early = token_of(of("writer", revision + 1));
    realm.done(&early, "/v3/kv/put", mine.clone()).await;
    assert_eq!(realm.refusal(&early, "/v3/kv/range", mine.clone()).await, OLD);

    // Any change of users and roles makes the tokens before it old, but not for root's own work.
    let (root, writer) = (realm.token("root").await, realm.token("writer").await);
    realm.done(&root, "/v3/auth/user/add", json!({ "name": "new", "password": "new's" })).await;
    for (path, body) in [
        ("/v3/kv/range", mine.clone()),
        ("/v3/kv/put", mine.clone()),
        ("/v3/kv/txn", json!({ "success": [{ "requestPut": mine.clone() }] })),
    ] {
        assert_eq!(realm.refusal(&writer, path, body.clone()).await, OLD, "{path}");
        assert_eq!(realm.refusal(&root, path, body).await, OLD, "{path}");
    }
    realm.done(&root, "/v3/auth/user/delete", json!({ "name": "writer" })).await;
    let gone = token_of(of("writer", revision + 2));
    assert_eq!(realm.refusal(&gone, "/v3/kv/put", mine.clone()).await, DENIED);
    // Off and on again: one more change, so all are old, and new ones are good.
    realm.done(&root, "/v3/auth/disable", json!({})).await;
    realm.done("", "/v3/auth/enable", json!({})).await;
    assert_eq!(realm.refusal(&token_of(of("reader", revision + 2)), "/v3/kv/range", key.clone()).await, OLD);
    realm.done(&realm.token("reader").await, "/v3/kv/range", key.clone()).await;
}

/// What everybody may know is no secret to sign with.
#[tokio::test]
async fn a_public_key_signs_nothing() {
    let keys = Keys::new();
    keys.pair("rsa", Kind::Rsa(2048));
    let realm = realm_of(Flavor::under_test(), &keys.options("RS256", "rsa.pem", "rsa.pub")).await;
    let claims = said(&realm.token("root").await, 1);
    let public = std::fs::read(keys.path("rsa.pub")).unwrap();
    for alg in ["HS256", "RS256", "none"] {
        for secret in [&public[..], public.trim_ascii_end(), b""] {
            let forged = hs256(&json!({ "alg": alg, "typ": "JWT" }), &claims, secret);
            assert_eq!(realm.refusal(&forged, "/v3/auth/user/list", json!({})).await, NO_TOKEN, "{alg}");
        }
    }
}

#[tokio::test]
async fn a_token_outlives_the_server() {
    let keys = Keys::new();
    keys.pair("p256", Kind::Ec("P-256"));
    let mut realm = realm_of(Flavor::under_test(), &keys.options("ES256", "p256.pem", "")).await;
    let writer = realm.token("writer").await;
    let mine = json!({ "key": b64("k/1") });
    realm.done(&writer, "/v3/kv/put", mine.clone()).await;
    realm.server.kill();
    realm.server.restart();
    realm.http = realm.server.http();
    realm.done(&writer, "/v3/kv/range", mine.clone()).await;
    realm.done(&writer, "/v3/kv/put", mine).await;
}

/// A member with the public key alone takes tokens and makes none; its own duties need none.
#[tokio::test]
async fn a_public_key_is_enough_to_serve() {
    let keys = Keys::new();
    keys.pair("p384", Kind::Ec("P-384"));
    let signer = realm_of(Flavor::under_test(), &keys.options("ES384", "p384.pem", "")).await;
    let realm = realm_of(Flavor::under_test(), &keys.options("ES384", "", "p384.pub")).await;
    let root = signer.token("root").await;
    realm.lease(&root).await;
    for (password, status, message) in
        [("reader's", 500, "auth: token signing attempted with verify-only key"), ("wrong", 400, WRONG_PASSWORD)]
    {
        let answer = realm.ask("", "/v3/auth/authenticate", json!({ "name": "reader", "password": password })).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["message"]), (status, &json!(message)));
    }
    // etcd makes a token for these, which it cannot here.
    if !realm.server.is_etcd() {
        realm.goes_on(&root).await;
    }
}

/// A start that would end in a server without tokens, or with those of anybody.
#[test]
fn bad_keys_are_told_at_the_start() {
    if Flavor::under_test().older_than("3.6") {
        return; // starts with some of these
    }
    let keys = Keys::new();
    keys.pair("rsa", Kind::Rsa(2048));
    keys.pair("other", Kind::Rsa(2048));
    keys.pair("p256", Kind::Ec("P-256"));
    std::fs::write(keys.path("empty"), "").unwrap();
    std::fs::write(keys.path("text"), "no key\n").unwrap();
    let invalid = "auth: invalid auth options";
    for (options, words) in [
        ("--auth-token=jwt".to_owned(), invalid),
        ("--auth-token=jwt,sign-method".to_owned(), invalid),
        ("--auth-token=simple,sign-method".to_owned(), invalid),
        ("--auth-token=other".to_owned(), invalid),
        (keys.options("RS1024", "rsa.pem", ""), invalid),
        (keys.options("RS256", "rsa.pem", "") + ",ttl=soon", invalid),
        (keys.options("RS256", "rsa.pem", "") + ",sign-method=RS256", invalid),
        (keys.options("RS256", "nothing.pem", ""), invalid),
        (keys.options("none", "rsa.pem", ""), "unsupported signing method"),
        (keys.options("RS256", "", ""), "auth: missing key data"),
        (keys.options("RS256", "empty", ""), "auth: missing key data"),
        (keys.options("HS256", "", "rsa.pub"), "auth: missing key data"),
        (keys.options("RS256", "rsa.pem", "other.pub"), "auth: public and private keys don't match"),
        (keys.options("RS256", "p256.pem", ""), "private key"),
        (keys.options("ES256", "p256.pem", "rsa.pub"), "public key"),
        (keys.options("RS256", "text", ""), "PEM"),
    ] {
        let out = Server::builder().args([&options]).run_to_end();
        let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        assert!(!out.status.success() && said.contains(words), "{options}: {said}");
        assert!(!said.contains("panicked"), "{options}: {said}");
    }
    if Flavor::under_test() == Flavor::Keyport {
        // With the first etcd cannot make a token, and finds out when somebody wants one; the others are too weak.
        keys.pair("short", Kind::Rsa(1024));
        for (method, private, public) in
            [("ES384", "p256.pem", ""), ("RS256", "short.pem", ""), ("PS256", "", "short.pub")]
        {
            let out = Server::builder().args([keys.options(method, private, public)]).run_to_end();
            let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
            assert!(!out.status.success() && said.contains("key is not a valid"), "{method}: {said}");
        }
    }
}
