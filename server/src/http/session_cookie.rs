//! The cookie by which a page is known. Its value is a token.

use http::{Extensions, HeaderValue};

use super::Call;

/// Only a browser that came over TLS has it, set by this very host (RFC 6265bis, section 4.1.3).
const SECURE: &str = "__Host-keyport";
/// Where there is no TLS.
const PLAIN: &str = "keyport";

/// The names of cookies that may hold a token: this server's for such a connection, and the one that etcd's gateway reads. What
/// was given over a connection of the other kind is not looked at, lest it stands in the way for ever.
pub(super) fn names(call: Option<&Call>) -> [&'static str; 2] {
    [if is_encrypted(call) { SECURE } else { PLAIN }, "token"]
}

fn is_encrypted(call: Option<&Call>) -> bool {
    call.is_some_and(|call| call.connection.is_encrypted())
}

/// Take the cookie back, whichever it is.
pub(crate) const TAKEN_BACK: [&str; 2] = [
    "__Host-keyport=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0",
    "keyport=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0",
];

/// Gives a token to the browser that made a request, until it is closed; none if it cannot stand in a header.
pub(crate) fn given(extensions: &Extensions, token: &str) -> Option<HeaderValue> {
    let (name, secure) = if is_encrypted(Call::get(extensions)) { (SECURE, " Secure;") } else { (PLAIN, "") };
    let mut cookie =
        HeaderValue::try_from(format!("{name}={token}; Path=/;{secure} HttpOnly; SameSite=Strict")).ok()?;
    cookie.set_sensitive(true);
    Some(cookie)
}
