//! Forms of members, alarms, users and roles: none of them changes anything.

use http::Method as Verb;
use keyport_api::methods::Method;
use serde_json::{Value, json};

use super::{Form, form};

/// None for what belongs elsewhere.
pub(super) fn forms(id: &str) -> Option<Vec<Form>> {
    members(id).or_else(|| users(id)).or_else(|| roles(id))
}

fn members(id: &str) -> Option<Vec<Form>> {
    let one = |verb, path, body, method, twin| vec![form(verb, path, &[], body, Some((method, twin)))];
    Some(match id {
        "membersList" => {
            let list = |query: &str| {
                let twin = Some((Method::MemberList, json!({})));
                form(Verb::GET, &format!("/v3/members{query}"), &[], "", twin)
            };
            vec![list(""), list("?consistency=serializable")]
        }
        "membersOverview" => ["", "?watch"]
            .map(|query| {
                let twin = Some((Method::Status, json!({})));
                form(Verb::GET, &format!("/v3/overview{query}"), &[], "", twin)
            })
            .into(),
        // As for all that is for those alone who run a member.
        "statisticsShow" => ["?since=60", "?step=60", "?watch"]
            .map(|query| form(Verb::GET, &format!("/v3/statistics{query}"), &[], "", None))
            .into(),
        "warningsList" => {
            ["", "?watch"].map(|query| form(Verb::GET, &format!("/v3/warnings{query}"), &[], "", None)).into()
        }
        "membersAdd" => one(
            Verb::POST,
            "/v3/members",
            r#"{"peer_urls":["nowhere"]}"#,
            Method::MemberAdd,
            json!({ "peerURLs": ["nowhere"] }),
        ),
        // There is none, whoever asks.
        "membersGet" => vec![form(Verb::GET, "/v3/members/7", &[], "", None)],
        "membersUpdate" => one(
            Verb::PATCH,
            "/v3/members/7",
            r#"{"peer_urls":["http://127.0.0.1:9"]}"#,
            Method::MemberUpdate,
            json!({ "ID": 7, "peerURLs": ["http://127.0.0.1:9"] }),
        ),
        "membersRemove" => one(Verb::DELETE, "/v3/members/7", "", Method::MemberRemove, json!({ "ID": 7 })),
        "membersPromote" => one(Verb::POST, "/v3/members/7/promote", "", Method::MemberPromote, json!({ "ID": 7 })),
        "membersLead" => one(Verb::POST, "/v3/members/7/lead", "", Method::MoveLeader, json!({ "targetID": 7 })),
        "alarmsList" => one(Verb::GET, "/v3/alarms", "", Method::Alarm, json!({})),
        "alarmsDisarm" => {
            // As for all that is for those alone who run a member, whom nobody has to know.
            let disarm = |path| form(Verb::DELETE, path, &[], "", None);
            vec![disarm("/v3/alarms"), disarm("/v3/alarms?alarm=CORRUPT")]
        }
        _ => return None,
    })
}

fn users(id: &str) -> Option<Vec<Form>> {
    let one = |verb, path, body, method, twin: Value| vec![form(verb, path, &[], body, Some((method, twin)))];
    let pair = json!({ "user": "none", "role": "none" });
    Some(match id {
        "usersList" => one(Verb::GET, "/v3/users", "", Method::UserList, json!({})),
        "usersAdd" => {
            let body = r#"{"name":"reader","password":"x"}"#;
            one(Verb::POST, "/v3/users", body, Method::UserAdd, json!({ "name": "reader", "password": "x" }))
        }
        "usersGet" => one(Verb::GET, "/v3/users/reader", "", Method::UserGet, json!({ "name": "reader" })),
        "usersPermissions" => {
            let queries = [
                "",
                "?key=k/1",
                "?key_b64=YQ==",
                "?prefix=k/",
                "?prefix_b64=YQ==",
                "?from=a&to=b",
                "?from_b64=YQ==&to_b64=Yg==",
            ];
            let twin = || Some((Method::UserGet, json!({ "name": "reader" })));
            queries
                .map(|query| form(Verb::GET, &format!("/v3/users/reader/permissions{query}"), &[], "", twin()))
                .into()
        }
        "usersRemove" => one(Verb::DELETE, "/v3/users/none", "", Method::UserDelete, json!({ "name": "none" })),
        "usersSetPassword" => one(
            Verb::PUT,
            "/v3/users/none/password",
            r#"{"password":"x"}"#,
            Method::UserChangePassword,
            json!({ "name": "none", "password": "x" }),
        ),
        "usersGrantRole" => one(Verb::PUT, "/v3/users/none/roles/none", "", Method::UserGrantRole, pair),
        "usersRevokeRole" => {
            let twin = json!({ "name": "none", "role": "none" });
            one(Verb::DELETE, "/v3/users/none/roles/none", "", Method::UserRevokeRole, twin)
        }
        "authenticationGet" => one(Verb::GET, "/v3/authentication", "", Method::AuthStatus, json!({})),
        "authenticationSet" => {
            one(Verb::PUT, "/v3/authentication", r#"{"enabled":true}"#, Method::AuthEnable, json!({}))
        }
        _ => return None,
    })
}

fn roles(id: &str) -> Option<Vec<Form>> {
    let one = |verb, path, body, method, twin: Value| vec![form(verb, path, &[], body, Some((method, twin)))];
    Some(match id {
        "rolesList" => one(Verb::GET, "/v3/roles", "", Method::RoleList, json!({})),
        "rolesAdd" => one(Verb::POST, "/v3/roles", r#"{"name":"reads"}"#, Method::RoleAdd, json!({ "name": "reads" })),
        "rolesGet" => one(Verb::GET, "/v3/roles/reads", "", Method::RoleGet, json!({ "role": "reads" })),
        "rolesRemove" => one(Verb::DELETE, "/v3/roles/none", "", Method::RoleDelete, json!({ "role": "none" })),
        "rolesGrant" => one(
            Verb::POST,
            "/v3/roles/none/permissions",
            r#"{"permission":"read","key":"a"}"#,
            Method::RoleGrantPermission,
            json!({ "name": "none", "perm": { "key": "YQ==" } }),
        ),
        "rolesRevoke" => {
            let revoke = |query: &str| {
                let twin = Some((Method::RoleRevokePermission, json!({ "role": "none", "key": "YQ==" })));
                form(Verb::DELETE, &format!("/v3/roles/none/permissions?{query}"), &[], "", twin)
            };
            let queries =
                ["key=a", "key_b64=YQ==", "prefix=a", "prefix_b64=YQ==", "from=a&to=b", "from_b64=YQ==&to_b64=Yg=="];
            queries.map(revoke).into()
        }
        _ => return None,
    })
}
