//! What is moved for every request stays small: a future goes into its box, and into its task, as a whole.

use std::mem::{size_of, size_of_val};
use std::sync::Arc;

use axum::Router;
use http::{Request, Version};
use tower::Service;

use crate::calls::Calls;
use crate::faces::routes::Routes;
use crate::http::{Call, Column, Connection, RequestBody};
use crate::net::Face;
use crate::testing::Member;

#[tokio::test]
async fn of_futures_are_small() {
    type Layered = <Column<Routes, Calls> as Service<Request<RequestBody>>>::Future;
    assert!(size_of::<Layered>() <= 1024, "layers: {} bytes", size_of::<Layered>());
    let member = Member::start().await;
    let mut routes = Routes::new(member.calls.clone(), 1024, Some(member.gateway()), Router::new());
    for (verb, path, content_type) in [
        ("POST", "/v3/kv/range", "application/json"),
        ("GET", "/v3/keys/a", "application/json"),
        ("PUT", "/v3/keys/a", "application/json"),
        ("POST", "/etcdserverpb.KV/Range", "application/grpc"),
        ("POST", "/health", "text/plain"),
    ] {
        let request =
            Request::builder().method(verb).uri(path).version(Version::HTTP_2).header("content-type", content_type);
        let mut request = request.body(RequestBody::empty()).unwrap();
        let call = Call::of(&request, Arc::new(Connection::in_process(Face::All)));
        request.extensions_mut().insert(call);
        let answer = routes.call(request);
        assert!(size_of_val(&*answer) <= 4352, "{path}: {} bytes", size_of_val(&*answer));
    }
}
