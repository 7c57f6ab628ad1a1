//! Logins that were found right a moment ago, for those who say their password with every request: to hash it each time
//! would take a core for a handful of requests a second.
//!
//! What is kept of a login is a hash with a key that only this process has, for a minute at most, and only until users or
//! roles change.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use sha2::{Digest, Sha256};

use super::{Login, Proof};

const LIFETIME: Duration = Duration::from_secs(60);
const MOST_KEPT: usize = 4096;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Remembered {
    key: [u8; 32],
    held: RwLock<HashMap<[u8; 32], Kept>>,
}

#[derive(Debug)]
struct Kept {
    proof: Arc<Proof>,
    since: Instant,
}

impl Kept {
    fn is_good(&self, auth_revision: u64, now: Instant) -> bool {
        self.proof.auth_revision == auth_revision && now.saturating_duration_since(self.since) < LIFETIME
    }
}

impl Default for Remembered {
    fn default() -> Remembered {
        Remembered { key: rand::random(), held: RwLock::default() }
    }
}

impl Remembered {
    pub(super) fn find(&self, login: &Login, auth_revision: u64, now: Instant) -> Option<Arc<Proof>> {
        let held = self.held.read();
        let kept = held.get(&self.hash(login)).filter(|kept| kept.is_good(auth_revision, now))?;
        Some(Arc::clone(&kept.proof))
    }

    pub(super) fn add(&self, login: &Login, proof: Arc<Proof>, now: Instant) {
        let mut held = self.held.write();
        if held.len() >= MOST_KEPT {
            let auth_revision = proof.auth_revision;
            held.retain(|_, kept| kept.is_good(auth_revision, now));
        }
        if held.len() < MOST_KEPT {
            held.insert(self.hash(login), Kept { proof, since: now });
        }
    }

    fn hash(&self, Login { user, password }: &Login) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix(self.key);
        hash.update((user.len() as u64).to_be_bytes());
        hash.update(user.as_bytes());
        hash.update(password.as_str().as_bytes());
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Secret;
    use keyport_storage::auth::AuthStore;
    use keyport_storage::backend::Batch;

    fn login(user: &str, password: &str) -> Login {
        Login { user: user.into(), password: Secret::new(password) }
    }

    #[tokio::test]
    async fn a_login_is_remembered_for_a_while_and_until_something_changes() {
        let auth = Arc::new(AuthStore::new());
        let logins = super::super::Logins::new(Arc::clone(&auth), 4, &crate::metrics::Metrics::new(false)).unwrap();
        let line = logins.line(None, None);
        let hashed = logins.passwords().hash(line, "secret".to_owned()).await.unwrap();
        let mut batch = Batch::new();
        auth.change(&mut batch, |edit| {
            edit.user_add("root", false, || super::super::passwords::of_entry("", &hashed))?;
            edit.role_add("root")?;
            edit.user_grant_role("root", "root")?;
            edit.enable()
        })
        .unwrap();
        let right = login("root", "secret");
        let proof = logins.check_and_remember(&right, None).await.unwrap();
        let remembered = Remembered::default();
        let now = Instant::now();
        remembered.add(&right, Arc::clone(&proof), now);
        let revision = proof.auth_revision;
        assert!(remembered.find(&right, revision, now).is_some());
        assert!(remembered.find(&right, revision, now + LIFETIME).is_none());
        assert!(remembered.find(&right, revision + 1, now).is_none());
        for other in [login("root", "secre"), login("roots", "ecret"), login("", "rootsecret")] {
            assert!(remembered.find(&other, revision, now).is_none(), "{other:?}");
        }
        assert!(auth.with(|policy| logins.remembered(&right, policy)).is_some());
        assert_eq!(
            logins.check_and_remember(&login("root", "other"), None).await.unwrap_err(),
            keyport_api::error::Error::AuthFailed
        );

        // Proven stays proven until the password is another one.
        assert!(auth.with(|policy| proof.author(policy)).is_some());
        let hashed = logins.passwords().hash(line, "secret".to_owned()).await.unwrap();
        auth.change(&mut batch, |edit| {
            edit.user_change_password("root", || super::super::passwords::of_entry("", &hashed))
        })
        .unwrap();
        assert!(auth.with(|policy| proof.author(policy)).is_none());
        assert!(auth.with(|policy| logins.remembered(&right, policy)).is_none());
    }
}
