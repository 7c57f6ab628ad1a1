//! `/v3/roles`: what users may do, by keys.

use bytes::Bytes;
use http::header::LOCATION;
use http::request::Parts;
use http::{Response, StatusCode};
use keyport_api::authpb::Permission;
use keyport_api::authpb::permission::Type;
use keyport_api::etcdserverpb::*;
use keyport_openapi::endpoints::Resource;
use keyport_storage::KeyRange;
use serde::Deserialize;
use serde_json::json;

use super::failure::Failure;
use super::{address, shown};
use crate::calls::{Caller, Calls};
use crate::faces::fields;
use crate::faces::query::parameters_once;
use crate::faces::text::{GatewayBody, write_bytes};

const ROLES: &str = "/v3/roles/";

/// What a range has for its end that is open.
const OPEN: &[u8] = &[0];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRole {
    name: String,
}

/// What may be done with a key, with all keys with a prefix, or with those from one up to another or to the end.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    permission: Option<Kind>,
    key: Option<String>,
    key_b64: Option<String>,
    prefix: Option<String>,
    prefix_b64: Option<String>,
    from: Option<String>,
    from_b64: Option<String>,
    to: Option<String>,
    to_b64: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Read,
    Write,
    ReadWrite,
}

pub(super) async fn answer(
    calls: &Calls,
    caller: &Caller,
    resource: Resource,
    parts: &Parts,
    body: Bytes,
) -> Result<Response<GatewayBody>, Failure> {
    let auth = &calls.auth;
    let role = address::parts(&parts.uri, ROLES)?.into_iter().next().unwrap_or_default();
    match resource {
        Resource::Roles => {
            let roles = auth.role_list(caller, AuthRoleListRequest {}).await?.roles;
            let roles: Vec<_> = roles.into_iter().map(|name| json!({ "name": name })).collect();
            return Ok(shown::document(&json!({ "roles": roles })));
        }
        Resource::RoleAdd => {
            let NewRole { name } = fields::read(&body)?;
            auth.role_add(caller, AuthRoleAddRequest { name: name.clone() }).await?;
            let mut response = shown::document(&json!({ "name": name, "permissions": [] }));
            *response.status_mut() = StatusCode::CREATED;
            response.headers_mut().insert(LOCATION, address::part_of(ROLES, &name));
            return Ok(response);
        }
        Resource::RoleRemove => drop(auth.role_delete(caller, AuthRoleDeleteRequest { role }).await?),
        Resource::RoleGrant => {
            let wish: Wish = fields::read(&body)?;
            let kind = wish.permission.ok_or_else(|| Failure::Malformed("permission is missing".into()))?;
            let (key, range_end) = wish.keys()?;
            let perm = Some(Permission { perm_type: kind.perm_type().into(), key, range_end });
            let request = AuthRoleGrantPermissionRequest { name: role, perm };
            auth.role_grant_permission(caller, request).await?;
        }
        Resource::RoleRevoke => {
            let (key, range_end) = of_query(parts.uri.query().unwrap_or_default())?.keys()?;
            let request = AuthRoleRevokePermissionRequest { role, key, range_end };
            auth.role_revoke_permission(caller, request).await?;
        }
        _ => {
            let permissions = auth.role_get(caller, AuthRoleGetRequest { role: role.clone() }).await?.perm;
            return Ok(shown::json(document(&role, &permissions)));
        }
    }
    Ok(shown::nothing())
}

impl Kind {
    fn perm_type(self) -> Type {
        match self {
            Kind::Read => Type::Read,
            Kind::Write => Type::Write,
            Kind::ReadWrite => Type::Readwrite,
        }
    }
}

impl Wish {
    /// As etcd writes ranges down.
    pub(super) fn keys(self) -> Result<(Bytes, Bytes), Failure> {
        let key = fields::bytes("key", self.key, self.key_b64)?;
        let prefix = fields::bytes("prefix", self.prefix, self.prefix_b64)?;
        let from = fields::bytes("from", self.from, self.from_b64)?;
        let to = fields::bytes("to", self.to, self.to_b64)?;
        match (key, prefix, from, to) {
            (Some(key), None, None, None) if !key.is_empty() => Ok((key, Bytes::new())),
            (None, Some(prefix), None, None) => Ok(KeyRange::prefix(&prefix).into_pair()),
            (None, None, Some(from), None) if !from.is_empty() => Ok((from, Bytes::from_static(OPEN))),
            (None, None, Some(from), Some(to)) if from < to && !from.is_empty() => Ok((from, to)),
            _ => Err(Failure::Malformed("one of key, prefix, from, and from with a later to makes sense".into())),
        }
    }
}

/// The same of a query.
pub(super) fn of_query(query: &str) -> Result<Wish, Failure> {
    let mut wish = Wish::default();
    for given in parameters_once(query)? {
        let place = match given.name.strip_suffix("_b64").unwrap_or(&given.name) {
            "key" => &mut wish.key_b64,
            "prefix" => &mut wish.prefix_b64,
            "from" => &mut wish.from_b64,
            "to" => &mut wish.to_b64,
            _ => {
                given.unknown()?;
                continue;
            }
        };
        let bytes = if given.name.ends_with("_b64") { given.base64()? } else { given.value };
        if place.replace(base64_simd::STANDARD.encode_to_string(bytes)).is_some() {
            return Err(Failure::Malformed(format!("{} is given twice", given.name)));
        }
    }
    Ok(wish)
}

fn document(role: &str, permissions: &[Permission]) -> Vec<u8> {
    let mut out = vec![b'{'];
    write_bytes(&mut out, "name", role.as_bytes());
    out.extend_from_slice(b",\"permissions\":[");
    for (at, permission) in permissions.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b",{" } else { b"{" });
        let kind: &[u8] = match permission.perm_type() {
            Type::Read => b"read",
            Type::Write => b"write",
            Type::Readwrite => b"readwrite",
        };
        write_bytes(&mut out, "permission", kind);
        out.push(b',');
        write_range(&mut out, &permission.key, &permission.range_end);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}\n");
    out
}

/// By the shortest name that it has.
pub(super) fn write_range(out: &mut Vec<u8>, key: &Bytes, range_end: &Bytes) {
    let all = || (key.clone(), range_end.clone());
    if range_end.is_empty() {
        write_bytes(out, "key", key);
    } else if KeyRange::prefix(b"").into_pair() == all() {
        write_bytes(out, "prefix", b"");
    } else if KeyRange::prefix(key).into_pair() == all() {
        write_bytes(out, "prefix", key);
    } else {
        write_bytes(out, "from", key);
        if **range_end != *OPEN {
            out.push(b',');
            write_bytes(out, "to", range_end);
        }
    }
}
