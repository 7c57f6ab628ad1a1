//! `docs/problems.md`: written from the table, and fresh.
#![allow(clippy::unwrap_used)] // Test helpers, too, are tests.

use std::fmt::Write as _;

use keyport_api::error::{CodeName, Kind, KindInfo, reason_phrase};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/problems.md");

const HEAD: &str = "# Problems

What resources answer when they say no: a document of [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457), `application/problem+json`. Its `type` is one of those below, for programs; every
server shows what stands here at that address, as a page, as JSON or as text. Calls of the JSON gateway answer as etcd's do.

| Member | |
|---|---|
| `type` | which problem it is, and stays so |
| `title` | the same in a few words |
| `status` | the HTTP status |
| `detail` | what it is this time, for people |
| `instance` | `urn:keyport:request:` and the request's id, as in `X-Request-Id` and in the log |
| `grpc_code` | the code that gRPC has for it, if it has one |
| `current_revision` | with `revision-mismatch`: where the key was last changed, if it is there |
| `oldest_revision` | with `compacted`: where history begins now |

This page is written from `api/src/error/problems.rs`: `UPDATE_PROBLEMS=1 cargo test -p keyport-api --test problems`.
";

fn written() -> String {
    let mut page = HEAD.to_owned();
    for kind in Kind::ALL {
        let KindInfo { name, address, title, meaning, when, remedy, .. } = kind.info();
        let codes: Vec<_> =
            kind.codes().into_iter().map(|code| format!("`{}` ({})", CodeName(code), code as i32)).collect();
        let codes = if codes.is_empty() { "none".to_owned() } else { codes.join(", ") };
        let (status, words) = (kind.status().as_u16(), reason_phrase(kind.status()));
        write!(
            page,
            "\n## {name}\n\n`{address}`: {title}. {status} {words}; gRPC code: {codes}.\n\n{meaning}\n\n- When: {when}\n- What to do: {remedy}\n"
        )
        .unwrap();
    }
    page
}

#[test]
fn the_page_is_fresh() {
    let written = written();
    if std::env::var_os("UPDATE_PROBLEMS").is_some() {
        std::fs::write(PAGE, written).unwrap();
        return;
    }
    let page = std::fs::read_to_string(PAGE).unwrap();
    assert!(page == written, "docs/problems.md is stale: UPDATE_PROBLEMS=1 cargo test -p keyport-api --test problems");
}
