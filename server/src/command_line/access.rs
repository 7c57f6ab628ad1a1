//! How a command reaches a server that runs, and as whom; as etcdctl has it.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::{KeyPairFiles, TlsSide, Url, UrlError};

/// Where a password may be that nobody else on the machine can see, as etcdctl has it.
const PASSWORD_VARIABLE: &str = "ETCDCTL_PASSWORD";

/// As it is typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Access {
    /// Who vouches for the server's certificate; the system if not given
    #[arg(long)]
    cacert: Option<PathBuf>,
    /// Certificate to show
    #[arg(long, requires = "key")]
    cert: Option<PathBuf>,
    /// Its key
    #[arg(long, requires = "cert")]
    key: Option<PathBuf>,
    /// Do not look at the server's certificate
    #[arg(long)]
    insecure_skip_tls_verify: bool,
    /// Who asks: name:password, or the name alone
    #[arg(long)]
    user: Option<String>,
    /// The password, which ETCDCTL_PASSWORD may have instead
    #[arg(long, requires = "user")]
    password: Option<String>,
    /// A token instead of a user
    #[arg(long, visible_alias = "auth-jwt-token", conflicts_with = "user")]
    pub(crate) token: Option<String>,
    /// How long a connection may take, in seconds
    #[arg(long, default_value = "5")]
    dial_timeout: u64,
}

/// A user without one.
#[derive(Debug, thiserror::Error)]
#[error("--user: the password is missing: --user name:password, --password or {PASSWORD_VARIABLE}")]
pub(crate) struct NoPassword;

impl Access {
    /// A URL, or what stands behind its scheme.
    ///
    /// # Errors
    /// When it is neither.
    pub(crate) fn url(&self, text: &str) -> Result<Url, UrlError> {
        let encrypts = self.cacert.is_some() || self.cert.is_some() || self.insecure_skip_tls_verify;
        let scheme = if encrypts { "https" } else { "http" };
        if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("{scheme}://{text}")) }
    }

    pub(crate) fn tls(&self) -> TlsSide {
        let dialling = self.cert.clone().zip(self.key.clone()).map(|(cert, key)| KeyPairFiles { cert, key });
        TlsSide {
            dialling,
            trusted_ca: self.cacert.clone(),
            skip_verification: self.insecure_skip_tls_verify,
            ..TlsSide::default()
        }
    }

    /// Name and password, which may be in the environment.
    ///
    /// # Errors
    /// When the password is missing.
    pub(crate) fn login(&self) -> Result<Option<(String, String)>, NoPassword> {
        self.login_with(std::env::var(PASSWORD_VARIABLE).ok())
    }

    fn login_with(&self, variable: Option<String>) -> Result<Option<(String, String)>, NoPassword> {
        Ok(match (&self.user, self.password.clone().or(variable)) {
            (None, _) => None,
            (Some(user), Some(password)) => Some((user.clone(), password)),
            (Some(user), None) => {
                let (name, password) = user.split_once(':').ok_or(NoPassword)?;
                Some((name.to_owned(), password.to_owned()))
            }
        })
    }

    /// For a connection.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.dial_timeout.max(1))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        access: Access,
    }

    fn access(args: &[&str]) -> Access {
        Line::try_parse_from([&["command"], args].concat()).unwrap().access
    }

    #[test]
    fn what_is_typed_says_whom_to_ask_and_as_whom() {
        let url = |args: &[&str], text: &str| access(args).url(text).map(|url| url.to_string());
        assert_eq!(url(&[], "a:1").unwrap(), "http://a:1");
        assert_eq!(url(&[], "https://b:2").unwrap(), "https://b:2");
        assert_eq!(url(&["--cacert", "ca.pem"], "127.0.0.1:2379").unwrap(), "https://127.0.0.1:2379");
        assert!(url(&[], "nowhere").is_err());
        let alice = |password: &str| Some(("alice".to_owned(), password.to_owned()));
        for (args, variable, user) in [
            (&[][..], Some("v"), None),
            (&["--user", "alice:a:b"], None, alice("a:b")),
            (&["--user", "alice"], Some("v"), alice("v")),
            (&["--user", "alice", "--password", "p"], Some("v"), alice("p")),
        ] {
            assert_eq!(access(args).login_with(variable.map(str::to_owned)).unwrap(), user);
        }
        assert!(access(&["--user", "alice"]).login_with(None).is_err());
    }
}
