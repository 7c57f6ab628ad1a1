//! Somebody who asks, and what he is told.

use http::Method as Verb;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use keyport_api::methods::Method;
use keyport_tests::http::{Answer, Http};
use keyport_tests::wait::within;
use serde_json::Value;

use super::forms::Form;

/// etcd's words, as text, wherever a certificate names nobody.
const NO_NAME_BY_CERTIFICATE: &str =
    "CommonName of client sending a request against gateway will be ignored and not used as expected\n";

/// Somebody who asks for everything, in one of the ways to say who he is.
pub(super) struct Guest {
    pub(super) name: &'static str,
    pub(super) header: Option<(&'static str, String)>,
    pub(super) http: Http,
}

/// What a request comes to: its status, and the words of the API's own refusals.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome(pub(super) u16, pub(super) Option<(u64, String)>);

impl Guest {
    pub(super) async fn open(&self, form: &Form) -> http::Response<Incoming> {
        let mut headers = form.headers.to_vec();
        headers.extend(self.header.as_ref().map(|(name, value)| (*name, &**value)));
        let body = Full::new(form.body.into()).boxed();
        self.http.open(form.verb.clone(), &form.path, &headers, body).await
    }

    /// What comes of it; of a stream that has begun, nothing is read.
    pub(super) async fn ask(&self, form: &Form) -> Outcome {
        let answer = self.open(form).await;
        if answer.status().is_success() {
            return Outcome(answer.status().as_u16(), None);
        }
        let (head, body) = answer.into_parts();
        let body = within(&form.path, body.collect()).await.unwrap().to_bytes();
        let answer = Answer { status: head.status, headers: head.headers, body };
        let status = answer.status.as_u16();
        // Who is not known is told how to say who he is.
        let ways = answer.headers.get_all("www-authenticate").iter().count();
        assert_eq!(ways > 0, status == 401, "{form:?} by {}: {answer:?}", self.name);
        if form.verb == Verb::HEAD || status == 304 {
            assert!(answer.body.is_empty());
            return Outcome(status, None);
        }
        if answer.text() == NO_NAME_BY_CERTIFICATE {
            return Outcome(status, Some((3, answer.text().trim_end().to_owned())));
        }
        assert_eq!(answer.header("content-type"), "application/problem+json", "{form:?}: {answer:?}");
        let problem = answer.json();
        assert_eq!(problem["status"], status);
        let code = problem["grpc_code"].as_u64();
        Outcome(status, code.map(|code| (code, problem["detail"].as_str().unwrap().to_owned())))
    }

    /// What is said to him of the call that wants the same.
    pub(super) async fn twin(&self, method: Method, body: &Value) -> Option<(u64, String)> {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(self.header.as_ref().map(|(name, value)| (*name, &**value)));
        let answer = self.http.send(Verb::POST, method.info().routes[0], &headers, body.to_string()).await;
        if answer.text() == NO_NAME_BY_CERTIFICATE {
            return Some((3, answer.text().trim_end().to_owned()));
        }
        let said = answer.json();
        let said = if said["error"].is_object() { &said["error"] } else { &said };
        let code = said["code"].as_u64()?;
        Some((code, said["message"].as_str().unwrap().to_owned()))
    }
}
