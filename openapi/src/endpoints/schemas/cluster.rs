//! Schemas of members and alarms.

use utoipa::openapi::schema::{ArrayBuilder, ComponentsBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Object, Ref};

use super::{flag, text};

pub(super) fn add(components: ComponentsBuilder) -> ComponentsBuilder {
    components
        .schema("Member", member())
        .schema("MemberList", list("members", Ref::from_schema_name("Member")))
        .schema("NewMember", peer_urls().property("learner", flag("It has no vote at first.")))
        .schema("MemberChange", peer_urls())
        .schema("Alarm", alarm())
        .schema("AlarmList", list("alarms", Ref::from_schema_name("Alarm")))
}

fn member() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("id", text("Its id."))
        .property("hex", text("Its id as `etcdctl` and logs write it."))
        .property("name", text("Its name; empty until it has been started."))
        .property("peer_urls", urls("Where other members find it."))
        .property("client_urls", urls("Where clients find it."))
        .property("learner", flag("It has no vote."))
        .property("leader", flag("It leads, as far as the asked member knows."))
        .required("id")
        .required("name")
        .required("peer_urls")
        .required("client_urls")
        .into()
}

fn peer_urls() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("peer_urls", urls("Where other members find it."))
        .required("peer_urls")
}

fn urls(description: &str) -> ArrayBuilder {
    ArrayBuilder::new().items(Object::with_type(Type::String)).description(Some(description))
}

fn alarm() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("member", text("The id of the member that raised it."))
        .property("alarm", text("What is the matter.").enum_values(Some(["NOSPACE", "CORRUPT"])))
        .required("member")
        .required("alarm")
        .into()
}

/// An object with one list.
pub(super) fn list(name: &str, of: Ref) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Object).property(name, ArrayBuilder::new().items(of)).required(name)
}
