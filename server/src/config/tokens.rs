//! What users are given for their passwords: `--auth-token`, a kind and its options.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{ConfigError, duration, invalid};

const DEFAULT_JWT_LIFETIME: Duration = Duration::from_secs(5 * 60);
const JWT_OPTIONS: [&str; 4] = ["sign-method", "pub-key", "priv-key", "ttl"];

/// Settings of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenConfig {
    pub kind: TokenKind,
    /// How long a simple token lives from its last use.
    pub lifetime: Duration,
}

/// What kind of token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Nobody gets one.
    None,
    /// Random letters that every member remembers.
    Simple,
    /// What is signed, and nobody has to remember.
    Jwt(JwtConfig),
}

/// Settings of signed tokens. The files are not read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtConfig {
    pub method: SignMethod,
    pub public_key: Option<PathBuf>,
    /// For the methods with a secret, the file is that secret.
    pub private_key: Option<PathBuf>,
    /// How long a token lives from the moment in which it is made.
    pub lifetime: Duration,
    /// Whether a token without an end is none: etcd takes it for ever.
    pub must_end: bool,
}

macro_rules! sign_methods {
    ($($name:ident = $text:literal),*) => {
        /// How tokens are signed: the algorithms of RFC 7518 and RFC 8037.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum SignMethod {
            $($name),*
        }

        impl SignMethod {
            pub const ALL: &[SignMethod] = &[$(SignMethod::$name),*];

            /// As a token's header spells it.
            pub fn name(self) -> &'static str {
                match self {
                    $(SignMethod::$name => $text),*
                }
            }
        }
    };
}

sign_methods! {
    Rs256 = "RS256", Rs384 = "RS384", Rs512 = "RS512",
    Ps256 = "PS256", Ps384 = "PS384", Ps512 = "PS512",
    Es256 = "ES256", Es384 = "ES384", Es512 = "ES512",
    Hs256 = "HS256", Hs384 = "HS384", Hs512 = "HS512",
    EdDsa = "EdDSA"
}

/// Reads `--auth-token`. `lifetime` is that of simple tokens, `must_end` is for signed ones; what is of no use goes into
/// `warnings`.
///
/// # Errors
/// In etcd's words, and why.
pub(super) fn parse(
    text: &str,
    lifetime: Duration,
    must_end: bool,
    warnings: &mut Vec<String>,
) -> Result<TokenConfig, ConfigError> {
    let (kind, options) = decompose(text)?;
    let kind = match kind {
        "" => TokenKind::None,
        "simple" => TokenKind::Simple,
        "jwt" => TokenKind::Jwt(JwtConfig { must_end, ..jwt(&options, warnings)? }),
        _ => return Err(invalid_options(&format!("there are no tokens of kind {kind:?}"))),
    };
    if must_end && !matches!(kind, TokenKind::Jwt(_)) {
        warnings.push("--auth-token-must-end is of no use without --auth-token=jwt,...".to_owned());
    }
    Ok(TokenConfig { kind, lifetime })
}

fn invalid_options(reason: &str) -> ConfigError {
    invalid(format!("auth: invalid auth options ({reason})"))
}

fn decompose(text: &str) -> Result<(&str, BTreeMap<&str, &str>), ConfigError> {
    let mut parts = text.split(',');
    let kind = parts.next().unwrap_or_default();
    let mut options = BTreeMap::new();
    for part in parts {
        let pair = part.split_once('=').filter(|(_, value)| !value.contains('='));
        let (key, value) = pair.ok_or_else(|| invalid_options(&format!("{part:?} is not of the form key=value")))?;
        if options.insert(key, value).is_some() {
            return Err(invalid_options(&format!("{key:?} is there twice")));
        }
    }
    Ok((kind, options))
}

fn jwt(options: &BTreeMap<&str, &str>, warnings: &mut Vec<String>) -> Result<JwtConfig, ConfigError> {
    let given = |key: &str| options.get(key).copied().filter(|value| !value.is_empty());
    let lifetime = match given("ttl") {
        Some(text) => {
            duration::parse(text).ok_or_else(|| invalid_options(&format!("time: invalid duration {text:?}")))?
        }
        None => DEFAULT_JWT_LIFETIME,
    };
    let named = given("sign-method").unwrap_or_default();
    if named == "none" {
        return Err(invalid("unsupported signing method: none, with which anybody could make tokens"));
    }
    let method = SignMethod::ALL.iter().copied().find(|method| method.name() == named);
    let method = method.ok_or_else(|| invalid_options("auth: invalid auth signature method"))?;
    let unknown: Vec<&str> = options.keys().copied().filter(|key| !JWT_OPTIONS.contains(key)).collect();
    if !unknown.is_empty() {
        warnings.push(format!("unknown JWT options: {}", unknown.join(", ")));
    }
    Ok(JwtConfig {
        method,
        public_key: given("pub-key").map(PathBuf::from),
        private_key: given("priv-key").map(PathBuf::from),
        lifetime,
        must_end: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(TokenKind, Vec<String>), String> {
        let mut warnings = Vec::new();
        let config = parse(text, Duration::from_secs(300), false, &mut warnings).map_err(|error| error.to_string())?;
        Ok((config.kind, warnings))
    }

    #[test]
    fn every_kind_has_its_options() {
        assert_eq!(parsed(""), Ok((TokenKind::None, vec![])));
        assert_eq!(parsed("simple,any=thing"), Ok((TokenKind::Simple, vec![])));
        for method in SignMethod::ALL.iter().copied() {
            let text = format!("jwt,pub-key=a b/c,priv-key=,ttl=1h30m,sign-method={}", method.name());
            let public_key = Some(PathBuf::from("a b/c"));
            let lifetime = Duration::from_secs(5400);
            let config = JwtConfig { method, public_key, private_key: None, lifetime, must_end: false };
            assert_eq!(parsed(&text), Ok((TokenKind::Jwt(config), vec![])));
        }
        let (kind, warnings) = parsed("jwt,sign-method=HS256,ttl=,priv-key=k,typ=b,alg=a").unwrap();
        let TokenKind::Jwt(config) = kind else { panic!("{kind:?}") };
        assert_eq!((config.private_key, config.lifetime.as_secs()), (Some(PathBuf::from("k")), 300));
        assert_eq!(warnings, ["unknown JWT options: alg, typ"]);
    }

    #[test]
    fn signed_tokens_may_have_to_end() {
        let mut warnings = Vec::new();
        let mut kind = |text: &str| parse(text, Duration::from_secs(300), true, &mut warnings).unwrap().kind;
        let TokenKind::Jwt(config) = kind("jwt,sign-method=HS256,priv-key=k") else { panic!("it is no JWT") };
        assert!(config.must_end);
        kind("simple");
        assert_eq!(warnings, ["--auth-token-must-end is of no use without --auth-token=jwt,..."]);
    }

    #[test]
    fn what_etcd_refuses_is_refused_in_its_words() {
        for text in [
            "other",
            "simple,x",
            "simple,a=b=c",
            "simple,a=b,a=b",
            "simple,",
            "jwt",
            "jwt,sign-method=",
            "jwt,sign-method=rs256",
            "jwt,sign-method=RS1",
            "jwt,sign-method=RS256,ttl=5",
            "jwt,sign-method=RS256,ttl=-5m",
            "jwt,sign-method=RS256,sign-method=RS256",
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.starts_with("auth: invalid auth options"), "{text}: {error}");
        }
        assert!(parsed("jwt,sign-method=none").unwrap_err().starts_with("unsupported signing method: "));
    }
}
