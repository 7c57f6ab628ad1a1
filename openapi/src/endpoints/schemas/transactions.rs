//! Schemas of several operations at once.

use utoipa::openapi::schema::{ArrayBuilder, ComponentsBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::{Object, Ref};

use super::{flag, text, whole};

pub(super) fn add(components: ComponentsBuilder) -> ComponentsBuilder {
    components
        .schema("Transaction", transaction())
        .schema("TransactionGuard", guard())
        .schema("GetOperation", get())
        .schema("PutOperation", put())
        .schema("DeleteOperation", delete())
        .schema("Operation", one_of("Operation", "Transaction"))
        .schema("Batch", batch())
        .schema("TransactionResult", transaction_result())
        .schema("GetResult", get_result())
        .schema("PutResult", Ref::from_schema_name("KeyValue"))
        .schema("DeleteResult", delete_result())
        .schema("OperationResult", one_of("Result", "TransactionResult"))
        .schema("BatchResult", batch_result())
}

/// An object with one member, whose name says what it is.
fn tagged(names: &[&str], of: &str) -> OneOfBuilder {
    names.iter().fold(OneOfBuilder::new(), |one_of, name| {
        let capital = name.chars().next().map(|first| first.to_ascii_uppercase());
        let schema: String = capital.into_iter().chain(name.chars().skip(1)).chain(of.chars()).collect();
        one_of.item(named(name, &schema))
    })
}

fn one_of(of: &str, nested: &str) -> Schema {
    tagged(&["get", "put", "delete"], of).item(named("transaction", nested)).into()
}

fn named(name: &str, schema: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Object).property(name, Ref::from_schema_name(schema)).required(name)
}

fn transaction() -> Schema {
    let list = |of: &str, description: &str| {
        ArrayBuilder::new().items(Ref::from_schema_name(of)).description(Some(description))
    };
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("if", list("TransactionGuard", "What has to hold, all of it."))
        .property("then", list("Operation", "What is done then, in this order."))
        .property("else", list("Operation", "What is done otherwise."))
        .into()
}

fn guard() -> Schema {
    keys(ObjectBuilder::new())
        .description(Some("What a key has to be, or each key with a prefix: one of the fields behind `op`."))
        .property("op", text("How the two compare; `=` if it is left out.").enum_values(Some(["=", "!=", "<", ">"])))
        .property("value", text("The value."))
        .property("value_b64", text("The value in base64."))
        .property("exists", flag("Whether it is there."))
        .property("version", whole("How often the key was put since it came into being."))
        .property("create_revision", whole("The revision at which the key came into being; 0 if it is not there."))
        .property("mod_revision", whole("The revision of its last change; 0 if it is not there."))
        .property("lease", whole("The lease it is bound to; 0 for none."))
        .into()
}

fn get() -> Schema {
    keys(ObjectBuilder::new())
        .property("keys_only", flag("Without values."))
        .property("count_only", flag("How many there are, and nothing else."))
        .property("limit", whole("How many at most."))
        .property("rev", whole("As of this revision."))
        .into()
}

fn put() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("key", text("The key."))
        .property("key_b64", text("The key in base64, if it is not UTF-8."))
        .property("value", text("The value."))
        .property("value_b64", text("The value in base64, if it is not UTF-8."))
        .property("lease", whole("The lease that it is bound to."))
        .property("prev", flag("What was there before, in the answer."))
        .property("keep_value", flag("The value stays as it is, and only the lease changes."))
        .property("keep_lease", flag("The lease stays as it is."))
        .into()
}

fn delete() -> Schema {
    keys(ObjectBuilder::new()).property("prev", flag("What was there before, in the answer.")).into()
}

/// One key, or all keys with a prefix.
fn keys(object: ObjectBuilder) -> ObjectBuilder {
    object
        .schema_type(Type::Object)
        .property("key", text("A key."))
        .property("key_b64", text("A key in base64."))
        .property("prefix", text("What keys begin with; empty for all keys there are."))
        .property("prefix_b64", text("The same in base64."))
}

fn batch() -> Schema {
    let change = tagged(&["put", "delete"], "Operation");
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property(
            "if",
            ArrayBuilder::new()
                .items(Ref::from_schema_name("TransactionGuard"))
                .description(Some("What has to hold, all of it.")),
        )
        .property("operations", ArrayBuilder::new().items(change))
        .required("operations")
        .into()
}

fn get_result() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("keys", ArrayBuilder::new().items(Ref::from_schema_name("KeyValue")))
        .property("count", text("How many there are, also beyond the limit."))
        .property("more", flag("There are more than the limit."))
        .required("keys")
        .required("count")
        .into()
}

fn delete_result() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("deleted", text("How many keys were there."))
        .property("prev_kvs", ArrayBuilder::new().items(Ref::from_schema_name("KeyValue")))
        .required("deleted")
        .into()
}

fn transaction_result() -> Schema {
    results()
        .property("succeeded", Object::with_type(Type::Boolean))
        .property("revision", text("The store's revision after it; of a nested one there is none."))
        .required("succeeded")
        .into()
}

fn batch_result() -> Schema {
    results().property("revision", text("The store's revision after it.")).required("revision").into()
}

fn results() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Object).property(
        "results",
        ArrayBuilder::new()
            .items(Ref::from_schema_name("OperationResult"))
            .description(Some("Of each operation, in their order; not of a request that was done before.")),
    )
}
