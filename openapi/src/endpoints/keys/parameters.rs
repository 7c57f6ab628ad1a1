//! What requests for keys may say.

use std::ops::RangeInclusive;

use super::super::{Parameter, Place, Shape, query};

pub(in super::super) const KEY: Parameter = Parameter {
    place: Place::Path,
    ..query(
        "key",
        "The key: what follows `/v3/keys/`, slashes included. Any byte may be percent-encoded, and these have to be: `%`, `?`, `#`, spaces, what \
is not ASCII, and parts of `.` or `..` alone, which clients leave out of paths.",
        Shape::Text,
    )
};
pub(in super::super) const KEY_BASE64: Parameter =
    query("key_b64", "The key in base64, instead of one in the path: `/v3/keys/?key_b64=AAE=`.", Shape::Base64);
pub(in super::super) const REVISION: Parameter = query("rev", "As it was at this revision.", Shape::Digits);
pub(in super::super) const CONSISTENCY: Parameter = query(
    "consistency",
    "`serializable` takes what the asked member has, which may be old. `linearizable`, unless it is given.",
    Shape::Word(&["linearizable", "serializable"]),
);
pub(in super::super) const TTL: Parameter =
    query("ttl", "Seconds for which the key stays, unless it is written again.", Shape::Digits);
pub(in super::super) const LEASE: Parameter = query(
    "lease",
    "A lease that the key is bound to, by its id (digits, or `0x` and the hexadecimal digits that `etcdctl` writes): it goes when the lease ends.",
    Shape::Text,
);
pub(in super::super) const HOLD: Parameter = query(
    "hold",
    "For as long as the answer is read, which is a stream of events then (`text/event-stream`, or lines of JSON for who accepts those): \
`held`, `lost`, `failed`, and for locks and elections `waiting`. So does `Accept: text/event-stream`.",
    Shape::Flag,
);
pub(in super::super) const CAS: Parameter = query(
    "cas",
    "Only if this is the revision of the key's last change, as `If-Match`. 0: only if it is not there.",
    Shape::Digits,
);
pub(in super::super) const CREATE: Parameter =
    query("create", "Only if the key is not there, as `If-None-Match: *`.", Shape::Flag);
pub(in super::super) const UPDATE: Parameter =
    query("update", "Only if the key is there, as `If-Match: *`.", Shape::Flag);
pub(in super::super) const PREVIOUS: Parameter = query("prev", "Tell what was there before.", Shape::Flag);

pub(in super::super) const BEFORE: Parameter = query("before", "Only what is older than this revision.", Shape::Digits);
/// How many versions of a key a page may have.
pub const VERSIONS_LIMITS: RangeInclusive<u16> = 1..=1000;
pub(in super::super) const LIMIT: Parameter = query(
    "limit",
    "How many versions at most; 20 unless it is given. Large ones end a page early.",
    Shape::Integer(VERSIONS_LIMITS),
);

pub(in super::super) const WATCH: Parameter = query(
    "watch",
    "Its changes instead, as they come: `GET /v3/watch` says how, and what else the query may say then. So does `Accept: text/event-stream`.",
    Shape::Flag,
);
/// How long a request may wait for a change, in seconds.
pub const WAIT_SECONDS: RangeInclusive<u16> = 1..=600;
pub(in super::super) const WAIT: Parameter = query(
    "wait",
    "Seconds to wait for a change: of what `If-None-Match` names, and without it of what there is. What is there then is the answer, or 304.",
    Shape::Integer(WAIT_SECONDS),
);
pub(in super::super) const INCREMENT: Parameter =
    query("increment", "Adds this to the number that the value is: digits, perhaps with a sign.", Shape::Text);
pub(in super::super) const APPEND: Parameter = query("append", "Puts the body behind the value.", Shape::Flag);
pub(in super::super) const ALL: Parameter = query("all", "All keys there are, without a prefix.", Shape::Flag);

pub(in super::super) const IF_MATCH: Parameter =
    header("If-Match", "Only if the `ETag` is this one, or one of these; `*`: only if the key is there.");
pub(in super::super) const IF_NONE_MATCH: Parameter =
    header("If-None-Match", "Only if the `ETag` is none of these; `*`: only if the key is not there.");
pub(in super::super) const RANGE: Parameter = header("Range", "A part of the value: one range of bytes.");
pub(in super::super) const IF_RANGE: Parameter =
    header("If-Range", "For `Range`: all of the value if its `ETag` is another one.");
pub(in super::super) const PREFER: Parameter =
    header("Prefer", "`return=minimal` for no body, `return=representation` for one with the value.");
pub(in super::super) const IDEMPOTENCY_KEY: Parameter = header(
    "Idempotency-Key",
    "What the request is called, by whoever sends it, so that it may be sent again: what it did is remembered for an hour, and answered again.",
);

const fn header(name: &'static str, description: &'static str) -> Parameter {
    Parameter { place: Place::Header, ..query(name, description, Shape::Text) }
}
