use std::collections::BTreeMap;
use std::ops::ControlFlow;

use bytes::Bytes;
use keyport_api::authpb::{Permission, permission};

use super::*;
use crate::KeyRange;
use crate::backend::{BackendOptions, Bucket};

/// A store over a database, every change of which is committed as one entry.
struct Auth {
    store: AuthStore,
    backend: Backend,
    dir: tempfile::TempDir,
}

impl Auth {
    fn new() -> Auth {
        let dir = tempfile::tempdir().unwrap();
        let backend = Backend::open(&dir.path().join("db"), BackendOptions::default()).unwrap();
        let store = AuthStore::new();
        store.recover(&backend).unwrap();
        Auth { store, backend, dir }
    }

    /// With root, and on.
    fn enabled() -> Auth {
        let auth = Auth::new();
        auth.change(|edit| edit.user_add(ROOT, false, hash)).unwrap();
        auth.change(|edit| edit.user_grant_role(ROOT, ROOT)).unwrap();
        auth.change(|edit| edit.enable()).unwrap();
        auth
    }

    /// As an entry that nothing comes of if it is refused.
    fn change<T>(&self, change: impl FnOnce(&mut Edit<'_>) -> Result<T, AuthError>) -> Result<T, AuthError> {
        let mut batch = Batch::new();
        let outcome = self.store.change(&mut batch, change);
        assert!(outcome.is_ok() || batch.is_empty(), "what is refused leaves no trace");
        self.backend.commit(batch, None);
        outcome
    }

    /// The same from what is on disk.
    fn reopened(self) -> Auth {
        let Auth { backend, dir, .. } = self;
        backend.flush().unwrap();
        drop(backend);
        let backend = Backend::open(&dir.path().join("db"), BackendOptions::default()).unwrap();
        let store = AuthStore::new();
        store.recover(&backend).unwrap();
        Auth { store, backend, dir }
    }

    fn rows(&self, bucket: Bucket) -> BTreeMap<String, Vec<u8>> {
        let mut rows = BTreeMap::new();
        let mut take = |key: &[u8], value: &[u8]| {
            rows.insert(String::from_utf8(key.to_vec()).unwrap(), value.to_vec());
            ControlFlow::Continue(())
        };
        self.backend.scan(bucket, &[], None, &mut take).unwrap();
        rows
    }

    fn check(&self, user: &str, access: Access, key: &str, end: &str) -> Result<(), AuthError> {
        let who = Who { user, auth_revision: self.store.revision(), roles: None };
        self.store.policy().check_keys(Some(who), access, &range(key, end))
    }

    fn may(&self, user: &str, access: Access, key: &str, end: &str) -> bool {
        self.check(user, access, key, end).is_ok()
    }
}

fn hash() -> Result<Bytes, AuthError> {
    Ok(Bytes::from_static(b"hash"))
}

fn disable(edit: &mut Edit<'_>) -> Result<(), AuthError> {
    edit.disable();
    Ok(())
}

fn unneeded() -> Result<Bytes, AuthError> {
    panic!("nobody needs it")
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn range(key: &str, end: &str) -> KeyRange {
    KeyRange::new(bytes(key), bytes(end))
}

fn permission(kind: permission::Type, key: &str, end: &str) -> Option<Permission> {
    Some(Permission { perm_type: kind as i32, key: bytes(key), range_end: bytes(end) })
}

const READ: permission::Type = permission::Type::Read;
const WRITE: permission::Type = permission::Type::Write;
const BOTH: permission::Type = permission::Type::Readwrite;

#[test]
fn rows_are_those_of_etcd() {
    let auth = Auth::new();
    assert_eq!(auth.rows(Bucket::Auth), [("authRevision".to_owned(), vec![0, 0, 0, 0, 0, 0, 0, 1])].into());
    auth.change(|edit| edit.role_add("r")).unwrap();
    auth.change(|edit| edit.role_grant_permission("r", permission(BOTH, "b", "\0"))).unwrap();
    auth.change(|edit| edit.role_grant_permission("r", permission(READ, "a", ""))).unwrap();
    auth.change(|edit| edit.user_add("u", false, hash)).unwrap();
    auth.change(|edit| edit.user_grant_role("u", "r")).unwrap();
    auth.change(|edit| edit.user_add("cn", true, unneeded)).unwrap();
    let role = b"\x0a\x01r\x12\x03\x12\x01a\x12\x08\x08\x02\x12\x01b\x1a\x01\0";
    assert_eq!(auth.rows(Bucket::AuthRoles), [("r".to_owned(), role.to_vec())].into());
    let users = [
        ("cn".to_owned(), b"\x0a\x02cn\x22\x02\x08\x01".to_vec()),
        ("u".to_owned(), b"\x0a\x01u\x12\x04hash\x1a\x01r\x22\x00".to_vec()),
    ];
    assert_eq!(auth.rows(Bucket::AuthUsers), users.into());
    assert_eq!(auth.rows(Bucket::Auth)["authRevision"], [0, 0, 0, 0, 0, 0, 0, 7]);

    let auth = Auth::enabled();
    assert_eq!(auth.rows(Bucket::Auth)["authEnabled"], [1]);
    auth.change(disable).unwrap();
    assert_eq!(auth.rows(Bucket::Auth)["authEnabled"], [0]);
    auth.change(|edit| edit.user_delete(ROOT)).unwrap();
    assert!(auth.rows(Bucket::AuthUsers).is_empty());
}

#[test]
fn a_row_of_an_old_release_is_of_a_user_with_a_password() {
    let auth = Auth::new();
    let mut batch = Batch::new();
    batch.put(Bucket::AuthUsers, "u", b"\x0a\x01u\x12\x04hash".to_vec());
    auth.backend.commit(batch, None);
    let auth = auth.reopened();
    assert_eq!(auth.store.policy().user("u").unwrap().password_hash(), Some(&b"hash"[..]));
    auth.change(|edit| edit.user_change_password("u", || Ok(bytes("new")))).unwrap();
    assert_eq!(auth.store.policy().user("u").unwrap().password_hash(), Some(&b"new"[..]));
}

#[test]
fn what_was_decided_is_found_again() {
    let auth = Auth::enabled();
    auth.change(|edit| edit.role_add("r")).unwrap();
    auth.change(|edit| edit.role_grant_permission("r", permission(READ, "a", "c"))).unwrap();
    auth.change(|edit| edit.user_add("u", false, hash)).unwrap();
    auth.change(|edit| edit.user_grant_role("u", "r")).unwrap();
    let revision = auth.store.revision();
    let auth = auth.reopened();
    assert!(auth.store.is_enabled());
    assert_eq!(auth.store.revision(), revision);
    assert!(auth.may("u", Access::Read, "a", "c") && auth.may(ROOT, Access::Write, "z", ""));
    assert!(!auth.may("u", Access::Write, "a", ""));
}

#[test]
fn a_row_that_is_none_is_no_start() {
    for (bucket, key, value) in [
        (Bucket::AuthUsers, "u", &b"\xff"[..]),
        (Bucket::AuthRoles, "r", b"\x0a\x05r"),
        (Bucket::Auth, "authRevision", b"\x01"),
    ] {
        let auth = Auth::enabled();
        let mut batch = Batch::new();
        batch.put(bucket, key, value.to_vec());
        auth.backend.commit(batch, None);
        let error = auth.store.recover(&auth.backend).unwrap_err().to_string();
        assert!(error.contains(bucket.name()), "{error}");
        assert!(auth.store.is_enabled(), "nothing has changed");
    }
}

#[test]
fn every_change_is_a_revision_and_nothing_else_is() {
    let auth = Auth::new();
    let bumps = |by: u64, change: &mut dyn FnMut(&mut Edit<'_>) -> Result<(), AuthError>| {
        let before = auth.store.revision();
        let outcome = auth.change(|edit| change(edit));
        assert_eq!(auth.store.revision() - before, by, "{outcome:?}");
    };
    bumps(0, &mut |edit| disable(edit));
    bumps(0, &mut |edit| edit.enable());
    bumps(1, &mut |edit| edit.user_add(ROOT, false, hash));
    bumps(0, &mut |edit| edit.user_add(ROOT, false, unneeded));
    bumps(0, &mut |edit| edit.user_add("x", false, || Err(AuthError::NoPasswordUser)));
    bumps(0, &mut |edit| edit.enable());
    bumps(1, &mut |edit| edit.user_grant_role(ROOT, ROOT).map(drop));
    bumps(0, &mut |edit| edit.user_grant_role(ROOT, ROOT).map(drop));
    bumps(0, &mut |edit| edit.enable());
    bumps(0, &mut |edit| edit.enable());
    bumps(1, &mut |edit| edit.role_add("r"));
    bumps(1, &mut |edit| edit.role_grant_permission("r", permission(READ, "k", "")));
    bumps(1, &mut |edit| edit.role_grant_permission("r", permission(READ, "k", "")));
    bumps(0, &mut |edit| edit.role_revoke_permission("r", b"k", b"l"));
    bumps(1, &mut |edit| edit.role_revoke_permission("r", b"k", b""));
    bumps(1, &mut |edit| edit.user_add("cn", true, unneeded));
    bumps(1, &mut |edit| edit.user_change_password("cn", unneeded));
    bumps(1, &mut |edit| edit.user_grant_role("cn", "r").map(drop));
    bumps(1, &mut |edit| edit.user_revoke_role("cn", "r"));
    bumps(0, &mut |edit| edit.user_revoke_role("cn", "r"));
    bumps(1, &mut |edit| edit.role_delete("r"));
    bumps(1, &mut |edit| edit.user_delete("cn"));
    bumps(1, &mut |edit| disable(edit));
}

#[test]
fn refusals_in_their_order() {
    let off = Auth::new();
    assert_eq!(off.change(|edit| edit.enable()), Err(AuthError::RootUserNotExist));
    off.change(|edit| edit.user_add(ROOT, false, hash)).unwrap();
    assert_eq!(off.change(|edit| edit.enable()), Err(AuthError::RootRoleNotExist));
    assert_eq!(off.change(|edit| edit.user_add("", false, unneeded)), Err(AuthError::UserEmpty));
    assert_eq!(off.change(|edit| edit.user_change_password("x", unneeded)), Err(AuthError::UserNotFound));
    assert_eq!(off.change(|edit| edit.user_grant_role("x", "x")), Err(AuthError::UserNotFound));
    assert_eq!(off.change(|edit| edit.user_grant_role(ROOT, "x")), Err(AuthError::RoleNotFound));
    assert_eq!(off.change(|edit| edit.user_revoke_role("x", "x")), Err(AuthError::UserNotFound));
    assert_eq!(off.change(|edit| edit.user_revoke_role(ROOT, "x")), Err(AuthError::RoleNotGranted));
    assert_eq!(off.change(|edit| edit.role_add("")), Err(AuthError::RoleEmpty));
    assert_eq!(off.change(|edit| edit.role_grant_permission("x", None)), Err(AuthError::PermissionNotGiven));
    for (key, end) in [("", ""), ("", "\0"), ("b", "b"), ("b", "a")] {
        let refused = off.change(|edit| edit.role_grant_permission("x", permission(READ, key, end)));
        assert_eq!(refused, Err(AuthError::InvalidAuthMgmt));
    }
    let granted = |key| off.change(|edit| edit.role_grant_permission("x", permission(READ, key, "")));
    assert_eq!(granted("k"), Err(AuthError::RoleNotFound));
    assert_eq!(off.change(|edit| edit.role_revoke_permission("x", b"k", b"")), Err(AuthError::RoleNotFound));
    off.change(|edit| edit.role_add("x")).unwrap();
    assert_eq!(off.change(|edit| edit.role_add("x")), Err(AuthError::RoleAlreadyExist));
    assert_eq!(off.change(|edit| edit.role_revoke_permission("x", b"k", b"")), Err(AuthError::PermissionNotGranted));
    // Before it is on, root is a user like others.
    assert_eq!(off.change(|edit| edit.role_delete(ROOT)), Err(AuthError::RoleNotFound));
    off.change(|edit| edit.user_delete(ROOT)).unwrap();
    assert_eq!(off.change(|edit| edit.user_delete(ROOT)), Err(AuthError::UserNotFound));

    let on = Auth::enabled();
    assert_eq!(on.change(|edit| edit.user_delete(ROOT)), Err(AuthError::InvalidAuthMgmt));
    assert_eq!(on.change(|edit| edit.user_revoke_role(ROOT, ROOT)), Err(AuthError::InvalidAuthMgmt));
    assert_eq!(on.change(|edit| edit.role_delete(ROOT)), Err(AuthError::InvalidAuthMgmt));
}

#[test]
fn a_deleted_role_is_nobodys() {
    let auth = Auth::enabled();
    auth.change(|edit| edit.role_add("r")).unwrap();
    auth.change(|edit| edit.role_grant_permission("r", permission(BOTH, "k", ""))).unwrap();
    for user in ["a", "b"] {
        auth.change(|edit| edit.user_add(user, true, unneeded)).unwrap();
    }
    auth.change(|edit| edit.user_grant_role("a", "r")).unwrap();
    assert!(auth.may("a", Access::Write, "k", ""));
    let before = auth.store.revision();
    auth.change(|edit| edit.role_delete("r")).unwrap();
    assert_eq!(auth.store.revision(), before + 1, "one revision, whoever held it");
    assert!(!auth.may("a", Access::Write, "k", "") && auth.store.policy().user("a").unwrap().roles().is_empty());
    // Another one of its name is another one.
    auth.change(|edit| edit.role_add("r")).unwrap();
    auth.change(|edit| edit.role_grant_permission("r", permission(BOTH, "k", ""))).unwrap();
    assert!(!auth.reopened().may("a", Access::Write, "k", ""));
}

#[test]
fn roles_add_up_and_changes_reach_all_who_hold_them() {
    let auth = Auth::enabled();
    for role in ["r1", "r2"] {
        auth.change(|edit| edit.role_add(role)).unwrap();
    }
    for user in ["a", "b"] {
        auth.change(|edit| edit.user_add(user, true, unneeded)).unwrap();
        auth.change(|edit| edit.user_grant_role(user, "r2")).unwrap();
    }
    auth.change(|edit| edit.user_grant_role("a", "r1")).unwrap();
    auth.change(|edit| edit.role_grant_permission("r1", permission(READ, "a", "c"))).unwrap();
    auth.change(|edit| edit.role_grant_permission("r2", permission(BOTH, "c", "e"))).unwrap();
    auth.change(|edit| edit.role_grant_permission("r2", permission(WRITE, "x", ""))).unwrap();
    assert!(auth.may("a", Access::Read, "b", "d") && !auth.may("a", Access::Write, "b", "d"));
    assert!(auth.may("b", Access::Write, "x", "") && !auth.may("b", Access::Read, "x", ""));
    assert!(!auth.may("b", Access::Read, "b", ""));
    auth.change(|edit| edit.role_grant_permission("r2", permission(READ, "x", ""))).unwrap();
    assert!(!auth.may("b", Access::Write, "x", "") && auth.may("a", Access::Read, "x", ""));
    assert_eq!(auth.store.policy().role("r2").unwrap().len(), 2, "the same keys are granted once");
    auth.change(|edit| edit.role_revoke_permission("r2", b"c", b"e")).unwrap();
    assert!(!auth.may("a", Access::Read, "b", "d") && auth.may("a", Access::Read, "b", "c"));
}

#[test]
fn who_is_asked_for_what() {
    let auth = Auth::enabled();
    auth.change(|edit| edit.user_add("u", true, unneeded)).unwrap();
    let policy = auth.store.policy();
    let who = |user, auth_revision| Some(Who { user, auth_revision, roles: None });
    let (now, key) = (policy.revision(), range("k", ""));
    let keys = |who| policy.check_keys(who, Access::Read, &key);
    assert_eq!(keys(None), Err(AuthError::UserEmpty));
    assert_eq!(keys(who("u", 0)), Err(AuthError::UserEmpty));
    assert_eq!(keys(who(ROOT, now - 1)), Err(AuthError::OldRevision));
    assert_eq!(keys(who("nobody", now - 1)), Err(AuthError::OldRevision));
    assert_eq!(keys(who("nobody", now)), Err(AuthError::PermissionDenied));
    assert_eq!(keys(who("u", now)), Err(AuthError::PermissionDenied));
    assert_eq!(keys(who(ROOT, now)), Ok(()));
    assert_eq!(keys(who(ROOT, now + 7)), Ok(()));
    assert_eq!(policy.check_admin(None), Err(AuthError::UserEmpty));
    assert_eq!(policy.check_admin(who("", now)), Err(AuthError::UserEmpty));
    assert_eq!(policy.check_admin(who("nobody", now)), Err(AuthError::UserNotFound));
    assert_eq!(policy.check_admin(who("u", now)), Err(AuthError::PermissionDenied));
    assert_eq!(policy.check_admin(who(ROOT, now - 1)), Ok(()));
    // While it is off nobody is asked.
    auth.change(disable).unwrap();
    let policy = auth.store.policy();
    assert_eq!(policy.check_keys(None, Access::Write, &key), Ok(()));
    assert_eq!(policy.check_admin(None), Ok(()));
}

/// Who is no user, or another one than is thought: what others say of him counts, as far as there are such roles.
#[test]
fn roles_may_come_from_elsewhere() {
    let auth = Auth::enabled();
    for (role, key, end) in [("a", "a", "c"), ("b", "c", "e"), ("own", "x", "")] {
        auth.change(|edit| edit.role_add(role)).unwrap();
        auth.change(|edit| edit.role_grant_permission(role, permission(READ, key, end))).unwrap();
    }
    auth.change(|edit| edit.user_add("u", true, unneeded)).unwrap();
    auth.change(|edit| edit.user_grant_role("u", "own")).unwrap();
    let policy = auth.store.policy();
    let roles = |names: &[&str]| names.iter().map(|&name| name.into()).collect::<Arc<[Arc<str>]>>();
    let (one, both, none, gone) = (roles(&["a"]), roles(&["b", "a", "gone"]), roles(&[]), roles(&["gone"]));
    let who = |user, roles| Who { user, auth_revision: policy.revision(), roles: Some(roles) };
    let may = |who, access, key, end| policy.check_keys(Some(who), access, &range(key, end)).is_ok();
    for user in ["u", "nobody"] {
        assert!(may(who(user, &one), Access::Read, "a", "c") && !may(who(user, &one), Access::Read, "a", "d"));
        assert!(may(who(user, &both), Access::Read, "a", "e"), "what two of them allow together");
        assert!(!may(who(user, &both), Access::Write, "a", ""));
        for roles in [&one, &both, &none, &gone] {
            assert!(!may(who(user, roles), Access::Read, "x", ""), "the user's own roles do not count");
            assert_eq!(policy.check_admin(Some(who(user, roles))), Err(AuthError::PermissionDenied));
        }
        let known = [&one, &both, &none, &gone].map(|roles| policy.knows(who(user, roles)));
        assert_eq!(known, [true, true, false, false]);
        assert!(policy.holds(who(user, &one), "a") && !policy.holds(who(user, &one), "own"));
        assert!(!policy.holds(who(user, &gone), "gone"));
    }
    let old = Who { auth_revision: policy.revision() - 1, ..who("u", &one) };
    assert_eq!(policy.check_keys(Some(old), Access::Read, &range("a", "")), Err(AuthError::OldRevision));
    let root = roles(&[ROOT]);
    assert_eq!(policy.check_admin(Some(who("nobody", &root))), Err(AuthError::PermissionDenied), "there is none yet");
    auth.change(|edit| edit.role_add(ROOT)).unwrap();
    let policy = auth.store.policy();
    let root = Who { user: "nobody", auth_revision: policy.revision(), roles: Some(&root) };
    assert_eq!(policy.check_admin(Some(root)), Ok(()));
    assert_eq!(policy.check_keys(Some(root), Access::Write, &range("a", "\0")), Ok(()));
}

#[test]
fn the_role_root_may_everything_whatever_its_row_says() {
    let auth = Auth::enabled();
    assert_eq!(auth.store.policy().role(ROOT), None);
    auth.change(|edit| edit.role_add(ROOT)).unwrap();
    let everything = permission(BOTH, "", "\0").unwrap();
    assert_eq!(auth.store.policy().role(ROOT), Some(vec![everything]));
    auth.change(|edit| edit.user_add("u", true, unneeded)).unwrap();
    auth.change(|edit| edit.user_grant_role("u", ROOT)).unwrap();
    assert!(auth.may("u", Access::Write, "a", "\0"));
}

#[test]
fn who_has_a_policy_keeps_it() {
    let auth = Auth::enabled();
    let before = auth.store.policy();
    auth.change(|edit| edit.user_add("u", true, unneeded)).unwrap();
    assert!(before.user("u").is_none() && auth.store.policy().user("u").is_some());
    assert_eq!(auth.store.policy().users().collect::<Vec<_>>(), [ROOT, "u"]);
}
