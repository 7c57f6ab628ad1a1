//! What a person with `etcdctl` sees of a cluster, beside what the same commands show of an etcd.

use std::collections::HashMap;

use keyport_tests::cluster::changes::is_unsettled;
use keyport_tests::wait::{eventually, eventually_blocking};
use keyport_tests::{Cluster, Flavor};

/// What differs from one cluster to the next gets a name: ids and addresses by first appearance, other numbers none.
#[derive(Default)]
struct Names(HashMap<String, String>);

impl Names {
    fn of(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            let word = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric()).len();
            if word == 0 {
                let next = rest.chars().next().map_or(1, char::len_utf8);
                out.push_str(&rest[..next]);
                rest = &rest[next..];
                continue;
            }
            // A port is known with its colon: a size may be the same number.
            let port = out.ends_with(':').then(|| self.0.get(&format!(":{}", &rest[..word]))).flatten().cloned();
            out.push_str(&port.unwrap_or_else(|| self.word(&rest[..word])));
            rest = &rest[word..];
        }
        // Columns are as wide as what is in them.
        let lines = out.lines().map(|line| {
            line.split_whitespace().map(|w| if w.starts_with("+-") { "+--" } else { w }).collect::<Vec<_>>().join(" ")
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn name(&mut self, word: &str, kind: &str) -> String {
        let n = self.0.len();
        self.0.entry(word.to_string()).or_insert_with(|| format!("{kind}{n}")).clone()
    }

    fn word(&mut self, word: &str) -> String {
        let digits = word.bytes().all(|b| b.is_ascii_digit());
        let hex = word.bytes().all(|b| b.is_ascii_hexdigit());
        let is_id = (13..=16).contains(&word.len()) && hex || digits && word.len() > 15;
        if let Some(name) = self.0.get(word) {
            return name.clone();
        }
        if is_id {
            return self.name(word, "id");
        }
        if word.starts_with(|c: char| c.is_ascii_digit()) { "N".into() } else { word.to_string() }
    }
}

/// The commands, and what they printed.
async fn session(flavor: Flavor) -> Vec<(String, String)> {
    let mut cluster = Cluster::of(3).flavor(flavor).start().await;
    let leader = cluster.leader().await;
    let (one, other) = ((leader + 1) % 3, (leader + 2) % 3);
    let mut seen = Vec::new();
    let mut names = Names::default();
    // The leader first, so that roles and names appear in the same order.
    for member in [leader, one, other] {
        names.word(&format!("{:x}", cluster.members[member].id));
        names.word(&cluster.members[member].id.to_string());
        names.name(&format!(":{}", cluster.members[member].addr().port()), "port");
        let url = cluster.members[member].peer_url();
        names.name(&url[url.rfind(':').unwrap()..], "port");
        names
            .0
            .insert(cluster.members[member].name.clone(), ["leader", "one", "other"][(member + 3 - leader) % 3].into());
    }
    let members = [leader, one, other];
    let mut run = |cluster: &Cluster, of: &[usize], args: &[&str]| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, stderr) = eventually_blocking("its connections are old enough", || {
            let out = cluster.etcdctl(of).output(args);
            let stderr = text(&out.stderr);
            (!is_unsettled(&stderr)).then_some((out, stderr))
        });
        let stderr = stderr.lines().filter(|l| !l.starts_with('{')).collect::<Vec<_>>().join("\n");
        let mut lines: Vec<String> = Vec::new();
        for line in names.of(&text(&out.stdout)).lines().chain(names.of(&stderr).lines()) {
            // Names of members are words of their own, replaced behind the rest.
            let named = line.split_inclusive([',', ' ', '"', '=']).map(|part| {
                let word = part.trim_end_matches([',', ' ', '"', '=']);
                names
                    .0
                    .get(word)
                    .filter(|_| word.starts_with('m'))
                    .map_or(part.to_string(), |name| part.replace(word, name))
            });
            lines.push(named.collect());
        }
        // The order of members follows from ids.
        if lines.iter().all(|l| !l.starts_with('{')) {
            lines.sort();
        }
        let args: Vec<String> = args.iter().map(|a| names.of(a)).collect();
        seen.push((format!("{} ({})", args.join(" "), out.status.success()), lines.join("\n")));
        text(&out.stdout)
    };
    run(&cluster, &[one], &["put", "k", "v"]);
    run(&cluster, &[other], &["get", "k"]);
    for format in ["simple", "table", "fields"] {
        run(&cluster, &[one], &["member", "list", "-w", format]);
    }
    run(&cluster, &members, &["endpoint", "health"]);
    run(&cluster, &[one], &["endpoint", "health", "--cluster"]);
    for format in ["simple", "table", "fields"] {
        run(&cluster, &[one], &["endpoint", "status", "--cluster", "-w", format]);
    }
    run(&cluster, &[one], &["endpoint", "hashkv", "--cluster"]);
    let id = |cluster: &Cluster, member: usize| format!("{:x}", cluster.members[member].id);
    run(&cluster, &[one], &["move-leader", &id(&cluster, other)]);
    run(&cluster, &[leader], &["move-leader", &id(&cluster, other)]);
    eventually("the leader has moved", async || (cluster.leader().await == other).then_some(())).await;
    run(&cluster, &[leader], &["member", "promote", &id(&cluster, one)]);
    run(&cluster, &[leader], &["member", "promote", "1267"]);
    run(&cluster, &[leader], &["member", "remove", "1267"]);
    run(
        &cluster,
        &[leader],
        &["member", "update", &id(&cluster, one), "--peer-urls", &cluster.members[one].peer_url()],
    );
    let taken = cluster.members[one].peer_url();
    run(&cluster, &[leader], &["member", "add", "m9", "--peer-urls", &taken]);
    // One that will never start, as a learner, and away again.
    let added = eventually("a learner is added", async || {
        let out = cluster.etcdctl(&[one]).output(&[
            "member",
            "add",
            "m9",
            "--learner",
            "--peer-urls",
            "http://127.0.0.1:29999",
        ]);
        out.status.success().then(|| String::from_utf8_lossy(&out.stdout).into_owned())
    })
    .await;
    let new = added.split_whitespace().nth(1).unwrap().to_string();
    run(&cluster, &[one], &["member", "list"]);
    run(&cluster, &[one], &["member", "promote", &new]);
    run(&cluster, &[one], &["member", "remove", &new]);
    run(&cluster, &[one], &["member", "remove", &id(&cluster, leader)]);
    cluster.members[leader].end().await;
    run(&cluster, &[one], &["member", "list"]);
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_with_etcd() {
    let (ours, theirs) = (session(Flavor::under_test()).await, session(Flavor::Etcd).await);
    for ((command, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs, "etcdctl {command}");
    }
    assert_eq!(ours.len(), theirs.len());
}
