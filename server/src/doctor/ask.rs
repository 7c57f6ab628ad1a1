//! Asking a member, over HTTP.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::{Value, json};

use crate::command_line::Access;
use crate::config::Url;
use crate::net::dial::Dialler;
use crate::tls::{Outgoing, Speaks};

/// What is read of an answer; metrics are the longest.
const MOST_BYTES: usize = 32 << 20;
/// For a whole answer.
const PATIENCE: Duration = Duration::from_secs(30);
const NO_USERS: &str = "authentication is not enabled";

/// One that is asked.
#[derive(Debug)]
pub(super) struct Member {
    client: Client<Dialler, Full<Bytes>>,
    origin: String,
    token: Option<String>,
}

/// What it said.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

impl Member {
    /// Logs in if somebody is named.
    ///
    /// # Errors
    /// Why it cannot be asked, for whoever reads the report.
    pub(super) async fn reach(url: Url, access: &Access) -> Result<Member, String> {
        let login = access.login().map_err(|error| error.to_string())?;
        let tls = Outgoing::new(access.tls(), Speaks::Http1);
        tls.open().map_err(|error| error.to_string())?;
        let dialler = Dialler { always: Some(url.clone()), patience: access.patience(), tls };
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(dialler);
        let mut member = Member { client, origin: url.origin(), token: access.token.clone() };
        if let Some((name, password)) = login {
            let body = json!({ "name": name, "password": password });
            let answer = member.post("/v3/auth/authenticate", &body).await?;
            let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            match said.get("token").and_then(Value::as_str) {
                Some(token) => member.token = Some(token.to_owned()),
                None if said.to_string().contains(NO_USERS) => {}
                None => return Err(format!("cannot log in: {}", answer.status)),
            }
        }
        Ok(member)
    }

    /// # Errors
    /// When there is no whole answer, and why.
    pub(super) async fn get(&self, path: &str) -> Result<Answer, String> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    /// # Errors
    /// The same.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Answer, String> {
        self.ask(Method::POST, path, body.to_string().into()).await
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Answer, String> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.origin));
        request = request.header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, token);
        }
        let request = request.body(Full::new(body)).map_err(|error| error.to_string())?;
        let asked = async {
            let answer = self.client.request(request).await.map_err(|error| whole(&error))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
            let body = body.map_err(|error| error.to_string())?.to_bytes();
            Ok(Answer { status, body })
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")))
    }
}

/// What is behind an error as well, for it says more than the error itself.
fn whole(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
