//! The cookie by which a page is known. Its value is a token.

use http::{Extensions, HeaderValue};

use super::Call;

/// Only a browser that came over TLS has it, set by this very host (RFC 6265bis, section 4.1.3).
const SECURE: &str = "__Host-keyport";
/// Where there is no TLS.
const PLAIN: &str = "keyport";

/// The names of cookies that may hold a token: this server's, and the one that etcd's gateway reads.
pub(super) const NAMES: [&str; 3] = [SECURE, PLAIN, "token"];

/// Take the cookie back, whichever it is.
pub(crate) const TAKEN_BACK: [&str; 2] = [
    "__Host-keyport=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0",
    "keyport=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0",
];

/// Gives a token to the browser that made a request, until it is closed; none if it cannot stand in a header.
pub(crate) fn given(extensions: &Extensions, token: &str) -> Option<HeaderValue> {
    let is_encrypted = Call::get(extensions).is_some_and(|call| call.connection.is_encrypted());
    let (name, secure) = if is_encrypted { (SECURE, " Secure;") } else { (PLAIN, "") };
    let mut cookie =
        HeaderValue::try_from(format!("{name}={token}; Path=/;{secure} HttpOnly; SameSite=Strict")).ok()?;
    cookie.set_sensitive(true);
    Some(cookie)
}
