//! Messages and enums as JSON schemas.

use prost_reflect::{Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use utoipa::openapi::schema::{
    ArrayBuilder, ComponentsBuilder, KnownFormat, ObjectBuilder, RefBuilder, Schema, SchemaFormat, Type,
};
use utoipa::openapi::{Ref, RefOr};

use crate::{comments, required};

/// Adds the schemas of every message that a gateway route takes or gives, and of what those hold.
pub(crate) fn add(pool: &DescriptorPool, mut components: ComponentsBuilder) -> ComponentsBuilder {
    let mut open: Vec<Kind> = keyport_api::routes::ROUTES
        .iter()
        .map(|route| route.method.info())
        .flat_map(|info| [info.request, info.response])
        .filter_map(|name| pool.get_message_by_name(name).map(Kind::Message))
        .collect();
    let mut done = std::collections::HashSet::new();
    while let Some(kind) = open.pop() {
        match kind {
            Kind::Message(message) if done.insert(message.full_name().to_owned()) => {
                components = components.schema(message.full_name(), message_schema(&message));
                open.extend(message.fields().map(|field| field.kind()));
            }
            Kind::Enum(kind) if done.insert(kind.full_name().to_owned()) => {
                components = components.schema(kind.full_name(), enum_schema(&kind));
            }
            _ => {}
        }
    }
    let streamed = keyport_api::routes::ROUTES.iter().map(|route| route.method.info());
    streamed
        .filter(|info| info.kind.server_streams())
        .fold(components, |components, info| components.schema(line_name(info.response), line(info.response)))
}

/// What the schema of a line is called that brings a message.
pub(crate) fn line_name(message: &str) -> String {
    format!("{message}Line")
}

fn line(message: &str) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("One line of a stream: a `result`, or at last an `error`."))
        .property("result", reference(message))
        .property("error", reference("StreamErrorDetail"))
        .min_properties(Some(1))
        .max_properties(Some(1))
        .into()
}

/// A reference to the schema of a message.
pub(crate) fn reference(full_name: &str) -> Ref {
    Ref::from_schema_name(full_name)
}

fn message_schema(message: &MessageDescriptor) -> Schema {
    let mut description = comments::of(&message.parent_file(), message.path());
    for oneof in message.oneofs() {
        let names: Vec<_> = oneof.fields().map(|field| format!("`{}`", field.name())).collect();
        let comment = comments::of(&message.parent_file(), oneof.path());
        append(&mut description, &comment);
        append(&mut description, &format!("At most one of {} is set.", names.join(", ")));
    }
    let object = ObjectBuilder::new().schema_type(Type::Object).description(some(description));
    let object = required::fields(message).into_iter().fold(object, |object, field| object.required(field));
    let object = one_of_each(message, object);
    message.fields().fold(object, |object, field| object.property(field.name(), field_schema(&field))).into()
}

/// Of a oneof one field is set at most; where there is nothing else, just one.
fn one_of_each(message: &MessageDescriptor, object: ObjectBuilder) -> ObjectBuilder {
    let fields = message.fields().len();
    let choices: usize = message.oneofs().map(|oneof| oneof.fields().len().saturating_sub(1)).sum();
    if choices == 0 {
        return object;
    }
    let object = object.max_properties(Some(fields - choices));
    if fields - choices == 1 { object.min_properties(Some(1)) } else { object }
}

fn field_schema(field: &FieldDescriptor) -> RefOr<Schema> {
    let description = some(comments::of(&field.parent_file(), field.path()));
    if field.cardinality() == Cardinality::Repeated {
        let array = ArrayBuilder::new().items(value_schema(field, None)).description(description);
        return Schema::from(array.build()).into();
    }
    value_schema(field, description)
}

fn value_schema(field: &FieldDescriptor, description: Option<String>) -> RefOr<Schema> {
    let text = |format: &str, pattern: &str| {
        let format = SchemaFormat::Custom(format.to_owned());
        ObjectBuilder::new().schema_type(Type::String).format(Some(format)).pattern(Some(pattern))
    };
    let object = match field.kind() {
        Kind::Message(message) => return refer(message.full_name(), description),
        Kind::Enum(kind) => return refer(kind.full_name(), description),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => text("int64", "^-?(0|[1-9][0-9]*)$"),
        Kind::Uint64 | Kind::Fixed64 => text("uint64", "^(0|[1-9][0-9]*)$"),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            ObjectBuilder::new().schema_type(Type::Integer).format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
        }
        Kind::Uint32 | Kind::Fixed32 => ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::Custom("uint32".to_owned())))
            .minimum(Some(0)),
        Kind::Double | Kind::Float => ObjectBuilder::new().schema_type(Type::Number),
        Kind::Bool => ObjectBuilder::new().schema_type(Type::Boolean),
        Kind::String => ObjectBuilder::new().schema_type(Type::String),
        Kind::Bytes => ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Byte)))
            .content_encoding("base64"),
    };
    object.description(description).into()
}

fn refer(full_name: &str, description: Option<String>) -> RefOr<Schema> {
    RefBuilder::new().ref_location_from_schema_name(full_name).description(description).build().into()
}

fn enum_schema(kind: &EnumDescriptor) -> Schema {
    let mut description = comments::of(&kind.parent_file(), kind.path());
    let values: Vec<_> = kind
        .values()
        .map(|value| match comments::of(&kind.parent_file(), value.path()) {
            comment if comment.is_empty() => format!("- `{}` ({})", value.name(), value.number()),
            comment => format!("- `{}` ({}): {comment}", value.name(), value.number()),
        })
        .collect();
    append(&mut description, &values.join("\n"));
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(some(description))
        .enum_values(Some(kind.values().map(|value| value.name().to_owned())))
        .into()
}

fn append(text: &mut String, paragraph: &str) {
    if !text.is_empty() && !paragraph.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(paragraph);
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
