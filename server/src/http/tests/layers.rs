//! The column among layers of others, and layers that wait.

use super::*;
use crate::auth::Author;
use crate::calls::Caller;
use crate::http::Connection;
use crate::http::layers::IdentityLayer;
use futures_util::FutureExt as _;
use http::{HeaderName, HeaderValue};
use tower::{ServiceBuilder, ServiceExt as _};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;

fn header(name: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(HeaderName::from_static(name), HeaderValue::from_static("yes"))
}

#[tokio::test]
async fn layers_of_others_work_around_it_and_inside() {
    let server = start_with(listen("http://localhost:0", Face::All), Setup::default(), |stack, app| {
        ServiceBuilder::new()
            .layer(TraceLayer::new_for_http())
            .layer(header("x-around"))
            .layer(stack)
            .layer(header("x-inside"))
            // Refusals are made of bytes; a body of another kind is put into one that can be, too.
            .map_response(|response: Response<_>| response.map(Body::new))
            .layer(TraceLayer::new_for_http())
            .service(app)
    });
    let answer = server.ask("GET", "/hello", "").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
    assert_eq!((answer.header("x-around"), answer.header("x-inside")), (Some("yes"), Some("yes")));
    let refused = server.ask("POST", "/echo", "grpc-timeout: soon").await;
    assert_eq!(refused.status, 400);
    assert_eq!((refused.header("x-around"), refused.header("x-inside")), (Some("yes"), None), "it went no further");
    let mut client = super::grpc::client(&server).await;
    let key = RangeRequest { key: Bytes::from_static(b"a"), ..RangeRequest::default() };
    assert_eq!(client.range(key).await.unwrap().into_inner().count, 7);
}

#[tokio::test]
async fn a_caller_who_is_known_only_later_is_waited_for() {
    let known = Arc::new(Notify::new());
    let asked = Arc::clone(&known);
    let identify = move |claims: &Claims| {
        let (asked, token) = (Arc::clone(&asked), claims.token.clone());
        Identified::Later(Box::pin(async move {
            asked.notified().await;
            let user = token.map(|token| token.as_str().to_owned()).unwrap_or_default();
            Caller::unchecked(Author::of(user.into(), 1))
        }))
    };
    let server = start(Setup::default());
    let service = IdentityLayer { identify, ways: Ways::default() }.layer(server.app.clone());
    let ask = |token: &str| {
        let mut request = Request::get("/caller").header("authorization", token).body(RequestBody::empty()).unwrap();
        let call = Call::of(&request, Arc::new(Connection::in_process(Face::All)));
        request.extensions_mut().insert(call);
        service.clone().oneshot(request)
    };
    let (mut first, mut second) = (Box::pin(ask("Bearer alice")), Box::pin(ask("bob")));
    assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
    known.notify_waiters();
    for (answer, expected) in [(first, "user alice"), (second, "user bob")] {
        let body = answer.await.unwrap().into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, expected);
    }
    assert_eq!(server.ask("GET", "/caller", "").await.body, "anyone");
}
