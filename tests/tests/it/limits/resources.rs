//! Rates at keys and leases as resources: refused in their words, and leases are let through.

use std::time::Duration;

use http::Method;
use keyport_tests::http::{Answer, Http, b64};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{counted, server};
use crate::auth::Realm;

/// More than this come neither at once nor back.
const MANY: usize = 500;

/// What is let through in time may be a stream, which has no end.
const OPEN: Duration = Duration::from_secs(1);

/// Asks until it is refused for the rate, which has to be soon: on a busy machine there is room for another one now and then.
async fn refused(http: &Http, form: (&Method, &str), headers: &[(&str, &str)]) -> Answer {
    for _ in 0..MANY {
        let Ok(answer) = timeout(OPEN, http.send(form.0.clone(), form.1, headers, "1")).await else { continue };
        if answer.status == 429 {
            return answer;
        }
        assert!(answer.status.is_success() || answer.status == 404, "{form:?}: {}", answer.text());
    }
    panic!("nobody counts {form:?}");
}

fn says_when_to_come_back(answer: &Answer, why: &str) {
    assert_eq!((answer.header("retry-after"), answer.header("content-type")), ("1", "application/problem+json"));
    assert_eq!(
        (answer.json()["status"].clone(), answer.json()["detail"].clone()),
        (json!(429), json!(format!("keyport: too many requests {why}")))
    );
}

const KEYS: [(&Method, &str); 7] = [
    (&Method::PUT, "/v3/keys/k/1"),
    (&Method::GET, "/v3/keys/k/1"),
    (&Method::PATCH, "/v3/keys/k/1?append"),
    (&Method::GET, "/v3/keys?prefix=k/"),
    (&Method::GET, "/v3/keys/k/1?wait=600"),
    (&Method::DELETE, "/v3/keys?prefix=k/none/"),
    (&Method::DELETE, "/v3/keys/k/none"),
];

#[tokio::test]
async fn a_user_and_an_address_are_refused_as_a_problem() {
    for (flag, by, why) in [
        ("--rate-limit-per-user=1:30", "user", "of this user"),
        ("--rate-limit-per-address=1:60", "address", "from this address"),
    ] {
        let Some(server) = server([flag, "--bcrypt-cost=4"]) else { return };
        let realm = Realm::on(server).await;
        let (http, root) = (realm.server.http(), realm.token("root").await);
        let lease: Value = realm.done(&root, "/v3/lease/grant", json!({ "TTL": 600, "ID": 7 })).await;
        assert_eq!(lease["ID"], "7");
        let by_root = [("authorization", &*root)];
        for form in KEYS {
            says_when_to_come_back(&refused(&http, form, &by_root).await, why);
        }
        let events = (&Method::GET, "/v3/keys/k/1?watch");
        says_when_to_come_back(&refused(&http, events, &by_root).await, why);
        assert!(counted(&http, &format!("keyport_rate_limited_total{{by=\"{by}\"}}")).await >= 8);
        // What keeps others alive is let through.
        for _ in 0..20 {
            let kept = http.send(Method::POST, "/v3/leases/7/keepalive", &by_root, "").await;
            assert_eq!(kept.status, 200, "{flag}: {}", kept.text());
            let granted = http.send(Method::POST, "/v3/leases", &by_root, r#"{"ttl":60}"#).await;
            assert_eq!(granted.status, 201, "{flag}: {}", granted.text());
        }
    }
}

#[tokio::test]
async fn keys_are_counted_by_their_prefix() {
    let Some(server) = server(["--rate-limit-prefix=k/=1:20"]) else { return };
    let http = server.http();
    for form in KEYS {
        says_when_to_come_back(&refused(&http, form, &[]).await, "for these keys");
    }
    // A list of all keys has them, too; and other keys are nobody's business.
    let all = (&Method::DELETE, "/v3/keys?all=true");
    says_when_to_come_back(&refused(&http, all, &[]).await, "for these keys");
    for _ in 0..50 {
        assert!(http.send(Method::PUT, "/v3/keys/other", &[], "v").await.status.is_success());
    }
    let put = json!({ "key": b64("k/1") }).to_string();
    for _ in 0..MANY {
        if http.post("/v3/kv/put", put.clone()).await.status == 429 {
            return;
        }
    }
    panic!("nobody counts a put over the gateway");
}
