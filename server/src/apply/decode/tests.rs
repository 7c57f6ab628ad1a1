use std::path::Path;
use std::sync::Arc;

use keyport_api::etcdserverpb::*;
use keyport_api::raftpb::EntryType;
use keyport_raft::wal::{FsDisk, Wal, WalOptions};

use super::*;

/// A field with a length, as on the wire.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    assert!(number < 16 && content.len() < 128);
    let mut encoded = vec![number << 3 | 2, u8::try_from(content.len()).unwrap()];
    encoded.extend(content);
    encoded
}

/// A request of the old store as etcd 3.5 writes it: with all fields, whether set or not.
fn old(method: &str, path: &str, value: &str) -> Vec<u8> {
    let (dir, stream) = ([5 << 3, 0], [0x80, 1, 0]);
    let previous = [6 << 3 | 2, 0, 7 << 3, 0, 9 << 3, 0, 10 << 3, 0, 11 << 3, 0];
    let id = [1 << 3, 7];
    let parts: [&[u8]; 7] = [
        &id,
        &field(2, method.as_bytes()),
        &field(3, path.as_bytes()),
        &field(4, value.as_bytes()),
        &dir,
        &previous,
        &stream,
    ];
    parts.concat()
}

fn decode(entry: Vec<u8>) -> Result<Proposal, String> {
    Proposal::decode(&entry.into()).map_err(|error| error.to_string())
}

/// What a legacy request asks for, by itself and in the envelope.
fn both(method: &str, path: &str, value: &str) -> Result<Command, String> {
    let bare = decode(old(method, path, value));
    let wrapped = decode(field(2, &old(method, path, value)));
    assert_eq!(
        format!("{:?}", bare.as_ref().map(|p| &p.command)),
        format!("{:?}", wrapped.map(|p| p.command).as_ref())
    );
    bare.map(|proposal| proposal.command)
}

#[test]
fn requests_keep_their_ids() {
    let put = Command::Put(PutRequest { key: "k".into(), ..PutRequest::default() });
    let decoded = decode(Proposal { id: 9, author: None, command: put }.encode().encode_to_vec()).unwrap();
    assert_eq!((decoded.id, decoded.command.name()), (9, "Put"));
    // As before there was a header.
    let request = InternalRaftRequest { id: 5, put: Some(PutRequest::default()), ..InternalRaftRequest::default() };
    assert_eq!(decode(request.encode_to_vec()).unwrap().id, 5);
}

/// As etcd has it: whoever reads the log finds the user where etcd puts it. What nobody there knows is beside that.
#[test]
fn the_author_is_named_in_the_header() {
    let author = Author::of("alice".into(), 7);
    let with = |roles: &[&str]| {
        let roles = Arc::new(roles.iter().map(|&role| role.into()).collect());
        Some(Author { roles: Some(roles), ..author.clone() })
    };
    for author in [Some(author.clone()), None, with(&[]), with(&["reads", "", "writes"])] {
        let command = Command::DeleteRange(DeleteRangeRequest { key: "k".into(), ..DeleteRangeRequest::default() });
        let entry = Proposal { id: 9, author: author.clone(), command }.encode();
        let bytes = entry.encode_to_vec();
        assert_eq!(bytes.len(), entry.encoded_len());
        let envelope = InternalRaftRequest::decode(&*bytes).unwrap();
        let etcds_own = author.as_ref().is_none_or(|author| author.roles.is_none());
        assert_eq!(envelope.encoded_len() == bytes.len(), etcds_own);
        assert_eq!(envelope.delete_range.is_some(), etcds_own, "who knows nothing of roles does not understand it");
        let header = envelope.header.unwrap();
        let expected =
            author.clone().map_or((String::new(), 0), |author| (author.user.to_string(), author.auth_revision));
        assert_eq!((header.id, (header.username, header.auth_revision)), (9, expected));
        let decoded = decode(bytes).unwrap();
        assert_eq!((decoded.id, decoded.author, decoded.command.name()), (9, author, "DeleteRange"));
    }
}

#[test]
fn some_have_no_effect() {
    let range = InternalRaftRequest { range: Some(RangeRequest::default()), ..InternalRaftRequest::default() };
    assert!(matches!(decode(range.encode_to_vec()).unwrap().command, Command::Nothing("Range")));
    let test = Proposal { id: 1, author: None, command: Command::Nothing("any") }.encode();
    assert!(matches!(decode(test.encode_to_vec()).unwrap().command, Command::Nothing("DowngradeVersionTest")));
    assert!(matches!(both("SYNC", "", "").unwrap(), Command::Nothing("Sync")));
}

#[test]
fn what_etcd_keeps_in_its_old_store() {
    let Command::ClusterMemberAttrSet(request) = both(
        "PUT",
        "/0/members/8e9e05c52164694d/attributes",
        r#"{"name":"one","clientURLs":["http://a:1","http://b:1"]}"#,
    )
    .unwrap() else {
        panic!("not what a member says of itself")
    };
    let attributes = request.member_attributes.unwrap();
    assert_eq!((request.member_id, attributes.name.as_str()), (0x8e9e_05c5_2164_694d, "one"));
    assert_eq!(attributes.client_urls, ["http://a:1", "http://b:1"]);
    let bare = both("PUT", "/0/members/a/attributes", "{}").unwrap();
    assert!(matches!(bare, Command::ClusterMemberAttrSet(request) if request.member_id == 10));
    let version = both("PUT", "/0/version", "3.5.0").unwrap();
    assert!(matches!(version, Command::ClusterVersionSet(request) if request.ver == "3.5.0"));
}

#[test]
fn what_is_not_understood() {
    let refused = |method, path, value| both(method, path, value).unwrap_err();
    let data = "data of the v2 store is not supported";
    for (method, path) in [
        ("PUT", "/1/key"),
        ("PUT", "/0/members/x/attributes"),
        ("PUT", "/0/members/1/raftAttributes"),
        ("DELETE", "/0/members/1"),
        ("POST", "/1/queue"),
    ] {
        assert_eq!(refused(method, path, "{}"), format!("{method} {path:?}: {data}"));
    }
    assert!(refused("PUT", "/0/members/1/attributes", "[").contains("no attributes of a member"));
    assert_eq!(refused("PUT", "/0/version", "new"), "\"new\" is no cluster version");
    // Under a condition it is the old store's business.
    let conditional = [old("PUT", "/0/version", "3.5.0"), vec![8 << 3, 1]].concat();
    assert!(decode(conditional).unwrap_err().contains(data));

    let other = "it is no request that this release knows";
    assert_eq!(decode(Vec::new()).unwrap_err(), other);
    // A field that is not there yet.
    assert_eq!(decode([vec![1 << 3, 7], field(15, b"new")].concat()).unwrap_err(), other);
    for garbage in [&b"\xff\xff\xff"[..], b"request", &[0x0a]] {
        assert!(decode(garbage.to_vec()).unwrap_err().starts_with("it is no request: "), "{garbage:?}");
    }
}

/// The log of a real member of that release: every entry of it is understood, and two of them are of the old kind.
#[test]
fn a_log_of_etcd() {
    let dir = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../raft/tests/data/etcd-3.5.1.wal");
    std::fs::copy(source, dir.path().join("0000000000000000-0000000000000000.wal")).unwrap();
    let (_, recovered) = Wal::open(Arc::new(FsDisk::open(dir.path()).unwrap()), WalOptions::default(), 0).unwrap();
    let normal = recovered.entries.iter().filter(|entry| entry.r#type() == EntryType::EntryNormal);
    let data = normal.filter_map(|entry| entry.data.clone()).filter(|data| !data.is_empty());
    let decoded: Vec<_> = data.map(|data| (Proposal::decode(&data).unwrap().command, data)).collect();
    let old: Vec<_> = decoded.iter().filter(|(_, data)| InternalRaftRequest::decode(data.clone()).is_err()).collect();
    let names: Vec<_> = old.iter().map(|(command, _)| command.name()).collect();
    assert_eq!(names, ["ClusterMemberAttrSet", "ClusterVersionSet"]);
    assert!(matches!(&old[1].0, Command::ClusterVersionSet(request) if request.ver == "3.5.0"));
    assert_eq!(decoded.iter().filter(|(command, _)| command.name() == "Put").count(), 12);
}
