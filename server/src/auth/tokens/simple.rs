//! Simple tokens: random letters and the index of the entry that made them. Every member has them in memory, and drops
//! what has not been used there for a while.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use keyport_storage::auth::Policy;
use parking_lot::RwLock;

use super::Meaning;
use crate::auth::Author;

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const SEED_LETTERS: usize = 16;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct SimpleTokens {
    lifetime: Duration,
    began: Instant,
    held: RwLock<HashMap<Box<str>, Session>>,
}

#[derive(Debug)]
struct Session {
    user: Arc<str>,
    /// Milliseconds since the beginning.
    ends: AtomicU64,
}

impl SimpleTokens {
    /// `lifetime` is from the last use.
    pub(crate) fn new(lifetime: Duration) -> SimpleTokens {
        SimpleTokens { lifetime, began: Instant::now(), held: RwLock::default() }
    }

    pub(super) fn seed() -> String {
        let letter = |_| char::from(LETTERS.get(rand::random_range(0..LETTERS.len())).copied().unwrap_or(b'a'));
        (0..SEED_LETTERS).map(letter).collect()
    }

    pub(super) fn text(seed: &str, index: u64) -> String {
        format!("{seed}.{index}")
    }

    pub(super) fn meaning(&self, token: &str, policy: &Policy) -> Meaning {
        let (now, end) = (self.now(), self.end());
        if let Some(session) = self.held.read().get(token) {
            // One that has ended does not come back.
            let lives =
                session.ends.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |ends| (ends > now).then_some(end));
            let author = || Author::of(Arc::clone(&session.user), policy.revision());
            return lives.map_or(Meaning::Invalid, |_| Meaning::Author(author()));
        }
        let index = token.split_once('.').and_then(|(_, index)| index.parse().ok());
        index.map_or(Meaning::Invalid, Meaning::NotBefore)
    }

    pub(super) fn enter(&self, user: &str, seed: &str, index: u64) {
        let session = Session { user: user.into(), ends: self.end().into() };
        self.held.write().insert(SimpleTokens::text(seed, index).into(), session);
    }

    pub(super) fn forget(&self, token: &str) {
        self.held.write().remove(token);
    }

    pub(super) fn forget_user(&self, user: &str) {
        self.held.write().retain(|_, session| *session.user != *user);
    }

    pub(super) fn forget_all(&self) {
        self.held.write().clear();
    }

    pub(super) fn sweep(&self) {
        let now = self.now();
        let has_ended = |session: &Session| session.ends.load(Ordering::Relaxed) <= now;
        if self.held.read().values().any(has_ended) {
            self.held.write().retain(|_, session| !has_ended(session));
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn end(&self) -> u64 {
        self.now().saturating_add(u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use keyport_storage::auth::AuthStore;

    use super::*;

    fn meaning(tokens: &SimpleTokens, token: &str) -> Meaning {
        AuthStore::new().with(|policy| tokens.meaning(token, policy))
    }

    fn alice() -> Meaning {
        Meaning::Author(Author::of("alice".into(), 1))
    }

    #[test]
    fn what_the_log_says_is_known_and_what_it_may_still_say_is_told_apart() {
        let tokens = SimpleTokens::new(Duration::from_secs(60));
        let seed = SimpleTokens::seed();
        assert!(seed.len() == SEED_LETTERS && seed.bytes().all(|letter| letter.is_ascii_alphabetic()), "{seed}");
        assert_ne!(seed, SimpleTokens::seed());
        let token = SimpleTokens::text(&seed, 7);
        assert_eq!(meaning(&tokens, &token), Meaning::NotBefore(7));
        tokens.enter("alice", &seed, 7);
        assert_eq!(meaning(&tokens, &token), alice());
        for token in ["", "x", ".", "x.y", "x.-1", "x.18446744073709551616"] {
            assert_eq!(meaning(&tokens, token), Meaning::Invalid, "{token}");
        }
        assert_eq!(meaning(&tokens, "x.18446744073709551615"), Meaning::NotBefore(u64::MAX));
    }

    #[test]
    fn use_keeps_a_token_and_the_end_is_the_end() {
        let mut tokens = SimpleTokens::new(Duration::from_secs(60));
        tokens.enter("alice", "a", 1);
        let ends = |tokens: &SimpleTokens| tokens.held.read()["a.1"].ends.load(Ordering::Relaxed);
        let before = ends(&tokens);
        tokens.began -= Duration::from_secs(30);
        assert_eq!(meaning(&tokens, "a.1"), alice());
        assert!(ends(&tokens) >= before + 30_000);
        tokens.sweep();
        tokens.began -= Duration::from_secs(60);
        assert_eq!(meaning(&tokens, "a.1"), Meaning::Invalid);
        assert_eq!(meaning(&tokens, "a.1"), Meaning::Invalid);
        assert_eq!(tokens.held.read().len(), 1);
        tokens.sweep();
        assert!(tokens.held.read().is_empty());
    }

    #[test]
    fn tokens_end_with_their_user() {
        let tokens = SimpleTokens::new(Duration::from_secs(60));
        tokens.enter("alice", "a", 1);
        tokens.enter("bob", "b", 2);
        tokens.enter("alice", "c", 3);
        tokens.forget("c.3");
        assert_eq!(meaning(&tokens, "c.3"), Meaning::NotBefore(3));
        tokens.forget_user("bob");
        assert_eq!(meaning(&tokens, "a.1"), alice());
        assert_eq!(meaning(&tokens, "b.2"), Meaning::NotBefore(2));
        tokens.forget_all();
        assert_eq!(meaning(&tokens, "a.1"), Meaning::NotBefore(1));
    }
}
