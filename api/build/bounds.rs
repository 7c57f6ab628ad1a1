//! Writes where the messages of calls have lists, so that these can be counted before they are decoded.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write;

use heck::ToShoutySnakeCase;
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};

use crate::json::{TRANSACTION, message_path};

/// As in `src/bounds.rs`.
const MAX_PARTS: usize = 8;

pub(crate) fn generate(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let methods = || pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    let requests: BTreeMap<_, _> = methods().map(|method| named(method.input())).collect();
    let answers: BTreeMap<_, _> = methods().map(|method| named(method.output())).collect();
    let mut text = String::new();
    let mut written = BTreeSet::new();
    for (name, message) in &requests {
        let mut shape = "None".to_owned();
        if has_lists(message, &mut BTreeSet::new()) {
            write_shape(&mut text, message, &mut written)?;
            shape = format!("Some(&{})", ident(message));
        }
        write_impl(&mut text, message, &shape)?;
        if answers.contains_key(name) {
            return Err(format!("{name} is both a request and an answer").into());
        }
    }
    for message in answers.values() {
        write_impl(&mut text, message, "None")?;
    }
    Ok(text)
}

fn named(message: MessageDescriptor) -> (String, MessageDescriptor) {
    (message.full_name().to_owned(), message)
}

fn write_impl(text: &mut String, message: &MessageDescriptor, shape: &str) -> std::fmt::Result {
    writeln!(text, "impl Bounded for {} {{", message_path(message))?;
    writeln!(text, "    const SHAPE: Option<&'static Shape> = {shape};\n}}")
}

/// The shape of a message, and of all that are inside it.
fn write_shape(
    text: &mut String,
    message: &MessageDescriptor,
    written: &mut BTreeSet<String>,
) -> Result<(), Box<dyn Error>> {
    if !written.insert(message.full_name().to_owned()) {
        return Ok(());
    }
    let parts: Vec<_> = message.fields().filter(|field| field.is_list() || inside(field).is_some()).collect();
    if parts.len() > MAX_PARTS {
        return Err(format!("{} has too many lists", message.full_name()).into());
    }
    let transaction = message.full_name() == TRANSACTION;
    writeln!(text, "static {}: Shape = Shape {{ transaction: {transaction}, parts: &[", ident(message))?;
    for field in &parts {
        let inside = inside(field).map_or("None".to_owned(), |message| format!("Some(&{})", ident(&message)));
        writeln!(text, "    Part {{ number: {}, elements: {}, inside: {inside} }},", field.number(), elements(field)?)?;
    }
    writeln!(text, "] }};")?;
    for message in parts.iter().filter_map(inside) {
        write_shape(text, &message, written)?;
    }
    Ok(())
}

/// The message of a field, if there is something to count in it.
fn inside(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(message) if has_lists(&message, &mut BTreeSet::new()) => Some(message),
        _ => None,
    }
}

fn has_lists(message: &MessageDescriptor, seen: &mut BTreeSet<String>) -> bool {
    if !seen.insert(message.full_name().to_owned()) {
        return false;
    }
    message.fields().any(|field| match field.kind() {
        _ if field.is_list() || field.is_map() => true,
        Kind::Message(message) => has_lists(&message, seen),
        _ => false,
    })
}

fn elements(field: &FieldDescriptor) -> Result<String, Box<dyn Error>> {
    if field.is_map() {
        return Err(format!("{}: maps are not counted yet", field.full_name()).into());
    }
    if !field.is_list() {
        return Ok("Elements::One".to_owned());
    }
    let (kind, element) = match field.kind() {
        Kind::Message(message) => ("Each", message_path(&message)),
        Kind::String => ("Each", "String".to_owned()),
        Kind::Bytes => ("Each", "bytes::Bytes".to_owned()),
        Kind::Bool => ("Packed", "bool".to_owned()),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 | Kind::Uint64 | Kind::Fixed64 | Kind::Double => {
            ("Packed", "u64".to_owned())
        }
        _ => ("Packed", "u32".to_owned()),
    };
    Ok(format!("Elements::{kind}(size_of::<{element}>())"))
}

fn ident(message: &MessageDescriptor) -> String {
    message.full_name().to_shouty_snake_case()
}
