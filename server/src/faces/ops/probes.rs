//! `/livez` and `/readyz`: named checks, one by one or all, worded as Kubernetes' probes are.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use keyport_api::etcdserverpb::AlarmType;
use keyport_openapi::endpoints::{EXCLUDED_CHECKS, VERBOSE};

use super::{HealthSource, Ops, no_page, parameters};
use crate::http::plain;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    DataCorruption,
    SerializableRead,
    LinearizableRead,
    NonLearner,
}

pub(super) const LIVEZ: (&str, &[Check]) = ("livez", &[Check::SerializableRead]);
pub(super) const READYZ: (&str, &[Check]) =
    ("readyz", &[Check::DataCorruption, Check::SerializableRead, Check::LinearizableRead, Check::NonLearner]);

impl Check {
    pub(super) fn name(self) -> &'static str {
        match self {
            Check::DataCorruption => "data_corruption",
            Check::SerializableRead => "serializable_read",
            Check::LinearizableRead => "linearizable_read",
            Check::NonLearner => "non_learner",
        }
    }

    async fn run<H: HealthSource>(self, node: &H) -> Result<(), String> {
        match self {
            Check::DataCorruption if node.alarms().contains(&AlarmType::Corrupt) => {
                Err("alarm activated: CORRUPT".to_owned())
            }
            Check::NonLearner if node.is_learner() => Err("not supported for learner".to_owned()),
            Check::DataCorruption | Check::NonLearner => Ok(()),
            Check::SerializableRead => node.serializable_read().await.map_err(|s| s.message().to_owned()),
            Check::LinearizableRead => node.linearizable_read().await.map_err(|s| s.message().to_owned()),
        }
    }
}

type Handle<H> = State<Arc<Ops<H>>>;

pub(super) async fn livez<H: HealthSource>(State(ops): Handle<H>, RawQuery(query): RawQuery) -> Response {
    all(&ops, LIVEZ, query.as_deref()).await
}

pub(super) async fn readyz<H: HealthSource>(State(ops): Handle<H>, RawQuery(query): RawQuery) -> Response {
    all(&ops, READYZ, query.as_deref()).await
}

pub(super) async fn livez_one<H: HealthSource>(
    State(ops): Handle<H>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    one(&ops, LIVEZ, &name, query.as_deref()).await
}

pub(super) async fn readyz_one<H: HealthSource>(
    State(ops): Handle<H>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    one(&ops, READYZ, &name, query.as_deref()).await
}

/// No check has a longer one.
const LONGEST_NAME: usize = 64;

async fn all<H: HealthSource>(ops: &Ops<H>, (probe, checks): (&str, &[Check]), query: Option<&str>) -> Response {
    let excluded: Vec<String> = parameters(query, &EXCLUDED_CHECKS).filter(|name| !name.is_empty()).collect();
    // Once a request, and as much of it as a name has: anybody can have this written.
    let unknown = excluded.iter().find(|name| !checks.iter().any(|c| c.name() == *name));
    if let Some(name) = unknown.map(|name| name.chars().take(LONGEST_NAME).collect::<String>()) {
        tracing::warn!(probe, name, "some health checks cannot be excluded");
    }
    let checks = checks.iter().copied().filter(|c| !excluded.iter().any(|name| name == c.name()));
    run(ops, probe, checks, query).await
}

async fn one<H: HealthSource>(
    ops: &Ops<H>,
    (probe, checks): (&str, &[Check]),
    name: &str,
    query: Option<&str>,
) -> Response {
    match checks.iter().find(|c| c.name() == name) {
        Some(check) => run(ops, probe, std::iter::once(*check), query).await,
        None => {
            let names: Vec<&str> = checks.iter().map(|check| check.name()).collect();
            no_page(&format!("The checks of /{probe} are {}.\n", names.join(", ")))
        }
    }
}

async fn run<H: HealthSource>(
    ops: &Ops<H>,
    probe: &str,
    checks: impl Iterator<Item = Check>,
    query: Option<&str>,
) -> Response {
    let mut lines = String::new();
    let mut healthy = true;
    for check in checks {
        let name = check.name();
        let outcome = check.run(&*ops.node).await;
        ops.metrics.observe_check(probe, name, outcome.is_ok());
        healthy &= outcome.is_ok();
        let _ = match outcome {
            Ok(()) => writeln!(lines, "[+]{name} ok"),
            Err(reason) => writeln!(lines, "[-]{name} failed: {reason}"),
        };
    }
    if !healthy {
        tracing::warn!(probe, checks = lines.trim_end(), "a health check failed");
        return plain::text(StatusCode::SERVICE_UNAVAILABLE, lines + "\n");
    }
    let verbose = parameters(query, &VERBOSE).next().is_some();
    plain::text(StatusCode::OK, if verbose { lines + "ok\n" } else { "ok\n".to_owned() })
}
