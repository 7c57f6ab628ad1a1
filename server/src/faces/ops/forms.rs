//! What is part of the program, in the best of the forms that are taken: nothing is packed when it is asked for.
//!
//! Each form has a tag of its own, for a strong tag stands for bytes as they are sent. Who holds any of them is told so.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

/// What HTTP calls a form, and its bytes.
pub(super) type Packed = (&'static str, &'static [u8]);

/// What has this hash, in the best form that is taken (`packed` has it first), or that what the client has still holds. How long that may be
/// kept is for the caller to say.
pub(super) fn answer(
    asked: &HeaderMap,
    (hash, media_type): (&str, &'static str),
    packed: &[Packed],
    plain: impl FnOnce() -> &'static [u8],
) -> Response {
    let best = packed.iter().find(|(form, _)| takes(asked, form)).copied();
    let form = best.map_or("", |(form, _)| form);
    let forms = [form].into_iter().chain(packed.iter().map(|(form, _)| *form)).chain([""]);
    if let Some(tag) = forms.map(|form| tag(hash, form)).find(|tag| holds(asked, tag)) {
        return tagged(StatusCode::NOT_MODIFIED.into_response(), &tag);
    }
    let bytes = best.map_or_else(plain, |(_, bytes)| bytes);
    let mut response = ([(header::CONTENT_TYPE, media_type)], bytes).into_response();
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

/// Whether a client takes an encoding: it says so, and not with a quality of zero.
fn takes(asked: &HeaderMap, encoding: &str) -> bool {
    let values = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|entry| {
        let (name, quality) = entry.split_once(';').unwrap_or((entry, ""));
        let quality = quality.trim().strip_prefix("q=").and_then(|quality| quality.trim().parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case(encoding) && quality.is_none_or(|quality| quality > 0.0)
    })
}

/// Whether the client has what a tag stands for; weak or not is the same to `If-None-Match`.
fn holds(asked: &HeaderMap, tag: &str) -> bool {
    let lists = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

#[cfg(test)]
mod tests;
