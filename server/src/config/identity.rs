//! Identities from outside: whose tokens are taken beside this cluster's own, and whom they name.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::settings::Settings;
use super::{ConfigError, Scheme, TlsSide, Url, invalid};

/// The flags that say something only together with the issuer.
const OTHERS: [&str; 8] = [
    "identity-jwks",
    "identity-audience",
    "identity-user-claim",
    "identity-user-prefix",
    "identity-roles-claim",
    "identity-role-prefix",
    "identity-ca-file",
    "identity-refresh-interval",
];
/// Shorter intervals only burden the provider.
const MIN_REFRESH: Duration = Duration::from_secs(1);

/// Settings of identities from outside. Nothing is read or asked for yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityConfig {
    /// What `iss` of their tokens has to be.
    pub issuer: String,
    /// What `aud` has to be, or to contain.
    pub audience: String,
    pub keys: KeySource,
    /// Which claim names the user.
    pub user: ClaimPath,
    /// What stands before the name that a token says, so that it is none of this cluster's own.
    pub user_prefix: String,
    /// Which claim lists his roles; `None` where he has those of the user of his name.
    pub roles: Option<ClaimPath>,
    /// As `user_prefix`, of roles.
    pub role_prefix: String,
    /// How often the keys are asked for.
    pub refresh: Duration,
    /// For a provider with TLS.
    pub tls: Box<TlsSide>,
}

/// Where the keys are that tokens are known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    File(PathBuf),
    /// A provider has them there.
    At(WebUrl),
    /// A provider says at this place where they are.
    Discovered(WebUrl),
}

/// Where a claim stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimPath {
    Named(String),
    /// Inside of others (RFC 6901): it begins with a slash.
    Inside(String),
}

/// Where something is on the web: by https, or by http on this very machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebUrl {
    /// The port is there, though the text may have left it out.
    pub server: Url,
    /// With its query.
    pub path: String,
}

/// Why a text is not such a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebUrlError {
    #[error("it has to begin with https://, or with http:// for an address of this machine")]
    Scheme,
    #[error("it has no usable host and port")]
    Host,
    #[error("it has a user or a fragment, or letters that no URL has")]
    Letters,
}

impl WebUrl {
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &str) -> Result<WebUrl, WebUrlError> {
        let is_usual = |letter: char| letter.is_ascii_graphic() && !r#"@#"<>\^`{|}"#.contains(letter);
        if !text.chars().all(is_usual) {
            return Err(WebUrlError::Letters);
        }
        let (scheme, rest) = text.split_once("://").ok_or(WebUrlError::Scheme)?;
        let default = match scheme.to_ascii_lowercase().as_str() {
            "https" => 443,
            "http" => 80,
            _ => return Err(WebUrlError::Scheme),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let port = if has_port { String::new() } else { format!(":{default}") };
        let server = Url::parse(&format!("{scheme}://{authority}{port}")).map_err(|_| WebUrlError::Host)?;
        if server.host.is_empty() {
            return Err(WebUrlError::Host);
        }
        let is_here = server.host == "localhost" || server.ip().is_some_and(|ip| ip.is_loopback());
        if server.scheme == Scheme::Http && !is_here {
            return Err(WebUrlError::Scheme);
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(WebUrl { server, path: format!("{slash}{path}") })
    }

    /// Where an issuer says where its keys are (OpenID Connect Discovery 1.0, section 4).
    fn discovery(issuer: &str) -> Result<WebUrl, WebUrlError> {
        WebUrl::parse(&format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')))
    }
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.server, self.path)
    }
}

/// `None` if nobody from outside is known.
pub(super) fn build(s: &Settings) -> Result<Option<IdentityConfig>, ConfigError> {
    let issuer = s.string("identity-issuer");
    if issuer.is_empty() {
        return match OTHERS.iter().find(|flag| s.is_set(flag)) {
            Some(flag) => Err(invalid(format!("--{flag} is of no use without --identity-issuer"))),
            None => Ok(None),
        };
    }
    let audience = s.string("identity-audience");
    if audience.is_empty() {
        // A token that its holder has shown to anybody else would be as good here.
        return Err(invalid("--identity-issuer needs --identity-audience: whom the tokens are made for"));
    }
    let jwks = s.string("identity-jwks");
    let wrong = |flag: &str, text: &str, error| invalid(format!("--{flag} {text:?}: {error}"));
    let keys = if jwks.is_empty() {
        let discovery = WebUrl::discovery(&issuer);
        KeySource::Discovered(discovery.map_err(|error| {
            invalid(format!(
                "--identity-issuer {issuer:?} cannot be asked for its keys ({error}): name them by --identity-jwks"
            ))
        })?)
    } else if jwks.contains("://") {
        KeySource::At(WebUrl::parse(&jwks).map_err(|error| wrong("identity-jwks", &jwks, error))?)
    } else {
        KeySource::File(PathBuf::from(jwks))
    };
    let user = claim(s.string("identity-user-claim"));
    let user = user.ok_or_else(|| invalid("--identity-user-claim must name a claim"))?;
    let authorities = Some(s.string("identity-ca-file")).filter(|path| !path.is_empty()).map(PathBuf::from);
    Ok(Some(IdentityConfig {
        issuer,
        audience,
        keys,
        user,
        user_prefix: s.string("identity-user-prefix"),
        roles: claim(s.string("identity-roles-claim")),
        role_prefix: s.string("identity-role-prefix"),
        refresh: s.duration("identity-refresh-interval").max(MIN_REFRESH),
        tls: Box::new(TlsSide { trusted_ca: authorities, ..TlsSide::default() }),
    }))
}

/// None if no claim is named.
fn claim(text: String) -> Option<ClaimPath> {
    match text.as_str() {
        "" => None,
        inside if inside.starts_with('/') => Some(ClaimPath::Inside(text)),
        _ => Some(ClaimPath::Named(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_on_the_web_are_encrypted_or_here() {
        for (text, whole) in [
            ("https://a.example", "https://a.example:443/"),
            ("https://a.example/keys?v=2", "https://a.example:443/keys?v=2"),
            ("https://a.example:8443?v=2", "https://a.example:8443/?v=2"),
            ("HTTPS://[2001:db8::1]/keys", "https://[2001:db8::1]:443/keys"),
            ("http://localhost/keys", "http://localhost:80/keys"),
            ("http://127.0.0.9:1/keys", "http://127.0.0.9:1/keys"),
            ("http://[::1]/keys", "http://[::1]:80/keys"),
        ] {
            assert_eq!(WebUrl::parse(text).map(|url| url.to_string()), Ok(whole.to_owned()), "{text}");
        }
        for (text, error) in [
            ("", WebUrlError::Scheme),
            ("a.example", WebUrlError::Scheme),
            ("unix://a", WebUrlError::Scheme),
            ("file:///etc/passwd", WebUrlError::Scheme),
            ("http://a.example/keys", WebUrlError::Scheme),
            ("http://localhost.example/keys", WebUrlError::Scheme),
            ("http://10.0.0.1/keys", WebUrlError::Scheme),
            ("https://", WebUrlError::Host),
            ("https://:443", WebUrlError::Host),
            ("https://a:b", WebUrlError::Host),
            ("https://a:99999", WebUrlError::Host),
            ("https://::1/", WebUrlError::Host),
            ("https://user@a.example", WebUrlError::Letters),
            ("https://a.example/#keys", WebUrlError::Letters),
            ("https://a.example/ke ys", WebUrlError::Letters),
            ("https://a.example/\r\nX: y", WebUrlError::Letters),
        ] {
            assert_eq!(WebUrl::parse(text), Err(error), "{text}");
        }
        for issuer in ["https://a.example/realm", "https://a.example/realm/"] {
            let url = WebUrl::discovery(issuer).unwrap().to_string();
            assert_eq!(url, "https://a.example:443/realm/.well-known/openid-configuration");
        }
    }
}
