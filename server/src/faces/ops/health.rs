//! `/health`: one answer for load balancers, worded as etcd's.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use keyport_api::etcdserverpb::AlarmType;
use keyport_openapi::endpoints::{EXCLUDED_ALARMS, SERIALIZABLE};
use serde::Serialize;

use super::{HealthSource, Ops, parameters};
use crate::http::plain;

#[derive(Serialize)]
struct Health<'a> {
    /// A text, not a boolean.
    health: &'a str,
    reason: &'a str,
}

pub(super) async fn health<H: HealthSource>(State(ops): State<Arc<Ops<H>>>, RawQuery(query): RawQuery) -> Response {
    let exclude: Vec<String> = parameters(query.as_deref(), &EXCLUDED_ALARMS).collect();
    let serializable = parameters(query.as_deref(), &SERIALIZABLE).next().is_some_and(|v| v == "true");
    match check(&*ops.node, &exclude, serializable).await {
        Ok(()) => {
            ops.metrics.health_success.inc();
            plain::text(StatusCode::OK, body("true", ""))
        }
        Err(reason) => {
            ops.metrics.health_failures.inc();
            tracing::warn!(reason, "serving /health false");
            plain::text(StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", body("false", &reason)))
        }
    }
}

fn body(health: &str, reason: &str) -> String {
    serde_json::to_string(&Health { health, reason }).unwrap_or_default()
}

async fn check<H: HealthSource>(node: &H, exclude: &[String], serializable: bool) -> Result<(), String> {
    for alarm in node.alarms() {
        let name = match alarm {
            AlarmType::Nospace => "NOSPACE",
            AlarmType::Corrupt => "CORRUPT",
            AlarmType::None => "UNKNOWN",
        };
        if !exclude.iter().any(|e| e == name) {
            return Err(format!("ALARM {name}"));
        }
    }
    if !serializable && !node.has_leader() {
        return Err("RAFT NO LEADER".to_owned());
    }
    let read = if serializable { node.serializable_read().await } else { node.linearizable_read().await };
    read.map_err(|status| format!("RANGE ERROR:{}", status.message()))
}
