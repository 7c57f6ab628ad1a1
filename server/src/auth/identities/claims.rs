//! What tokens from outside say.

use std::sync::Arc;

use serde_json::Value;

use crate::auth::signed::Lifetime;
use crate::config::{IdentityConfig, UserClaim};

/// How far the clock of whoever signs may be ahead of ours, in seconds.
const AHEAD: f64 = 30.0;

/// What counts of a token, once it is found to be meant for us.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Claims {
    /// As he is called here.
    pub(super) user: Arc<str>,
    /// It has an end.
    pub(super) life: Lifetime,
}

impl Claims {
    /// None if they are said by somebody else, or to somebody else, or if something is missing or not of its type.
    pub(super) fn of(said: &Value, config: &IdentityConfig) -> Option<Claims> {
        if said.get("iss")?.as_str()? != config.issuer || !is_for(said.get("aud")?, &config.audience) {
            return None;
        }
        let number = |name: &str| match said.get(name) {
            Some(value) => value.as_f64().map(Some),
            None => Some(None),
        };
        let ends = number("exp")??;
        let begins = number("nbf")?.map(|begins| begins - AHEAD);
        let life = Lifetime::of(begins, Some(ends))?;
        let name = name(said, &config.user).filter(|name| !name.is_empty())?;
        Some(Claims { user: format!("{}{name}", config.user_prefix).into(), life })
    }
}

/// A name, or a list of names with that one in it.
fn is_for(audience: &Value, own: &str) -> bool {
    match audience {
        Value::String(name) => name == own,
        Value::Array(names) => names.iter().all(Value::is_string) && names.iter().any(|name| name == own),
        _ => false,
    }
}

fn name<'a>(said: &'a Value, claim: &UserClaim) -> Option<&'a str> {
    match claim {
        // What somebody wrote into a form is no proof that it is his.
        UserClaim::Named(name) if name == "email" => {
            let is_proven = said.get("email_verified").is_none_or(|verified| *verified == Value::Bool(true));
            said.get(name).filter(|_| is_proven)?.as_str()
        }
        UserClaim::Named(name) => said.get(name)?.as_str(),
        UserClaim::Inside(pointer) => said.pointer(pointer)?.as_str(),
    }
}
