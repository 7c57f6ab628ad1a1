//! What can be wrong with the files.

use std::io;
use std::path::PathBuf;

/// Why TLS cannot be set up from what the settings name.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("open {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: {reason}", path.display())]
    Content { path: PathBuf, reason: String },
    #[error("{} and {}: {source}", cert.display(), key.display())]
    Pair { cert: PathBuf, key: PathBuf, source: rustls::Error },
    #[error("the system's certificate authorities cannot be read: {0}")]
    System(String),
    #[error("cannot generate cert: {0}")]
    Generate(#[from] rcgen::Error),
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{}: {reason}; put another in its place, or remove {} to have all of them made anew", path.display(), folder.display())]
    Spent { path: PathBuf, folder: PathBuf, reason: &'static str },
    #[error("nothing is shown on this side: KeyFile and CertFile are not presented")]
    NoCertificate,
    #[error("{0}")]
    Setup(#[from] rustls::Error),
    #[error("{0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}
