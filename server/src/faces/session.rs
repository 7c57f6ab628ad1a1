//! `/v3/session`: who the caller is, the cookie by which a page is known, and a user's own password.
//!
//! A page keeps no token where its scripts could read it, or somebody else's: the browser does, out of their reach. It sends
//! the cookie with requests of this server's own pages alone; and what acts is refused to foreign pages whoever they are
//! ([`Origins`](crate::http::layers::Origins)).

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, SET_COOKIE};
use http::request::Parts;
use http::{Response, StatusCode};
use keyport_api::error::Error;
use keyport_api::etcdserverpb::AuthenticateRequest;
use keyport_openapi::endpoints::Resource;
use serde::Deserialize;
use serde_json::json;

use super::fields::Confidential;
use super::text::GatewayBody;
use super::{fields, kit, problem};
use crate::calls::Calls;
use crate::http::{credentials, session_cookie};

/// Bodies of more bytes are no logins.
pub(super) const MOST_BYTES: usize = 16 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    name: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    old: String,
    new: String,
}

impl Confidential for Login {
    const WANTED: &str = "; its fields are name and password";
}

impl Confidential for NewPassword {
    const WANTED: &str = "; its fields are old and new";
}

/// Who the caller is.
async fn show(calls: &Calls, parts: &Parts) -> Response<GatewayBody> {
    let found = async {
        let caller = kit::caller(&parts.extensions)?;
        Ok(match calls.auth.whoami(&caller).await? {
            Some(user) => document(&json!({ "authentication": true, "user": user.name, "roles": user.roles })),
            None => document(&json!({ "authentication": false })),
        })
    };
    told(found.await, &parts.headers)
}

/// Answers what asks for a session.
pub(super) async fn answer(calls: &Calls, resource: Resource, parts: &Parts, body: &[u8]) -> Response<GatewayBody> {
    match resource {
        Resource::SessionBegin => begin(calls, parts, body).await,
        Resource::SessionEnd => end(calls, parts),
        Resource::SessionPassword => change_password(calls, parts, body).await,
        _ => show(calls, parts).await,
    }
}

/// Gives a page the cookie.
async fn begin(calls: &Calls, parts: &Parts, body: &[u8]) -> Response<GatewayBody> {
    told(try_begin(calls, parts, body).await, &parts.headers)
}

async fn try_begin(calls: &Calls, parts: &Parts, body: &[u8]) -> Result<Response<GatewayBody>, Failure> {
    let Login { name, password } = fields::read_confidential(body)?;
    let caller = kit::caller(&parts.extensions)?;
    let request = AuthenticateRequest { name: name.clone(), password };
    let token = match calls.auth.authenticate(&caller, request).await {
        Ok(answer) => answer.token,
        // Whether there is such a user is nobody's business.
        Err(Error::AuthFailed | Error::NoPasswordUser) => return Err(Error::InvalidCredentials.into()),
        Err(error) => return Err(error.into()),
    };
    let roles = calls.auth.roles_of(&name);
    let mut response = document(&json!({ "authentication": true, "user": name, "roles": roles }));
    let cookie = session_cookie::given(&parts.extensions, &token).ok_or(Error::InvalidAuthToken)?;
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}

/// Takes the cookie back, and ends the token in it.
fn end(calls: &Calls, parts: &Parts) -> Response<GatewayBody> {
    calls.auth.log_out(credentials::of_cookies(parts));
    taken_back()
}

fn taken_back() -> Response<GatewayBody> {
    let mut response = Response::new(GatewayBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    for cookie in session_cookie::TAKEN_BACK {
        response.headers_mut().append(SET_COOKIE, HeaderValue::from_static(cookie));
    }
    response
}

/// Changes the caller's own password.
async fn change_password(calls: &Calls, parts: &Parts, body: &[u8]) -> Response<GatewayBody> {
    told(try_change_password(calls, parts, body).await, &parts.headers)
}

async fn try_change_password(calls: &Calls, parts: &Parts, body: &[u8]) -> Result<Response<GatewayBody>, Failure> {
    let NewPassword { old, new } = fields::read_confidential(body)?;
    if new.is_empty() {
        return Err(Failure::Malformed("the new password is empty".to_owned()));
    }
    let caller = kit::caller(&parts.extensions)?;
    match calls.auth.change_own_password(&caller, &old, new).await {
        Ok(()) => Ok(taken_back()),
        Err(Error::AuthFailed | Error::NoPasswordUser) => Err(Error::InvalidCredentials.into()),
        Err(error) => Err(error.into()),
    }
}

fn told(outcome: Result<Response<GatewayBody>, Failure>, headers: &HeaderMap) -> Response<GatewayBody> {
    let mut response = outcome.unwrap_or_else(|failure| failure.response(headers));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn document(document: &serde_json::Value) -> Response<GatewayBody> {
    let mut response = Response::new(GatewayBody::Full(format!("{document}\n").into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Why not.
enum Failure {
    Malformed(String),
    Refused(Error),
}

impl Failure {
    fn response(self, headers: &HeaderMap) -> Response<GatewayBody> {
        match self {
            Failure::Malformed(detail) => problem::of_http(StatusCode::BAD_REQUEST, detail),
            Failure::Refused(error) => problem::of_error(error, headers),
        }
    }
}

impl From<fields::Malformed> for Failure {
    fn from(error: fields::Malformed) -> Failure {
        Failure::Malformed(error.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Refused(error)
    }
}
