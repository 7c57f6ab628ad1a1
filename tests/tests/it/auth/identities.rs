//! Users whom somebody else vouches for, by tokens that he signs.

mod provider;

use http::Method;
use keyport_tests::certificates::{Authority, Holder, file_flag};
use keyport_tests::grpc::{get, put};
use keyport_tests::http::{Http, b64};
use keyport_tests::sse::EventStream;
use keyport_tests::wait::eventually;
use keyport_tests::{Cluster, Flavor, Server};
use serde_json::{Value, json};

use super::jwt::{Keys, Kind, hs256, now, said, with_token};
use super::{DENIED, NO_TOKEN, Realm};
use provider::Provider;

const ISSUER: &str = "https://issuer.example";
const SET: &str = "/keys?v=1";
const DISCOVERY: &str = "/realm/.well-known/openid-configuration";

/// Good for an hour, and for `keyport`.
fn claims(user: &str) -> Value {
    json!({ "iss": ISSUER, "aud": ["keyport", "other"], "sub": user, "exp": now() + 3600 })
}

fn flags(keys: &str) -> Vec<String> {
    vec![
        "--bcrypt-cost=4".to_owned(),
        format!("--identity-issuer={ISSUER}"),
        "--identity-audience=keyport".to_owned(),
        format!("--identity-jwks={keys}"),
    ]
}

/// A file with a set of keys, replaced by one rename.
fn write_set(keys: &Keys, jwks: &[Value]) -> String {
    std::fs::write(keys.path("new"), json!({ "keys": jwks }).to_string()).unwrap();
    std::fs::rename(keys.path("new"), keys.path("set.json")).unwrap();
    keys.path("set.json").display().to_string()
}

impl Realm {
    /// Who holds a token of root's may do the same for others: two who are known from outside, `oidc/reader` and
    /// `oidc/writer`.
    async fn with_outsiders(server: Server) -> Realm {
        let realm = Realm::on(server).await;
        let root = realm.token("root").await;
        for (user, role) in [("oidc/reader", "reads"), ("oidc/writer", "writes")] {
            realm.done(&root, "/v3/auth/user/add", json!({ "name": user, "options": { "no_password": true } })).await;
            realm.done(&root, "/v3/auth/user/grant", json!({ "user": user, "role": role })).await;
        }
        realm
    }

    /// Whether a token is taken, whatever its holder may do.
    async fn takes(&self, token: &str) -> bool {
        let answer = self.ask(token, "/v3/kv/range", json!({ "key": b64("k/1") })).await;
        let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        assert!(answer.status == 200 || message == DENIED || message == NO_TOKEN, "{}", answer.text());
        message != NO_TOKEN
    }

    /// A number that `/metrics` shows of the issuer.
    async fn metric(&self, name: &str) -> Option<f64> {
        let text = self.http.get("/metrics").await.text();
        let row = text.lines().find(|line| line.starts_with(&format!("{name}{{")))?;
        row.rsplit_once(' ')?.1.parse().ok()
    }
}

#[tokio::test]
async fn a_token_of_an_issuer_names_a_user() {
    if Flavor::under_test() != Flavor::Keyport {
        return;
    }
    let keys = Keys::new();
    for (name, kind) in
        [("rsa", Kind::Rsa(2048)), ("p256", Kind::Ec("P-256")), ("p521", Kind::Ec("P-521")), ("ed", Kind::Ed25519)]
    {
        keys.pair(name, kind);
    }
    let jwks = ["rsa", "p256", "p521", "ed"].map(|name| keys.jwk(name, &json!({ "kid": name, "use": "sig" })));
    let realm = Realm::with_outsiders(Server::builder().args(flags(&write_set(&keys, &jwks))).start()).await;
    let key = json!({ "key": b64("k/1") });
    let signed = |name: &str, alg: &str, claims: &Value| {
        keys.token(name, &json!({ "alg": alg, "typ": "JWT", "kid": name }), claims)
    };
    for (name, alg) in [("rsa", "RS256"), ("rsa", "PS512"), ("p256", "ES256"), ("p521", "ES512"), ("ed", "EdDSA")] {
        let writer = signed(name, alg, &claims("writer"));
        realm.done(&writer, "/v3/kv/put", key.clone()).await;
        assert_eq!(realm.done(&writer, "/v3/kv/range", key.clone()).await["count"], "1", "{alg}");
    }
    let (reader, writer) = (signed("p256", "ES256", &claims("reader")), signed("p256", "ES256", &claims("writer")));

    // Whatever face, and wherever a token may stand.
    let mut grpc = realm.server.grpc().await;
    for name in ["token", "authorization"] {
        for value in [writer.clone(), format!("Bearer {writer}")] {
            let mut request = tonic::Request::new(put("k/2", "v"));
            request.metadata_mut().insert(name, value.parse().unwrap());
            grpc.kv.put(request).await.unwrap();
        }
    }
    assert_eq!(grpc.kv.range(with_token(get("k/2"), &reader)).await.unwrap().into_inner().count, 1);
    for headers in [
        ("authorization", format!("Bearer {reader}")),
        ("grpc-metadata-token", reader.clone()),
        ("cookie", format!("keyport={reader}")),
    ] {
        let headers = [("content-type", "application/json"), (headers.0, headers.1.as_str())];
        let answer = realm.http.send(Method::POST, "/v3/kv/range", &headers, key.to_string()).await;
        assert_eq!(answer.status, 200, "{headers:?}: {}", answer.text());
    }
    let answer = realm.http.get_stream("/v3/watch?key=k/1", &[("authorization", &format!("Bearer {reader}"))]).await;
    let mut events = EventStream::over(answer.into_body(), "");
    assert_eq!(events.next().await.unwrap().event, "opened");

    // They are users like others, and beside others.
    assert_eq!(realm.refusal(&reader, "/v3/kv/put", key.clone()).await, DENIED);
    assert_eq!(realm.refusal(&writer, "/v3/auth/user/list", json!({})).await, DENIED);
    let root = realm.token("root").await;
    realm.done(&root, "/v3/auth/user/list", json!({})).await;
    realm.done(&root, "/v3/lease/grant", json!({ "ID": 4242, "TTL": 900 })).await;
    // Who is none here is nobody, and nobody's name is taken from those who are here.
    for user in ["stranger", "root", "reader "] {
        let token = signed("p256", "ES256", &claims(user));
        for (path, body) in [
            ("/v3/kv/range", key.clone()),
            ("/v3/kv/put", key.clone()),
            ("/v3/cluster/member/list", json!({})),
            ("/v3/lease/grant", json!({ "TTL": 10 })),
            ("/v3/lock/lock", json!({ "name": b64("k/lock") })),
        ] {
            assert_eq!(realm.refusal(&token, path, body).await, DENIED, "{user} {path}");
        }
        let renewal = realm.first(&token, "/v3/lease/keepalive", &json!({ "ID": 4242 })).await;
        assert_eq!(renewal["error"]["message"], DENIED, "{user}: {renewal}");
    }
    let leases = realm.done(&root, "/v3/lease/leases", json!({})).await;
    assert_eq!(leases["leases"], json!([{ "ID": "4242" }]));
    realm.done(&reader, "/v3/cluster/member/list", json!({})).await;

    // What he may is what he may now, and nothing he holds grows old by that.
    realm.done(&root, "/v3/auth/user/grant", json!({ "user": "oidc/reader", "role": "writes" })).await;
    realm.done(&reader, "/v3/kv/put", key.clone()).await;
    realm.done(&root, "/v3/auth/user/revoke", json!({ "name": "oidc/reader", "role": "writes" })).await;
    assert_eq!(realm.refusal(&reader, "/v3/kv/put", key.clone()).await, DENIED);
    realm.done(&reader, "/v3/kv/range", key.clone()).await;
    realm.done(&root, "/v3/auth/user/delete", json!({ "name": "oidc/reader" })).await;
    assert_eq!(realm.refusal(&reader, "/v3/kv/range", key.clone()).await, DENIED);
    assert_eq!(realm.refusal(&reader, "/v3/cluster/member/list", json!({})).await, DENIED);
    // He was told of the keys that were put meanwhile, and then no more.
    let mut last = events.next().await.unwrap();
    while last.event == "put" {
        last = events.next().await.unwrap();
    }
    assert!(last.event == "failed" && last.data.contains(DENIED), "{last:?}");

    // Without users nobody looks.
    realm.done(&root, "/v3/auth/disable", json!({})).await;
    for token in [&writer, "x.y.z"] {
        realm.done(token, "/v3/kv/put", key.clone()).await;
    }
}

#[tokio::test]
async fn what_is_not_of_the_issuer_for_us_is_refused() {
    if Flavor::under_test() != Flavor::Keyport {
        return;
    }
    let keys = Keys::new();
    keys.pair("rsa", Kind::Rsa(2048));
    keys.pair("other", Kind::Rsa(2048));
    keys.pair("own", Kind::Rsa(2048));
    let mut args = flags(&write_set(&keys, &[keys.jwk("rsa", &json!({ "kid": "1", "alg": "RS256" }))]));
    // Beside etcd's own signed tokens, of the same algorithm.
    args.push(keys.options("RS256", "own.pem", ""));
    let realm = Realm::with_outsiders(Server::builder().args(args).start()).await;
    let header = json!({ "alg": "RS256", "kid": "1" });
    let with = |others: Value| {
        let mut claims = claims("reader");
        claims.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
        claims
    };
    let good = keys.token("rsa", &header, &with(json!({})));
    assert!(realm.takes(&good).await);
    let own = realm.token("reader").await;
    assert_eq!(said(&own, 1)["username"], "reader");
    assert!(realm.takes(&own).await);

    let exact = with(json!({})).to_string();
    let ends = (now() + 3600).to_string();
    for claims in [
        with(json!({ "iss": "https://issuer.example/" })),
        with(json!({ "aud": "other" })),
        with(json!({ "exp": now() - 1 })),
        with(json!({ "exp": ends })),
        with(json!({ "exp": null })),
        with(json!({ "nbf": now() + 600 })),
        with(json!({ "sub": 7 })),
        // What a token of etcd's own says.
        json!({ "username": "root", "revision": 100, "exp": now() + 3600 }),
    ] {
        assert!(!realm.takes(&keys.token("rsa", &header, &claims)).await, "{claims}");
    }
    let claims = with(json!({}));
    for (name, header) in [
        ("other", json!({ "alg": "RS256", "kid": "1" })),
        ("own", json!({ "alg": "RS256", "kid": "1" })),
        ("rsa", json!({ "alg": "RS256", "kid": "2" })),
        ("rsa", json!({ "alg": "RS512", "kid": "1" })),
        ("rsa", json!({ "alg": "PS256", "kid": "1" })),
        ("rsa", json!({ "alg": "RS256", "kid": "1", "crit": ["exp"] })),
    ] {
        assert!(!realm.takes(&keys.token(name, &header, &claims)).await, "{header} by {name}");
    }
    for file in ["rsa.pub", "set.json"] {
        let public = std::fs::read(keys.path(file)).unwrap();
        for alg in ["HS256", "RS256", "none"] {
            let forged = hs256(&json!({ "alg": alg, "kid": "1" }), &claims, &public);
            assert!(!realm.takes(&forged).await, "{alg} {file}");
        }
    }
    let unsigned = hs256(&json!({ "alg": "none" }), &claims, b"");
    assert!(!realm.takes(&format!("{}.", unsigned.rsplit_once('.').unwrap().0)).await);
    assert!(!realm.takes(&good.replace('.', "..")).await);
    let long = keys.token("rsa", &header, &with(json!({ "more": "x".repeat(20_000) })));
    assert!(!realm.takes(&long).await);
    assert!(exact.len() < 1000 && realm.takes(&good).await);
    let log = realm.server.log();
    assert!(!log.contains(&good) && !log.contains(good.rsplit_once('.').unwrap().1), "tokens are secrets");
}

#[tokio::test]
async fn keys_in_a_file_are_read_again() {
    if Flavor::under_test() != Flavor::Keyport {
        return;
    }
    let keys = Keys::new();
    let ((old, by_old), (new, by_new)) = (signer(&keys, "old"), signer(&keys, "new"));
    let realm = Realm::with_outsiders(Server::builder().args(flags(&write_set(&keys, &[old]))).start()).await;
    assert!(realm.takes(&by_old).await && !realm.takes(&by_new).await);
    write_set(&keys, &[new]);
    eventually("the new key is known", async || realm.takes(&by_new).await.then_some(())).await;
    assert!(!realm.takes(&by_old).await);
    // What is no set of keys changes nothing.
    std::fs::write(keys.path("set.json"), "{\"keys\": [").unwrap();
    let failures = "keyport_identity_keys_failures_total";
    eventually("a look fails", async || realm.metric(failures).await.filter(|count| *count > 0.0)).await;
    assert!(realm.takes(&by_new).await);
    assert!(realm.server.log().contains("cannot read the keys of the identity provider"));
}

/// Nobody vouches any more for who came by it, whatever his token says of its end.
#[tokio::test]
async fn a_key_that_is_gone_takes_what_is_open_along() {
    if Flavor::under_test() != Flavor::Keyport {
        return;
    }
    let keys = Keys::new();
    let ((old, by_old), (new, by_new)) = (signer(&keys, "old"), signer(&keys, "new"));
    let set = write_set(&keys, &[old, new.clone()]);
    let realm = Realm::with_outsiders(Server::builder().args(flags(&set)).start()).await;
    let mut watch = realm.watch(&by_old, &[json!({ "key": b64("k/1") })]).await;
    let (mut ended, mut kept) = (realm.events(&by_old, "key=k/1").await, realm.events(&by_new, "key=k/1").await);
    write_set(&keys, &[new]);
    let last = ended.next().await.unwrap();
    assert!(last.event == "failed" && last.data.contains(NO_TOKEN), "{last:?}");
    assert_eq!(ended.next().await, None);
    assert_eq!(watch.json().await["result"]["canceled"], true);
    let writer = realm.token("writer").await;
    realm.done(&writer, "/v3/kv/put", json!({ "key": b64("k/1") })).await;
    assert_eq!(kept.next().await.unwrap().event, "put", "by a key that is still there");
}

/// A key, and a token that is signed with it.
fn signer(keys: &Keys, name: &str) -> (Value, String) {
    keys.pair(name, Kind::Ec("P-256"));
    let token = keys.token(name, &json!({ "alg": "ES256", "kid": name }), &claims("reader"));
    (keys.jwk(name, &json!({ "kid": name })), token)
}

#[tokio::test]
async fn a_provider_that_says_nothing_of_use_changes_nothing() {
    if Flavor::under_test() != Flavor::Keyport {
        return;
    }
    let keys = Keys::new();
    let ((jwk, token), (other, by_other)) = (signer(&keys, "old"), signer(&keys, "new"));
    let provider = Provider::start(None).await;
    provider.says(SET, 503, &"not yet");
    let mut args = flags(&provider.url(SET));
    args.push("--identity-refresh-interval=1s".to_owned());
    // It starts without its provider, and goes on asking.
    let realm = Realm::with_outsiders(Server::builder().args(args).start()).await;
    assert!(!realm.takes(&token).await);
    assert_eq!(realm.metric("keyport_identity_keys_age_seconds").await, Some(-1.0));
    let asked = async || {
        let before = provider.asked(SET);
        eventually("it asks again", async || (provider.asked(SET) > before + 1).then_some(())).await;
    };
    for known in [false, true] {
        for (status, body) in [
            (500, String::new()),
            (302, json!({ "keys": [other] }).to_string()),
            (200, "no set of keys".to_owned()),
            (200, json!({ "keys": [] }).to_string()),
            (200, format!("{}{}", json!({ "keys": [other] }), " ".repeat(1 << 20))),
        ] {
            let failures = realm.metric("keyport_identity_keys_failures_total").await;
            provider.says(SET, status, &body);
            asked().await;
            assert_eq!((realm.takes(&token).await, realm.takes(&by_other).await), (known, false), "{status}");
            assert!(realm.metric("keyport_identity_keys_failures_total").await > failures, "{status}");
        }
        provider.says(SET, 200, &json!({ "keys": [jwk] }));
        eventually("the keys are known", async || realm.takes(&token).await.then_some(())).await;
        assert!(realm.metric("keyport_identity_keys_age_seconds").await >= Some(0.0));
    }
    provider.says(SET, 200, &json!({ "keys": [other] }));
    eventually("the new key is known", async || realm.takes(&by_other).await.then_some(())).await;
    assert!(!realm.takes(&token).await);
}

/// A name that nobody knows is asked for, but once in a while, however often it comes.
#[tokio::test]
async fn a_key_that_is_not_known_is_asked_for() {
    if Flavor::under_test() != Flavor::Keyport {
        return;
    }
    let keys = Keys::new();
    let ((old, by_old), (new, by_new), (_, by_nobody)) =
        (signer(&keys, "old"), signer(&keys, "new"), signer(&keys, "nobody"));
    let provider = Provider::start(None).await;
    provider.says(SET, 200, &json!({ "keys": [old] }));
    let mut args = flags(&provider.url(SET));
    args.push("--identity-refresh-interval=1h".to_owned());
    let realm = Realm::with_outsiders(Server::builder().args(args).start()).await;
    eventually("the keys are known", async || realm.takes(&by_old).await.then_some(())).await;
    let began = std::time::Instant::now();
    for _ in 0..100 {
        assert!(!realm.takes(&by_nobody).await);
    }
    let most = 1 + usize::try_from(began.elapsed().as_secs() / 10).unwrap();
    assert!(provider.asked(SET) <= 1 + most, "{} times", provider.asked(SET));
    provider.says(SET, 200, &json!({ "keys": [old, new] }));
    eventually("the new key is known", async || realm.takes(&by_new).await.then_some(())).await;
    assert!(realm.takes(&by_old).await && !realm.takes(&by_nobody).await);
}

#[tokio::test]
async fn an_issuer_says_where_its_keys_are() {
    if Flavor::under_test() != Flavor::Keyport {
        return;
    }
    let (keys, authority) = (Keys::new(), Authority::new());
    keys.pair("rsa", Kind::Rsa(2048));
    let shown = authority.issue("provider", &Holder::new("provider", &["127.0.0.1"]));
    let provider = Provider::start(Some(&shown)).await;
    provider.says(SET, 200, &json!({ "keys": [keys.jwk("rsa", &json!({}))] }));
    let issuer = provider.url("/realm");
    let says = |issuer: &str, place: &str| {
        provider.says(DISCOVERY, 200, &json!({ "issuer": issuer, "jwks_uri": place, "more": [] }));
    };
    says("https://other.example", &provider.url(SET));
    let args = |more: &[String]| {
        let own =
            [format!("--identity-issuer={issuer}"), "--identity-audience=keyport".into(), "--bcrypt-cost=4".into()];
        [&own, more].concat()
    };
    let realm = Realm::with_outsiders(
        Server::builder().args(args(&[file_flag("identity-ca-file", &authority.file())])).start(),
    )
    .await;
    // Without that file nobody vouches for the provider.
    let distrustful = Server::builder().args(args(&[])).start();
    let mut claims = claims("reader");
    claims["iss"] = issuer.clone().into();
    let token = keys.token("rsa", &json!({ "alg": "RS256" }), &claims);
    let asked = async |times: usize| {
        eventually("it asks", async || (provider.asked(DISCOVERY) >= times).then_some(())).await;
    };
    asked(2).await;
    assert!(!realm.takes(&token).await);
    says(&issuer, "http://keys.example/");
    asked(provider.asked(DISCOVERY) + 2).await;
    assert!(!realm.takes(&token).await && provider.asked(SET) == 0);
    says(&issuer, &provider.url(SET));
    eventually("the keys are known", async || realm.takes(&token).await.then_some(())).await;
    let log = distrustful.log();
    assert!(
        log.contains("cannot read the keys of the identity provider")
            && !log.contains("keys of the identity provider were read"),
        "{log}"
    );
}

/// What is begun by such a token ends with it: nobody says any more who it is.
#[tokio::test]
async fn what_is_open_ends_with_the_token() {
    if Flavor::under_test() != Flavor::Keyport {
        return;
    }
    let keys = Keys::new();
    keys.pair("ed", Kind::Ed25519);
    let realm =
        Realm::with_outsiders(Server::builder().args(flags(&write_set(&keys, &[keys.jwk("ed", &json!({}))]))).start())
            .await;
    let mut claims = claims("writer");
    claims["exp"] = (now() + 10).into();
    let token = keys.token("ed", &json!({ "alg": "EdDSA" }), &claims);
    let mut watch = realm.watch(&token, &[json!({ "key": b64("k/1") })]).await;
    let mut events = realm.events(&token, "key=k/1").await;
    // Waits for its turn, which does not come.
    let writer = realm.token("writer").await;
    realm.done(&writer, "/v3/lock/lock", json!({ "name": b64("k/lock") })).await;
    let waiting = realm.ask(&token, "/v3/lock/lock", json!({ "name": b64("k/lock") }));
    realm.done(&token, "/v3/kv/put", json!({ "key": b64("k/1") })).await;
    assert_eq!(watch.json().await["result"]["events"][0]["kv"]["key"], b64("k/1"));
    assert_eq!(events.next().await.unwrap().event, "put");

    let answer = waiting.await;
    assert_eq!(answer.json()["message"], NO_TOKEN, "{}", answer.text());
    let last = events.next().await.unwrap();
    assert!(last.event == "failed" && last.data.contains(NO_TOKEN), "{last:?}");
    assert_eq!(events.next().await, None);
    let last = watch.json().await;
    assert_eq!(last["error"]["message"], NO_TOKEN, "{last}");
    assert_eq!(watch.line().await, None);
    assert!(!realm.takes(&token).await && now() >= claims["exp"].as_u64().unwrap());
}

/// What an entry says of its author is judged by every member alike, and each knows the keys by itself.
#[tokio::test]
async fn every_member_takes_it() {
    if Flavor::under_test() != Flavor::Keyport {
        return;
    }
    let keys = Keys::new();
    keys.pair("p256", Kind::Ec("P-256"));
    let cluster = Cluster::of(3).args(flags(&write_set(&keys, &[keys.jwk("p256", &json!({}))]))).start().await;
    let members: Vec<Http> = cluster.members.iter().map(|member| Http::new(member.addr())).collect();
    for (path, body) in [
        ("role/add", json!({ "name": "writes" })),
        ("role/grant", json!({ "name": "writes", "perm": { "permType": "READWRITE", "key": b64("k") } })),
        ("user/add", json!({ "name": "root", "password": "root's" })),
        ("user/grant", json!({ "user": "root", "role": "root" })),
        ("user/add", json!({ "name": "oidc/writer", "options": { "no_password": true } })),
        ("user/grant", json!({ "user": "oidc/writer", "role": "writes" })),
        ("enable", json!({})),
    ] {
        members[0].call(&format!("/v3/auth/{path}"), body).await;
    }
    let token = keys.token("p256", &json!({ "alg": "ES256" }), &claims("writer"));
    let headers = [("authorization", token.as_str())];
    let ask = async |member: &Http, path: &str, body: Value| {
        let answer = member.send(Method::POST, path, &headers, body.to_string()).await;
        (answer.status.as_u16(), answer.json())
    };
    for member in &members {
        // A read waits for what the cluster knows.
        for (path, body) in [
            ("/v3/kv/range", json!({ "key": b64("k") })),
            ("/v3/kv/put", json!({ "key": b64("k") })),
            ("/v3/lease/grant", json!({ "TTL": 100 })),
        ] {
            let (status, answer) = ask(member, path, body).await;
            assert_eq!(status, 200, "{path}: {answer}");
        }
        let (status, answer) = ask(member, "/v3/kv/put", json!({ "key": b64("other") })).await;
        assert_eq!((status, &answer["message"]), (403, &json!(DENIED)));
    }
    let login = json!({ "name": "root", "password": "root's" });
    let root = members[1].call("/v3/auth/authenticate", login).await["token"].as_str().unwrap().to_owned();
    let delete = json!({ "name": "oidc/writer" }).to_string();
    let deleted = members[1].send(Method::POST, "/v3/auth/user/delete", &[("authorization", &root)], delete).await;
    assert_eq!(deleted.status, 200, "{}", deleted.text());
    for member in &members {
        for path in ["/v3/kv/range", "/v3/kv/put"] {
            eventually("his end is known", async || {
                let (status, _) = ask(member, path, json!({ "key": b64("k") })).await;
                (status == 403).then_some(())
            })
            .await;
        }
    }
}

/// The same where roles come with the token: no user is needed for that, and none counts.
#[tokio::test]
async fn every_member_judges_by_the_roles_in_a_token() {
    if Flavor::under_test() != Flavor::Keyport {
        return;
    }
    let keys = Keys::new();
    keys.pair("p256", Kind::Ec("P-256"));
    let mut args = flags(&write_set(&keys, &[keys.jwk("p256", &json!({}))]));
    args.push("--identity-roles-claim=groups".to_owned());
    let cluster = Cluster::of(3).args(args).start().await;
    let members: Vec<Http> = cluster.members.iter().map(|member| Http::new(member.addr())).collect();
    let range = |key: &str| json!({ "key": b64(key) });
    for (path, body) in [
        ("role/add", json!({ "name": "oidc/writes" })),
        ("role/grant", json!({ "name": "oidc/writes", "perm": { "permType": "READWRITE", "key": b64("k") } })),
        ("role/add", json!({ "name": "oidc/reads" })),
        ("role/grant", json!({ "name": "oidc/reads", "perm": { "permType": "READ", "key": b64("r") } })),
        ("role/add", json!({ "name": "all" })),
        (
            "role/grant",
            json!({ "name": "all", "perm": { "permType": "READWRITE", "key": b64("a"), "range_end": b64("z") } }),
        ),
        ("user/add", json!({ "name": "root", "password": "root's" })),
        ("user/grant", json!({ "user": "root", "role": "root" })),
        // Of the name that a token will say; and he may all.
        ("user/add", json!({ "name": "oidc/writer", "options": { "no_password": true } })),
        ("user/grant", json!({ "user": "oidc/writer", "role": "all" })),
        ("enable", json!({})),
    ] {
        members[0].call(&format!("/v3/auth/{path}"), body).await;
    }
    let token = |user: &str, groups: Value| {
        let mut claims = claims(user);
        claims["groups"] = groups;
        keys.token("p256", &json!({ "alg": "ES256" }), &claims)
    };
    let ask = async |member: &Http, token: &str, path: &str, body: Value| {
        let answer = member.send(Method::POST, path, &[("authorization", token)], body.to_string()).await;
        (answer.status.as_u16(), answer.json()["message"].as_str().unwrap_or_default().to_owned())
    };
    let (done, denied) = ((200, String::new()), (403, DENIED.to_owned()));
    let writers = ["writer", "stranger"].map(|user| token(user, json!(["writes", "reads", "all", "root"])));
    let nobodies = [json!([]), json!(["root"]), json!("all"), json!(["none"])].map(|groups| token("writer", groups));
    for member in &members {
        for token in &writers {
            eventually("the roles are known", async || {
                (ask(member, token, "/v3/kv/range", range("r")).await == done).then_some(())
            })
            .await;
            for (path, body) in [
                ("/v3/kv/put", range("k")),
                ("/v3/kv/range", range("k")),
                ("/v3/lease/grant", json!({ "TTL": 100 })),
                ("/v3/cluster/member/list", json!({})),
            ] {
                assert_eq!(ask(member, token, path, body).await, done, "{path}");
            }
            for (path, body) in [
                ("/v3/kv/put", range("r")),
                ("/v3/kv/put", range("b")),
                ("/v3/kv/range", range("b")),
                ("/v3/auth/user/list", json!({})),
                ("/v3/kv/compaction", json!({ "revision": 1 })),
            ] {
                assert_eq!(ask(member, token, path, body).await, denied, "{path}");
            }
        }
        for token in &nobodies {
            for (path, body) in [("/v3/kv/range", range("k")), ("/v3/lease/grant", json!({ "TTL": 100 }))] {
                assert_eq!(ask(member, token, path, body).await, denied, "{path}");
            }
        }
    }
    // Who he is, and what he has.
    let bearer = format!("Bearer {}", writers[1]);
    let me = members[2].send(Method::GET, "/v3/session", &[("authorization", &bearer)], "").await.json();
    assert_eq!((&me["user"], &me["roles"]), (&json!("oidc/stranger"), &json!(["oidc/writes", "oidc/reads"])));
    // What a role loses, it loses for what is open, too.
    let answer = members[2].get_stream("/v3/watch?key=k", &[("authorization", &bearer)]).await;
    let mut events = EventStream::over(answer.into_body(), "");
    assert_eq!(events.next().await.unwrap().event, "opened");
    let login = json!({ "name": "root", "password": "root's" });
    let root = members[1].call("/v3/auth/authenticate", login).await["token"].as_str().unwrap().to_owned();
    let revoke = json!({ "role": "oidc/writes", "key": b64("k") });
    assert_eq!(ask(&members[1], &root, "/v3/auth/role/revoke", revoke).await, done);
    let last = events.next().await.unwrap();
    assert!(last.event == "failed" && last.data.contains(DENIED), "{last:?}");
    for member in &members {
        for path in ["/v3/kv/range", "/v3/kv/put"] {
            eventually("its end is known", async || {
                (ask(member, &writers[1], path, range("k")).await == denied).then_some(())
            })
            .await;
        }
    }
    // All members have come to the same.
    for member in &members {
        let headers = [("authorization", root.as_str())];
        let found = member.send(Method::POST, "/v3/kv/range", &headers, range("k").to_string()).await;
        assert_eq!(found.json()["kvs"][0]["version"], "6", "{}", found.text());
    }
}

/// Why, and nothing of the token.
#[tokio::test]
async fn it_is_written_down_why_a_token_was_refused() {
    let keys = Keys::new();
    let (jwk, good) = signer(&keys, "p256");
    let server = Server::of(Flavor::Keyport).args(flags(&write_set(&keys, &[jwk]))).start();
    let realm = Realm::with_outsiders(server).await;
    assert!(realm.takes(&good).await);
    assert!(!realm.server.log().contains("refused a token from outside"));
    let mut claims = claims("canary-user");
    claims["aud"] = "canary-audience".into();
    let token = keys.token("p256", &json!({ "alg": "ES256", "kid": "p256" }), &claims);
    for _ in 0..50 {
        assert!(!realm.takes(&token).await);
    }
    let log = realm.server.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("refused a token from outside")).collect();
    let why = "refused a token from outside: aud does not have the audience in it";
    assert!(lines[0].contains(why) && lines[0].contains("\"level\":\"warn\""), "{log}");
    assert!(lines.len() < 10, "now and then, not each time: {log}");
    for secret in [token.as_str(), token.rsplit_once('.').unwrap().1, "canary"] {
        assert!(!log.contains(secret), "{secret}");
    }
}

#[test]
fn what_could_not_be_used_is_told_at_the_start() {
    if Flavor::under_test() != Flavor::Keyport {
        return;
    }
    let keys = Keys::new();
    keys.pair("short", Kind::Rsa(1024));
    let short = write_set(&keys, &[keys.jwk("short", &json!({}))]);
    let issuer = format!("--identity-issuer={ISSUER}");
    let audience = "--identity-audience=keyport".to_owned();
    for (args, words) in [
        (vec![audience.clone()], "--identity-audience is of no use without --identity-issuer"),
        (vec!["--identity-jwks=x".into()], "--identity-jwks is of no use without --identity-issuer"),
        (vec![issuer.clone()], "--identity-issuer needs --identity-audience"),
        (vec!["--identity-issuer=me".into(), audience.clone()], "name them by --identity-jwks"),
        (vec!["--identity-issuer=http://issuer.example".into(), audience], "it has to begin with https://"),
        (flags("http://issuer.example/keys"), "it has to begin with https://"),
        (flags("https://a@issuer.example/keys"), "it has a user or a fragment"),
        (flags("/nowhere/set.json"), "--identity-jwks: /nowhere/set.json: No such file"),
        (flags(&short), "--identity-jwks: the set has no key for signatures that could be used"),
        (
            [flags("http://localhost/keys"), vec!["--identity-ca-file=/nowhere/ca.pem".into()]].concat(),
            "/nowhere/ca.pem",
        ),
        ([flags(&short), vec!["--identity-user-claim=".into()]].concat(), "--identity-user-claim must name a claim"),
    ] {
        let out = Server::builder().args(&args).run_to_end();
        let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        assert!(!out.status.success() && said.contains(words), "{args:?}: {said}");
    }
}
