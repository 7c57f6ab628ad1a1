//! How another member is, for those who look at all of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::client::{PeerCallError, PeerClient};
use super::paths::STANDING;

/// What a member says of itself. What it does not say is empty, or 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Standing {
    /// The release of the API that it serves.
    pub(crate) version: String,
    pub(crate) keyport: String,
    pub(crate) revision: i64,
    /// Who leads, 0 for nobody.
    pub(crate) leader: u64,
    pub(crate) raft_term: u64,
    pub(crate) raft_index: u64,
    pub(crate) raft_applied_index: u64,
    /// Bytes.
    pub(crate) db_size: u64,
    pub(crate) db_size_in_use: u64,
    /// Bytes; none without a bound.
    pub(crate) db_quota: Option<u64>,
}

/// Why nothing is known of a member.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StandingError {
    #[error("it has no URL")]
    Nowhere,
    #[error("it does not answer within {0:?}")]
    Silent(Duration),
    #[error(transparent)]
    Call(#[from] PeerCallError),
    #[error("it answers with {0}")]
    Refused(http::StatusCode),
    #[error("its answer is not understood: {0}")]
    Nonsense(#[from] serde_json::Error),
}

/// Asks a member, at the first of its URLs that answers.
///
/// # Errors
/// Why the last one did not.
pub(crate) async fn ask(client: &PeerClient, urls: &[String], timeout: Duration) -> Result<Standing, StandingError> {
    let mut outcome = Err(StandingError::Nowhere);
    for url in urls {
        outcome = ask_at(client, url, timeout).await;
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

async fn ask_at(client: &PeerClient, url: &str, timeout: Duration) -> Result<Standing, StandingError> {
    let answer = client.get(url, STANDING, timeout).await?;
    if !answer.status.is_success() {
        return Err(StandingError::Refused(answer.status));
    }
    Ok(serde_json::from_slice(&answer.body)?)
}
