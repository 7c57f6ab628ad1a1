//! Row: what is at a level of keys, `GET /v3/keys`.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::super::{Answer, Content, Endpoint, Parameter, Shape, Verb, query};
use super::{KEY as RESOURCE, parameters as of};

/// How many keys and levels a page may have.
pub const LIST_LIMITS: RangeInclusive<u16> = 1..=10_000;

pub(in super::super) const LIST: Endpoint = Endpoint {
    path: "/v3/keys",
    id: "Keys_List",
    summary: "Lists keys",
    description: "One level of keys, as of a folder: those that have no `separator` behind the `prefix`, and of those further down what they begin \
with. With `recursive`, all keys that begin with the prefix.

A page takes as long as a page, whatever is below. All pages are of the revision of the first: `Link` and `next` lead to the next one. \
A page ends early when its values are large.

With `Accept: application/x-ndjson` all of it comes as lines, `limit` or not, in constant memory; the last line is a problem if it breaks off. `download` gives these lines \
to a browser, as a file.",
    parameters: &[
        PREFIX,
        PREFIX_BASE64,
        SEPARATOR,
        RECURSIVE,
        KEYS_ONLY,
        COUNTS,
        SEARCH,
        REGEX,
        IN,
        LIMIT,
        AFTER,
        DOWNLOAD,
        of::REVISION,
        of::CONSISTENCY,
        of::WATCH,
    ],
    answers: &[
        Answer {
            status: 200,
            description: "Keys and levels, each in the order of keys.",
            contents: &[
                Content { media_type: "application/json", shape: Shape::Schema("KeyList"), example: Some(page) },
                Content { media_type: "application/x-ndjson", shape: Shape::Schema("KeyLine"), example: Some(lines) },
                super::EVENTS,
            ],
            headers: &["Keyport-Revision", "Link", "Content-Disposition"],
        },
        Answer {
            status: 410,
            description: "The revision is no longer known: begin anew.",
            contents: &[Content {
                media_type: "application/problem+json",
                shape: Shape::Schema("CompactedProblem"),
                example: None,
            }],
            headers: &[],
        },
    ],
    ..RESOURCE
};

pub(in super::super) const DELETE: Endpoint = Endpoint {
    path: "/v3/keys",
    verb: Verb::Delete,
    id: "Keys_DeleteAll",
    summary: "Removes all keys with a prefix",
    parameters: &[PREFIX, PREFIX_BASE64, of::ALL],
    answers: &[Answer {
        status: 200,
        description: "How many there were.",
        contents: &[Content {
            media_type: "application/json",
            shape: Shape::Schema("KeysDeleted"),
            example: Some(|| json!({"deleted": "3"})),
        }],
        headers: &["Keyport-Revision"],
    }],
    ..RESOURCE
};

pub(in super::super) const PREFIX: Parameter =
    query("prefix", "What the keys begin with; all keys without it.", Shape::Text);
pub(in super::super) const PREFIX_BASE64: Parameter = query("prefix_b64", "The same in base64.", Shape::Base64);
pub(in super::super) const SEPARATOR: Parameter =
    query("separator", "What ends a level; `/` unless it is given.", Shape::Text);
pub(in super::super) const RECURSIVE: Parameter = query("recursive", "All keys, however deep.", Shape::Flag);
pub(in super::super) const KEYS_ONLY: Parameter =
    query("keys_only", "Without values: `size` says how many bytes each has.", Shape::Flag);
pub(in super::super) const COUNTS: Parameter =
    query("counts", "How many keys each level below has. Takes longer the more there are.", Shape::Flag);
pub(in super::super) const SEARCH: Parameter = query(
    "search",
    "Of all keys below the prefix, those with this somewhere in them. A page looks at so many keys and no more: it may be empty, and lead on.",
    Shape::Text,
);
pub(in super::super) const REGEX: Parameter =
    query("regex", "The same with a regular expression, in the syntax of RE2; `^` is where a key begins.", Shape::Text);
pub(in super::super) const IN: Parameter = query(
    "in",
    "Where `search` and `regex` look: in keys, unless it is given.",
    Shape::Word(&["keys", "values", "both"]),
);
pub(in super::super) const LIMIT: Parameter =
    query("limit", "How many keys and levels a page has at most; 100 unless it is given.", Shape::Integer(LIST_LIMITS));
pub(in super::super) const DOWNLOAD: Parameter = query(
    "download",
    "As a file of lines of JSON, whatever `Accept` says: its name says what the keys begin with, and the revision.",
    Shape::Flag,
);
pub(in super::super) const AFTER: Parameter =
    query("after", "Where the page before has ended: its `next`, as it was given.", Shape::Text);

fn page() -> Value {
    json!({
        "prefix": "app/",
        "revision": "31",
        "keys": [{"key": "app/db", "value": "postgres://db", "create_revision": "12", "mod_revision": "31", "version": "4"}],
        "prefixes": [{"prefix": "app/users/"}],
    })
}

fn lines() -> Value {
    json!({"prefix": "app/users/"})
}
