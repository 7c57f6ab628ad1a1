//! Schemas of users and roles.

use utoipa::openapi::schema::{ArrayBuilder, ComponentsBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Object, Ref};

use super::cluster::list;
use super::{flag, text};

pub(super) fn add(components: ComponentsBuilder) -> ComponentsBuilder {
    components
        .schema("Named", named("What he, or it, is called."))
        .schema("UserList", list("users", Ref::from_schema_name("Named")))
        .schema("User", user())
        .schema("NewUser", new_user())
        .schema("Password", password())
        .schema("RoleList", list("roles", Ref::from_schema_name("Named")))
        .schema("Role", role())
        .schema("NewRole", named("What it is to be called."))
        .schema("Permission", permission())
        .schema("KeyRange", keys())
        .schema("UserPermissions", permissions())
        .schema("AuthenticationState", authentication().property("revision", text("Of users and roles.")))
        .schema("AuthenticationChange", authentication())
}

fn named(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Object).property("name", text(description)).required("name")
}

fn user() -> Schema {
    let roles = ArrayBuilder::new().items(Object::with_type(Type::String)).description(Some("His roles."));
    named("What he is called.").property("roles", roles).required("roles").into()
}

fn new_user() -> Schema {
    named("What he is to be called.")
        .property("password", text("His password; 72 bytes at most."))
        .property("no_password", flag("He has none, and comes with a certificate."))
        .into()
}

fn password() -> Schema {
    let password = text("What it is to be; 72 bytes at most.");
    ObjectBuilder::new().schema_type(Type::Object).property("password", password).required("password").into()
}

fn role() -> Schema {
    let permissions = ArrayBuilder::new().items(Ref::from_schema_name("Permission"));
    named("What it is called.").property("permissions", permissions).required("permissions").into()
}

fn permission() -> Schema {
    keys()
        .property("permission", text("What may be done.").enum_values(Some(["read", "write", "readwrite"])))
        .required("permission")
        .into()
}

/// One key, or several.
fn keys() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("key", text("One key."))
        .property("key_b64", text("The same in base64, if it is not UTF-8."))
        .property("prefix", text("All keys that begin so."))
        .property("prefix_b64", text("The same in base64, if it is not UTF-8."))
        .property("from", text("Several keys from this one on."))
        .property("from_b64", text("The same in base64, if it is not UTF-8."))
        .property("to", text("The key that ends them, and is none of them; without it there is no end."))
        .property("to_b64", text("The same in base64, if it is not UTF-8."))
}

fn permissions() -> Schema {
    let ranges = |what: &str| ArrayBuilder::new().items(Ref::from_schema_name("KeyRange")).description(Some(what));
    let roles = ArrayBuilder::new().items(Object::with_type(Type::String)).description(Some("His roles."));
    named("What he is called.")
        .property("roles", roles)
        .property("read", ranges("Which keys he may read."))
        .property("write", ranges("Which keys he may write."))
        .property("may_read", flag("Whether he may read all that were asked for; absent if none were."))
        .property("may_write", flag("Whether he may write them."))
        .required("roles")
        .required("read")
        .required("write")
        .into()
}

fn authentication() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("enabled", flag("Whether everybody is asked who he is."))
        .required("enabled")
}
