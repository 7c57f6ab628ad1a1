//! A backup of a running server, Keyport or etcd: streamed, checked, and in its place when it is whole.

mod fetch;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use super::part::{Part, PartError};
use super::progress::Progress;
use super::status::{self, Status, StatusError};
use crate::config::{KeyPairFiles, TlsSide, Url, UrlError};
use fetch::{FetchError, Server};

/// Where a password may be that nobody else on the machine can see, as etcdctl has it.
const PASSWORD_VARIABLE: &str = "ETCDCTL_PASSWORD";
/// Written at once.
const WRITE_BYTES: usize = 1 << 20;

/// What was asked for; as `etcdctl snapshot save` has it.
#[derive(Debug, clap::Args)]
pub(super) struct Save {
    /// Where the backup goes
    pub(super) file: PathBuf,
    /// Servers; the first one that can be reached is asked
    #[arg(long, default_value = "127.0.0.1:2379", value_delimiter = ',')]
    endpoints: Vec<String>,
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
    token: Option<String>,
    /// How long a connection may take, in seconds
    #[arg(long, default_value = "5")]
    dial_timeout: u64,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub(super) enum SaveError {
    #[error("--endpoints: {0}")]
    Url(#[from] UrlError),
    #[error("--user: the password is missing: --user name:password, --password or {PASSWORD_VARIABLE}")]
    NoPassword,
    #[error(transparent)]
    Part(#[from] PartError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Check(#[from] StatusError),
    #[error("cannot wait for a server: {0}")]
    Runtime(#[source] io::Error),
}

impl Save {
    /// What is in the backup, which is under its name then.
    ///
    /// # Errors
    /// See [`SaveError`]. What had the name before has it still.
    pub(super) fn run(self) -> Result<Status, SaveError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(SaveError::Runtime)?;
        let server = self.server(std::env::var(PASSWORD_VARIABLE).ok())?;
        let (part, file) = Part::create(&self.file)?;
        runtime.block_on(write(&server, &part, &file))?;
        let status = status::verified(&part.path, &mut || {})?;
        part.finish()?;
        Ok(status)
    }

    fn server(&self, password: Option<String>) -> Result<Server, SaveError> {
        let encrypts = self.cacert.is_some() || self.cert.is_some() || self.insecure_skip_tls_verify;
        let scheme = if encrypts { "https" } else { "http" };
        let url = |text: &String| {
            if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("{scheme}://{text}")) }
        };
        let endpoints = self.endpoints.iter().map(url).collect::<Result<Vec<_>, _>>()?;
        let dialling = self.cert.clone().zip(self.key.clone()).map(|(cert, key)| KeyPairFiles { cert, key });
        let tls = TlsSide {
            dialling,
            trusted_ca: self.cacert.clone(),
            skip_verification: self.insecure_skip_tls_verify,
            ..TlsSide::default()
        };
        let user = match (&self.user, self.password.clone().or(password)) {
            (None, _) => None,
            (Some(user), Some(password)) => Some((user.clone(), password)),
            (Some(user), None) => {
                let (name, password) = user.split_once(':').ok_or(SaveError::NoPassword)?;
                Some((name.to_owned(), password.to_owned()))
            }
        };
        let patience = Duration::from_secs(self.dial_timeout.max(1));
        Ok(Server { endpoints, tls, user, token: self.token.clone(), patience })
    }
}

async fn write(server: &Server, part: &Part, file: &File) -> Result<(), SaveError> {
    let mut blobs = server.snapshot().await?;
    let mut out = BufWriter::with_capacity(WRITE_BYTES, file);
    let (mut progress, mut done) = (Progress::new(), 0);
    while let Some((blob, left)) = blobs.next().await? {
        out.write_all(&blob).map_err(|source| part.failed(source))?;
        done += blob.len() as u64;
        progress.show("saving", done, done.saturating_add(left));
    }
    out.flush().map_err(|source| part.failed(source))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        save: Save,
    }

    fn server(args: &[&str], variable: Option<&str>) -> Result<Server, SaveError> {
        let line = Line::try_parse_from([&["save", "file"], args].concat()).unwrap();
        line.save.server(variable.map(str::to_owned))
    }

    #[test]
    fn what_is_typed_says_whom_to_ask_and_as_whom() {
        let urls = |server: &Server| server.endpoints.iter().map(Url::to_string).collect::<Vec<_>>();
        let plain = server(&["--endpoints", "a:1,https://b:2"], None).unwrap();
        assert_eq!((urls(&plain), plain.user), (vec!["http://a:1".to_owned(), "https://b:2".to_owned()], None));
        let encrypted = server(&["--cacert", "ca.pem"], None).unwrap();
        assert_eq!(urls(&encrypted), ["https://127.0.0.1:2379"]);
        let alice = |password: &str| Some(("alice".to_owned(), password.to_owned()));
        for (args, variable, user) in [
            (&["--user", "alice:a:b"][..], None, alice("a:b")),
            (&["--user", "alice"], Some("v"), alice("v")),
            (&["--user", "alice", "--password", "p"], Some("v"), alice("p")),
        ] {
            assert_eq!(server(args, variable).unwrap().user, user);
        }
        assert!(matches!(server(&["--user", "alice"], None), Err(SaveError::NoPassword)));
        assert!(matches!(server(&["--endpoints", "nowhere"], None), Err(SaveError::Url(_))));
    }
}
