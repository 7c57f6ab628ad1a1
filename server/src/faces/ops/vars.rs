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
        "cmdline": without_secrets(std::env::args()),
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
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], format!("{vars}\n")).into_response()
}

/// Flags that say what nobody else is to know.
const SECRETS: [&str; 1] = ["discovery-password"];

/// Where there are no users, everybody who can reach this may read it.
fn without_secrets(args: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut is_next = false;
    let told = |arg: String| {
        let name = arg.trim_start_matches('-').split('=').next().unwrap_or_default();
        let dashes = arg.len() - arg.trim_start_matches('-').len();
        let is_secret = (1..=2).contains(&dashes) && SECRETS.contains(&name);
        let hidden = std::mem::replace(&mut is_next, is_secret && !arg.contains('='));
        match arg.split_once('=') {
            _ if hidden => "...".to_owned(),
            Some((flag, _)) if is_secret => format!("{flag}=..."),
            _ => arg,
        }
    };
    args.into_iter().map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_left_out_of_the_command_line() {
        let told = |args: &[&str]| without_secrets(args.iter().map(|&arg| arg.to_owned())).join(" ");
        assert_eq!(
            told(&["keyport", "--name=a", "--discovery-password=b"]),
            "keyport --name=a --discovery-password=..."
        );
        assert_eq!(
            told(&["keyport", "-discovery-password", "b", "--name", "c"]),
            "keyport -discovery-password ... --name c"
        );
        assert_eq!(
            told(&["keyport", "--discovery-user=b", "discovery-password"]),
            "keyport --discovery-user=b discovery-password"
        );
    }
}
