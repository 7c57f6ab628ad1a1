//! One member's process: its command line out of the side's template, its start and its end, its folder and its log.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal};

use crate::entry::{ServerFiles, TlsMode};

const HOLDERS: [&str; 11] = [
    "{name}",
    "{data}",
    "{client}",
    "{peer}",
    "{client_port}",
    "{peer_port}",
    "{cluster}",
    "{state}",
    "{cert}",
    "{key}",
    "{ca}",
];
const ETCD_FLAGS: &str = "--name {name} --data-dir {data} --listen-client-urls {client} --advertise-client-urls {client} --listen-peer-urls {peer} \
                          --initial-advertise-peer-urls {peer} --initial-cluster {cluster} --initial-cluster-state {state}";
const TLS_FLAGS: &str = "--cert-file {cert} --key-file {key}";
const MUTUAL_FLAGS: &str = "--client-cert-auth --trusted-ca-file {ca}";
const PEER_FLAGS: &str =
    "--peer-cert-file {cert} --peer-key-file {key} --peer-client-cert-auth --peer-trusted-ca-file {ca}";

/// The command of a side's servers, with placeholders for what differs between its members.
#[derive(Default)]
pub(super) struct Template {
    words: Vec<String>,
    tls: Option<ServerFiles>,
}

impl Template {
    /// `cmd` may hold any of the placeholders; if it holds none, etcd's usual flags are appended. Leading VAR=value words
    /// become environment variables.
    pub(super) fn new(cmd: &str, tls: Option<ServerFiles>) -> Result<Template> {
        let words = shell_words::split(cmd)?;
        ensure!(!words.is_empty(), "empty server command");
        let plain = !HOLDERS.iter().any(|h| cmd.contains(h));
        ensure!(
            plain || tls.is_none() || cmd.contains("{cert}"),
            "TLS needs {{cert}} and {{key}} (and {{ca}}, if clients or members show certificates) in a server command with placeholders"
        );
        let scope = tls.as_ref().map(|tls| tls.scope);
        let clients = scope.and_then(|scope| scope.clients);
        let flags = [
            (true, ETCD_FLAGS),
            (clients.is_some(), TLS_FLAGS),
            (clients == Some(TlsMode::Mutual), MUTUAL_FLAGS),
            (scope.is_some_and(|scope| scope.members), PEER_FLAGS),
        ];
        let flags = flags.into_iter().filter(|(is_meant, _)| plain && *is_meant);
        let flags = flags.flat_map(|(_, flags)| flags.split_whitespace()).map(String::from);
        Ok(Template { words: words.into_iter().chain(flags).collect(), tls })
    }

    /// For the member with that number.
    pub(super) fn place(&self, number: usize) -> Result<Place> {
        let encrypts = self.tls.as_ref().is_some_and(|tls| tls.scope.members);
        Ok(Place { name: format!("n{number}"), client: free_port()?, peer: free_port()?, encrypts })
    }

    /// Whether a member can be told to join a cluster that is there already.
    pub(super) fn can_join(&self) -> bool {
        self.words.iter().any(|w| w.contains("{state}"))
    }
}

/// What a member is called, and its ports on the loopback address.
pub(super) struct Place {
    name: String,
    client: u16,
    peer: u16,
    /// To other members.
    encrypts: bool,
}

impl Place {
    pub(super) fn peer_url(&self) -> String {
        url(self.encrypts, self.peer)
    }

    /// Its part of `--initial-cluster`.
    pub(super) fn in_cluster(&self) -> String {
        format!("{}={}", self.name, self.peer_url())
    }
}

pub(super) struct Member {
    pub(super) place: Place,
    argv: Vec<String>,
    data: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

impl Member {
    /// Not started yet. `state` is etcd's `new` or `existing`.
    pub(super) fn new(template: &Template, place: Place, dir: &Path, cluster: &str, state: &str) -> Member {
        let data = dir.join(&place.name);
        let encrypts = template.tls.as_ref().is_some_and(|tls| tls.scope.clients.is_some());
        let file = |of: fn(&ServerFiles) -> &PathBuf| {
            template.tls.as_ref().map_or_else(String::new, |tls| of(tls).display().to_string())
        };
        let values = [
            place.name.clone(),
            data.display().to_string(),
            url(encrypts, place.client),
            place.peer_url(),
            place.client.to_string(),
            place.peer.to_string(),
            cluster.to_string(),
            state.to_string(),
            file(|tls| &tls.cert),
            file(|tls| &tls.key),
            file(|tls| &tls.ca),
        ];
        let sub = |w: &String| HOLDERS.iter().zip(&values).fold(w.clone(), |w, (h, v)| w.replace(h, v));
        let argv = template.words.iter().map(sub).collect();
        let log = dir.join(format!("{}.log", place.name));
        Member { place, argv, data, log, child: None }
    }

    pub(super) fn start(&mut self) -> Result<()> {
        let log = std::fs::File::options().create(true).append(true).open(&self.log)?;
        let envs = self.argv.iter().take_while(|w| {
            w.split_once('=').is_some_and(|(k, _)| !k.is_empty() && k.chars().all(|c| c.is_alphanumeric() || c == '_'))
        });
        let envs: Vec<(&str, &str)> = envs.filter_map(|w| w.split_once('=')).collect();
        let prog = self.argv.get(envs.len()).context("no program in the server command")?;
        let mut c = Command::new(prog);
        c.args(&self.argv[envs.len() + 1..]).envs(envs.iter().copied());
        c.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        die_with_us(&mut c);
        self.child = Some(c.spawn().with_context(|| format!("starting {prog}"))?);
        Ok(())
    }

    /// An error with the end of its log if the process has ended.
    pub(super) fn ensure_running(&mut self) -> Result<()> {
        match self.child.as_mut().and_then(|c| c.try_wait().ok().flatten()) {
            Some(st) => bail!("server exited ({st}); its log ends:\n{}", self.log_tail()),
            None => Ok(()),
        }
    }

    pub(super) fn signal(&self, signal: Signal) {
        if let Some(c) = &self.child {
            let _ = rustix::process::kill_process(Pid::from_child(c), signal);
        }
    }

    /// Waits for the end of the process, and kills it after 15 s.
    pub(super) fn wait_end(&mut self) {
        let Some(mut c) = self.child.take() else { return };
        let until = Instant::now() + Duration::from_secs(15);
        while matches!(c.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = c.kill();
        let _ = c.wait();
    }

    pub(super) fn client(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.place.client).into()
    }
    pub(super) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }
    pub(super) fn log_tail(&self) -> String {
        let s = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&s[s.len().saturating_sub(1500)..]).into_owned()
    }
    pub(super) fn delete_data(&self) -> Result<()> {
        std::fs::remove_dir_all(&self.data).with_context(|| format!("deleting {}", self.data.display()))
    }
    /// (allocated, apparent) bytes of the data folder.
    pub(super) fn disk(&self) -> (u64, u64) {
        du(&self.data)
    }
}

fn url(encrypts: bool, port: u16) -> String {
    format!("{}://127.0.0.1:{port}", if encrypts { "https" } else { "http" })
}

/// A free loopback port below the ephemeral range, so that no outgoing connection takes it.
fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = std::process::id() as u16 % 5000;
    for _ in 0..5000 {
        let port = 20000 + (base + NEXT.fetch_add(1, Ordering::Relaxed)) % 10000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port")
}

/// A server never outlives this process, even if it is killed.
#[expect(unsafe_code, reason = "there is no safe way to act between fork and exec")]
fn die_with_us(c: &mut Command) {
    // SAFETY: the hook makes one system call; it neither allocates nor takes a lock.
    unsafe {
        c.pre_exec(|| Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?));
    }
}

fn du(p: &Path) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    let Ok(m) = p.symlink_metadata() else { return (0, 0) };
    if !m.is_dir() {
        return (m.blocks() * 512, m.len());
    }
    let kids = std::fs::read_dir(p).into_iter().flatten().flatten();
    kids.map(|e| du(&e.path())).fold((m.blocks() * 512, 0), |a, b| (a.0 + b.0, a.1 + b.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Scope;

    fn files(clients: Option<TlsMode>, members: bool) -> ServerFiles {
        ServerFiles { cert: "/c".into(), key: "/k".into(), ca: "/a".into(), scope: Scope { clients, members } }
    }

    fn command(cmd: &str, state: &str, mode: Option<TlsMode>) -> String {
        command_with(cmd, state, mode.map(|mode| files(Some(mode), false)))
    }

    fn command_with(cmd: &str, state: &str, tls: Option<ServerFiles>) -> String {
        let template = Template::new(cmd, tls).expect("a command");
        let place = Place { name: "n3".into(), client: 1, peer: 2, ..template.place(0).expect("ports") };
        let cluster = format!("n0=http://127.0.0.1:9,{}", place.in_cluster());
        Member::new(&template, place, Path::new("/w"), &cluster, state).argv.join(" ")
    }

    #[test]
    fn a_plain_command_gets_the_flags_of_etcd() {
        assert_eq!(
            command("A=b etcd --x", "existing", None),
            "A=b etcd --x --name n3 --data-dir /w/n3 --listen-client-urls http://127.0.0.1:1 \
             --advertise-client-urls http://127.0.0.1:1 --listen-peer-urls http://127.0.0.1:2 \
             --initial-advertise-peer-urls http://127.0.0.1:2 \
             --initial-cluster n0=http://127.0.0.1:9,n3=http://127.0.0.1:2 --initial-cluster-state existing"
        );
    }

    #[test]
    fn a_plain_command_gets_the_flags_for_tls() {
        let server = command("etcd", "new", Some(TlsMode::Server));
        assert!(
            server.contains("--listen-client-urls https://127.0.0.1:1 --advertise-client-urls https://127.0.0.1:1 ")
        );
        assert!(server.contains("--listen-peer-urls http://127.0.0.1:2 "), "between members there is none: {server}");
        assert!(server.ends_with(" --cert-file /c --key-file /k"), "{server}");
        let mutual = command("etcd", "new", Some(TlsMode::Mutual));
        assert!(mutual.ends_with(" --cert-file /c --key-file /k --client-cert-auth --trusted-ca-file /a"), "{mutual}");
    }

    #[test]
    fn a_command_with_placeholders_says_where_the_certificate_goes() {
        let cmd = "srv {client} -c {cert} -k {key} -a {ca}";
        assert_eq!(command(cmd, "new", Some(TlsMode::Mutual)), "srv https://127.0.0.1:1 -c /c -k /k -a /a");
        for tls in [files(Some(TlsMode::Server), false), files(None, true)] {
            assert!(Template::new("srv {client}", Some(tls)).is_err());
        }
    }

    #[test]
    fn members_show_each_other_certificates_whatever_clients_do() {
        let plain = command_with("etcd", "new", Some(files(None, true)));
        assert!(plain.contains("--listen-client-urls http://127.0.0.1:1 "), "{plain}");
        assert!(plain.contains("--listen-peer-urls https://127.0.0.1:2 "), "{plain}");
        assert!(plain.contains(",n3=https://127.0.0.1:2 "), "{plain}");
        let peers = " --peer-cert-file /c --peer-key-file /k --peer-client-cert-auth --peer-trusted-ca-file /a";
        assert!(plain.ends_with(peers) && !plain.contains(" --cert-file "), "{plain}");
        let both = command_with("etcd", "new", Some(files(Some(TlsMode::Server), true)));
        assert!(both.ends_with(&format!(" --cert-file /c --key-file /k{peers}")), "{both}");
    }

    #[test]
    fn placeholders_are_all_that_is_replaced() {
        assert_eq!(command("srv {state}:{client_port}:{peer_port} {name}", "new", None), "srv new:1:2 n3");
        assert!(!Template::new("srv {cluster}", None).expect("a command").can_join());
        assert!(Template::new("srv", None).expect("a command").can_join());
    }
}
