//! Looks after the keys of whoever signs tokens for people from outside: again and again, so that new keys are known and those
//! that were withdrawn are not.
//!
//! A file is read each second. A place on the web is asked at the start, from time to time, and when a token names a key that is
//! not known; but not more than once in a while, for anybody can name keys. What cannot be read changes nothing: the last good set
//! stays. The member serves meanwhile, and starts without its provider: that may be one of those whom it serves.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use tokio::time::{sleep, timeout};

use crate::asking::PeerClient;
use crate::asking::client::PeerCallError;
use crate::auth::identities::{Identities, KeySetError};
use crate::config::{KeySource, WebUrl, WebUrlError};
use crate::metrics::Metrics;
use crate::tls::{Outgoing, Speaks};

/// Between two looks at a file.
const FILE_PAUSE: Duration = Duration::from_secs(1);
/// Between two questions to a provider, however many tokens name keys that are not known.
const LEAST_PAUSE: Duration = Duration::from_secs(10);
/// The pause after failures doubles up to this many times, from one second.
const MAX_DOUBLINGS: u32 = 5;
/// For a connection, and for a whole answer.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the keys were not seen.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Keys(#[from] KeySetError),
    #[error(transparent)]
    Call(#[from] PeerCallError),
    #[error("{url} answers {status}")]
    Status { url: WebUrl, status: StatusCode },
    #[error("{url} is no description of a provider: {source}")]
    Document { url: WebUrl, source: serde_json::Error },
    #[error("{url} describes another issuer, {found:?}")]
    OtherIssuer { url: WebUrl, found: String },
    #[error("{url} has its keys at {place:?}: {source}")]
    Place { url: WebUrl, place: String, source: WebUrlError },
    #[error("the file could not be looked at: {0}")]
    Blocking(#[from] tokio::task::JoinError),
}

/// What is needed of a provider's description of itself (OpenID Connect Discovery 1.0, section 3).
#[derive(Debug, Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
}

/// Keeps the keys as they are where they come from, and says when they are others. Runs for as long as the member.
pub(crate) async fn keep_fresh(identities: Arc<Identities>, metrics: Arc<Metrics>, changed: impl Fn() + Send) {
    let issuer = identities.config().issuer.clone();
    let failed = metrics.identity_keys_failures.with_label_values(&[&issuer]);
    {
        let (identities, issuer) = (Arc::clone(&identities), issuer.clone());
        metrics.on_scrape(move |metrics| {
            let age = identities.age().map_or(-1, |age| i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
            metrics.identity_keys_age.with_label_values(&[&issuer]).set(age);
        });
    }
    let provider = Provider::of(identities);
    let mut failures = 0u32;
    loop {
        match provider.look().await {
            Ok(is_new) => {
                if is_new {
                    changed();
                }
                if is_new || failures > 0 {
                    let keys = provider.identities.key_count();
                    tracing::info!(issuer, keys, "the keys of the identity provider were read");
                }
                failures = 0;
            }
            Err(error) => {
                failed.inc();
                if failures == 0 {
                    tracing::warn!(issuer, %error, "cannot read the keys of the identity provider, going on with what is known");
                }
                failures = failures.saturating_add(1);
            }
        }
        provider.pause(failures).await;
    }
}

/// Where the keys come from, and a way there.
struct Provider {
    identities: Arc<Identities>,
    client: PeerClient,
}

impl Provider {
    fn of(identities: Arc<Identities>) -> Provider {
        let tls = Outgoing::new((*identities.config().tls).clone(), Speaks::Http1);
        Provider { client: PeerClient::dialling(&tls, DIAL_TIMEOUT), identities }
    }

    /// Whether they are others than before.
    async fn look(&self) -> Result<bool, LookError> {
        match &self.identities.config().keys {
            KeySource::File(path) => self.read(path).await,
            KeySource::At(url) => self.fetch(url).await,
            KeySource::Discovered(url) => self.fetch(&self.discover(url).await?).await,
        }
    }

    async fn read(&self, path: &Path) -> Result<bool, LookError> {
        let (identities, path) = (Arc::clone(&self.identities), path.to_owned());
        Ok(tokio::task::spawn_blocking(move || identities.take_file(&path)).await??)
    }

    async fn fetch(&self, url: &WebUrl) -> Result<bool, LookError> {
        Ok(self.identities.take(&self.get(url).await?)?)
    }

    async fn discover(&self, url: &WebUrl) -> Result<WebUrl, LookError> {
        let text = self.get(url).await?;
        let document = serde_json::from_slice(&text);
        let document: Document = document.map_err(|source| LookError::Document { url: url.clone(), source })?;
        if document.issuer != self.identities.config().issuer {
            return Err(LookError::OtherIssuer { url: url.clone(), found: document.issuer });
        }
        let place = WebUrl::parse(&document.jwks_uri);
        place.map_err(|source| LookError::Place { url: url.clone(), place: document.jwks_uri, source })
    }

    /// What is there, and nowhere else: a redirection is none.
    async fn get(&self, url: &WebUrl) -> Result<bytes::Bytes, LookError> {
        let answer = self.client.get(&url.server.to_string(), &url.path, ANSWER_TIMEOUT).await?;
        match answer.status {
            StatusCode::OK => Ok(answer.body),
            status => Err(LookError::Status { url: url.clone(), status }),
        }
    }

    /// Until the next look is due.
    async fn pause(&self, failures: u32) {
        let config = self.identities.config();
        if matches!(config.keys, KeySource::File(_)) {
            return sleep(FILE_PAUSE).await;
        }
        if let Some(doublings) = failures.checked_sub(1) {
            let pause = Duration::from_secs(1 << doublings.min(MAX_DOUBLINGS));
            return sleep(pause.min(config.refresh)).await;
        }
        let least = LEAST_PAUSE.min(config.refresh);
        sleep(least).await;
        // Whether it was a token or the time is no matter.
        let _ = timeout(config.refresh - least, self.identities.unknown_key()).await;
    }
}

#[cfg(test)]
mod tests {
    use keyport_storage::auth::AuthStore;
    use tokio::time::Instant;

    use super::*;
    use crate::config::{ClaimPath, IdentityConfig, TlsSide};

    fn provider(keys: KeySource, refresh: u64) -> Provider {
        let config = IdentityConfig {
            issuer: "me".into(),
            audience: "us".into(),
            keys,
            user: ClaimPath::Named("sub".into()),
            user_prefix: String::new(),
            roles: None,
            role_prefix: "oidc/".into(),
            refresh: Duration::from_secs(refresh),
            tls: Box::new(TlsSide::default()),
        };
        Provider::of(Arc::new(Identities::open(&config).unwrap()))
    }

    async fn paused(provider: &Provider, failures: u32) -> u64 {
        let began = Instant::now();
        provider.pause(failures).await;
        began.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_can_have_a_provider_asked_more_than_now_and_then() {
        let at = || KeySource::At(WebUrl::parse("https://provider.example/keys").unwrap());
        let provider = self::provider(at(), 300);
        assert_eq!(paused(&provider, 0).await, 300);
        // Somebody names a key, again and again.
        let header = base64_simd::URL_SAFE_NO_PAD.encode_to_string(r#"{"alg":"ES256","kid":"x"}"#);
        for _ in 0..100 {
            AuthStore::new().with(|policy| provider.identities.named(&format!("{header}.e30.AAAA"), policy));
        }
        assert_eq!([paused(&provider, 0).await, paused(&provider, 0).await], [10, 300]);
        let mut after = Vec::new();
        for failures in [1, 2, 3, 6, 7, 1000] {
            after.push(paused(&provider, failures).await);
        }
        assert_eq!(after, [1, 2, 4, 32, 32, 32]);
        let often = self::provider(at(), 2);
        assert_eq!([paused(&often, 0).await, paused(&often, 9).await], [2, 2]);
    }
}
