//! `/problems/`: what the types of problem documents mean, at the addresses that they are.

use axum::extract::Path;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use keyport_api::error::{CodeName, Kind, KindInfo, PROBLEMS, Problem, reason_phrase};
use keyport_openapi::endpoints::Operation;
use serde_json::{Value, json};

use super::document;
use crate::faces::negotiation;
use crate::http::plain;
use crate::http::refusal::problem_document;

/// The forms of a page. Programs that do not say get the first.
const FORMS: [&str; 3] = ["application/json", "text/html", "text/plain"];

/// Nothing but this page itself: it has no script, and asks for nothing.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");

const STYLE: &str = "body{max-width:46rem;margin:2rem auto;padding:0 1rem;font:1rem/1.5 system-ui,sans-serif}\
code{background:#8882;padding:0 .2em;overflow-wrap:anywhere}dt{font-weight:600;margin-top:.8rem}dd{margin:0}";

/// All of them.
pub(super) async fn list(headers: HeaderMap) -> Response {
    let short = |kind: &Kind| {
        let KindInfo { address, title, status, .. } = kind.info();
        json!({ "type": address, "title": title, "status": status })
    };
    let line = |kind: &Kind| {
        let KindInfo { address, title, status, .. } = kind.info();
        format!("{status} {address}  {title}\n")
    };
    let item = |kind: &Kind| {
        let KindInfo { address, name, title, status, .. } = kind.info();
        format!("<dt>{status} <a href={address}>{name}</a><dd>{title}")
    };
    shown(
        &headers,
        || json!({ "problems": Kind::ALL.iter().map(short).collect::<Vec<_>>() }),
        || page("Problems", &format!("<dl>{}</dl>", Kind::ALL.iter().map(item).collect::<String>())),
        || Kind::ALL.iter().map(line).collect(),
    )
}

/// One of them.
pub(super) async fn one(headers: HeaderMap, Path(name): Path<String>) -> Response {
    let Some(kind) = Kind::named(&name) else {
        return problem_document(&Problem::of(
            Kind::NotFound,
            format!("there is no such problem; {PROBLEMS} lists them"),
        ));
    };
    shown(&headers, || described(kind), || html(kind), || text(kind))
}

fn shown(
    headers: &HeaderMap,
    json: impl FnOnce() -> Value,
    html: impl FnOnce() -> String,
    text: impl FnOnce() -> String,
) -> Response {
    let mut response = match negotiation::best(headers, &FORMS) {
        1 => ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(html())).into_response(),
        2 => plain::text(StatusCode::OK, text()),
        _ => document(&json()),
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

fn described(kind: Kind) -> Value {
    let KindInfo { address, title, status, meaning, when, remedy, .. } = kind.info();
    let codes: Vec<i32> = kind.codes().into_iter().map(|code| code as i32).collect();
    json!({
        "type": address, "title": title, "status": status, "grpc_codes": codes,
        "meaning": meaning, "when": when, "remedy": remedy,
    })
}

fn text(kind: Kind) -> String {
    let KindInfo { address, title, meaning, when, remedy, .. } = kind.info();
    format!("{title}\n{address}, {}\n\n{meaning}\n\nWhen: {when}\nWhat to do: {remedy}\n", statuses(kind))
}

fn html(kind: Kind) -> String {
    let KindInfo { title, meaning, when, remedy, .. } = kind.info();
    let facts = [("It means", *meaning), ("When", *when), ("What to do", *remedy)];
    let facts: String = facts.iter().map(|(term, text)| format!("<dt>{term}<dd>{}", typed(text))).collect();
    let (all, docs) = (PROBLEMS, Operation::Docs.info().path);
    let list = format!("<p>{}<dl>{facts}</dl>", statuses(kind));
    page(title, &format!("{list}<p><a href={all}>All problems</a>, <a href={docs}>the API</a>"))
}

/// `410 Gone; gRPC: OutOfRange (11)`.
fn statuses(kind: Kind) -> String {
    let status = kind.status();
    let codes: Vec<_> = kind.codes().into_iter().map(|code| format!("{} ({})", CodeName(code), code as i32)).collect();
    let codes = if codes.is_empty() { "no code".to_owned() } else { codes.join(", ") };
    format!("{} {}; gRPC: {codes}", status.as_u16(), reason_phrase(status))
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
<meta name=color-scheme content='light dark'><title>{title}</title><style>{STYLE}</style><h1>{title}</h1>{body}</html>\n"
    )
}

/// A text of the table: what is in backticks is typed, and a path there is a link.
fn typed(text: &str) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    let parts = text.split('`').enumerate().map(|(at, part)| match part {
        part if at % 2 == 0 => escape(part),
        path if path.starts_with('/') => format!("<a href=\"{path}\"><code>{path}</code></a>"),
        part => format!("<code>{}</code>", escape(part)),
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_stands_out() {
        assert_eq!(
            typed("a<b & `x<y`, see `/docs`."),
            "a&lt;b &amp; <code>x&lt;y</code>, see <a href=\"/docs\"><code>/docs</code></a>."
        );
        for kind in Kind::ALL {
            let KindInfo { name, meaning, when, remedy, .. } = kind.info();
            let even = [meaning, when, remedy].iter().all(|text| text.matches('`').count() % 2 == 0);
            assert!(even, "{name}");
            assert!(!html(*kind).contains('`') && text(*kind).contains(kind.info().address), "{name}");
        }
    }
}
