use super::*;
use serde_json::{Value, json};

/// The catalogue as facts, kept apart from the code on purpose.
fn facts() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../../data/errors.json")).unwrap();
    file["errors"].as_array().unwrap().clone()
}

#[test]
fn every_fact_is_an_entry_and_every_entry_a_fact() {
    let facts = facts();
    assert_eq!(facts.len(), Error::ALL.len());
    for fact in &facts {
        let message = fact["message"].as_str().unwrap();
        let error = Error::from_message(message).unwrap_or_else(|| panic!("no entry says {message:?}"));
        let name = fact["name"].as_str().unwrap().trim_start_matches("ErrGRPC");
        assert!(error.name().eq_ignore_ascii_case(name), "{} is {name}", error.name());
        assert_eq!(error.to_string(), message);
        assert_eq!(json!(error.code() as i32), fact["code"], "{message}");
        assert_eq!(json!(error.http_status().as_u16()), fact["http"], "{message}");
    }
}

#[test]
fn messages_are_unique() {
    let messages: std::collections::HashSet<_> = Error::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(messages.len(), Error::ALL.len());
}

#[test]
fn a_status_carries_code_and_text_and_leads_back() {
    for &error in Error::ALL {
        let status = Status::from(error);
        assert_eq!((status.code(), status.message()), (error.code(), error.to_string().as_str()));
        assert_eq!(Error::from_status(&status), Some(error));
    }
    let large = Status::from(Error::MessageTooLarge { size: 3_000_000, limit: 2_097_152 });
    assert_eq!(large.code(), Code::ResourceExhausted);
    assert_eq!(large.message(), "grpc: received message larger than max (3000000 vs. 2097152)");
    assert_eq!(Error::from_status(&Status::unknown("something else")), None);
}

#[test]
fn http_statuses_are_those_of_the_gateway() {
    let expected = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];
    for (code, status) in expected.into_iter().enumerate() {
        assert_eq!(http_status(Code::from_i32(i32::try_from(code).unwrap())).as_u16(), status, "code {code}");
    }
}

#[test]
fn gateway_bodies_serve_old_and_new_clients() {
    let status = Status::from(Error::EmptyKey);
    let body: Value = serde_json::from_slice(&gateway_body(&status)).unwrap();
    let text = "etcdserver: key is not provided";
    assert_eq!(body, json!({"error": text, "code": 3, "message": text}));

    let line: Value = serde_json::from_slice(&stream_body(&status)).unwrap();
    assert_eq!(
        line,
        json!({"error": {"grpc_code": 3, "http_code": 400, "http_status": "Bad Request", "code": 3, "message": text}})
    );
    let gone: Value = serde_json::from_slice(&stream_body(&Error::Canceled.into())).unwrap();
    assert_eq!(gone["error"]["http_status"], "Client Closed Request");
}

#[test]
fn problems_name_their_kind() {
    let body: Value = serde_json::from_slice(&problem(&Error::LeaseNotFound.into()).to_json()).unwrap();
    assert_eq!(
        body,
        json!({
            "type": "/problems/lease-not-found",
            "title": "There is no such lease",
            "status": 404,
            "detail": "etcdserver: requested lease not found",
            "grpc_code": 5,
        })
    );
    let changed = Problem::of(Kind::RevisionMismatch, "it changed").with_current_revision(i64::MAX);
    let changed: Value = serde_json::from_slice(&changed.to_json()).unwrap();
    assert_eq!(
        changed,
        json!({
            "type": "/problems/revision-mismatch",
            "title": "The key is not what it has to be",
            "status": 412,
            "detail": "it changed",
            "current_revision": "9223372036854775807",
        })
    );
    assert_eq!(Problem::http(http::StatusCode::IM_A_TEAPOT, "x").status, 418);
    assert_eq!(problem(&Status::internal("x")).kind, "/problems/internal-error");
}

#[test]
fn rpc_text_reads_like_a_go_client() {
    assert_eq!(
        Error::PermissionDenied.rpc_text(),
        "rpc error: code = PermissionDenied desc = etcdserver: permission denied"
    );
    assert_eq!(Error::Canceled.rpc_text(), "rpc error: code = Canceled desc = etcdserver: request canceled");
}

#[test]
fn forwarding_failures_wrap_their_cause() {
    assert_eq!(lease_forwarding_failed("no route").message(), "lease: unknown error(no route)");
    assert_eq!(promote_forwarding_failed("no route").message(), "member promote: unknown error(no route)");
}
