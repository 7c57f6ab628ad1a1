//! A login: who, and the token that the server gave for it.

use parking_lot::Mutex;

use crate::proto::Names;

/// A user, and the token of the last login. Connections may share it: a login costs the server a tenth of a second.
pub(crate) struct Login {
    pub(crate) name: &'static str,
    pub(crate) password: &'static str,
    token: Mutex<String>,
}

impl Login {
    /// Not logged in yet.
    pub(crate) fn new(name: &'static str, password: &'static str) -> Login {
        Login { name, password, token: Mutex::default() }
    }

    /// None before the first login.
    pub(crate) fn token(&self) -> Option<String> {
        Some(self.token.lock().clone()).filter(|token| !token.is_empty())
    }

    /// What is asked for a token.
    pub(crate) fn request(&self) -> Names {
        Names { name: self.name.into(), second: self.password.into() }
    }

    pub(crate) fn renewed(&self, token: &str) {
        token.clone_into(&mut self.token.lock());
    }
}
