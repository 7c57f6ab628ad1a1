//! What a request is about besides keys: users, roles, leases, members. Ids are written as etcdctl prints them. No passwords
//! and no values.

use keyport_api::authpb::{Permission, permission};
use keyport_api::etcdserverpb::alarm_request::AlarmAction;
use keyport_api::etcdserverpb::downgrade_request::DowngradeAction;
use keyport_api::etcdserverpb::*;
use keyport_storage::KeyRange;
use serde_json::{Map, Value};

use super::short::{Short, range};

/// So many of a list are written down.
const MOST_OF_A_LIST: usize = 4;
/// What no name is known for.
const UNKNOWN: &str = "UNKNOWN";

/// What a line says of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct About(Map<String, Value>);

impl About {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn text(mut self, name: &str, text: &str) -> About {
        Short::of(text).put(&mut self.0, name);
        self
    }

    pub(super) fn texts(mut self, name: &str, texts: &[String]) -> About {
        let some = texts.iter().take(MOST_OF_A_LIST).map(|text| {
            let mut fields = Map::new();
            Short::of(text).put(&mut fields, name);
            fields.remove(name).unwrap_or_default()
        });
        self.0.insert(name.to_owned(), some.collect());
        if texts.len() > MOST_OF_A_LIST {
            self.0.insert(format!("{name}_count"), texts.len().into());
        }
        self
    }

    fn id(mut self, name: &str, id: u64) -> About {
        self.0.insert(name.to_owned(), format!("{id:x}").into());
        self
    }

    pub(super) fn member(self, id: u64) -> About {
        self.id("member", id)
    }

    fn lease(self, id: i64) -> About {
        if id == 0 { self } else { self.id("lease", id.cast_unsigned()) }
    }

    fn value(mut self, name: &str, value: impl Into<Value>) -> About {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    fn permission(self, kind: Option<i32>, keys: &KeyRange) -> About {
        let mut fields = Map::new();
        if let Some(kind) = kind {
            let kind = permission::Type::try_from(kind).map_or(UNKNOWN, |kind| kind.as_str_name());
            fields.insert("type".to_owned(), kind.into());
        }
        fields.append(&mut range(keys));
        self.value("permission", fields)
    }

    pub(super) fn put(&self, fields: &mut Map<String, Value>) {
        if !self.is_empty() {
            fields.insert("about".to_owned(), self.0.clone().into());
        }
    }
}

/// What is asked for, as a line has it.
pub(crate) trait Subject {
    fn about(&self) -> About {
        About::default()
    }
}

macro_rules! subjects {
    ($($Request:ty: |$request:ident| $about:expr;)*) => {
        $(impl Subject for $Request {
            fn about(&self) -> About {
                let $request = self;
                $about
            }
        })*
    };
}

macro_rules! without {
    ($($Request:ty),*) => { $(impl Subject for $Request {})* };
}

subjects! {
    PutRequest: |put| About::default().lease(put.lease);
    CompactionRequest: |compaction| About::default().value("compact_revision", compaction.revision);
    LeaseGrantRequest: |grant| About::default().lease(grant.id).value("ttl", grant.ttl);
    LeaseRevokeRequest: |revoke| About::default().lease(revoke.id);
    LeaseTimeToLiveRequest: |look| About::default().lease(look.id);
    AuthEnableRequest: |_enable| About::default().value("enabled", true);
    AuthDisableRequest: |_disable| About::default().value("enabled", false);
    AuthUserAddRequest: |add| {
        let no_password = add.options.is_some_and(|options| options.no_password);
        let about = About::default().text("user", &add.name);
        if no_password { about.value("no_password", true) } else { about }
    };
    AuthUserGetRequest: |get| About::default().text("user", &get.name);
    AuthUserDeleteRequest: |delete| About::default().text("user", &delete.name);
    AuthUserChangePasswordRequest: |change| About::default().text("user", &change.name);
    AuthUserGrantRoleRequest: |grant| About::default().text("user", &grant.user).text("role", &grant.role);
    AuthUserRevokeRoleRequest: |revoke| About::default().text("user", &revoke.name).text("role", &revoke.role);
    AuthRoleAddRequest: |add| About::default().text("role", &add.name);
    AuthRoleGetRequest: |get| About::default().text("role", &get.role);
    AuthRoleDeleteRequest: |delete| About::default().text("role", &delete.role);
    AuthRoleGrantPermissionRequest: |grant| {
        let about = About::default().text("role", &grant.name);
        match &grant.perm {
            Some(Permission { perm_type, key, range_end }) => {
                about.permission(Some(*perm_type), &KeyRange::new(key.clone(), range_end.clone()))
            }
            None => about,
        }
    };
    AuthRoleRevokePermissionRequest: |revoke| {
        let keys = KeyRange::new(revoke.key.clone(), revoke.range_end.clone());
        About::default().text("role", &revoke.role).permission(None, &keys)
    };
    AlarmRequest: |alarm| {
        let action = AlarmAction::try_from(alarm.action).map_or(UNKNOWN, |action| action.as_str_name());
        let kind = AlarmType::try_from(alarm.alarm).map_or(UNKNOWN, |kind| kind.as_str_name());
        About::default().value("action", action).value("alarm", kind).id("member", alarm.member_id)
    };
    MemberAddRequest: |add| {
        About::default().texts("peer_urls", &add.peer_ur_ls).value("learner", add.is_learner)
    };
    MemberUpdateRequest: |update| About::default().id("member", update.id).texts("peer_urls", &update.peer_ur_ls);
    MemberRemoveRequest: |remove| About::default().id("member", remove.id);
    MemberPromoteRequest: |promote| About::default().id("member", promote.id);
    MoveLeaderRequest: |to| About::default().id("member", to.target_id);
    DowngradeRequest: |downgrade| {
        let action = DowngradeAction::try_from(downgrade.action).map_or(UNKNOWN, |action| action.as_str_name());
        About::default().value("action", action).text("version", &downgrade.version)
    };
}

without! {
    (), RangeRequest, DeleteRangeRequest, TxnRequest, LeaseLeasesRequest, AuthStatusRequest,
    AuthUserListRequest, AuthRoleListRequest
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use serde_json::json;

    #[test]
    fn a_right_that_is_given_is_told() {
        let perm = Permission {
            perm_type: permission::Type::Readwrite.into(),
            key: Bytes::from("k"),
            range_end: Bytes::from("\0"),
        };
        let grant = AuthRoleGrantPermissionRequest { name: "r".to_owned(), perm: Some(perm) };
        let wanted = json!({ "role": "r", "permission": { "type": "READWRITE", "key": "k", "from_key": true } });
        assert_eq!(Value::Object(grant.about().0), wanted);
    }

    #[test]
    fn neither_a_password_nor_its_hash_is_told() {
        let (name, password, hashed_password) = ("u".to_owned(), "secret".to_owned(), "secret".to_owned());
        let change = AuthUserChangePasswordRequest { name, password, hashed_password };
        assert_eq!(Value::Object(change.about().0), json!({ "user": "u" }));
    }
}
