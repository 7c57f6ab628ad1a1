//! What a message makes no sense without. Proto files cannot say it, and JSON leaves out what is zero.

use prost_reflect::MessageDescriptor;

/// Requests, and what they hold: fields that have to be there, for the server refuses what is without them, or does nothing.
const REQUIRED: &[(&str, &[&str])] = &[
    ("etcdserverpb.RangeRequest", &["key"]),
    ("etcdserverpb.PutRequest", &["key"]),
    ("etcdserverpb.DeleteRangeRequest", &["key"]),
    ("etcdserverpb.Compare", &["key"]),
    ("etcdserverpb.CompactionRequest", &["revision"]),
    ("etcdserverpb.LeaseGrantRequest", &["TTL"]),
    ("etcdserverpb.LeaseRevokeRequest", &["ID"]),
    ("etcdserverpb.LeaseKeepAliveRequest", &["ID"]),
    ("etcdserverpb.LeaseTimeToLiveRequest", &["ID"]),
    ("etcdserverpb.MemberAddRequest", &["peerURLs"]),
    ("etcdserverpb.MemberRemoveRequest", &["ID"]),
    ("etcdserverpb.MemberUpdateRequest", &["ID", "peerURLs"]),
    ("etcdserverpb.MemberPromoteRequest", &["ID"]),
    ("etcdserverpb.MoveLeaderRequest", &["targetID"]),
    ("etcdserverpb.DowngradeRequest", &["version"]),
    ("etcdserverpb.AuthenticateRequest", &["name", "password"]),
    ("etcdserverpb.AuthUserAddRequest", &["name"]),
    ("etcdserverpb.AuthUserGetRequest", &["name"]),
    ("etcdserverpb.AuthUserDeleteRequest", &["name"]),
    ("etcdserverpb.AuthUserChangePasswordRequest", &["name"]),
    ("etcdserverpb.AuthUserGrantRoleRequest", &["user", "role"]),
    ("etcdserverpb.AuthUserRevokeRoleRequest", &["name", "role"]),
    ("etcdserverpb.AuthRoleAddRequest", &["name"]),
    ("etcdserverpb.AuthRoleGetRequest", &["role"]),
    ("etcdserverpb.AuthRoleDeleteRequest", &["role"]),
    ("etcdserverpb.AuthRoleGrantPermissionRequest", &["name", "perm"]),
    ("etcdserverpb.AuthRoleRevokePermissionRequest", &["role", "key"]),
    ("v3lockpb.LockRequest", &["name"]),
    ("v3lockpb.UnlockRequest", &["key"]),
    ("v3electionpb.CampaignRequest", &["name"]),
    ("v3electionpb.ProclaimRequest", &["leader"]),
    ("v3electionpb.ResignRequest", &["leader"]),
    ("v3electionpb.LeaderRequest", &["name"]),
    // Answers.
    ("mvccpb.KeyValue", &["key"]),
    ("mvccpb.Event", &["kv"]),
];

/// Answers in which etcd leaves the header empty.
const HEADLESS: [&str; 2] = ["etcdserverpb.SnapshotResponse", "etcdserverpb.DefragmentResponse"];

/// The fields that are there for sure in a request that is one, or in an answer.
pub(crate) fn fields(message: &MessageDescriptor) -> Vec<String> {
    let name = message.full_name();
    let listed = REQUIRED.iter().filter(|(of, _)| *of == name).flat_map(|(_, fields)| *fields).copied();
    // Answers say which member gave them, and at which revision; not so those about a file.
    let answers = name.ends_with("Response") && !HEADLESS.contains(&name);
    let answered = answers.then_some("header").filter(|header| message.get_field_by_name(header).is_some());
    listed.chain(answered).map(str::to_owned).collect()
}

/// Whether a request may not be empty.
pub(crate) fn some(message: &MessageDescriptor) -> bool {
    !fields(message).is_empty() || message.full_name() == "etcdserverpb.WatchRequest"
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyport_api::FILE_DESCRIPTOR_SET;
    use prost_reflect::DescriptorPool;

    #[test]
    fn the_fields_are_there() {
        let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
        for (name, fields) in REQUIRED {
            let message = pool.get_message_by_name(name).unwrap_or_else(|| panic!("{name} is no message"));
            for field in *fields {
                assert!(message.get_field_by_name(field).is_some(), "{name} has no {field}");
            }
        }
    }
}
