//! `/version`: the release whose API is served, and our own.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::{HealthSource, Ops};
use crate::version::Versions;

pub(super) async fn version<H: HealthSource>(State(ops): State<Arc<Ops<H>>>) -> Json<Versions> {
    Json(ops.node.versions())
}
