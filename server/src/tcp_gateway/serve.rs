//! Taking connections, and finding a member for each.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::pool::{Pool, Remote};
use super::relay::relay;
use crate::net::dial;

/// For a connection to a member.
const PATIENCE: Duration = Duration::from_secs(5);
/// What is not for connections.
const OTHER_DESCRIPTORS: u64 = 64;
const DESCRIPTORS_EACH: u64 = 2;
/// Where the system sets no limit.
const MOST: usize = 100_000;
/// When connections cannot be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves for as long as it is waited for. Connections past what descriptors allow wait in the system's queue.
pub(super) async fn serve(listener: TcpListener, pool: Arc<Pool>, retry: Duration) {
    let places = Arc::new(Semaphore::new(places()));
    tokio::select! {
        () = accept(&listener, &pool, &places, retry) => {}
        () = retry_inactive(&pool, retry) => {}
    }
}

async fn accept(listener: &TcpListener, pool: &Arc<Pool>, places: &Arc<Semaphore>, retry: Duration) {
    loop {
        if places.available_permits() == 0 {
            tracing::warn!("all connections that the limit of open files allows are taken; others wait");
        }
        let Ok(place) = Arc::clone(places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((client, _)) => {
                let pool = Arc::clone(pool);
                tokio::spawn(async move {
                    pass_on(client, &pool, retry).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// A client for which there is nobody is closed.
async fn pass_on(client: TcpStream, pool: &Pool, retry: Duration) {
    while let Some(remote) = pool.pick() {
        let address = remote.endpoint.url.authority();
        match dial::tcp(&remote.endpoint.url, PATIENCE).await {
            Ok(member) => {
                let _ = client.set_nodelay(true);
                if let Err(error) = relay(client, member).await {
                    tracing::debug!(address, %error, "a connection has failed");
                }
                return;
            }
            Err(error) => {
                if remote.set_active(false) {
                    tracing::warn!(address, interval = ?retry, %error, "deactivated endpoint");
                }
            }
        }
    }
}

async fn retry_inactive(pool: &Pool, retry: Duration) {
    loop {
        tokio::time::sleep(retry).await;
        let inactive = pool.remotes().iter().filter(|remote| !remote.is_active());
        futures_util::future::join_all(inactive.map(|remote| try_again(remote, retry))).await;
    }
}

async fn try_again(remote: &Remote, retry: Duration) {
    let address = remote.endpoint.url.authority();
    match dial::tcp(&remote.endpoint.url, PATIENCE).await {
        Ok(_) => {
            remote.set_active(true);
            tracing::info!(address, "activated");
        }
        Err(error) => tracing::warn!(
            address, interval = ?retry, %error, "failed to activate endpoint (stay inactive for another interval)"
        ),
    }
}

fn places() -> usize {
    let Some(limit) = getrlimit(Resource::Nofile).current else { return MOST };
    let places = limit.saturating_sub(OTHER_DESCRIPTORS) / DESCRIPTORS_EACH;
    usize::try_from(places).unwrap_or(MOST).clamp(1, MOST)
}
