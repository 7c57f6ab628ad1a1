//! `GET /v3/watch`: changes as server-sent events.

use serde_json::json;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, ParameterStyle, PathItem, PathsBuilder,
};
use utoipa::openapi::schema::{
    AllOfBuilder, AnyOfBuilder, ArrayBuilder, ComponentsBuilder, ObjectBuilder, Schema, Type,
};
use utoipa::openapi::{ContentBuilder, Header, Object, Ref, RefOr, Required, ResponseBuilder, ResponsesBuilder};

use crate::errors::{self, Form};

/// Adds the operation, beside the gateway's POST on the same path.
pub(crate) fn add(paths: PathsBuilder) -> PathsBuilder {
    paths.path("/v3/watch", PathItem::new(HttpMethod::Get, operation()))
}

/// Adds the schemas of what comes as data.
pub(crate) fn add_schemas(components: ComponentsBuilder) -> ComponentsBuilder {
    components.schema("WatchChange", change()).schema("WatchLine", line()).schema("CompactedProblem", compacted())
}

const DESCRIPTION: &str = "Any mixture of `key`, `prefix` and `key` with `range_end` may be given, as often as needed. \
Keys and values are text here; use `key_b64`, `prefix_b64`, `range_end_b64` and `encoding=base64` for those that are not.

Every change has an `id`. A reader that comes back with the last one it saw goes on right after it, even inside a revision \
that changed many keys; browsers do that on their own.

| `event` | `data` |
|---|---|
| `opened` | first of all: the store's revision |
| `put`, `delete` | a change; with `initial` at first also each key as it is |
| `synced` | with `initial`: after the last key, from here on it is changes |
| `bookmark` | nothing happened to these keys up to its `id` |
| `compacted` | the next change is no longer known; the end |
| `ahead` | the event named as the last one seen is not known here yet: the store was set back, as by restoring a backup; the end |
| `failed` | problem details; the end |

The `id` of `compacted` and `ahead` is where to begin anew: who comes back with it, as browsers do, gets the state again \
with `initial`, and otherwise all changes that are still known. What happened in between is lost: whoever needs it reads the \
state.

A browser gives up for good at any status but 200. So whoever sends `Accept: text/event-stream`, as it does, is told with \
200 and one event, `compacted` or `failed`, where others get 410, 503 or 504, and may come back after `retry`. What is \
wrong with the request stays a 4xx for everybody.

Parameters whose names are one letter, or begin with `_`, are ignored: libraries add them to get around caches. Any other \
unknown name is a mistake.

Comments keep the connection open while nothing happens. With `Accept: application/x-ndjson` the same comes as lines of \
JSON.";

fn operation() -> OperationBuilder {
    let stream =
        |schema: RefOr<Schema>, example| ContentBuilder::new().schema(Some(schema)).example(Some(example)).build();
    let events = "retry: 2000\nid: 41\nevent: opened\ndata: {\"revision\":\"41\"}\n\nid: 42\nevent: put\ndata: {\"key\":\"foo\",\"value\":\"bar\",\
                  \"create_revision\":\"42\",\"mod_revision\":\"42\",\"version\":\"1\"}\n\n";
    let lines = "{\"id\":\"42\",\"event\":\"delete\",\"data\":{\"key\":\"foo\",\"mod_revision\":\"42\"}}\n";
    let ok = ResponseBuilder::new()
        .description("The events. `data` of a change is a WatchChange, or with `encoding=base64` an mvccpb.Event.")
        .content("text/event-stream", stream(ObjectBuilder::new().schema_type(Type::String).into(), json!(events)))
        .content("application/x-ndjson", stream(Ref::from_schema_name("WatchLine").into(), json!(lines)))
        .header("Last-Event-ID", Header::new(Object::with_type(Type::String)))
        .build();
    let gone = ResponseBuilder::new()
        .description("The next change after the one named is no longer known: read the state anew. Never with `Accept: text/event-stream`; see `compacted`.")
        .content(
            "application/problem+json",
            ContentBuilder::new().schema(Some(Ref::from_schema_name("CompactedProblem"))).build(),
        )
        .build();
    let responses = ResponsesBuilder::new().response("200", ok).response("410", gone);
    OperationBuilder::new()
        .tag("Watch")
        .operation_id(Some("Watch_Events"))
        .summary(Some("Follows changes as server-sent events"))
        .description(Some(DESCRIPTION))
        .parameters(Some(parameters()))
        .responses(errors::declare(responses, Form::Problem))
}

fn parameters() -> Vec<Parameter> {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let base64 = || text().content_encoding("base64");
    let number = || text().pattern(Some("^[0-9]+$"));
    let flag = || ObjectBuilder::new().schema_type(Type::Boolean);
    let words = |words: &[&str]| text().enum_values(Some(words.iter().copied()));
    let many = |item: ObjectBuilder| ArrayBuilder::new().items(item).build();
    vec![
        several("key", "A key.", many(text())),
        several("prefix", "All keys that begin with this; empty for all keys.", many(text())),
        several(
            "range_end",
            "Makes a range of the `key` before it: where the range ends, exclusive. One zero byte (`%00`): no end.",
            many(text()),
        ),
        several("key_b64", "A key, in base64.", many(base64())),
        several("prefix_b64", "A prefix, in base64.", many(base64())),
        several("range_end_b64", "Where a range ends, in base64.", many(base64())),
        query("start_revision", "The first revision to see changes of. 0: from now on.", number()),
        query("since", "Go on after this event: a revision, or any `id`.", text()),
        query("initial", "Begin with the state: every key as it is, then the changes after that.", flag()),
        query(
            "last_event_id",
            "The header of that name, for those who cannot set it; `lastEventId` too. Goes before other starts. Empty: none.",
            text(),
        ),
        several("filters", "Kinds of changes to leave out.", many(words(&["noput", "nodelete"]))),
        query("prev_kv", "Tell with each change what was there before.", flag()),
        query(
            "encoding",
            "Keys and values as text, or in base64 as the gateway writes them.",
            words(&["utf8", "base64"]),
        ),
        query(
            "heartbeat",
            "Seconds between signs of life, 1 to 3600; 15 if not given.",
            ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(3600)),
        ),
        query("access_token", "The token, for those who cannot set a header.", text()),
        ParameterBuilder::from(query(
            "Last-Event-ID",
            "The `id` of the last event seen. Browsers send it when they reconnect.",
            text(),
        ))
        .parameter_in(ParameterIn::Header)
        .build(),
    ]
}

fn query(name: &str, description: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

fn several(name: &str, description: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    ParameterBuilder::from(query(name, description, schema))
        .style(Some(ParameterStyle::Form))
        .explode(Some(true))
        .build()
}

fn change() -> Schema {
    let text = |description: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(description));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("A change of one key. What is zero or absent is left out."))
        .property("key", text("The key, if it is UTF-8."))
        .property("key_b64", text("The key in base64, if it is not."))
        .property("value", text("The new value, if it is UTF-8; absent for a deletion."))
        .property("value_b64", text("The new value in base64, if it is not."))
        .property("create_revision", text("The revision at which the key came into being."))
        .property("mod_revision", text("The revision of this change."))
        .property("version", text("How often the key was put since it came into being."))
        .property("lease", text("The lease it is attached to."))
        .property("prev_kv", Ref::from_schema_name("WatchChange"))
        .into()
}

fn line() -> Schema {
    let data = AnyOfBuilder::new()
        .description(Some("What belongs to it: a change in either encoding, a revision, or a problem."))
        .item(Ref::from_schema_name("WatchChange"))
        .item(Ref::from_schema_name("mvccpb.Event"))
        .item(Object::with_type(Type::Object));
    let text = |description: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(description));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("One event as a line of JSON."))
        .property("id", text("Where the reader is after it."))
        .property("event", text("What it is."))
        .property("data", data)
        .required("event")
        .required("data")
        .into()
}

fn compacted() -> Schema {
    let revision = ObjectBuilder::new().schema_type(Type::String).description(Some("Where history begins now."));
    let more = ObjectBuilder::new().schema_type(Type::Object).property("compact_revision", revision);
    AllOfBuilder::new().item(Ref::from_schema_name("Problem")).item(more).into()
}
