//! Writes the gateway's routes, as a table and as a macro.

use std::error::Error;
use std::fmt::Write;

use heck::{ToSnakeCase, ToUpperCamelCase};
use prost_reflect::{DescriptorPool, MessageDescriptor, MethodDescriptor};

use crate::{bindings, methods};

/// One binding of one RPC.
struct Binding {
    path: String,
    method: MethodDescriptor,
}

pub(crate) fn generate(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let mut bindings = Vec::new();
    for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        let paths = bindings::paths_of(pool, &method)?;
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
