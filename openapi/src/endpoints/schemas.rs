//! The schemas of answers that no proto file knows.

mod access;
mod cluster;
mod lines;
mod observed;
mod transactions;

use utoipa::openapi::schema::{
    AllOfBuilder, AnyOfBuilder, ArrayBuilder, ComponentsBuilder, ObjectBuilder, Schema, SchemaType, Type,
};
use utoipa::openapi::{Object, Ref};

use super::stream;

/// Adds them, under the names that the rows call them by.
pub(crate) fn add(components: ComponentsBuilder) -> ComponentsBuilder {
    access::add(cluster::add(observed::add(lines::add(transactions::add(stream::add(components))))))
        .schema("WatchChange", change())
        .schema("KeyValue", key_value())
        .schema("KeyHistory", key_history())
        .schema("KeyVersion", key_version())
        .schema("LeaseWish", lease_wish())
        .schema("LeaseState", lease_state())
        .schema("LeaseList", lease_list())
        .schema("JsonPatch", json_patch())
        .schema("KeysDeleted", keys_deleted())
        .schema("KeyLevel", key_level())
        .schema("KeyList", key_list())
        .schema("KeyLine", key_line())
        .schema("CompactedProblem", compacted())
        .schema("Version", version())
        .schema("ConsoleSettings", console_settings())
        .schema("Session", session())
        .schema("Login", login())
        .schema("NewPassword", new_password())
        .schema("Verbosity", verbosity())
}

fn version() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("etcdserver", text("The release of the API that is served, digits and dots only."))
        .property("etcdcluster", text("The version that the cluster has agreed on, or `not_decided`."))
        .property("storage", text("The version of the database's schema."))
        .property("keyport", text("The version of this server."))
        .required("etcdserver")
        .required("etcdcluster")
        .into()
}

fn console_settings() -> Schema {
    let modes = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["on", "read-only", "off"]));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("mode", modes.description(Some("What the page offers.")))
        .property("version", text("The version of this server."))
        .property("etcdserver", text("The release of the API that is served."))
        .required("mode")
        .required("version")
        .required("etcdserver")
        .into()
}

fn session() -> Schema {
    let roles = ArrayBuilder::new().items(Object::with_type(Type::String)).description(Some("His roles."));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("authentication", Object::with_type(Type::Boolean))
        .property("user", text("Who the caller is; absent where nobody is asked."))
        .property("roles", roles)
        .required("authentication")
        .into()
}

fn login() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("name", text("The user."))
        .property("password", text("His password."))
        .required("name")
        .required("password")
        .into()
}

fn new_password() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("old", text("What it is."))
        .property("new", text("What it is to be; 72 bytes at most."))
        .required("old")
        .required("new")
        .into()
}

fn verbosity() -> Schema {
    let levels = ["debug", "info", "warn", "error", "panic", "fatal"];
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("level", text("The least level that is written.").enum_values(Some(levels)))
        .property(
            "targets",
            text("Levels of parts of the program, as in `RUST_LOG`, which count instead of the level; empty for none."),
        )
        .into()
}

fn change() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("A change of one key. What is zero or absent is left out."))
        .required("mod_revision")
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

fn key_value() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("A key. What is zero or absent is left out."))
        .required("create_revision")
        .required("mod_revision")
        .required("version")
        .property("key", text("The key, if it is UTF-8."))
        .property("key_b64", text("The key in base64, if it is not."))
        .property("value", text("Its value, if that is UTF-8."))
        .property("value_b64", text("Its value in base64, if that is not UTF-8."))
        .property("create_revision", text("The revision at which the key came into being."))
        .property("mod_revision", text("The revision of its last change."))
        .property("version", text("How often the key was put since it came into being."))
        .property("lease", text("The lease it is bound to."))
        .property("size", text("Bytes of the value, where it is left out."))
        .property("ttl", text("Seconds that its own lease was granted, where it was written with `ttl`."))
        .property("prev_kv", Ref::from_schema_name("KeyValue"))
        .into()
}

fn key_version() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("A key as it was at a revision. What is zero or absent is left out."))
        .property("key", text("The key, if it is UTF-8."))
        .property("key_b64", text("The key in base64, if it is not."))
        .property("value", text("Its value, if that is UTF-8."))
        .property("value_b64", text("Its value in base64, if that is not UTF-8."))
        .property("create_revision", text("The revision at which the key came into being."))
        .property("mod_revision", text("The revision."))
        .property("version", text("How often the key was put since it came into being."))
        .property("lease", text("The lease it was bound to."))
        .property("deleted", flag("It was removed then."))
        .required("mod_revision")
        .into()
}

fn key_history() -> Schema {
    let versions = ArrayBuilder::new().items(Ref::from_schema_name("KeyVersion"));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("key", text("The key, if it is UTF-8."))
        .property("key_b64", text("The key in base64, if it is not."))
        .property("revision", text("The store's revision."))
        .property("compact_revision", text("Where history begins."))
        .property("versions", versions.description(Some("The newest first.")))
        .property("before", text("`before` of the next page, if there is one."))
        .required("revision")
        .required("compact_revision")
        .required("versions")
        .into()
}

fn lease_wish() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("ttl", whole("For how many seconds."))
        .property("id", whole("The id that it is to have; one is found where none is given."))
        .required("ttl")
        .into()
}

fn lease_state() -> Schema {
    let key = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("key", text("The key, if it is UTF-8."))
        .property("key_b64", text("The key in base64, if it is not."));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("id", text("Its id."))
        .property("ttl", text("Seconds that are left of it."))
        .property("granted_ttl", text("Seconds that it has anew when it is renewed."))
        .property("keys", ArrayBuilder::new().items(key).description(Some("Those that are bound to it, if asked for.")))
        .required("id")
        .required("ttl")
        .into()
}

fn lease_list() -> Schema {
    let lease = ObjectBuilder::new().schema_type(Type::Object).property("id", text("Its id.")).required("id");
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("leases", ArrayBuilder::new().items(lease))
        .required("leases")
        .into()
}

fn json_patch() -> Schema {
    let operation = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("op", text("What is done.").enum_values(Some(["add", "remove", "replace", "move", "copy", "test"])))
        .property("path", text("Where: a JSON Pointer (RFC 6901)."))
        .property("from", text("From where, for `move` and `copy`."))
        .property("value", ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(Some("With what.")))
        .required("op")
        .required("path");
    ArrayBuilder::new().items(operation).description(Some("A JSON Patch (RFC 6902).")).into()
}

fn keys_deleted() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("deleted", text("How many keys were there."))
        .required("deleted")
        .into()
}

fn key_level() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("Keys further down."))
        .property("prefix", text("What they begin with, if it is UTF-8."))
        .property("prefix_b64", text("The same in base64, if it is not."))
        .property("count", text("How many there are, with `counts`."))
        .into()
}

fn key_list() -> Schema {
    let list = |of: &str| ArrayBuilder::new().items(Ref::from_schema_name(of));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("A page of a level of keys."))
        .property("prefix", text("What all of them begin with, if it is UTF-8."))
        .property("prefix_b64", text("The same in base64, if it is not."))
        .property("revision", text("The revision that it shows."))
        .property("keys", list("KeyValue"))
        .property("prefixes", list("KeyLevel"))
        .property("next", text("`after` of the next page, if there is one."))
        .required("revision")
        .required("keys")
        .required("prefixes")
        .into()
}

fn key_line() -> Schema {
    AnyOfBuilder::new()
        .description(Some("A key, or a level below; the last line is a problem if it breaks off."))
        .item(Ref::from_schema_name("KeyValue"))
        .item(Ref::from_schema_name("KeyLevel"))
        .item(Ref::from_schema_name("Problem"))
        .into()
}

fn compacted() -> Schema {
    let revision = text("Where history begins now.");
    let more = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("oldest_revision", revision)
        .required("oldest_revision");
    AllOfBuilder::new().item(Ref::from_schema_name("Problem")).item(more).into()
}

fn text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description))
}

fn flag(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Boolean).description(Some(description))
}

/// A whole number, which may be a text of digits.
fn whole(description: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::Array(vec![Type::Integer, Type::String]))
        .description(Some(description))
}
