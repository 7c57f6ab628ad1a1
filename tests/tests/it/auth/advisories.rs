//! What was published about etcd's users, roles, certificates and the ways around them, each with the test that holds it here.

mod listeners;

use keyport_tests::Server;
use keyport_tests::http::b64;
use keyport_tests::target::workspace;
use serde_json::{Value, json};

use super::{DENIED, NO_NAME, NO_TOKEN, Realm};

/// What was published, by its numbers; what has to be so; and where that is tested: a file, and a test in it.
type Advisory = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const MATRIX: (&str, &str) = ("tests/tests/it/auth/matrix.rs", "who_may_make_which_call");
const CALLS: (&str, &str) = (HERE, "calls_that_advisories_are_about");
const HERE: &str = "tests/tests/it/auth/advisories.rs";
const LISTENERS: &str = "tests/tests/it/auth/advisories/listeners.rs";
/// All that were published, a line each: numbers, where it was mended, what it was. Whoever hears of another one adds it there.
const PUBLISHED: &str = include_str!("advisories/published.txt");

const ADVISORIES: &[Advisory] = &[
    (
        "CVE-2026-33413, GHSA-q8m4-xhhv-38mg; and what 3.6.10 and 3.6.12 took back of it",
        "the members, alarms and leases need somebody, compactions and changes root",
        &[MATRIX, CALLS],
    ),
    ("CVE-2026-33343, GHSA-rfx7-8w68-q57q", "transactions inside of others need what they would need alone", &[CALLS]),
    (
        "CVE-2026-44283, GHSA-x35m-3gp4-4fh5",
        "a put in any transaction needs leave to read for what was there, and to write all keys of its lease",
        &[CALLS],
    ),
    ("CVE-2026-73499, GHSA-xg4h-6gfc-h4m8", "to watch from a key on is not to watch that key", &[CALLS]),
    (
        "CVE-2026-73500, GHSA-6vch-q96h-7gc3",
        "handshakes end in time and are bounded",
        &[
            ("tests/tests/it/tls/handshakes.rs", "nobody_waits_for_who_does_not_finish"),
            ("server/src/tls/handshakes.rs", "the_oldest_goes_when_there_are_too_many"),
        ],
    ),
    (
        "GHSA-3wh4-j44w-pg92",
        "certificates that were revoked are refused where nothing but gRPC is spoken, too",
        &[(LISTENERS, "a_revoked_certificate_is_refused_where_only_grpc_is_spoken")],
    ),
    (
        "CVE-2021-28235, GHSA-gmph-wf7j-9gcm",
        "no page, log line or number has a password or a token",
        &[
            (HERE, "passwords_and_tokens_are_told_to_nobody"),
            ("tests/tests/it/auth/audit.rs", "it_says_who_asked_for_what_and_how_it_went"),
        ],
    ),
    ("CVE-2023-32082, GHSA-3p4g-rcw5-8298", "whoever asks for a lease's keys may read them", &[CALLS]),
    (
        "CVE-2018-16886, GHSA-h6xx-pmxh-3wgp",
        "calls by the gateway are nobody's whom a certificate names",
        &[("tests/tests/it/tls/identity.rs", "the_common_name_is_the_user_of_grpc_and_nobody_on_the_gateway")],
    ),
    (
        "CVE-2018-1098, CVE-2018-1099",
        "pages of other sites write nothing, and other names lead nowhere",
        &[
            ("tests/tests/it/pages.rs", "pages_of_other_sites_do_nothing"),
            ("tests/tests/it/pages.rs", "other_names_lead_nowhere"),
        ],
    ),
    (
        "CVE-2020-15113",
        "nobody else reads the data directory",
        &[
            ("tests/tests/it/flags.rs", "the_ready_line_and_stopping"),
            ("tests/tests/it/flags.rs", "a_directory_that_others_can_read_is_worth_a_warning"),
        ],
    ),
    (
        "CVE-2020-15115",
        "a password may have any length, as in etcd, and guesses are few",
        &[
            (HERE, "a_password_of_any_length_is_one_and_no_other_is"),
            ("tests/tests/it/auth/logins.rs", "guesses_are_counted"),
        ],
    ),
    (
        "CVE-2020-15136",
        "whoever is dialled shows a certificate that somebody vouches for, wherever his address comes from",
        &[
            ("tests/tests/it/tls/discovery.rs", "a_service_that_nobody_vouches_for_is_told_nothing"),
            ("tests/tests/it/auth/identities.rs", "an_issuer_says_where_its_keys_are"),
        ],
    ),
    (
        "GHSA-vjg6-93fv-qv64",
        "what is written down of a login says truly who came, by what, and why he was refused",
        &[("tests/tests/it/tls/identity.rs", "who_a_certificate_names_is_written_down_as_he_came")],
    ),
    (
        "GHSA-hrxh-6v49-42gf, of grpc-go",
        "frames of HTTP/2 in any number and of any kind do not hurt others",
        &[
            ("tests/tests/it/hostile/http2.rs", "streams_that_are_given_up"),
            ("tests/tests/it/hostile/http2.rs", "frames_without_number"),
            ("tests/tests/it/hostile/http2.rs", "frames_that_are_wrong"),
        ],
    ),
    (
        "GHSA-5x4g-q5rc-36jp",
        "weak suites are not to be had",
        &[("server/src/config/tests/tls.rs", "versions_and_suites_have_etcds_names")],
    ),
    (
        "CVE-2026-33186, of grpc-go",
        "a path without its slash leads to no call",
        &[(LISTENERS, "a_path_without_its_slash_leads_to_no_call")],
    ),
    (
        "of 3.7.1, without a number",
        "transactions inside of others count for the quota; what peers ask for leases is bounded",
        &[
            ("server/src/apply/quota.rs", "a_transaction_inside_of_another_costs_as_much_as_alone"),
            ("server/src/peer_port/whole_body.rs", "what_is_too_large_is_not_read_to_its_end"),
        ],
    ),
];

/// The numbers in a text: what was published has one of two kinds.
fn numbers(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words.filter(|word| word.starts_with("CVE-") || word.starts_with("GHSA-")).collect()
}

/// The list leads somewhere, and has all that were published.
#[test]
fn every_advisory_has_its_test() {
    let published = numbers(PUBLISHED);
    let listed: Vec<&str> = ADVISORIES.iter().flat_map(|(ids, ..)| numbers(ids)).collect();
    for (those, others, what) in
        [(&published, &listed, "has no row in the table of tests"), (&listed, &published, "is not among the published")]
    {
        for number in those {
            assert!(others.contains(number), "{number} {what}");
            assert_eq!(those.iter().filter(|other| *other == number).count(), 1, "{number} is there twice");
        }
    }
    for (ids, what, tests) in ADVISORIES {
        assert!(!tests.is_empty(), "{ids}: that {what} is not tested");
        for (file, test) in *tests {
            let text = std::fs::read_to_string(workspace().join(file)).unwrap_or_default();
            assert!(text.contains(&format!("fn {test}(")), "{ids}: that {what} is not tested by {test} in {file}");
        }
    }
}

/// Users of the table, beside those of every realm: `blind` may write under `k/` and read nothing.
async fn furnish(realm: &Realm) -> String {
    let root = realm.token("root").await;
    for (path, body) in [
        ("/v3/auth/role/add", json!({ "name": "blind" })),
        (
            "/v3/auth/role/grant",
            json!({ "name": "blind", "perm": { "permType": "WRITE", "key": b64("k/"), "range_end": b64("k0") } }),
        ),
        ("/v3/auth/user/add", json!({ "name": "blind", "password": "blind's" })),
        ("/v3/auth/user/grant", json!({ "user": "blind", "role": "blind" })),
        ("/v3/lease/grant", json!({ "ID": 7, "TTL": 10_000 })),
        ("/v3/kv/put", json!({ "key": b64("secret"), "lease": 7 })),
        ("/v3/kv/put", json!({ "key": b64("k/1"), "value": b64("was there") })),
    ] {
        realm.done(&root, path, body).await;
    }
    root
}

const DONE: &str = "";

/// Who calls, what, with which body, and what is said to the contrary.
type Row = (&'static str, &'static str, &'static str, Value, &'static str);

fn rows() -> Vec<Row> {
    let nested =
        |op: Value| json!({ "success": [{ "requestTxn": { "failure": [{ "requestTxn": { "success": [op] } }] } }] });
    let txn = |op: Value| json!({ "failure": [op] });
    let put = |key: &str| json!({ "requestPut": { "key": b64(key) } });
    let put_and_tell = json!({ "requestPut": { "key": b64("k/1"), "prev_kv": true } });
    let put_to_lease = json!({ "requestPut": { "key": b64("k/1"), "lease": 7 } });
    let delete_and_tell = json!({ "requestDeleteRange": { "key": b64("k/1"), "prev_kv": true } });
    let get = |key: &str| json!({ "requestRange": { "key": b64(key) } });
    let [identity, nesting, effects, leased] = ["CVE-2026-33413", "CVE-2026-33343", "CVE-2026-44283", "CVE-2023-32082"];
    vec![
        (identity, "", "/v3/cluster/member/list", json!({}), NO_NAME),
        (identity, "", "/v3/maintenance/alarm", json!({}), NO_NAME),
        (identity, "", "/v3/maintenance/status", json!({}), NO_NAME),
        (identity, "", "/v3/lease/grant", json!({ "TTL": 100 }), NO_NAME),
        (identity, "", "/v3/lease/revoke", json!({ "ID": 7 }), NO_NAME),
        (identity, "", "/v3/lease/leases", json!({}), NO_NAME),
        (identity, "", "/v3/lease/timetolive", json!({ "ID": 7 }), NO_NAME),
        (identity, "", "/v3/kv/compaction", json!({ "revision": 1 }), NO_NAME),
        (identity, "bad", "/v3/cluster/member/list", json!({}), NO_TOKEN),
        (identity, "nobody", "/v3/lease/revoke", json!({ "ID": 7 }), DENIED),
        (identity, "nobody", "/v3/kv/compaction", json!({ "revision": 1 }), DENIED),
        (identity, "nobody", "/v3/maintenance/alarm", json!({ "action": "ACTIVATE", "alarm": "NOSPACE" }), DENIED),
        (identity, "nobody", "/v3/maintenance/defragment", json!({}), DENIED),
        (identity, "nobody", "/v3/cluster/member/list", json!({}), DONE),
        (identity, "nobody", "/v3/maintenance/alarm", json!({}), DONE),
        (identity, "nobody", "/v3/maintenance/status", json!({}), DONE),
        (nesting, "writer", "/v3/kv/txn", nested(put("secret")), DENIED),
        (nesting, "writer", "/v3/kv/txn", nested(get("secret")), DENIED),
        (nesting, "reader", "/v3/kv/txn", nested(put("k/1")), DENIED),
        (nesting, "writer", "/v3/kv/txn", nested(put("k/1")), DONE),
        (effects, "blind", "/v3/kv/put", json!({ "key": b64("k/1"), "prev_kv": true }), DENIED),
        (effects, "blind", "/v3/kv/txn", txn(put_and_tell.clone()), DENIED),
        (effects, "blind", "/v3/kv/txn", nested(put_and_tell.clone()), DENIED),
        (effects, "blind", "/v3/kv/txn", nested(delete_and_tell.clone()), DENIED),
        (effects, "writer", "/v3/kv/put", json!({ "key": b64("k/1"), "lease": 7 }), DENIED),
        (effects, "writer", "/v3/kv/txn", txn(put_to_lease.clone()), DENIED),
        (effects, "writer", "/v3/kv/txn", nested(put_to_lease), DENIED),
        (effects, "blind", "/v3/kv/txn", nested(put("k/1")), DONE),
        (effects, "writer", "/v3/kv/txn", nested(put_and_tell), DONE),
        (effects, "writer", "/v3/kv/txn", nested(delete_and_tell), DONE),
        (leased, "writer", "/v3/lease/timetolive", json!({ "ID": 7, "keys": true }), DENIED),
        (leased, "writer", "/v3/lease/leases", json!({}), DENIED),
        (leased, "writer", "/v3/lease/timetolive", json!({ "ID": 7 }), DONE),
    ]
}

#[tokio::test]
async fn calls_that_advisories_are_about() {
    let realm = Realm::on(Server::start()).await;
    let root = furnish(&realm).await;
    for (id, who, path, body, said) in rows() {
        let token = match who {
            "" | "bad" => who.to_owned(),
            user => realm.token(user).await,
        };
        match said {
            DONE => drop(realm.done(&token, path, body).await),
            said => {
                assert_eq!(realm.refusal(&token, path, body.clone()).await, said, "{id}: {path} {body} by {who}");
            }
        }
    }
    // CVE-2026-73499
    realm.done(&root, "/v3/auth/role/grant", json!({ "name": "reads", "perm": { "key": b64("one") } })).await;
    let reader = realm.token("reader").await;
    let reason = "rpc error: code = PermissionDenied desc = etcdserver: permission denied";
    for (end, canceled) in [(Some("\0"), true), (Some("onf"), true), (None, false)] {
        let create = json!({ "create_request": { "key": b64("one"), "range_end": end.map(b64) } });
        let answer = realm.first(&reader, "/v3/watch", &create).await;
        let result = &answer["result"];
        assert_eq!(result["canceled"] == true, canceled, "{answer}");
        assert_eq!(result["cancel_reason"].as_str().unwrap_or_default(), if canceled { reason } else { "" });
    }
}

/// As in etcd, it is up to whoever sets one how long it is.
#[tokio::test]
async fn a_password_of_any_length_is_one_and_no_other_is() {
    let realm = Realm::on(Server::start()).await;
    let root = realm.token("root").await;
    for (name, password) in [("short", "x"), ("empty", "")] {
        realm.done(&root, "/v3/auth/user/add", json!({ "name": name, "password": password })).await;
        assert!(!realm.token_of(name, password).await.is_empty());
    }
    for (name, password) in [("short", ""), ("short", "xx"), ("empty", "x"), ("cert", ""), ("root", "")] {
        let login = json!({ "name": name, "password": password });
        let said = realm.refusal("", "/v3/auth/authenticate", login).await;
        assert!(said.contains("authentication failed"), "{name} {password:?}: {said}");
    }
}

#[tokio::test]
async fn passwords_and_tokens_are_told_to_nobody() {
    const CANARIES: [&str; 3] = ["canary-added", "canary-changed", "canary-guessed"];
    let realm = Realm::on(Server::builder().args(["--log-level=debug"]).start()).await;
    let root = realm.token("root").await;
    let [added, changed, guessed] = CANARIES;
    let user = |password: &str| json!({ "name": "bird", "password": password });
    realm.done(&root, "/v3/auth/user/add", user(added)).await;
    let token = realm.done("", "/v3/auth/authenticate", user(added)).await["token"].as_str().unwrap().to_owned();
    realm.refusal("", "/v3/auth/authenticate", user(guessed)).await;
    realm.refusal(&token, "/v3/kv/put", json!({ "key": b64("secret") })).await;
    realm.done(&root, "/v3/auth/user/changepw", user(changed)).await;
    // Of somebody else, and while they are used; a token that has ended is refused.
    realm.refusal(&token, "/v3/kv/range", json!({ "key": b64("a") })).await;
    realm.refusal("", "/v3/auth/user/add", user(guessed)).await;
    realm.refusal(&root, "/v3/auth/user/add", user(guessed)).await;
    let letters = token.split('.').next().unwrap();
    let mut told = vec![("the log", realm.server.log())];
    for page in ["/metrics", "/debug/vars", "/debug/requests", "/debug/events", "/health", "/version"] {
        let headers = [("authorization", &*root)];
        let answer = realm.http.send(http::Method::GET, page, &headers, "").await;
        told.push((page, answer.text()));
    }
    for (what, text) in told {
        // etcd's log has tokens in the making, at this level.
        let tokens = [letters, root.split('.').next().unwrap()].into_iter().filter(|_| !realm.server.is_etcd());
        for secret in CANARIES.into_iter().chain(tokens) {
            assert!(!text.contains(secret), "{what} tells {secret}");
        }
    }
}
