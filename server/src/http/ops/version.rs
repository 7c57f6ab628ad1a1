//! `/version`: the release whose API is served, and our own.

use super::{HealthSource, Ops};
use crate::version::{ETCD_SERVER, KEYPORT};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::sync::Arc;

/// The versions in force.
#[derive(Debug, Serialize)]
pub struct Version {
    etcdserver: &'static str,
    etcdcluster: String,
    storage: String,
    keyport: &'static str,
}

/// What is running and which version the cluster has agreed on.
pub fn version<H: HealthSource>(node: &H) -> Json<Version> {
    let versions = node.versions();
    Json(Version {
        etcdserver: ETCD_SERVER,
        etcdcluster: versions.cluster.unwrap_or_else(|| "not_decided".to_owned()),
        storage: versions.storage.unwrap_or_else(|| "unknown".to_owned()),
        keyport: KEYPORT,
    })
}

pub(super) async fn answer<H: HealthSource>(State(ops): State<Arc<Ops<H>>>) -> Json<Version> {
    version(ops.node.as_ref())
}
