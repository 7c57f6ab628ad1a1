//! The facts as the contract file states them.

use serde_json::Value;

use super::Facts;

pub(crate) fn facts(contract: &Value) -> Facts {
    let mut facts = Facts::new();
    for message in list(&contract["messages"]).chain(list(&contract["internal"]["messages"])) {
        let name = text(&message["full_name"]);
        let syntax = text(&contract["syntax"][text(&message["file"])]);
        let reserved = list(&message["reserved_numbers"]).map(|range| format!(" reserved {}-{}", range[0], range[1]));
        let names = list(&message["reserved_names"]).map(|name| format!(" reserved {}", text(name)));
        facts.insert(format!("message {name}"), format!("{syntax}{}", reserved.chain(names).collect::<String>()));
        for field in list(&message["fields"]) {
            facts.insert(format!("field {name}.{}", text(&field["name"])), field_fact(field));
        }
    }
    for kind in list(&contract["enums"]).chain(list(&contract["internal"]["enums"])) {
        let name = text(&kind["full_name"]);
        facts.insert(format!("enum {name}"), text(&contract["syntax"][text(&kind["file"])]).to_owned());
        for value in list(&kind["values"]) {
            facts.insert(format!("value {name}.{}", text(&value["name"])), value["number"].to_string());
        }
    }
    for service in list(&contract["services"]) {
        let name = text(&service["full_name"]);
        facts.insert(format!("service {name}"), String::new());
        for rpc in list(&service["rpcs"]) {
            facts.insert(format!("rpc {name}.{}", text(&rpc["name"])), rpc_fact(rpc));
        }
    }
    facts
}

fn field_fact(field: &Value) -> String {
    format!(
        "{} {} {} {}, json {}, oneof {}, packed {}",
        field["number"],
        text(&field["label"]),
        text(&field["kind"]),
        text(&field["type"]),
        text(&field["json_name"]),
        field["oneof"].as_str().unwrap_or("-"),
        field["packed"].as_bool().unwrap_or(false),
    )
}

fn rpc_fact(rpc: &Value) -> String {
    let stream = |flag: &Value| if flag.as_bool().unwrap() { "stream " } else { "" };
    let bindings = list(&rpc["http"])
        .map(|http| format!(", {} {} {}", text(&http["method"]), text(&http["path"]), text(&http["body"])));
    format!(
        "({}{}) -> ({}{}){}",
        stream(&rpc["client_streaming"]),
        text(&rpc["request"]),
        stream(&rpc["server_streaming"]),
        text(&rpc["response"]),
        bindings.collect::<String>(),
    )
}

/// The entries of a list that may be left out.
fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} should be a text"))
}
