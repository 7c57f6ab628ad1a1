//! Where on the peer port what is asked for is found.

/// Promotions, which the leader decides; the id in decimal behind.
pub(crate) const PROMOTE: &str = "/members/promote/";
/// Renewals: `LeaseKeepAliveRequest` and its response.
pub(crate) const RENEW_LEASE: &str = "/leases";
/// Remaining times: `LeaseInternalRequest` and its response.
pub(crate) const LEASE_TIME_TO_LIVE: &str = "/leases/internal";
/// Hashes of the keys: a question and an answer in JSON.
pub(crate) const HASH_KV: &str = "/members/hashkv";
/// Whether a member is being defragmented or is due, and that it is its turn: a question and an answer in JSON.
pub(crate) const DEFRAGMENT: &str = "/members/defragment";
/// How a member is: an answer in JSON.
pub(crate) const STANDING: &str = "/members/standing";

/// Names the cluster of whoever speaks, in hex.
pub(crate) const CLUSTER_ID_HEADER: &str = "x-etcd-cluster-id";
/// Says that no page in a browser asks: none can set a header of such a name.
pub(crate) use keyport_raft::peers::MEMBER_HEADER;
