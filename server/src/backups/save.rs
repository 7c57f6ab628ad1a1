//! A backup of a running server, Keyport or etcd: streamed, checked, and in its place when it is whole.

mod fetch;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use super::file::Manner;
use super::part::{Part, PartError};
use super::status::{self, Status, StatusError};
use crate::command_line::{Access, NoPassword, Progress};
use crate::config::UrlError;
use fetch::{FetchError, Server};

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
    #[command(flatten)]
    access: Access,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub(super) enum SaveError {
    #[error("--endpoints: {0}")]
    Url(#[from] UrlError),
    #[error(transparent)]
    NoPassword(#[from] NoPassword),
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
        let server = self.server()?;
        let (part, file) = Part::create(&self.file)?;
        runtime.block_on(write(&server, &part, &file))?;
        let status = status::verified(&part.path, Manner::Shown)?;
        part.finish()?;
        Ok(status)
    }

    fn server(&self) -> Result<Server, SaveError> {
        let Save { endpoints, access, .. } = self;
        let endpoints = endpoints.iter().map(|text| access.url(text)).collect::<Result<Vec<_>, _>>()?;
        let (tls, user, patience) = (access.tls(), access.login()?, access.patience());
        Ok(Server { endpoints, tls, user, token: access.token.clone(), patience })
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
