//! Members and alarms as resources.

use http::Method;
use keyport_tests::Cluster;
use keyport_tests::http::{Answer, Http};
use keyport_tests::wait::eventually;
use serde_json::{Value, json};

use super::{Store, problem};

async fn ask(http: &Http, method: Method, path: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    http.send(method, &format!("/v3/{path}"), &[], body).await
}

#[tokio::test]
async fn members_come_and_go() {
    let mut cluster = Cluster::of(3).start().await;
    let none = Value::Null;
    let leader = cluster.leader().await;
    let http = Http::new(cluster.members[leader].addr());
    let listed = ask(&http, Method::GET, "members", &none).await.json();
    let members = listed["members"].as_array().unwrap().clone();
    let leading = members.iter().filter(|member| member["leader"] == true).map(|member| member["id"].clone());
    assert_eq!((members.len(), leading.collect::<Vec<_>>()), (3, vec![json!(cluster.members[leader].id.to_string())]));
    let follower = cluster.follower().await;
    let id = cluster.members[follower].id;
    let shown = ask(&http, Method::GET, &format!("members/{id}"), &none).await.json();
    assert!(members.contains(&shown), "{shown}");
    assert_eq!(ask(&http, Method::GET, &format!("members/0x{id:x}"), &none).await.json(), shown);
    assert_eq!((&shown["hex"], &shown["learner"]), (&json!(format!("{id:x}")), &json!(false)));
    // It is not done before all have been connected for a while.
    let added = eventually("a member is added", async || {
        let new = json!({"peer_urls": ["http://127.0.0.1:9"], "learner": true});
        Some(ask(&http, Method::POST, "members", &new).await).filter(|added| added.status == 201)
    })
    .await;
    let new = added.json()["id"].as_str().unwrap().to_owned();
    assert_eq!((added.status.as_u16(), added.header("location")), (201, &*format!("/v3/members/{new}")));
    assert_eq!((&added.json()["learner"], &added.json()["name"]), (&json!(true), &json!("")));
    let moved =
        ask(&http, Method::PATCH, &format!("members/{new}"), &json!({"peer_urls": ["http://127.0.0.1:10"]})).await;
    assert_eq!(moved.json()["peer_urls"], json!(["http://127.0.0.1:10"]));
    for (method, path, body, status) in [
        (Method::GET, "members/7", none.clone(), 404),
        (Method::GET, "members/x", none.clone(), 400),
        (Method::DELETE, "members/7", none.clone(), 404),
        (Method::POST, "members/7/promote", none.clone(), 404),
        (Method::POST, &*format!("members/{new}/promote"), none.clone(), 409),
        (Method::POST, "members", json!({"peer_urls": ["http://127.0.0.1:10"]}), 409),
        (Method::POST, "members", json!({"peer_urls": []}), 400),
        (Method::POST, "members", json!({"peer_urls": ["127.0.0.1"]}), 400),
        (Method::POST, "members", json!({"peer": []}), 400),
        (Method::PUT, "members/7", none.clone(), 405),
        (Method::GET, "members?consistency=eventual", none.clone(), 400),
    ] {
        let refused = ask(&http, method.clone(), path, &body).await;
        assert_eq!(problem(&refused).0, status, "{method} {path} {body}: {}", refused.text());
    }
    assert_eq!(ask(&http, Method::DELETE, &format!("members/{new}"), &none).await.status, 204);
    assert_eq!(ask(&http, Method::GET, "members", &none).await.json()["members"].as_array().unwrap().len(), 3);
    let other = Http::new(cluster.members[(leader + 1) % 3].addr());
    let refused = ask(&other, Method::POST, &format!("members/{id}/lead"), &none).await;
    assert_eq!((problem(&refused).0, &refused.json()["type"]), (503, &json!("/problems/not-leader")));
    assert_eq!(ask(&http, Method::POST, &format!("members/{id}/lead"), &none).await.status, 204);
    eventually("it leads", async || (cluster.leader().await == follower).then_some(())).await;
    cluster.stop().await;
}

#[tokio::test]
async fn alarms_are_listed_and_disarmed() {
    let store = Store::with(&["--quota-backend-bytes=1048576"]);
    let none = Value::Null;
    assert_eq!(ask(&store.http, Method::GET, "alarms", &none).await.json(), json!({"alarms": []}));
    let mut number = 0;
    let refused = loop {
        let answer = store.put(&format!("k{number}"), vec![b'x'; 100_000]).await;
        if !answer.status.is_success() {
            break answer;
        }
        number += 1;
        assert!(number < 100, "there is room for all of it");
    };
    assert_eq!(problem(&refused).0, 507);
    let member = ask(&store.http, Method::GET, "members", &none).await.json()["members"][0]["id"].clone();
    let raised = json!({"alarms": [{"member": member, "alarm": "NOSPACE"}]});
    assert_eq!(ask(&store.http, Method::GET, "alarms", &none).await.json(), raised);
    assert_eq!(ask(&store.http, Method::DELETE, "alarms?alarm=CORRUPT", &none).await.json(), json!({"alarms": []}));
    assert_eq!(ask(&store.http, Method::GET, "alarms", &none).await.json(), raised);
    assert_eq!(ask(&store.http, Method::DELETE, "alarms", &none).await.json(), raised);
    assert_eq!(ask(&store.http, Method::GET, "alarms", &none).await.json(), json!({"alarms": []}));
    for path in ["alarms?alarm=NONE", "alarms?alarm=x", "alarms?member=7"] {
        assert_eq!(problem(&ask(&store.http, Method::DELETE, path, &none).await).0, 400, "{path}");
    }
}
