//! Ratios of an earlier run, and which have become worse since.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::stats::num;

/// A ratio between two servers, and from where on a change of it is more than the noise of these machines.
struct Figure {
    name: &'static str,
    is_better_higher: bool,
    noise: f64,
}

const FIGURES: [Figure; 5] = [
    Figure { name: "ops_per_s", is_better_higher: true, noise: 0.10 },
    Figure { name: "value", is_better_higher: false, noise: 0.10 },
    Figure { name: "p99", is_better_higher: false, noise: 0.25 },
    Figure { name: "server_cpu_per_op", is_better_higher: false, noise: 0.10 },
    Figure { name: "peak_rss", is_better_higher: false, noise: 0.15 },
];

/// What [`crate::bench::compare`] printed as JSON before.
pub(super) fn read(path: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let file: Value = serde_json::from_slice(&text).with_context(|| format!("in {}", path.display()))?;
    file["ratios"].as_array().cloned().with_context(|| format!("{} has no ratios", path.display()))
}

/// A line for each ratio that is worse than it was by more than the noise. What was not measured both times is passed over.
pub(super) fn fallen(now: &[Value], before: &[Value]) -> Vec<String> {
    let mut lines = vec![];
    for row in now {
        let same = |old: &&Value| old["workload"] == row["workload"] && old["clients"] == row["clients"];
        let Some(old) = before.iter().find(same) else { continue };
        for figure in &FIGURES {
            let (Some(is), Some(was)) = (row[figure.name].as_f64(), old[figure.name].as_f64()) else { continue };
            let has_fallen =
                if figure.is_better_higher { is < was * (1.0 - figure.noise) } else { is > was * (1.0 + figure.noise) };
            if has_fallen {
                let workload = row["workload"].as_str().unwrap_or_default();
                lines.push(format!(
                    "{workload}, {} clients: {} {}x, was {}x",
                    row["clients"],
                    figure.name,
                    num(is),
                    num(was)
                ));
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_worse_than_the_noise_is_told_whichever_way_is_better() {
        let row = |ops: f64, p99: f64| json!({ "workload": "put", "clients": 64, "ops_per_s": ops, "p99": p99 });
        assert!(fallen(&[row(2.0, 0.5)], &[row(2.1, 0.45)]).is_empty(), "noise");
        assert!(fallen(&[row(3.0, 0.1)], &[row(2.0, 0.5)]).is_empty(), "better");
        assert_eq!(
            fallen(&[row(1.7, 0.7)], &[row(2.0, 0.5)]),
            ["put, 64 clients: ops_per_s 1.70x, was 2.00x", "put, 64 clients: p99 0.7000x, was 0.5000x"]
        );
        let other = json!({ "workload": "put", "clients": 1, "ops_per_s": 0.1 });
        assert!(fallen(&[other], &[row(2.0, 0.5)]).is_empty(), "not measured before");
    }
}
