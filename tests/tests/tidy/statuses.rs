//! What clients are told stands in `api/src/error.rs` and nowhere else.

use keyport_api::error::{Error, cancel_reason};

use super::lexer;
use super::source;
use super::verdict;

#[test]
fn texts_for_clients_stand_in_the_catalogue() {
    let mut texts: Vec<&str> = Error::ALL.iter().filter_map(|error| error.fixed_message()).collect();
    texts.extend([cancel_reason::DUPLICATE_WATCH_ID, cancel_reason::EMPTY_RANGE]);
    let mut complaints = Vec::new();
    for source in source::below("server/src").filter(|source| !source.is_test()) {
        for at in lexer::words(&source.code, "Status") {
            if let Some(constructor) = source.code[at..].strip_prefix("Status::").map(lexer::identifier)
                && makes_a_text(constructor)
            {
                complaints.push(format!(
                    "{}: `Status::{constructor}` makes a text of its own: take an entry of the catalogue in \
                     api/src/error.rs, or a function beside it",
                    source.place(at)
                ));
            }
        }
        for literal in source.literals.iter().filter(|literal| texts.contains(&literal.text.replace('\\', "").as_str()))
        {
            complaints.push(format!(
                "{}: \"{}\" is in the catalogue in api/src/error.rs: take it from there",
                source.place(literal.at),
                literal.text
            ));
        }
    }
    verdict(complaints);
}

/// What is written in these by hand is a status past the catalogue.
#[test]
fn headers_of_statuses_are_written_in_one_room() {
    let mut complaints = Vec::new();
    let sources = ["openapi/src", "raft/src", "server/src", "storage/src"].into_iter().flat_map(source::below);
    for source in sources.filter(|source| !source.is_test() && !source.path.starts_with("server/src/http/")) {
        for literal in &source.literals {
            if let Some(header) = ["grpc-status", "grpc-message"].into_iter().find(|name| literal.text.contains(name)) {
                complaints.push(format!(
                    "{}: `{header}` is written by hand: refuse with an entry of the catalogue, by server/src/http/refusal.rs",
                    source.place(literal.at)
                ));
            }
        }
    }
    verdict(complaints);
}

/// All functions of `tonic::Status` but those that convert, ask or copy take a message.
fn makes_a_text(function: &str) -> bool {
    let converts = ["from", "try_from"].iter().any(|prefix| function.starts_with(prefix));
    let is_function = function.starts_with(|first: char| first.is_ascii_lowercase());
    is_function && !converts && !["clone", "code", "into_http", "message", "to_http"].contains(&function)
}
