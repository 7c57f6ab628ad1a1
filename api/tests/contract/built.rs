//! The facts as the built descriptor set states them.

use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, FieldDescriptor, FileDescriptor, Kind, MethodDescriptor, Syntax, Value,
};

use super::Facts;

/// Packages of the option machinery, which are no part of the surface.
fn is_ours(package: &str) -> bool {
    !package.starts_with("google.")
}

pub(crate) fn facts(pool: &DescriptorPool) -> Facts {
    let mut facts = Facts::new();
    for message in pool.all_messages().filter(|message| is_ours(message.package_name())) {
        let name = message.full_name();
        // Contract ranges are inclusive.
        let reserved = message.reserved_ranges().map(|range| format!(" reserved {}-{}", range.start, range.end - 1));
        let names = message.reserved_names().map(|name| format!(" reserved {name}"));
        let fact = format!("{}{}", syntax(&message.parent_file()), reserved.chain(names).collect::<String>());
        facts.insert(format!("message {name}"), fact);
        for field in message.fields() {
            facts.insert(format!("field {name}.{}", field.name()), field_fact(&field));
        }
    }
    for kind in pool.all_enums().filter(|kind| is_ours(kind.package_name())) {
        let name = kind.full_name();
        facts.insert(format!("enum {name}"), syntax(&kind.parent_file()).to_owned());
        for value in kind.values() {
            facts.insert(format!("value {name}.{}", value.name()), value.number().to_string());
        }
    }
    for service in pool.services().filter(|service| is_ours(service.package_name())) {
        let name = service.full_name();
        facts.insert(format!("service {name}"), String::new());
        for method in service.methods() {
            facts.insert(format!("rpc {name}.{}", method.name()), rpc_fact(pool, &method));
        }
    }
    facts
}

fn syntax(file: &FileDescriptor) -> &'static str {
    match file.syntax() {
        Syntax::Proto2 => "proto2",
        Syntax::Proto3 => "proto3",
    }
}

fn field_fact(field: &FieldDescriptor) -> String {
    let (kind, name) = match field.kind() {
        Kind::Message(message) => ("message", message.full_name().to_owned()),
        Kind::Enum(kind) => ("enum", kind.full_name().to_owned()),
        scalar => ("scalar", format!("{scalar:?}").to_lowercase()),
    };
    let label = match field.cardinality() {
        Cardinality::Optional => "optional",
        Cardinality::Required => "required",
        Cardinality::Repeated => "repeated",
    };
    let oneof = field.containing_oneof().map_or("-".to_owned(), |oneof| oneof.name().to_owned());
    format!(
        "{} {label} {kind} {name}, json {}, oneof {oneof}, packed {}",
        field.number(),
        field.json_name(),
        field.is_packed()
    )
}

fn rpc_fact(pool: &DescriptorPool, method: &MethodDescriptor) -> String {
    let stream = |flag: bool| if flag { "stream " } else { "" };
    let option = pool.get_extension_by_name("google.api.http").unwrap();
    let mut bindings = String::new();
    if method.options().has_extension(&option) {
        let rule = method.options().get_extension(&option).into_owned();
        let Value::Message(rule) = rule else { panic!("google.api.http is not a message") };
        let more = rule.get_field_by_name("additional_bindings").unwrap().into_owned();
        bindings.push_str(&binding(&rule));
        bindings.extend(more.as_list().unwrap().iter().map(|rule| binding(rule.as_message().unwrap())));
    }
    format!(
        "({}{}) -> ({}{}){bindings}",
        stream(method.is_client_streaming()),
        method.input().full_name(),
        stream(method.is_server_streaming()),
        method.output().full_name(),
    )
}

fn binding(rule: &DynamicMessage) -> String {
    let text = |name: &str| rule.get_field_by_name(name).unwrap().as_str().unwrap().to_owned();
    let pattern = ["get", "put", "post", "delete", "patch"].into_iter().find(|verb| rule.has_field_by_name(verb));
    let verb = pattern.unwrap_or_default();
    format!(", {} {} {}", verb.to_uppercase(), text(verb), text("body"))
}
