//! What tokens from outside say.

use std::sync::Arc;

use serde_json::Value;

use crate::auth::Roles;
use crate::auth::signed::Lifetime;
use crate::config::{ClaimPath, IdentityConfig};

/// How far the clock of whoever signs may be ahead of ours, in seconds.
const AHEAD: f64 = 30.0;

/// What counts of a token, once it is found to be meant for us.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Claims {
    /// As he is called here.
    pub(super) user: Arc<str>,
    /// As they are called here, be there such roles or not. None where they are those of the user of his name.
    pub(super) roles: Option<Roles>,
    /// It has an end.
    pub(super) life: Lifetime,
}

impl Claims {
    /// # Errors
    /// If they are said by somebody else, or to somebody else, or if something is missing or not of its type: which of it.
    pub(super) fn of(said: &Value, config: &IdentityConfig) -> Result<Claims, &'static str> {
        if said.get("iss").and_then(Value::as_str) != Some(&config.issuer) {
            return Err("iss is not the issuer");
        }
        if !said.get("aud").is_some_and(|audience| is_for(audience, &config.audience)) {
            return Err("aud does not have the audience in it");
        }
        let ends = number(said, "exp").flatten().ok_or("exp is not there, or no number")?;
        let begins = number(said, "nbf").ok_or("nbf is no number")?.map(|begins| begins - AHEAD);
        let life = Lifetime::of(begins, Some(ends)).ok_or("exp or nbf is no time")?;
        let name = name(said, &config.user).filter(|name| !name.is_empty()).ok_or("no claim names the user")?;
        let user = format!("{}{name}", config.user_prefix).into();
        Ok(Claims { user, roles: roles(said, config)?, life })
    }
}

/// None if it is something else than a number.
fn number(said: &Value, name: &str) -> Option<Option<f64>> {
    match said.get(name) {
        Some(value) => value.as_f64().map(Some),
        None => Some(None),
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

fn find<'a>(said: &'a Value, claim: &ClaimPath) -> Option<&'a Value> {
    match claim {
        ClaimPath::Named(name) => said.get(name),
        ClaimPath::Inside(pointer) => said.pointer(pointer),
    }
}

fn name<'a>(said: &'a Value, claim: &ClaimPath) -> Option<&'a str> {
    // What somebody wrote into a form is no proof that it is his.
    let is_proven = || said.get("email_verified").is_none_or(|verified| *verified == Value::Bool(true));
    let is_email = matches!(claim, ClaimPath::Named(name) if name == "email");
    find(said, claim).filter(|_| !is_email || is_proven())?.as_str()
}

/// A list of names, or one. Who has none is not always told to have none.
fn roles(said: &Value, config: &IdentityConfig) -> Result<Option<Roles>, &'static str> {
    let Some(claim) = &config.roles else { return Ok(None) };
    let here = |role: &Value| role.as_str().map(|role| format!("{}{role}", config.role_prefix).into());
    let found: Option<Vec<_>> = match find(said, claim) {
        None => Some(Vec::new()),
        Some(Value::Array(roles)) => roles.iter().map(here).collect(),
        Some(role) => here(role).map(|role| vec![role]),
    };
    found.map(|roles| Some(Arc::new(roles))).ok_or("the claim of roles is no list of names")
}
