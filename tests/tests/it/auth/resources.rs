//! Who may do what with which resource: all of the document that is no RPC, in every form, by everybody and by whatever way he
//! says who he is. What the same people hear of the call that wants the same has to be the same.
//!
//! `KEYPORT_TESTS_BLESS=1` records the tables anew. (etcd has no resources.)

mod forms;
mod guest;
mod rules;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method as Verb;
use http_body_util::BodyExt as _;
use keyport_api::methods::Method;
use keyport_tests::certificates::{Authority, Holder};
use keyport_tests::http::{Http, b64};
use keyport_tests::target::workspace;
use keyport_tests::{Flavor, Server, encrypted};
use serde_json::{Value, json};

use super::Realm;
use super::jwt::{Keys, hs256, realm_of, said};
use super::matrix::furnish;
use crate::tls::Encrypted;
use forms::{Form, forms};
use guest::{Guest, Outcome};

/// Stands for where the second page of a list begins.
const CURSOR: &str = "CURSOR";

impl Realm {
    fn guest(&self, name: &'static str, header: Option<(&'static str, String)>) -> Guest {
        Guest { name, header, http: self.http.clone() }
    }

    fn bearer(&self, name: &'static str, token: &str) -> Guest {
        self.guest(name, Some(("authorization", format!("Bearer {token}"))))
    }

    /// Whoever may write behind a prefix, and the key beside it by which additions are numbered; what lists go on from.
    async fn furnish_resources(&self) -> String {
        let gone = furnish(self).await;
        let root = self.token("root").await;
        for (path, body) in [
            ("role/add", json!({ "name": "adds" })),
            ("role/grant", json!({ "name": "adds", "perm": { "permType": "READWRITE", "key": b64("__k/jobs/") } })),
            ("user/add", json!({ "name": "adder", "password": "adder's" })),
            ("user/grant", json!({ "user": "adder", "role": "adds" })),
            ("user/grant", json!({ "user": "adder", "role": "writes" })),
        ] {
            self.done(&root, &format!("/v3/auth/{path}"), body).await;
        }
        // A signed one of before is old.
        restore(self, &self.token("root").await).await;
        gone
    }
}

/// What some of the forms take away from those who may.
async fn restore(realm: &Realm, root: &str) {
    // It may be there.
    realm.ask(root, "/v3/lease/grant", json!({ "ID": 1234, "TTL": 100_000 })).await;
    realm.done(root, "/v3/kv/put", json!({ "key": b64("k/leased"), "lease": 1234 })).await;
    realm.done(root, "/v3/kv/put", json!({ "key": b64("k/1"), "value": b64("1") })).await;
}

/// All that is no RPC and below `/v3/`, by its name in the document, with the methods and the names of its query.
async fn resources(http: &Http) -> BTreeMap<String, (Vec<&'static str>, Vec<String>)> {
    let document = http.get("/openapi.json").await.json();
    let mut found = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (verb, operation) in item.as_object().unwrap() {
            let is_call = verb == "post" && Method::of_route(path).is_some();
            if !path.starts_with("/v3/") || is_call || verb == "parameters" {
                continue;
            }
            let verbs = match &**verb {
                "get" => vec!["GET", "HEAD"],
                "put" => vec!["PUT"],
                "post" => vec!["POST"],
                "patch" => vec!["PATCH"],
                "delete" => vec!["DELETE"],
                other => panic!("{other} {path}"),
            };
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let queries = parameters.filter(|parameter| parameter["in"] == "query");
            let names = queries.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect();
            found.insert(operation["operationId"].as_str().unwrap().to_owned(), (verbs, names));
        }
    }
    found
}

/// Every form of every resource by all of these, held against a table in `tests/golden`.
async fn compare(realm: &Realm, guests: &[Guest], table: &mut String, differences: &mut Vec<String>) {
    let root = realm.token("root").await;
    let page = realm.bearer("root", &root).open(&listed("/v3/keys?prefix=k/&recursive&limit=1")).await;
    let page: Value = serde_json::from_slice(&page.collect().await.unwrap().to_bytes()).unwrap();
    let mut resources = resources(&realm.http).await;
    // It makes an end of a guest.
    let last = resources.remove_entry("sessionEnd").unwrap();
    for (id, (verbs, names)) in resources.into_iter().chain([last]) {
        let forms = forms_of(&id, &verbs, &names);
        for mut form in forms {
            let headers: String = form.headers.iter().map(|(name, value)| format!(" {name}: {value}")).collect();
            writeln!(table, "{id}: {} {}{headers} {}", form.verb, form.path, form.body).unwrap();
            form.path = form.path.replace(CURSOR, page["next"].as_str().unwrap());
            for guest in guests {
                // He would do it.
                if form.path.contains("all=true") && guest.name.starts_with("root") {
                    continue;
                }
                let outcome = guest.ask(&form).await;
                if form.verb == Verb::DELETE {
                    restore(realm, &root).await;
                }
                if let Some((method, body)) = &form.twin {
                    let said = guest.twin(*method, body).await;
                    // What the call has no words for is no matter of who asks.
                    let agree = match (&said, &outcome.1) {
                        _ if form.verb == Verb::HEAD => said.is_some() == (outcome.0 >= 400),
                        (None, Some((code, _))) => ![3, 7, 16].contains(code),
                        (said, own) => said == own,
                    };
                    if !agree {
                        differences.push(format!("{form:?} by {}: {outcome:?}, and as a call {said:?}", guest.name));
                    }
                }
                let Outcome(status, words) = outcome;
                let words = words.map(|(code, words)| format!("{code} {words}")).unwrap_or_default();
                writeln!(table, "    {:26}{status} {words}", guest.name).unwrap();
            }
        }
    }
}

/// All forms of a resource, of which each of its methods has one, and each name in its query.
fn forms_of(id: &str, verbs: &[&str], names: &[String]) -> Vec<Form> {
    let mut forms = forms(id);
    // What else the query of events may say is no matter of who asks.
    if id != "watchEvents" {
        // Nor is how events are written.
        let is_asked = |name: &String| {
            name == "unnamed" || forms.iter().any(|form| queried(&form.path).any(|given| given == name))
        };
        names.iter().for_each(|name| assert!(is_asked(name), "no form of {id} has {name}"));
    }
    if verbs.contains(&"HEAD") {
        forms.insert(1, Form { verb: Verb::HEAD, ..forms[0].clone() });
    }
    for verb in verbs {
        assert!(forms.iter().any(|form| form.verb == *verb), "no form of {id} is a {verb}");
    }
    forms
}

fn listed(path: &str) -> Form {
    Form { verb: Verb::GET, path: path.to_owned(), headers: &[], body: "", twin: None }
}

/// The names in a query.
fn queried(path: &str) -> impl Iterator<Item = &str> {
    let query = path.split_once('?').map_or("", |(_, query)| query);
    query.split('&').filter_map(|pair| pair.split('=').next())
}

fn held_against(file: &str, table: &str, mut differences: Vec<String>) {
    let file = workspace().join("tests/golden").join(file);
    if std::env::var_os("KEYPORT_TESTS_BLESS").is_some() {
        std::fs::write(&file, table).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    let mut form = "";
    for (ours, theirs) in table.lines().zip(expected.lines()) {
        form = if ours.starts_with(' ') { form } else { ours };
        if ours != theirs {
            differences.push(format!("{form}: {ours:?}, not {theirs:?}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!(table.lines().count(), expected.lines().count());
}

fn basic(user: &str, password: &str) -> Option<(&'static str, String)> {
    Some(("authorization", format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))))
}

#[tokio::test]
async fn who_may_do_what_with_which_resource() {
    let realm = Realm::on(Server::builder().args(["--bcrypt-cost=4"]).start()).await;
    if realm.server.is_etcd() {
        return;
    }
    let gone = realm.furnish_resources().await;
    let cookie = realm.cookie("writer", "writer's").await;
    let mut guests = vec![realm.guest("anyone", None)];
    for (name, token) in
        [("bad token", "bad"), ("token of the future", "abcdefghijklmnop.99999999999"), ("deleted user", &gone)]
    {
        guests.push(realm.bearer(name, token));
    }
    for (name, user) in [
        ("user without roles", "nobody"),
        ("reader", "reader"),
        ("writer of a prefix", "writer"),
        ("writer of a key", "pen"),
        ("adder", "adder"),
        ("root", "root"),
    ] {
        guests.push(realm.bearer(name, &realm.token(user).await));
    }
    guests.push(realm.guest("reader by password", basic("reader", "reader's")));
    guests.push(realm.guest("writer by cookie", Some(("cookie", cookie))));
    let (mut table, mut differences) = (String::new(), Vec::new());
    compare(&realm, &guests, &mut table, &mut differences).await;
    held_against("who-may-resources.txt", &table, differences);
}

#[tokio::test]
async fn what_a_signed_token_is_good_for_at_resources() {
    let keys = Keys::new();
    let secret = keys.secret("secret");
    let realm = realm_of(Flavor::Keyport, &keys.options("HS256", "secret", "")).await;
    let (old_root, old_writer) = (realm.token("root").await, realm.token("writer").await);
    realm.furnish_resources().await;
    let (root, writer) = (realm.token("root").await, realm.token("writer").await);
    let like_root = |claim: &str, value: Value| {
        let mut claims = said(&root, 1);
        claims[claim] = value;
        hs256(&json!({ "alg": "HS256" }), &claims, secret)
    };
    let guests = [
        ("expired", like_root("exp", json!(1))),
        ("tampered with", format!("{root}A")),
        ("deleted user", like_root("username", json!("gone"))),
        ("old, of a writer", old_writer),
        ("root's, old", old_root),
        ("writer", writer),
        ("root", root.clone()),
    ];
    let guests = guests.each_ref().map(|(name, token)| realm.bearer(name, token));
    let (mut table, mut differences) = (String::new(), Vec::new());
    compare(&realm, &guests, &mut table, &mut differences).await;
    held_against("who-may-resources-signed.txt", &table, differences);
}

/// By the name in a certificate, where a flag lets it name somebody over HTTP; and where none does.
#[tokio::test]
async fn who_may_by_certificate_at_resources() {
    let (mut table, mut differences) = (String::new(), Vec::new());
    for flags in [&[][..], &["--client-cert-auth-http"]] {
        let authority = Authority::new();
        let server = Encrypted::certifying(&authority, &[&["--bcrypt-cost=4"], flags].concat()).await;
        if server.server.is_etcd() {
            return;
        }
        let realm = Realm::over(server.server, Http::new(server.plain)).await;
        realm.furnish_resources().await;
        let (writer, secure) = (realm.token("writer").await, (Ipv4Addr::LOCALHOST, server.client).into());
        let mut guests = Vec::new();
        for (name, holder, header) in [
            ("user without roles", "nobody", None),
            ("without password", "cert", None),
            ("a stranger", "stranger", None),
            ("reader", "reader", None),
            ("writer", "writer", None),
            ("token of writer", "reader", Some(("authorization", writer))),
            ("password of reader", "writer", basic("reader", "reader's")),
            ("bad token", "writer", Some(("authorization", "bad".to_owned()))),
            ("root", "root", None),
        ] {
            let shown = authority.issue(&format!("cn-{holder}"), &Holder::new(holder, &[]));
            let client = encrypted::Encrypted::showing(Some(&shown), secure, &authority.file());
            guests.push(Guest { name, header, http: Http::new(client.tunnel().await) });
        }
        writeln!(table, "{flags:?}").unwrap();
        compare(&realm, &guests, &mut table, &mut differences).await;
    }
    held_against("who-may-resources-certified.txt", &table, differences);
}
