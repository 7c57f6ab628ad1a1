//! What is part of the program, in the best of the forms that are taken.
//!
//! Each form has a tag of its own, for a strong tag stands for bytes as they are sent. Who holds any of them is told so.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::faces::negotiation;

/// What has this hash, in the form of `packed` that is liked best (of those that are liked alike, the first), or that what the client
/// has still holds. `bytes` has each form by its name, and the plain one by none. How long it may be kept is for the caller to say.
pub(super) fn answer(
    asked: &HeaderMap,
    (hash, media_type): (&str, &'static str),
    packed: &[&'static str],
    bytes: impl FnOnce(&str) -> &'static [u8],
) -> Response {
    let form = negotiation::encoding(asked, packed).and_then(|best| packed.get(best)).copied().unwrap_or_default();
    let forms = [form].into_iter().chain(packed.iter().copied()).chain([""]);
    if let Some(tag) = forms.map(|form| tag(hash, form)).find(|tag| holds(asked, tag)) {
        return tagged(StatusCode::NOT_MODIFIED.into_response(), &tag);
    }
    let mut response = ([(header::CONTENT_TYPE, media_type)], bytes(form)).into_response();
    if !form.is_empty() {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(form));
    }
    tagged(response, &tag(hash, form))
}

fn tagged(mut response: Response, tag: &str) -> Response {
    let told = response.headers_mut();
    told.insert(header::VARY, header::ACCEPT_ENCODING.into());
    told.extend(HeaderValue::try_from(tag).ok().map(|tag| (header::ETAG, tag)));
    response
}

/// The tag of a form, which is empty for the plain one.
fn tag(hash: &str, form: &str) -> String {
    format!("\"{hash}{}{form}\"", if form.is_empty() { "" } else { "-" })
}

/// Whether the client has what a tag stands for; weak or not is the same to `If-None-Match`.
fn holds(asked: &HeaderMap, tag: &str) -> bool {
    let lists = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

#[cfg(test)]
mod tests;
