//! Reads the `google.api.http` options and writes the gateway's routes, as a table and as a macro.

use std::error::Error;
use std::fmt::Write;

use heck::{ToSnakeCase, ToUpperCamelCase};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor, Value};

use crate::methods;

/// One binding of one RPC.
struct Binding {
    path: String,
    method: MethodDescriptor,
}

pub(crate) fn generate(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let mut bindings = Vec::new();
    for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        let paths = paths_of(pool, &method)?;
        bindings.extend(paths.into_iter().map(|path| Binding { path, method: method.clone() }));
    }
    bindings.sort_by(|a, b| a.path.cmp(&b.path));
    if let Some(pair) = bindings.windows(2).find(|pair| pair[0].path == pair[1].path) {
        return Err(format!("{} is bound twice", pair[0].path).into());
    }
    let mut text = String::new();
    write_table(&mut text, &bindings)?;
    write_macro(&mut text, &bindings)?;
    Ok(text)
}

/// The paths on which the gateway serves a method: the canonical one first, none if it has no binding.
pub(crate) fn paths_of(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<Vec<String>, Box<dyn Error>> {
    let http = pool.get_extension_by_name("google.api.http").ok_or("google.api.http is not declared")?;
    let options = method.options();
    if !options.has_extension(&http) {
        return Ok(Vec::new());
    }
    let option = options.get_extension(&http);
    let rule = option.as_message().ok_or("google.api.http is not a message")?;
    let mut paths = vec![post_path(rule, method)?];
    let more = rule.get_field_by_name("additional_bindings");
    for rule in more.as_deref().and_then(Value::as_list).unwrap_or_default() {
        paths.push(post_path(rule.as_message().ok_or("a binding is not a message")?, method)?);
    }
    Ok(paths)
}

/// The gateway knows one kind of binding: POST with the whole message as body, on a path without variables.
fn post_path(rule: &DynamicMessage, method: &MethodDescriptor) -> Result<String, Box<dyn Error>> {
    let text = |name: &str| {
        rule.get_field_by_name(name).as_deref().and_then(Value::as_str).map(str::to_owned).unwrap_or_default()
    };
    let path = text("post");
    if path.is_empty() || path.contains(['{', '*']) || text("body") != "*" || !text("response_body").is_empty() {
        return Err(format!("{}: only `post: <fixed path>, body: \"*\"` is supported", method.full_name()).into());
    }
    Ok(path)
}

fn write_table(text: &mut String, bindings: &[Binding]) -> std::fmt::Result {
    writeln!(text, "/// Every route of the JSON gateway, ordered by path.")?;
    writeln!(text, "pub const ROUTES: &[Route] = &[")?;
    for Binding { path, method } in bindings {
        writeln!(text, "    Route {{ path: {path:?}, method: Method::{} }},", methods::variant_of(method))?;
    }
    writeln!(text, "];")
}

fn write_macro(text: &mut String, bindings: &[Binding]) -> std::fmt::Result {
    writeln!(text, "/// Hands every gateway route to another macro; see the `routes` module for how to use it.")?;
    writeln!(text, "#[macro_export]\nmacro_rules! for_each_route {{")?;
    writeln!(text, "    ($callback:ident $(, $($extra:tt)*)?) => {{ $callback! {{ [$($($extra)*)?]")?;
    for Binding { path, method } in bindings {
        let kind = match (method.is_client_streaming(), method.is_server_streaming()) {
            (false, false) => "unary",
            (false, true) => "server_stream",
            (true, false) => "client_stream",
            (true, true) => "bidi",
        };
        let service = method.parent_service();
        let field = service.name().to_snake_case();
        writeln!(
            text,
            "        ({kind}, {path:?}, {field}, $crate::{}::{field}_server::{}, {}, {}, {})",
            service.package_name(),
            service.name().to_upper_camel_case(),
            method.name().to_snake_case(),
            rust_path(&method.input()),
            rust_path(&method.output()),
        )?;
    }
    writeln!(text, "    }} }};\n}}")
}

fn rust_path(message: &MessageDescriptor) -> String {
    format!("$crate::{}::{}", message.package_name(), message.name().to_upper_camel_case())
}
