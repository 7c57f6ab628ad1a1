//! Reads the `google.api.http` options.

use std::error::Error;

use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, Value};

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
