//! Member and cluster ids, computed as etcd computes them so that every founder finds the same ones.

use sha1::{Digest, Sha1};

/// The id of a founding member: its sorted peer URLs and the cluster token, hashed.
pub(crate) fn bootstrap_member_id(peer_urls: &[String], token: &str) -> u64 {
    let mut sorted = peer_urls.to_vec();
    sorted.sort();
    let mut hash = Sha1::new();
    for url in &sorted {
        hash.update(url.as_bytes());
    }
    hash.update(token.as_bytes());
    first_eight(&hash.finalize())
}

/// The id of a member that is added to a running cluster: its sorted peer URLs and the time in seconds, hashed.
pub(crate) fn added_member_id(peer_urls: &[String], unix_seconds: u64) -> u64 {
    bootstrap_member_id(peer_urls, &unix_seconds.to_string())
}

/// The id of a cluster: the ids of its founders, sorted, hashed.
pub(crate) fn cluster_id(member_ids: &[u64]) -> u64 {
    let mut sorted = member_ids.to_vec();
    sorted.sort_unstable();
    let mut hash = Sha1::new();
    for id in sorted {
        hash.update(id.to_be_bytes());
    }
    first_eight(&hash.finalize())
}

fn first_eight(digest: &[u8]) -> u64 {
    digest.iter().take(8).fold(0, |id, byte| (id << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a default etcd calls itself and its cluster of one.
    #[test]
    fn ids_of_a_default_single_node() {
        let member = bootstrap_member_id(&["http://localhost:2380".to_owned()], "etcd-cluster");
        assert_eq!(member, 0x8e9e_05c5_2164_694d);
        assert_eq!(cluster_id(&[member]), 0xcdf8_1819_4e3a_8c32);
    }
}
