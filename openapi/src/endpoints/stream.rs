//! The schemas of a stream's events: one for each name, and all of them together.

use utoipa::openapi::schema::{
    AnyOfBuilder, ComponentsBuilder, Discriminator, ObjectBuilder, OneOfBuilder, Schema, Type,
};
use utoipa::openapi::{Object, Ref, RefOr};

/// An event: its name in the document and on the wire, what it says, and of what its data is.
struct Event {
    schema: &'static str,
    name: &'static str,
    says: &'static str,
    data: Data,
    /// Whether it says where the reader is.
    has_id: bool,
}

enum Data {
    /// In either encoding.
    Change,
    /// One revision, under this name.
    Revision(&'static str),
    Problem,
}

const EVENTS: &[Event] = &[
    event("WatchOpened", "opened", "First of all: the store's revision.", Data::Revision("revision")),
    event("WatchPut", "put", "A key was written; with `initial`, at first also each key as it is.", Data::Change),
    event("WatchDelete", "delete", "A key was removed, or went with its lease.", Data::Change),
    event("WatchSynced", "synced", "That was the state: from here on it is changes.", Data::Revision("revision")),
    event("WatchBookmark", "bookmark", "Nothing happened to these keys up to here.", Data::Revision("revision")),
    event(
        "WatchCompacted",
        "compacted",
        "The next change is no longer known. The end; its `id` is where to begin anew.",
        Data::Revision("oldest_revision"),
    ),
    event(
        "WatchAhead",
        "ahead",
        "The reader has seen more than there is: the store was set back. The end; its `id` is where to begin anew.",
        Data::Revision("revision"),
    ),
    Event { has_id: false, ..event("WatchFailed", "failed", "What went wrong. The end.", Data::Problem) },
];

const fn event(schema: &'static str, name: &'static str, says: &'static str, data: Data) -> Event {
    Event { schema, name, says, data, has_id: true }
}

/// Adds `WatchEvent`, and what it may be.
pub(super) fn add(components: ComponentsBuilder) -> ComponentsBuilder {
    let mapping = EVENTS.iter().map(|event| (event.name, Ref::from_schema_name(event.schema).ref_location));
    let any = OneOfBuilder::new()
        .description(Some("One event of a stream as a line of JSON, told apart by `event`."))
        .discriminator(Some(Discriminator::with_mapping("event", mapping)));
    let any = EVENTS.iter().fold(any, |any, event| any.item(Ref::from_schema_name(event.schema)));
    let components = components.schema("WatchEvent", Schema::from(any.build())).schema("WatchServerSentEvent", sent());
    EVENTS.iter().fold(components, |components, event| components.schema(event.schema, schema(event)))
}

/// The fields of a server-sent event. Their data is text, of JSON.
fn sent() -> Schema {
    let retry = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .description(Some("Milliseconds to wait before coming back: with the first."))
        .minimum(Some(0));
    let data =
        text("The `data` of a WatchEvent of this name, as text; with `unnamed` an object of `event` and `data`.")
            .content_media_type("application/json");
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("One server-sent event."))
        .property("id", text("Where the reader is after it: what `Last-Event-ID` takes."))
        .property(
            "event",
            text("What it is; not with `unnamed`.").enum_values(Some(EVENTS.iter().map(|event| event.name))),
        )
        .property("data", data)
        .property("retry", retry)
        .required("data")
        .into()
}

fn schema(event: &Event) -> Schema {
    let object = ObjectBuilder::new().schema_type(Type::Object).description(Some(event.says));
    let object = match event.has_id {
        true => object.property("id", text("Where the reader is after it: what `Last-Event-ID` takes.")).required("id"),
        false => object,
    };
    object
        .property("event", text("What it is.").enum_values(Some([event.name])))
        .property("data", data(&event.data))
        .required("event")
        .required("data")
        .into()
}

fn data(data: &Data) -> RefOr<Schema> {
    match data {
        Data::Change => AnyOfBuilder::new()
            .description(Some("The change; with `encoding=base64` as the second."))
            .item(Ref::from_schema_name("WatchChange"))
            .item(Ref::from_schema_name("mvccpb.Event"))
            .into(),
        Data::Revision(name) => {
            ObjectBuilder::new().schema_type(Type::Object).property(*name, text("A revision.")).required(*name).into()
        }
        Data::Problem => Ref::from_schema_name("Problem").into(),
    }
}

fn text(description: &str) -> ObjectBuilder {
    Object::builder().schema_type(Type::String).description(Some(description))
}
