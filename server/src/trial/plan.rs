//! What was asked for: where the members live, what they are told, and where they are to be found.

use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::NAMES;
use crate::asking::PeerClient;
use crate::config::{self, Sources, TlsSide};
use crate::service_manager;
use crate::tls::{AmongUs, Holders, Outgoing, Speaks};

const DIR: &str = "keyport-cluster";
/// Members do not change from one kind of peer URL to the other by being told so, so they live elsewhere.
const ENCRYPTED_DIR: &str = "keyport-cluster-tls";
const CERTIFICATES: &str = "certificates";
const FIRST_PORTS: [u16; NAMES.len()] = [2379, 22379, 32379];
const HOSTS: [&str; 3] = ["127.0.0.1", "::1", "localhost"];
/// The name in the certificates of members, without which nobody is a peer.
const PEER: &str = "keyport-member";
/// The name in the certificate of clients: who that is, once there are users.
const CLIENT: &str = "root";

/// See the module's text.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) dir: PathBuf,
    /// For every member, as they were typed.
    pub(super) flags: Vec<String>,
    certificates: Option<AmongUs>,
}

impl Plan {
    /// Reads what follows the word `cluster`.
    ///
    /// # Errors
    /// What no member would start with is said once, and not by three. So is what the directory is not for.
    pub(super) fn read(words: &[String]) -> io::Result<Plan> {
        let (tls, words): (Vec<String>, Vec<String>) =
            words.iter().cloned().partition(|word| matches!(word.as_str(), "--tls" | "-tls"));
        let encrypted = !tls.is_empty();
        let (dir, flags) = match words.split_first() {
            Some((dir, flags)) if !dir.starts_with('-') => (PathBuf::from(dir), flags),
            _ => (PathBuf::from(if encrypted { ENCRYPTED_DIR } else { DIR }), words.as_slice()),
        };
        let read_file = |path: &str| std::fs::read_to_string(path);
        let sources = Sources { args: flags, env: &[], read_file: &read_file, default_host: &|| None };
        config::load(&sources).map(drop).map_err(io::Error::other)?;
        let folder = dir.join(CERTIFICATES);
        let (has_members, has_certificates) = (dir.join("m1").exists(), folder.exists());
        if has_members && has_certificates != encrypted {
            let how = if has_certificates { "only with --tls" } else { "without --tls" };
            return Err(io::Error::other(format!("the members in {} were made to run {how}", dir.display())));
        }
        let certificates = encrypted.then(|| AmongUs::in_folder(&folder));
        Ok(Plan { dir, flags: flags.to_vec(), certificates })
    }

    /// Makes the directory, and in it what has to be there before the members are.
    ///
    /// # Errors
    /// When that cannot be done.
    pub(super) fn prepare(&self) -> io::Result<()> {
        std::fs::create_dir_all(&self.dir).map_err(|error| super::because(&self.dir.display(), &error))?;
        let holders = Holders { server: PEER, hosts: &HOSTS, client: CLIENT };
        self.certificates.as_ref().map_or(Ok(()), |files| files.provide(holders).map_err(io::Error::other))
    }

    /// For who asks the members as any client would.
    pub(super) fn client(&self) -> PeerClient {
        match &self.certificates {
            None => PeerClient::without_files(),
            Some(AmongUs { authority, client, .. }) => {
                let (dialling, trusted_ca) = (Some(client.clone()), Some(authority.clone()));
                let side = TlsSide { dialling, trusted_ca, ..TlsSide::default() };
                PeerClient::new(&Outgoing::new(side, Speaks::Http1))
            }
        }
    }

    pub(super) fn client_url(&self, number: usize) -> String {
        self.url(ports(number).0)
    }

    fn url(&self, port: u16) -> String {
        let scheme = if self.certificates.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{port}")
    }

    /// What to type to see what there is.
    pub(super) fn hints(&self) -> Vec<String> {
        let url = self.client_url(0);
        let Some(AmongUs { authority, client, .. }) = &self.certificates else {
            return vec![format!("To look at the API, and to try it: {url}/docs")];
        };
        let shown =
            format!("--cacert {} --cert {} --key {}", authority.display(), client.cert.display(), client.key.display());
        vec![
            "All connections need a certificate. With that of a client:".to_owned(),
            format!("etcdctl --endpoints {url} {shown} put foo bar"),
            format!("curl {shown} {url}/v3/kv/range -d '{{\"key\":\"Zm9v\"}}'"),
        ]
    }

    /// How to start a member.
    ///
    /// # Errors
    /// When it is not known where this program is.
    pub(super) fn command(&self, number: usize) -> io::Result<Command> {
        let name = NAMES.get(number).copied().unwrap_or_default();
        let (client, peer) = ports(number);
        let peers = NAMES.iter().enumerate().map(|(n, name)| format!("{name}={}", self.url(ports(n).1)));
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--name", name, "--log-format", "console", "--initial-cluster-token", "keyport-cluster"]);
        command.arg("--data-dir").arg(self.dir.join(name));
        for (flag, port) in [
            ("listen-client", client),
            ("advertise-client", client),
            ("listen-peer", peer),
            ("initial-advertise-peer", peer),
        ] {
            command.arg(format!("--{flag}-urls={}", self.url(port)));
        }
        command.arg(format!("--initial-cluster={}", peers.collect::<Vec<_>>().join(",")));
        command.args(self.encryption()).args(&self.flags);
        // Settings of one server make no sense for three.
        for (variable, _) in std::env::vars_os() {
            let text = variable.to_string_lossy();
            if text.starts_with("ETCD_") || text.starts_with("KEYPORT_") {
                command.env_remove(&variable);
            }
        }
        // Nor is any of them the service that a manager has started.
        service_manager::VARIABLES.iter().for_each(|variable| _ = command.env_remove(variable));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }

    fn encryption(&self) -> Vec<String> {
        let Some(AmongUs { authority, server, .. }) = &self.certificates else { return Vec::new() };
        // With users, the certificate is root's over HTTP as it is over gRPC; whoever says a password is somebody else.
        let mut flags = vec![format!("--peer-cert-allowed-cn={PEER}"), "--client-cert-auth-http".to_owned()];
        for prefix in ["", "peer-"] {
            flags.push(format!("--{prefix}cert-file={}", server.cert.display()));
            flags.push(format!("--{prefix}key-file={}", server.key.display()));
            flags.push(format!("--{prefix}trusted-ca-file={}", authority.display()));
            flags.push(format!("--{prefix}client-cert-auth"));
        }
        flags
    }
}

/// For clients and for peers.
pub(super) fn ports(number: usize) -> (u16, u16) {
    let first = FIRST_PORTS.get(number).copied().unwrap_or_default();
    (first, first + 1)
}
