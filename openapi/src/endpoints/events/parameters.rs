//! Rows: what the query of the events may say.

use std::ops::RangeInclusive;

use super::super::{Parameter, Place, Shape};

/// How far apart signs of life may be, in seconds.
pub const HEARTBEAT_SECONDS: RangeInclusive<u16> = 1..=3600;

/// As the document lists them: all of [`EventsParameter`](super::super::EventsParameter), and the header.
pub(super) const ALL: &[Parameter] = &[
    KEY,
    PREFIX,
    RANGE_END,
    KEY_BASE64,
    PREFIX_BASE64,
    RANGE_END_BASE64,
    START_REVISION,
    SINCE,
    INITIAL,
    LAST_EVENT_ID,
    FILTERS,
    PREV_KV,
    ENCODING,
    HEARTBEAT,
    UNNAMED,
    ACCESS_TOKEN,
    Parameter {
        place: Place::Header,
        ..one("Last-Event-ID", "The `id` of the last event seen. Browsers send it when they reconnect.", Shape::Text)
    },
];

pub(in super::super) const KEY: Parameter = several("key", "A key.", Shape::Text);
pub(in super::super) const PREFIX: Parameter =
    several("prefix", "All keys that begin with this; empty for all keys.", Shape::Text);
pub(in super::super) const RANGE_END: Parameter = several(
    "range_end",
    "Makes a range of the `key` before it: where the range ends, exclusive. One zero byte (`%00`): no end.",
    Shape::Text,
);
pub(in super::super) const KEY_BASE64: Parameter = several("key_b64", "A key, in base64.", Shape::Base64);
pub(in super::super) const PREFIX_BASE64: Parameter = several("prefix_b64", "A prefix, in base64.", Shape::Base64);
pub(in super::super) const RANGE_END_BASE64: Parameter =
    several("range_end_b64", "Where a range ends, in base64.", Shape::Base64);
pub(in super::super) const START_REVISION: Parameter =
    one("start_revision", "The first revision to see changes of. 0: from now on.", Shape::Digits);
pub(in super::super) const SINCE: Parameter =
    one("since", "Go on after this event: a revision, or any `id`.", Shape::Text);
pub(in super::super) const INITIAL: Parameter =
    one("initial", "Begin with the state: every key as it is, then the changes after that.", Shape::Flag);
pub(in super::super) const LAST_EVENT_ID: Parameter = Parameter {
    // In the spellings that are about.
    aliases: &["lastEventId", "lastEventID", "Last-Event-ID"],
    ..one(
        "last_event_id",
        "The header of that name, for those who cannot set it; `lastEventId` too. Goes before other starts. Empty: none.",
        Shape::Text,
    )
};
pub(in super::super) const FILTERS: Parameter = Parameter {
    aliases: &["filter"],
    ..several("filters", "Kinds of changes to leave out.", Shape::Word(&["noput", "nodelete"]))
};
pub(in super::super) const PREV_KV: Parameter =
    one("prev_kv", "Tell with each change what was there before.", Shape::Flag);
pub(in super::super) const ENCODING: Parameter = one(
    "encoding",
    "Keys and values as text, or in base64 as the gateway writes them.",
    Shape::Word(&["utf8", "base64"]),
);
pub(in super::super) const HEARTBEAT: Parameter =
    one("heartbeat", "Seconds between signs of life, 1 to 3600; 15 if not given.", Shape::Integer(HEARTBEAT_SECONDS));
pub(in super::super) const UNNAMED: Parameter = one(
    "unnamed",
    "Server-sent events without names, which `onmessage` hears: `data` is an object of `event` and `data`.",
    Shape::Flag,
);
pub(in super::super) const ACCESS_TOKEN: Parameter = one(
    "access_token",
    "The token, for those who cannot set a header; where the server was started with `--access-token-in-query`.",
    Shape::Text,
);

const fn one(name: &'static str, description: &'static str, shape: Shape) -> Parameter {
    Parameter { name, aliases: &[], place: Place::Query, description, shape, repeated: false }
}

const fn several(name: &'static str, description: &'static str, shape: Shape) -> Parameter {
    Parameter { name, aliases: &[], place: Place::Query, description, shape, repeated: true }
}
