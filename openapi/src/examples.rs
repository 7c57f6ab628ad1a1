//! Request bodies to begin with, by path. They are what the explorer shows first.

use serde_json::{Value, json};

/// `foo` in base64 is `Zm9v`, `bar` is `YmFy`, `fop` (where the prefix `foo` ends) is `Zm9w`.
pub(crate) fn request(path: &str) -> Value {
    match path {
        "/v3/kv/put" => json!({"key": "Zm9v", "value": "YmFy"}),
        "/v3/kv/range" => json!({"key": "Zm9v"}),
        "/v3/kv/deleterange" => json!({"key": "Zm9v", "range_end": "Zm9w", "prev_kv": true}),
        "/v3/kv/txn" => json!({
            "compare": [{"key": "Zm9v", "target": "VERSION", "result": "EQUAL", "version": "0"}],
            "success": [{"request_put": {"key": "Zm9v", "value": "YmFy"}}],
            "failure": [{"request_range": {"key": "Zm9v"}}]
        }),
        "/v3/kv/compaction" => json!({"revision": "2"}),
        "/v3/watch" => json!({"create_request": {"key": "Zm9v", "range_end": "Zm9w", "prev_kv": true}}),
        "/v3/lease/grant" => json!({"TTL": "60"}),
        "/v3/lease/keepalive" | "/v3/lease/revoke" | "/v3/kv/lease/revoke" => json!({"ID": "7587848390525747211"}),
        "/v3/lease/timetolive" | "/v3/kv/lease/timetolive" => json!({"ID": "7587848390525747211", "keys": true}),
        "/v3/cluster/member/add" => json!({"peerURLs": ["http://10.0.0.4:2380"], "isLearner": true}),
        "/v3/cluster/member/update" => json!({"ID": "1", "peerURLs": ["http://10.0.0.4:2380"]}),
        "/v3/cluster/member/remove" | "/v3/cluster/member/promote" => json!({"ID": "1"}),
        "/v3/maintenance/alarm" => json!({"action": "GET", "alarm": "NONE"}),
        "/v3/maintenance/transfer-leadership" => json!({"targetID": "1"}),
        "/v3/maintenance/downgrade" => json!({"action": "VALIDATE", "version": "3.6"}),
        "/v3/auth/authenticate" => json!({"name": "root", "password": "secret"}),
        "/v3/auth/user/add" | "/v3/auth/user/changepw" => json!({"name": "alice", "password": "secret"}),
        "/v3/auth/user/get" | "/v3/auth/user/delete" => json!({"name": "alice"}),
        "/v3/auth/user/grant" => json!({"user": "alice", "role": "reader"}),
        "/v3/auth/user/revoke" => json!({"name": "alice", "role": "reader"}),
        "/v3/auth/role/add" => json!({"name": "reader"}),
        "/v3/auth/role/get" | "/v3/auth/role/delete" => json!({"role": "reader"}),
        "/v3/auth/role/grant" => {
            json!({"name": "reader", "perm": {"permType": "READ", "key": "Zm9v", "range_end": "Zm9w"}})
        }
        "/v3/auth/role/revoke" => json!({"role": "reader", "key": "Zm9v", "range_end": "Zm9w"}),
        "/v3/lock/lock" => json!({"name": "Zm9v", "lease": "0"}),
        "/v3/lock/unlock" => json!({"key": "Zm9vLzY5NGQ="}),
        "/v3/election/campaign" => json!({"name": "Zm9v", "value": "YmFy"}),
        "/v3/election/proclaim" => {
            json!({"leader": {"name": "Zm9v", "key": "Zm9vLzY5NGQ=", "rev": "2", "lease": "26957"}, "value": "YmFy"})
        }
        "/v3/election/resign" => {
            json!({"leader": {"name": "Zm9v", "key": "Zm9vLzY5NGQ=", "rev": "2", "lease": "26957"}})
        }
        "/v3/election/leader" | "/v3/election/observe" => json!({"name": "Zm9v"}),
        _ => json!({}),
    }
}
