//! `/debug/vars`: a glance at the process.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use serde_json::json;

use super::{HealthSource, Ops};

pub(super) async fn vars<H: HealthSource>(State(ops): State<Arc<Ops<H>>>) -> Response {
    let raft = ops.node.raft();
    let memory = |field: &str| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
    };
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let vars = json!({
        "cmdline": std::env::args().collect::<Vec<_>>(),
        "file_descriptor_limit": limit,
        "memstats": { "Alloc": memory("VmRSS:"), "Sys": memory("VmSize:"), "PeakAlloc": memory("VmHWM:") },
        "raft.status": {
            "id": format!("{:x}", raft.id),
            "lead": format!("{:x}", raft.leader),
            "term": raft.term,
            "commit": raft.commit,
            "applied": raft.applied,
            "raftState": if raft.leader != 0 && raft.leader == raft.id { "StateLeader" } else { "StateFollower" },
        },
    });
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], vars.to_string()).into_response()
}
