//! Rows: several operations at once, `/v3/transactions` and `/v3/keys:batch`.

use serde_json::{Value, json};

use super::keys::REUSED;
use super::keys::parameters::IDEMPOTENCY_KEY;
use super::{Answer, Endpoint, PROBLEM, RESOURCE, Verb, json_of};

/// What both have in common.
const TRANSACTION: Endpoint = Endpoint { verb: Verb::Post, tag: "Transactions", ..RESOURCE };

pub(super) const RUN: Endpoint = Endpoint {
    path: "/v3/transactions",
    id: "Transactions_Run",
    summary: "Does several things at once, if what it says of keys is so",
    description: "If all of `if` holds, `then` is done, and otherwise `else`; all of it at one revision, or none. Who looks on sees nothing \
of it half done. A condition may be about a `key` or about all keys with a `prefix`.

With an `Idempotency-Key` it may be sent again, to any member: nothing is done a second time, and the answer says the revision of the first and, beside it, `Idempotent-Replayed: true`; what came of each operation it does not repeat.",
    parameters: &[IDEMPOTENCY_KEY],
    body: &[json_of("Transaction", transaction)],
    answers: &[
        Answer {
            status: 200,
            description: "Which of them was done, and what came of each operation.",
            contents: &[json_of("TransactionResult", transaction_result)],
            headers: &["Keyport-Revision"],
        },
        REUSED,
    ],
    ..TRANSACTION
};

pub(super) const BATCH: Endpoint = Endpoint {
    path: "/v3/keys:batch",
    id: "Keys_Batch",
    summary: "Writes and removes many keys at one revision",
    description: "1000 operations at most, or as many as `--max-txn-ops` says if that is more, and as many conditions. No key may be written twice. If not \
all of `if` holds, nothing is done: so what was read before is changed if it still is what it was, as when a file is imported.

With an `Idempotency-Key` it may be sent again, to any member: nothing is done a second time, and the answer says the revision of the first and, beside it, `Idempotent-Replayed: true`; what came of each operation it does not repeat.",
    parameters: &[IDEMPOTENCY_KEY],
    body: &[json_of("Batch", batch)],
    answers: &[
        Answer {
            status: 200,
            description: "What came of each operation.",
            contents: &[json_of("BatchResult", batch_result)],
            headers: &["Keyport-Revision"],
        },
        Answer {
            status: 412,
            description: "A condition does not hold: nothing was done.",
            contents: &[PROBLEM],
            headers: &[],
        },
        REUSED,
    ],
    ..TRANSACTION
};

fn transaction() -> Value {
    json!({
        "if": [{"key": "stock", "value": "3"}, {"key": "orders/7", "exists": false}],
        "then": [{"put": {"key": "stock", "value": "2"}}, {"put": {"key": "orders/7", "value": "one"}}],
        "else": [{"get": {"key": "stock"}}, {"get": {"prefix": "orders/", "count_only": true}}],
    })
}

fn transaction_result() -> Value {
    json!({
        "succeeded": false,
        "revision": "9",
        "results": [
            {"get": {"keys": [{"key": "stock", "value": "0", "create_revision": "2", "mod_revision": "8", "version": "4"}], "count": "1"}},
            {"get": {"keys": [], "count": "6"}},
        ],
    })
}

fn batch() -> Value {
    json!({"if": [{"key": "z", "exists": false}], "operations": [{"put": {"key": "a", "value": "1"}}, {"delete": {"prefix": "old/"}}]})
}

fn batch_result() -> Value {
    json!({
        "revision": "12",
        "results": [
            {"put": {"key": "a", "create_revision": "12", "mod_revision": "12", "version": "1"}},
            {"delete": {"deleted": "3"}},
        ],
    })
}
