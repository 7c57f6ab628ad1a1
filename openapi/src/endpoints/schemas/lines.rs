//! Schemas of locks and elections.

use utoipa::openapi::Ref;
use utoipa::openapi::schema::{AllOfBuilder, ArrayBuilder, ComponentsBuilder, ObjectBuilder, Schema, Type};

use super::text;

pub(super) fn add(components: ComponentsBuilder) -> ComponentsBuilder {
    components
        .schema("Place", place())
        .schema("TakenPlace", taken())
        .schema("LockState", line("holder", "Who holds it.", "waiters"))
        .schema("ElectionState", line("leader", "Who leads.", "candidates"))
        .schema("HeldProblem", held())
        .schema("HeldServerSentEvent", sent())
}

fn place() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("A place in a line."))
        .property("key", text("The key that stands for it, if it is UTF-8."))
        .property("key_b64", text("The key in base64, if it is not."))
        .property("value", text("What it says, if that is UTF-8."))
        .property("value_b64", text("What it says in base64, if that is not UTF-8."))
        .property("revision", text("The revision at which it was taken."))
        .property("lease", text("The lease that it belongs to."))
        .required("revision")
        .required("lease")
        .into()
}

fn taken() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("name", text("What it is called, if that is UTF-8."))
        .property("name_b64", text("What it is called in base64, if that is not UTF-8."))
        .property("key", text("The key that stands for it, if it is UTF-8."))
        .property("key_b64", text("The key in base64, if it is not."))
        .property("revision", text("A fencing token: larger than that of everybody who had it before."))
        .property("lease", text("The lease that it belongs to."))
        .property("ttl", text("Seconds that the lease was granted, where it was granted for this."))
        .required("revision")
        .required("lease")
        .into()
}

fn line(first: &str, description: &str, others: &str) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("name", text("What it is called, if that is UTF-8."))
        .property("name_b64", text("What it is called in base64, if that is not UTF-8."))
        .property(first, AllOfBuilder::new().item(Ref::from_schema_name("Place")).description(Some(description)))
        .property(
            others,
            ArrayBuilder::new().items(Ref::from_schema_name("Place")).description(Some("In their order.")),
        )
        .property("count", text("How many there are, the first included, also beyond the limit."))
        .required(others)
        .required("count")
        .into()
}

fn sent() -> Schema {
    let names = ["waiting", "held", "lost", "failed", "leader"];
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("An event of what holds for as long as it is read. The first one may be a comment alone."))
        .property("event", text("What it is.").enum_values(Some(names)))
        .property("data", text("What belongs to it, as JSON: what is held, who comes before or leads, or a problem."))
        .into()
}

fn held() -> Schema {
    let more = ObjectBuilder::new().schema_type(Type::Object).property("holder", Ref::from_schema_name("Place"));
    AllOfBuilder::new().item(Ref::from_schema_name("Problem")).item(more).into()
}
