//! `run` and `compare`: what they measure, as tables or as JSON.

use anyhow::{Result, ensure};

use super::options::{CompareArgs, RunArgs};
use super::{Bench, Side, recorded};
use crate::machine::machine;
use crate::server::{Cluster, find_etcd};
use crate::stats::{Row, median, median_row, num, row_table, table};

pub(crate) fn run(a: RunArgs) -> Result<()> {
    let external = (!a.endpoints.is_empty()).then(|| Cluster::external(a.endpoints.clone(), a.pid.clone()));
    let cmd = if external.is_some() { String::new() } else { a.server.map_or_else(etcd_cmd, Ok)? };
    let (rows, good) = Bench::new(&a.opts)?.all(&mut [Side { label: "server", cmd, cluster: external }])?;
    let medians = medians(&rows);
    if a.opts.json {
        println!(
            "{}",
            serde_json::to_string_pretty(
                &serde_json::json!({ "machine": machine(), "medians": medians, "rounds": rows })
            )?
        );
    } else {
        println!("{}\n{}", machine(), row_table(&medians));
    }
    ensure!(good, "some workloads failed");
    Ok(())
}

pub(crate) fn compare(a: CompareArgs) -> Result<()> {
    let peer = a.peer.map_or_else(etcd_cmd, Ok)?;
    let before = a.against.as_deref().map(recorded::read).transpose()?;
    let side = |label, cmd| Side { label, cmd, cluster: None };
    let (rows, good) = Bench::new(&a.opts)?.all(&mut [side("subject", a.subject), side("peer", peer)])?;
    let medians = medians(&rows);
    let (ratios, cells) = ratios(&rows, &medians);
    let fallen = before.map(|before| recorded::fallen(&ratios, &before));
    if a.opts.json {
        let all = serde_json::json!({ "machine": machine(), "ratios": ratios, "fallen": fallen, "medians": medians, "rounds": rows });
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        let of = |side| row_table(&medians.iter().filter(|r| r.side == side).cloned().collect::<Vec<_>>());
        println!("{}\n{}", machine(), of("subject").replacen("workload", "SUBJECT ", 1));
        println!("{}", of("peer").replacen("workload", "PEER    ", 1));
        let head = [
            "subject S, peer P",
            "clients",
            "S ops/s",
            "P ops/s",
            "S/P",
            "S p99 ms",
            "P p99 ms",
            "S/P",
            "S CPU s/kop",
            "P CPU s/kop",
            "S/P",
            "peak RSS S/P",
            "errors S/P",
        ];
        println!("{}", table(&head, &cells));
        for line in fallen.iter().flatten() {
            println!("FELL {line}");
        }
    }
    ensure!(good, "some workloads failed");
    Ok(())
}

/// The subject's figures divided by the peer's, as JSON and as cells of the table.
fn ratios(rows: &[Row], medians: &[Row]) -> (Vec<serde_json::Value>, Vec<Vec<String>>) {
    let mut ratios = vec![];
    let mut cells = vec![];
    for s in medians.iter().filter(|r| r.side == "subject") {
        let same = |r: &&Row| r.workload == s.workload && r.clients == s.clients;
        let Some(p) = medians.iter().find(|r| same(r) && r.side == "peer") else { continue };
        // Rounds are pairs measured next to each other: the ratio is the median of their ratios.
        let of = |side| rows.iter().filter(same).filter(move |r| r.side == side);
        let ratio = |f: Field| median(of("subject").zip(of("peer")).map(|(s, p)| f(s) / f(p)).collect());
        let x = |r: f64| if r.is_finite() { format!("{r:.2}x") } else { "-".into() };
        let mut row = vec![s.workload.clone(), if s.clients == 0 { "-".into() } else { s.clients.to_string() }];
        let mut json = serde_json::json!({ "workload": s.workload, "clients": s.clients });
        let first: (&str, Field) = match s.value {
            Some(_) => ("value", |r| r.value.unwrap_or(f64::NAN)),
            None => ("ops_per_s", |r| r.ops_per_s),
        };
        let fields = [first, ("p99", |r| r.p99_ms), ("server_cpu_per_op", |r| r.server_cpu_s_per_kop)];
        for (name, f) in fields {
            // A value that was not measured by operations stands alone.
            if s.value.is_some() && s.ops == 0 && name != "value" {
                row.extend(["-", "-", "-"].map(String::from));
                continue;
            }
            let unit = if name == "value" { format!(" {}", s.unit) } else { String::new() };
            let r = ratio(f);
            json[name] = r.into();
            row.extend([num(f(s)) + &unit, num(f(p)) + &unit, x(r)]);
        }
        let rss = ratio(|r| r.server_peak_rss_mib);
        json["peak_rss"] = rss.into();
        row.extend([x(rss), format!("{}/{}", s.errors, p.errors)]);
        ratios.push(json);
        cells.push(row);
    }
    (ratios, cells)
}

fn etcd_cmd() -> Result<String> {
    Ok(shell_words::quote(&find_etcd()?.display().to_string()).into_owned())
}

fn medians(rows: &[Row]) -> Vec<Row> {
    let mut groups: Vec<Vec<&Row>> = vec![];
    for r in rows {
        let same = |g: &&mut Vec<&Row>| g[0].side == r.side && g[0].workload == r.workload && g[0].clients == r.clients;
        match groups.iter_mut().find(same) {
            Some(g) => g.push(r),
            None => groups.push(vec![r]),
        }
    }
    groups.iter().map(|g| median_row(g)).collect()
}

type Field = fn(&Row) -> f64;
