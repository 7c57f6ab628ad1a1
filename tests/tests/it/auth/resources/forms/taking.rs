//! Forms of transactions, locks and elections.

use http::Method as Verb;
use keyport_api::methods::Method;
use keyport_tests::http::b64;
use serde_json::{Value, json};

use super::{EVENTS, Form, at, form, of};

/// None for what belongs elsewhere.
pub(super) fn forms(id: &str) -> Option<Vec<Form>> {
    Some(match id {
        "transactionsRun" => transactions(),
        "keysBatch" => {
            let changes = r#"{"operations":[{"put":{"key":"k/1","value":"1"}},{"delete":{"prefix":"k/none/"}}]}"#;
            let delete = json!({ "requestDeleteRange": of("k/none/", "k/none0") });
            let twin = Some((Method::Txn, json!({ "success": [put("k/1"), delete] })));
            vec![form(Verb::POST, "/v3/keys:batch", &[], changes, twin)]
        }
        "locksGet" => vec![
            form(Verb::GET, "/v3/locks/k/lock", &[], "", looks("k/lock")),
            form(Verb::GET, "/v3/locks/k/lock?limit=1", &[], "", looks("k/lock")),
            form(Verb::GET, "/v3/locks/z", &[], "", looks("z")),
        ],
        "locksTake" => takes("/v3/locks/k/lock", "k/lock"),
        "locksRelease" => leaves("/v3/locks/k/lock", "k/lock"),
        "electionsGet" => vec![
            form(Verb::GET, "/v3/elections/k/office?limit=1", &[], "", looks("k/office")),
            form(Verb::GET, "/v3/elections/k/office?watch", &[], "", looks("k/office")),
            form(Verb::GET, "/v3/elections/k/office", EVENTS, "", looks("k/office")),
        ],
        "electionsCampaign" => takes("/v3/elections/k/office", "k/office"),
        "electionsProclaim" => {
            // Who may not look is told so; and then who may not write.
            let twin = stands("k/office");
            vec![form(Verb::PUT, "/v3/elections/k/office?lease=1234", &[], "x", twin)]
        }
        "electionsResign" => leaves("/v3/elections/k/office", "k/office"),
        _ => return None,
    })
}

fn transactions() -> Vec<Form> {
    let run = |body, twin: Value| form(Verb::POST, "/v3/transactions", &[], body, Some((Method::Txn, twin)));
    vec![
        run(r#"{"then":[{"get":{"key":"k/1"}}]}"#, json!({ "success": [{ "requestRange": at("k/1") }] })),
        run(r#"{"then":[{"put":{"key":"k/1","value":"1"}}]}"#, json!({ "success": [put("k/1")] })),
        run(
            r#"{"if":[{"key":"k/1","value":"1"}],"then":[{"put":{"key":"k/1","value":"1"}}]}"#,
            json!({ "compare": [{ "key": b64("k/1") }], "success": [put("k/1")] }),
        ),
        run(
            r#"{"then":[{"delete":{"prefix":"k/none/"}}]}"#,
            json!({ "success": [{ "requestDeleteRange": of("k/none/", "k/none0") }] }),
        ),
        run(
            r#"{"then":[{"transaction":{"then":[{"get":{"prefix":""}}]}}]}"#,
            json!({ "success": [{ "requestTxn": { "success": [{ "requestRange": of("\0", "\0") }] } }] }),
        ),
    ]
}

fn takes(path: &str, name: &str) -> Vec<Form> {
    let take = |query: &str| form(Verb::POST, &format!("{path}?{query}"), &[], "x", stands(name));
    vec![
        take("lease=1234"),
        // Who may look is told who has it.
        Form { twin: None, ..take("ttl=600") },
        take("lease=1234&wait=1"),
        take("hold"),
        Form { headers: EVENTS, ..take("wait=1") },
    ]
}

fn leaves(path: &str, name: &str) -> Vec<Form> {
    let twin = |lease: &str| Some((Method::DeleteRange, at(&format!("{name}/{lease}"))));
    vec![
        // Nobody has it.
        form(Verb::DELETE, &format!("{path}?lease=77"), &[], "", twin("4d")),
        form(Verb::DELETE, &format!("{path}?lease=1234"), &[], "", None),
    ]
}

fn looks(name: &str) -> Option<(Method, Value)> {
    Some((Method::Range, of(&format!("{name}/"), &format!("{name}0"))))
}

/// What standing in a line is made of.
fn stands(name: &str) -> Option<(Method, Value)> {
    let line = json!({ "requestRange": of(&format!("{name}/"), &format!("{name}0")) });
    Some((Method::Txn, json!({ "success": [put(&format!("{name}/x")), line] })))
}

fn put(key: &str) -> Value {
    json!({ "requestPut": { "key": b64(key), "value": b64("1") } })
}
