//! `/version`: the release whose API is served, and our own.

use super::{HealthSource, Ops};
use crate::version::Versions;
use axum::Json;
use axum::extract::State;
use std::sync::Arc;

pub(super) async fn version<H: HealthSource>(State(ops): State<Arc<Ops<H>>>) -> Json<Versions> {
    Json(ops.node.versions())
}
