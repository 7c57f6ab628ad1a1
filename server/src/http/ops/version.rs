//! `/version`: the release whose API is served, and our own.

use super::{HealthSource, Ops};
use crate::version::{ETCD_SERVER, KEYPORT};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
pub(super) struct Version {
    etcdserver: &'static str,
    etcdcluster: String,
    storage: String,
    keyport: &'static str,
}

pub(super) async fn version<H: HealthSource>(State(ops): State<Arc<Ops<H>>>) -> Json<Version> {
    let versions = ops.node.versions();
    Json(Version {
        etcdserver: ETCD_SERVER,
        etcdcluster: versions.cluster.unwrap_or_else(|| "not_decided".to_owned()),
        storage: versions.storage.unwrap_or_else(|| "unknown".to_owned()),
        keyport: KEYPORT,
    })
}
