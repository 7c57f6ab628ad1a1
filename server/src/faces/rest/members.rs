//! `/v3/members`: who the cluster is made of.

use bytes::Bytes;
use http::header::LOCATION;
use http::request::Parts;
use http::{Response, StatusCode};
use keyport_api::error::Kind;
use keyport_api::etcdserverpb::{
    Member, MemberAddRequest, MemberListRequest, MemberPromoteRequest, MemberRemoveRequest, MemberUpdateRequest,
    MoveLeaderRequest, StatusRequest,
};
use keyport_openapi::endpoints::Resource;
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::{address, shown};
use crate::calls::{Caller, Calls};
use crate::faces::query::parameters_once;
use crate::faces::text::GatewayBody;
use crate::faces::{fields, kit};

const MEMBERS: &str = "/v3/members/";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMember {
    #[serde(deserialize_with = "fields::list")]
    peer_urls: Vec<String>,
    #[serde(default)]
    learner: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberChange {
    #[serde(deserialize_with = "fields::list")]
    peer_urls: Vec<String>,
}

pub(super) async fn answer(
    calls: &Calls,
    caller: &Caller,
    resource: Resource,
    parts: &Parts,
    body: Bytes,
) -> Result<Response<GatewayBody>, Failure> {
    let cluster = &calls.cluster;
    match resource {
        Resource::Members => list(calls, caller, parts).await,
        Resource::MemberAdd => {
            let NewMember { peer_urls, learner } = fields::read(&body)?;
            let request = MemberAddRequest { peer_ur_ls: peer_urls, is_learner: learner };
            let added = cluster.member_add(caller, request).await?.member.unwrap_or_default();
            let mut response = shown::document(&Shown::of(&added, leader(calls, caller).await?));
            *response.status_mut() = StatusCode::CREATED;
            response.headers_mut().insert(LOCATION, kit::header(&format!("{MEMBERS}{}", added.id)));
            Ok(response)
        }
        Resource::MemberUpdate => {
            let MemberChange { peer_urls } = fields::read(&body)?;
            let id = id(parts)?;
            let members =
                cluster.member_update(caller, MemberUpdateRequest { id, peer_ur_ls: peer_urls }).await?.members;
            one(calls, caller, &members, id).await
        }
        Resource::MemberPromote => {
            let id = id(parts)?;
            let members = cluster.member_promote(caller, MemberPromoteRequest { id }).await?.members;
            one(calls, caller, &members, id).await
        }
        Resource::MemberLead => {
            calls.maintenance.move_leader(caller, MoveLeaderRequest { target_id: id(parts)? }).await?;
            Ok(shown::nothing())
        }
        Resource::MemberRemove => {
            cluster.member_remove(caller, MemberRemoveRequest { id: id(parts)? }).await?;
            Ok(shown::nothing())
        }
        _ => {
            let id = id(parts)?;
            let members = cluster.member_list(caller, MemberListRequest { linearizable: true }).await?.members;
            one(calls, caller, &members, id).await
        }
    }
}

async fn list(calls: &Calls, caller: &Caller, parts: &Parts) -> Result<Response<GatewayBody>, Failure> {
    let mut linearizable = true;
    for given in parameters_once(parts.uri.query().unwrap_or_default())? {
        match &*given.name {
            "consistency" => linearizable = !given.is_serializable()?,
            _ => given.unknown()?,
        }
    }
    let members = calls.cluster.member_list(caller, MemberListRequest { linearizable }).await?.members;
    let leader = leader(calls, caller).await?;
    let members = members.iter().map(|member| Shown::of(member, leader)).collect();
    Ok(shown::document(&ShownList { members }))
}

async fn one(calls: &Calls, caller: &Caller, members: &[Member], id: u64) -> Result<Response<GatewayBody>, Failure> {
    let member = members
        .iter()
        .find(|member| member.id == id)
        .ok_or(Failure::Missing(Kind::MemberNotFound, "there is no such member"))?;
    Ok(shown::document(&Shown::of(member, leader(calls, caller).await?)))
}

/// Who leads, as far as the asked member knows; 0 for nobody.
async fn leader(calls: &Calls, caller: &Caller) -> Result<u64, Failure> {
    Ok(calls.maintenance.status(caller, StatusRequest {}).await?.leader)
}

/// What is said of a member.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    id: String,
    /// As `etcdctl` and logs write it.
    hex: String,
    name: &'a str,
    peer_urls: &'a [String],
    client_urls: &'a [String],
    learner: bool,
    leader: bool,
}

#[derive(Serialize)]
struct ShownList<'a> {
    members: Vec<Shown<'a>>,
}

impl Shown<'_> {
    pub(super) fn of(member: &Member, leader: u64) -> Shown<'_> {
        Shown {
            id: member.id.to_string(),
            hex: format!("{:x}", member.id),
            name: &member.name,
            peer_urls: &member.peer_ur_ls,
            client_urls: &member.client_ur_ls,
            learner: member.is_learner,
            leader: member.id == leader,
        }
    }
}

/// As the path has it: digits, or hexadecimal digits behind `0x`.
fn id(parts: &Parts) -> Result<u64, Failure> {
    let text = address::parts(&parts.uri, MEMBERS)?.into_iter().next().unwrap_or_default();
    kit::id(&text).ok_or_else(|| Failure::Malformed(format!("{text} is not the id of a member")))
}
