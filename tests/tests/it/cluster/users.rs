//! Users and roles are changed by way of every member while members are killed, come back by log and by snapshot, and users
//! go on writing what they may. What is in the log is judged when it is applied, by users and roles as they are there; so a
//! member that applies it later, or once more after a crash, comes to the same verdicts, or it ends with other keys.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use http::Method;
use http_body_util::BodyExt;
use keyport_tests::Cluster;
use keyport_tests::history::faces::Wire;
use keyport_tests::random::{AuthOp, ROLES, Random, RandomUsers, USERS};
use keyport_tests::wait::eventually;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::catch_up::{forgotten, received, short_log};

/// Before somebody asks again who has not been answered.
const PAUSE: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(10);
/// Those of the users who write.
const WRITING: [&str; 3] = [USERS[0], USERS[1], USERS[2]];

/// A call by a token; what is said to the contrary.
async fn call(wire: &Wire, token: &str, path: &str, body: &Value) -> Result<Value, String> {
    let headers: &[(&str, &str)] = if token.is_empty() { &[] } else { &[("authorization", token)] };
    let asked = async {
        let answer =
            wire.open(Method::POST, path, headers, body.to_string()).await.map_err(|why| format!("{why:?}"))?;
        let body = answer.collect().await.map_err(|why| why.to_string())?.to_bytes();
        serde_json::from_slice(&body).map_err(|why| why.to_string())
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err("no answer".to_owned()))
}

/// Somebody with a password, and a token for each member where he has logged in.
struct Somebody {
    name: &'static str,
    password: &'static str,
    wires: Vec<Wire>,
    tokens: BTreeMap<usize, String>,
}

impl Somebody {
    fn new(name: &'static str, password: &'static str, members: &[SocketAddr]) -> Somebody {
        let wires = members.iter().map(|addr| Wire::new(*addr)).collect();
        Somebody { name, password, wires, tokens: BTreeMap::new() }
    }

    async fn token(&mut self, member: usize) -> Result<String, String> {
        if let Some(token) = self.tokens.get(&member) {
            return Ok(token.clone());
        }
        let login = json!({ "name": self.name, "password": self.password });
        let answer = call(&self.wires[member], "", "/v3/auth/authenticate", &login).await?;
        let token = answer["token"].as_str().unwrap_or_default().to_owned();
        self.tokens.insert(member, token.clone());
        Ok(token)
    }

    async fn ask(&mut self, member: usize, path: &str, body: &Value) -> Result<Value, String> {
        let token = self.token(member).await?;
        let answer = call(&self.wires[member], &token, path, body).await;
        if answer.as_ref().is_err_and(|why| why.contains("invalid auth token")) {
            self.tokens.remove(&member);
        }
        answer
    }
}

/// What has come of it so far.
#[derive(Debug, Default)]
struct Counts {
    changes: AtomicUsize,
    writes: AtomicUsize,
    denied: AtomicUsize,
    over: AtomicBool,
}

/// Those who change users and roles, and those who write.
struct Crowd {
    counts: Arc<Counts>,
    tasks: JoinSet<()>,
}

impl Crowd {
    fn start(members: &[SocketAddr]) -> Crowd {
        let (counts, mut tasks) = (Arc::new(Counts::default()), JoinSet::new());
        for seed in 0..2 {
            let root = Somebody::new("root", "root", members);
            tasks.spawn(change(seed, root, Arc::clone(&counts)));
        }
        for (seed, name) in (10..).zip(WRITING) {
            let user = Somebody::new(name, "p1", members);
            tasks.spawn(write(seed, user, Arc::clone(&counts)));
        }
        Crowd { counts, tasks }
    }

    /// Waits for more of everything.
    async fn progress(&self, changes: usize, writes: usize) {
        let of = |count: &AtomicUsize| count.load(SeqCst);
        let before = [&self.counts.changes, &self.counts.writes, &self.counts.denied].map(of);
        eventually("the crowd gets on", async || {
            let now = [&self.counts.changes, &self.counts.writes, &self.counts.denied].map(of);
            let enough = now[0] >= before[0] + changes && now[1] >= before[1] + writes && now[2] > before[2];
            enough.then_some(())
        })
        .await;
    }

    async fn finish(mut self) {
        self.counts.over.store(true, SeqCst);
        while let Some(done) = self.tasks.join_next().await {
            done.unwrap();
        }
    }
}

/// Whether those who write can go on with it: they stay, and have the same passwords, and are not root.
fn is_bearable(op: &AuthOp) -> bool {
    let writes = |name: &str| name == "root" || WRITING.contains(&name);
    match op {
        AuthOp::UserChangePassword(change) => !writes(&change.name),
        AuthOp::UserDelete(delete) => !writes(&delete.name),
        AuthOp::UserGrantRole(grant) => grant.role != "root",
        _ => true,
    }
}

async fn change(seed: u64, mut root: Somebody, counts: Arc<Counts>) {
    let (mut random, mut users) = (Random::new(seed), RandomUsers::default());
    while !counts.over.load(SeqCst) {
        let op = users.op(&mut random);
        if !is_bearable(&op) {
            continue;
        }
        let (path, body) = op.gateway();
        let member = random.below(root.wires.len());
        match root.ask(member, path, &body).await {
            Ok(_) => drop(counts.changes.fetch_add(1, SeqCst)),
            Err(why) => {
                assert!(!why.contains("permission denied") && !why.contains("revision of auth store"), "{op:?}: {why}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn write(seed: u64, mut user: Somebody, counts: Arc<Counts>) {
    let mut random = Random::new(seed);
    // In JSON an enumeration has names.
    random.odd_numbers = false;
    while !counts.over.load(SeqCst) {
        let member = random.below(user.wires.len());
        let (path, body) = match random.below(4) {
            0 => ("/v3/kv/txn", serde_json::to_value(random.txn(1))),
            1 => ("/v3/kv/deleterange", serde_json::to_value(random.delete())),
            _ => ("/v3/kv/put", serde_json::to_value(random.put())),
        };
        match user.ask(member, path, &body.unwrap()).await {
            Ok(_) => drop(counts.writes.fetch_add(1, SeqCst)),
            Err(why) if why.contains("permission denied") => drop(counts.denied.fetch_add(1, SeqCst)),
            Err(why) => {
                assert!(!why.contains("revision of auth store"), "{why}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// What one member says of everything, as root.
async fn told(root: &mut Somebody, member: usize) -> Result<Vec<Value>, String> {
    let mut questions = vec![AuthOp::Status.gateway(), AuthOp::UserList.gateway(), AuthOp::RoleList.gateway()];
    questions.extend(USERS.map(|user| ("/v3/auth/user/get", json!({ "name": user }))));
    questions.extend(ROLES.map(|role| ("/v3/auth/role/get", json!({ "role": role }))));
    questions.push(("/v3/maintenance/hashkv", json!({})));
    let mut all = Vec::new();
    for (path, body) in questions {
        let mut answer = match root.ask(member, path, &body).await {
            Ok(answer) => answer,
            Err(why) if why.contains("not found") => json!(why),
            Err(why) => return Err(why),
        };
        if let Some(header) = answer.get_mut("header").and_then(Value::as_object_mut) {
            header.retain(|name, _| name == "revision");
        }
        all.push(answer);
    }
    Ok(all)
}

/// Who leads, and what is the end of its log.
async fn leader(cluster: &Cluster, root: &mut Somebody) -> (usize, u64) {
    eventually("a leader", async || {
        for member in cluster.serving() {
            let status = root.ask(member, "/v3/maintenance/status", &json!({})).await.ok()?;
            if status["leader"] == status["header"]["member_id"] {
                return Some((member, status["raftIndex"].as_str()?.parse().ok()?));
            }
        }
        None
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_members_come_to_the_same_verdicts() {
    let mut cluster = short_log(3).args(["--bcrypt-cost=4"]).start().await;
    if cluster.is_etcd() {
        return; // its members refuse what others have overtaken, and clients repeat it
    }
    let members: Vec<SocketAddr> = cluster.members.iter().map(|member| member.addr()).collect();
    let first = cluster.members[0].http();
    first.call("/v3/auth/user/add", json!({ "name": "root", "password": "root" })).await;
    first.call("/v3/auth/user/grant", json!({ "user": "root", "role": "root" })).await;
    for name in WRITING {
        first.call("/v3/auth/user/add", json!({ "name": name, "password": "p1" })).await;
    }
    first.call("/v3/auth/enable", json!({})).await;
    let mut root = Somebody::new("root", "root", &members);
    let crowd = Crowd::start(&members);
    crowd.progress(100, 20).await;

    // Some of what it has applied is applied once more, with what came meanwhile behind it.
    for _ in 0..2 {
        let (leading, _) = leader(&cluster, &mut root).await;
        let following = (leading + 1) % 3;
        cluster.kill(following).await;
        crowd.progress(10, 3).await;
        cluster.restart(following).await;
        cluster.kill(leading).await;
        crowd.progress(10, 3).await;
        cluster.restart(leading).await;
        crowd.progress(10, 3).await;
    }

    // One of them gets all of it at once.
    let (leading, end) = leader(&cluster, &mut root).await;
    let following = (leading + 2) % 3;
    cluster.kill(following).await;
    crowd.progress(300, 30).await;
    forgotten(&cluster, leading, end).await;
    cluster.restart(following).await;
    crowd.progress(20, 3).await;
    assert!(received(&cluster, following).await >= 1.0);
    crowd.finish().await;

    let mut known = Vec::new();
    eventually("all members say the same", async || {
        known.clear();
        for member in 0..3 {
            known.push(told(&mut root, member).await.ok()?);
        }
        (known[0] == known[1] && known[1] == known[2]).then_some(())
    })
    .await;

    // Whoever gave a token out, all know it; and whoever takes it back, all have forgotten it.
    for giving in 0..3 {
        let name = format!("new{giving}");
        let add = json!({ "name": name, "password": "p1" });
        root.ask(giving, "/v3/auth/user/add", &add).await.unwrap();
        let token = call(&root.wires[giving], "", "/v3/auth/authenticate", &add).await.unwrap();
        let token = token["token"].as_str().unwrap();
        let own = json!({ "name": name });
        for wire in &root.wires {
            call(wire, token, "/v3/auth/user/get", &own).await.unwrap();
        }
        root.ask((giving + 1) % 3, "/v3/auth/user/delete", &own).await.unwrap();
        for wire in &root.wires {
            // A member that is behind knows it, and proposes for a user who is not there any more.
            eventually("the token is forgotten", async || {
                let refused = call(wire, token, "/v3/auth/user/get", &own).await.err();
                refused.filter(|why| why.contains("invalid auth token"))
            })
            .await;
        }
    }
    cluster.check_logs();
}
