//! Writes the JSON side of the messages: a decoder each (`FromJson`), in terms of `json::Reader`, and the way out through
//! pbjson (`ToJson`).
//!
//! pbjson's own input side is stricter than protojson in ways that clients notice (nulls,
//! `1e3`, unknown enum values), and its shape leaves no place to mend them.

use std::error::Error;
use std::fmt::Write;

use heck::{ToSnakeCase, ToUpperCamelCase};
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};

/// Fields and oneofs of a message share the bits of a `u64`: fields from the bottom, oneofs from the top.
const BITS: usize = 64;

/// Its lists are operations, which are counted.
pub(crate) const TRANSACTION: &str = "etcdserverpb.TxnRequest";

/// Messages with a writer in `src/json/hot.rs`; the others are written through pbjson.
const WRITTEN_BY_HAND: [&str; 11] = [
    "etcdserverpb.ResponseHeader",
    "mvccpb.KeyValue",
    "mvccpb.Event",
    "etcdserverpb.RangeResponse",
    "etcdserverpb.RangeStreamResponse",
    "etcdserverpb.PutResponse",
    "etcdserverpb.DeleteRangeResponse",
    "etcdserverpb.ResponseOp",
    "etcdserverpb.TxnResponse",
    "etcdserverpb.WatchResponse",
    "etcdserverpb.LeaseKeepAliveResponse",
];

pub(crate) fn generate(pool: &DescriptorPool, packages: &[&str]) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    for message in pool.all_messages() {
        if packages.contains(&message.package_name()) {
            write_decoder(&mut text, &message)?;
            if !WRITTEN_BY_HAND.contains(&message.full_name()) {
                write_encoder(&mut text, &message)?;
            }
        }
    }
    Ok(text)
}

fn write_decoder(text: &mut String, message: &MessageDescriptor) -> Result<(), Box<dyn Error>> {
    let oneofs: Vec<_> = message.oneofs().filter(|oneof| !oneof.is_synthetic()).collect();
    if message.fields().len() + oneofs.len() > BITS {
        return Err(format!("{} has too many fields", message.full_name()).into());
    }
    let rust = message_path(message);
    writeln!(text, "impl FromJson for {rust} {{")?;
    writeln!(text, "    fn read(reader: &mut Reader<'_>) -> Result<Self, JsonError> {{")?;
    writeln!(text, "        #[allow(unused_mut)] let mut message = Self::default();")?;
    let transaction = message.full_name() == TRANSACTION;
    if transaction {
        writeln!(text, "        let outer = reader.enter_transaction();")?;
    }
    writeln!(text, "        let mut fields = reader.object()?;")?;
    writeln!(text, "        while let Some(name) = reader.name(&mut fields)? {{")?;
    writeln!(text, "            match &*name {{")?;
    for (bit, field) in message.fields().enumerate() {
        let (name, json_name) = (field.name(), field.json_name());
        let pattern = if name == json_name { format!("b{name:?}") } else { format!("b{name:?} | b{json_name:?}") };
        let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic());
        let guard = match &oneof {
            Some(oneof) => {
                let at = oneofs.iter().position(|other| other == oneof).ok_or("a field of an unknown oneof")?;
                format!("reader.member(&mut fields, {bit}, {}, {name:?}, {:?})", BITS - 1 - at, oneof.full_name())
            }
            None => format!("reader.field(&mut fields, {bit}, {name:?})"),
        };
        let action = match &oneof {
            Some(oneof) => set_member(message, &field, oneof.name())?,
            None => set_field(&field, transaction)?,
        };
        writeln!(text, "                {pattern} => if {guard}? {{ {action} }},")?;
    }
    writeln!(text, "                _ => reader.unknown(&name)?,")?;
    writeln!(text, "            }}\n        }}")?;
    if transaction {
        writeln!(text, "        reader.leave_transaction(outer);")?;
    }
    writeln!(text, "        Ok(message)\n    }}\n}}")?;
    Ok(())
}

fn write_encoder(text: &mut String, message: &MessageDescriptor) -> std::fmt::Result {
    let rust = message_path(message);
    writeln!(text, "impl ToJson for {rust} {{")?;
    writeln!(
        text,
        "    fn write(&self, out: &mut Vec<u8>) -> Result<(), JsonError> {{ through_pbjson(self, out) }}\n}}"
    )
}

/// The expression that reads one value of the field; `None` for enums, whose values may have to be dropped.
fn value(field: &FieldDescriptor) -> Result<Option<String>, Box<dyn Error>> {
    let method = match field.kind() {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => "int32",
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => "int64",
        Kind::Uint32 | Kind::Fixed32 => "uint32",
        Kind::Uint64 | Kind::Fixed64 => "uint64",
        Kind::Bool => "boolean",
        Kind::String => "string",
        Kind::Bytes => "bytes",
        Kind::Message(_) => return Ok(Some("reader.message()?".to_owned())),
        Kind::Enum(_) => return Ok(None),
        kind @ (Kind::Double | Kind::Float) => {
            return Err(format!("{}: {kind:?} has no JSON form here yet", field.full_name()).into());
        }
    };
    Ok(Some(format!("reader.{method}({:?})?", field.name())))
}

/// Reads an enum into `Some(number)`, or `None` where protojson leaves the field alone.
fn enum_value(field: &FieldDescriptor) -> String {
    let Kind::Enum(kind) = field.kind() else { unreachable!("only called for enums") };
    let path = rust_path(kind.parent_message().as_ref(), kind.package_name(), kind.name());
    format!("reader.enumeration({:?}, |name| {path}::from_str_name(name).map(i32::from))?", field.name())
}

fn set_field(field: &FieldDescriptor, transaction: bool) -> Result<String, Box<dyn Error>> {
    let target = format!("message.{}", field_ident(field.name()));
    let value = value(field)?;
    let list = if transaction { "operations" } else { "list" };
    Ok(match value {
        _ if field.is_map() => return Err(format!("{}: maps have no JSON form here yet", field.full_name()).into()),
        Some(value) if field.is_list() => {
            format!("reader.{list}({:?}, &mut {target}, |reader| Ok(Some({value})))?;", field.name())
        }
        Some(value) if field.supports_presence() => format!("{target} = Some({value});"),
        Some(value) => format!("{target} = {value};"),
        None if field.is_list() => {
            format!("reader.{list}({:?}, &mut {target}, |reader| Ok({}))?;", field.name(), enum_value(field))
        }
        None => format!("if let Some(number) = {} {{ {target} = number; }}", enum_value(field)),
    })
}

fn set_member(message: &MessageDescriptor, field: &FieldDescriptor, oneof: &str) -> Result<String, Box<dyn Error>> {
    let path = rust_path(Some(message), message.package_name(), oneof);
    let target = format!("message.{}", field_ident(oneof));
    let variant = field.name().to_upper_camel_case();
    Ok(match value(field)? {
        Some(value) => format!("{target} = Some({path}::{variant}({value}));"),
        None => format!("{target} = ({}).map({path}::{variant});", enum_value(field)),
    })
}

pub(crate) fn message_path(message: &MessageDescriptor) -> String {
    rust_path(message.parent_message().as_ref(), message.package_name(), message.name())
}

/// Where prost puts a message, enum or oneof: nested ones in a module named after their message.
fn rust_path(parent: Option<&MessageDescriptor>, package: &str, name: &str) -> String {
    let mut modules = Vec::new();
    let mut parent = parent.cloned();
    while let Some(message) = parent {
        modules.push(message.name().to_snake_case());
        parent = message.parent_message();
    }
    modules.push(package.to_owned());
    modules.reverse();
    format!("crate::{}::{}", modules.join("::"), name.to_upper_camel_case())
}

fn field_ident(name: &str) -> String {
    let ident = name.to_snake_case();
    if ident == "type" { "r#type".to_owned() } else { ident }
}
