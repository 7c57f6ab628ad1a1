//! `keyport cluster --tls`: everything by certificates, which it makes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use keyport_tests::certificates::{Authority, Holder, Pair};
use keyport_tests::target::{Flavor, etcd_tool};
use keyport_tests::trial::Trial;
use keyport_tests::wait::eventually;
use rustix::process::Signal;

use super::alone;

const FOLDER: &str = "keyport-cluster-tls/certificates";

/// What a shell makes of a line, with etcd's tools on its path; what it prints if it succeeds.
fn typed(dir: &Path, line: &str) -> Result<String, String> {
    let tools = etcd_tool("etcdctl").parent().unwrap().to_owned();
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default());
    // Of this thread, which is on that machine.
    let done = Command::new("sh").args(["-c", line]).current_dir(dir).env("PATH", path).env("NO_PROXY", "*").output();
    let done = done.expect("there is a shell");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if done.status.success() { Ok(text(&done.stdout)) } else { Err(text(&done.stderr)) }
}

#[test]
fn with_mutual_tls_what_it_says_to_type_works() {
    alone(async |hosts, dir| {
        let mut trial = Trial::start(hosts, dir, ["--tls"]);
        trial.says("-- | three members are up, m").await;
        let said = trial.log();
        assert!(said.lines().all(|line| line.starts_with("-- | ")), "it is quiet: {said}");
        let example = |tool: &str| {
            let mut lines = said.lines().filter_map(|line| line.strip_prefix("-- | "));
            lines.find(|line| line.starts_with(tool)).expect("there is an example").to_owned()
        };
        let (put, get) = (example("etcdctl "), example("curl "));
        assert_eq!(typed(dir, &put).unwrap(), "OK\n");
        let found = typed(dir, &get).unwrap();
        assert!(found.contains(r#""value":"YmFy""#), "{found}");
        let ctl = put.strip_suffix(" put foo bar").unwrap();
        for port in ["22379", "32379"] {
            assert_eq!(typed(dir, &format!("{} get foo", ctl.replace("2379", port))).unwrap(), "foo\nbar\n");
        }

        // Nobody comes in without a certificate, and a client's is no peer's.
        let url = |port| format!("https://127.0.0.1:{port}/version");
        let anonymous = format!("curl --silent --show-error --cacert {FOLDER}/ca.pem {}", url(2379));
        typed(dir, &anonymous).unwrap_err();
        let shown =
            |who| format!("{anonymous} --cert {FOLDER}/{who}.pem --key {FOLDER}/{who}.key").replace("2379", "2380");
        assert!(typed(dir, &shown("member")).unwrap().contains("etcdserver"));
        typed(dir, &shown("client")).unwrap_err();
        assert!(
            !typed(dir, "curl --silent --show-error http://127.0.0.1:2379/version").unwrap().contains("etcdserver")
        );

        trial.signal(Signal::INT);
        assert!(trial.end().await.success());

        // The same certificates, and the same data, the next time.
        let ca = std::fs::read(dir.join(FOLDER).join("ca.pem")).unwrap();
        let mut trial = Trial::start(hosts, dir, ["--tls", "keyport-cluster-tls"]);
        eventually("its members serve again", async || typed(dir, &format!("{ctl} get foo")).ok()).await;
        assert_eq!(std::fs::read(dir.join(FOLDER).join("ca.pem")).unwrap(), ca);
        trial.signal(Signal::INT);
        assert!(trial.end().await.success());
        let mut trial = Trial::start(hosts, dir, ["keyport-cluster-tls"]);
        assert!(!trial.end().await.success());
        trial.says("the members in keyport-cluster-tls were made to run only with --tls").await;
    });
}

/// Puts a file into the folder of certificates, whole.
fn replace(dir: &Path, name: &str, content: &[u8]) {
    let new = dir.join(FOLDER).join(format!("{name}.new"));
    std::fs::write(&new, content).unwrap();
    std::fs::rename(&new, dir.join(FOLDER).join(name)).unwrap();
}

/// As the documentation has it: the key first. In between, the last good pair stays in use.
fn replace_pair(dir: &Path, name: &str, Pair { cert, key }: &Pair) {
    replace(dir, &format!("{name}.key"), &std::fs::read(key).unwrap());
    replace(dir, &format!("{name}.pem"), &std::fs::read(cert).unwrap());
}

/// Kills a member and starts it again, which the launcher has to see: it asks anew, by the files of that moment.
async fn is_missed_and_found(trial: &mut Trial, number: usize) {
    let said = |trial: &Trial, what: &str| trial.log().matches(what).count();
    let (two, three) = ("-- | two members are up, m", "-- | three members are up, m");
    let before = [two, three].map(|what| said(trial, what));
    trial.types(&number.to_string());
    eventually("it is missed", async || (said(trial, two) > before[0]).then_some(())).await;
    trial.types(&number.to_string());
    eventually("it is found", async || (said(trial, three) > before[1]).then_some(())).await;
}

#[test]
fn certificates_are_replaced_and_it_goes_on_saying_how_the_members_stand() {
    alone(async |hosts, dir| {
        let mut trial = Trial::start(hosts, dir, ["--tls"]);
        trial.says("-- | three members are up, m").await;
        typed(dir, &format!("{} put foo bar", ctl("client", 2379))).unwrap();
        let old_ca = std::fs::read(dir.join(FOLDER).join("ca.pem")).unwrap();
        std::fs::create_dir(dir.join("old")).unwrap();
        for name in ["client.pem", "client.key"] {
            std::fs::copy(dir.join(FOLDER).join(name), dir.join("old").join(name)).unwrap();
        }
        let new = Authority::new();
        let new_ca = std::fs::read(new.file()).unwrap();

        replace(dir, "ca.pem", &[old_ca, new_ca.clone()].concat());
        is_missed_and_found(&mut trial, 1).await;
        let member = Holder::new("keyport-member", &["127.0.0.1", "::1", "localhost"]);
        replace_pair(dir, "member", &new.issue("member", &member));
        is_missed_and_found(&mut trial, 2).await;
        replace_pair(dir, "client", &new.issue("client", &Holder::new("root", &[])));
        is_missed_and_found(&mut trial, 3).await;
        replace(dir, "ca.pem", &new_ca);
        for number in 1..=3 {
            is_missed_and_found(&mut trial, number).await;
        }

        let said = trial.log();
        assert!(said.lines().all(|line| line.starts_with("-- | ")), "it is quiet: {said}");
        for port in [2379, 22379, 32379] {
            assert_eq!(typed(dir, &format!("{} get foo", ctl("client", port))).unwrap(), "foo\nbar\n");
            let old = ctl("client", port).replace(&format!("--cert {FOLDER}"), "--cert old");
            let old = old.replace(&format!("--key {FOLDER}"), "--key old");
            typed(dir, &format!("{old} --command-timeout=2s get foo")).unwrap_err();
        }
        trial.signal(Signal::INT);
        assert!(trial.end().await.success());
    });
}

/// As `etcdctl` of whom a certificate names, with the endpoint of one member.
fn ctl(who: &str, port: u16) -> String {
    let shown = format!("--cacert {FOLDER}/ca.pem --cert {FOLDER}/{who}.pem --key {FOLDER}/{who}.key");
    format!("etcdctl --endpoints https://127.0.0.1:{port} {shown}")
}

/// A fourth member, on the machine of this thread, and what it logs.
struct Newcomer(Child, PathBuf);

impl Newcomer {
    fn start(dir: &Path) -> Newcomer {
        let urls = |flag: &str, port: u16| format!("--{flag}-urls=https://127.0.0.1:{port}");
        let cluster =
            ["m1=2380", "m2=22380", "m3=32380", "m4=42380"].map(|member| member.replace('=', "=https://127.0.0.1:"));
        let mut command = Command::new(Flavor::Keyport.binary());
        command.args(["--name=m4", "--data-dir=m4", "--initial-cluster-state=existing"]);
        command.arg(format!("--initial-cluster={}", cluster.join(",")));
        command.args([urls("listen-client", 42379), urls("advertise-client", 42379)]);
        command.args([urls("listen-peer", 42380), urls("initial-advertise-peer", 42380)]);
        for prefix in ["", "peer-"] {
            command.arg(format!("--{prefix}cert-file={FOLDER}/member.pem"));
            command.arg(format!("--{prefix}key-file={FOLDER}/member.key"));
            command.arg(format!("--{prefix}trusted-ca-file={FOLDER}/ca.pem"));
            command.arg(format!("--{prefix}client-cert-auth"));
        }
        let log = dir.join("m4.log");
        let lines = File::create(&log).expect("a file can be made");
        command.current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(lines);
        Newcomer(command.spawn().expect("the server's program can be started"), log)
    }
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        if std::thread::panicking() {
            eprintln!("{}", std::fs::read_to_string(&self.1).unwrap_or_default());
        }
    }
}

/// A follower judges who its caller is and passes the promotion on as its own: the certificate reaches nobody else.
#[test]
fn a_follower_promotes_for_whom_a_certificate_names() {
    alone(async |hosts, dir| {
        let trial = Trial::start(hosts, dir, ["--tls"]);
        trial.says("-- | three members are up, m").await;
        let root = ctl("client", 2379);
        for line in ["user add root --no-password", "user add keyport-member --no-password", "auth enable"] {
            typed(dir, &format!("{root} {line}")).unwrap();
        }
        let added = eventually("the cluster may grow", async || {
            typed(dir, &format!("{root} member add m4 --learner --peer-urls https://127.0.0.1:42380")).ok()
        })
        .await;
        let id = added.split_whitespace().nth(1).unwrap().to_owned();
        let _newcomer = Newcomer::start(dir);
        let leader = eventually("a leader", async || {
            let status = typed(dir, &format!("{root} endpoint status --cluster")).ok()?;
            // Endpoint, id, version, size, whether it leads.
            let leads = |line: &&str| line.split(", ").nth(4) == Some("true");
            let line = status.lines().find(leads)?.to_owned();
            line.split(", ").next()?.rsplit(':').next()?.parse::<u16>().ok()
        })
        .await;
        let follower = [2379, 22379, 32379].into_iter().find(|port| *port != leader).unwrap();
        let promote = |who: &str| typed(dir, &format!("{} member promote {id}", ctl(who, follower)));
        assert!(promote("member").unwrap_err().contains("permission denied"));
        let permitted = || promote("client").inspect_err(|refusal| eprintln!("{refusal}"));
        eventually("the learner has caught up", async || permitted().ok()).await;
        let members = typed(dir, &format!("{root} member list")).unwrap();
        assert!(members.lines().filter(|line| line.contains("m4")).all(|line| line.ends_with("false")), "{members}");
    });
}
