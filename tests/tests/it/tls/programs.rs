//! Programs of other people that call a server over TLS, beside `curl`: each is served, or says why not.

use std::path::Path;
use std::process::{Command, Stdio};

use keyport_tests::certificates::Pair;
use keyport_tests::etcdctl::Etcdctl;
use keyport_tests::target::{folder, workspace};

/// What a program comes to: nothing, or what it says.
pub(super) fn outcome(command: &mut Command) -> Result<(), String> {
    let out = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    if out.status.success() { Ok(()) } else { Err(said) }
}

/// etcd's own client in Go, where there is one.
pub(super) struct Go;

impl Go {
    pub(super) fn found() -> Option<Go> {
        let go = folder("new-etcd").join("tls-client").is_file().then_some(Go);
        if go.is_none() {
            eprintln!("skipped: there is no Go, or `make tools` was not run");
        }
        go
    }

    /// Puts, gets and watches at `127.0.0.1:port`; or asks for a URL, as a member asks another one.
    pub(super) fn calls(&self, whom: &str, trusted: &Path, shown: Option<&Pair>) -> Result<(), String> {
        let mut command = Command::new(folder("new-etcd").join("tls-client"));
        command.arg(whom).arg(trusted);
        match shown {
            Some(Pair { cert, key }) => command.arg(cert).arg(key),
            None => command.args(["", ""]),
        };
        outcome(&mut command)
    }
}

/// What comes of a read by `etcdctl`. It goes on trying whatever is wrong, and says what that was when its time is over; so it
/// is given little time first, and more if it was not enough for either.
pub(super) fn etcdctl(port: u16, trusted: &Path, shown: Option<&Pair>) -> Result<(), String> {
    let addr = ([127, 0, 0, 1], port).into();
    let ctl = match shown {
        Some(shown) => Etcdctl::encrypted(addr, trusted, shown),
        None => Etcdctl::trusting(addr, trusted),
    };
    let mut said = String::new();
    for seconds in [2, 8, 30] {
        let out = ctl.output(&[&format!("--command-timeout={seconds}s"), "get", "k"]);
        if out.status.success() {
            return Ok(());
        }
        said = String::from_utf8_lossy(&out.stderr).into_owned();
        if said.contains("last connection error: ") {
            break;
        }
    }
    Err(said)
}

/// What a browser makes of each page, in a line: what is answered, or what it does not like. It trusts an authority as if its
/// user had said so, and judges the rest itself. `None` where that cannot be told to it.
pub(super) fn browser(authority: &Path, pages: &[String]) -> Option<Vec<String>> {
    let profile = Profile::trusting(authority)?;
    Some(profile.verdicts(&mut Command::new("node"), pages))
}

/// The same of one that shows a certificate to who asks for it, if its user has one for him. That it does not ask its user which
/// one is a policy of the machine, which only root can put into a place of the browser's own.
pub(super) fn browser_showing(authority: &Path, shown: Option<&Pair>, pages: &[String]) -> Option<Vec<String>> {
    if !Command::new("unshare").args(["--mount", "true"]).status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: a browser can only be told by root which certificate to show");
        return None;
    }
    let profile = Profile::trusting(authority)?;
    shown.into_iter().for_each(|pair| profile.takes(pair));
    let policy = profile.home.path().join("policy.json");
    let every_page = r#"{"AutoSelectCertificateForUrls":["{\"pattern\":\"https://localhost\",\"filter\":{}}"]}"#;
    std::fs::write(&policy, every_page).expect("a file can be written");
    let apart = "mount -t tmpfs none /etc/chromium && mkdir -p /etc/chromium/policies/managed && \
        cp \"$0\" /etc/chromium/policies/managed && exec node \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", apart]).arg(policy);
    Some(profile.verdicts(&mut command, pages))
}

/// A browser's user: whom he trusts, and what he has to show.
struct Profile {
    home: tempfile::TempDir,
    store: String,
}

impl Profile {
    fn trusting(authority: &Path) -> Option<Profile> {
        let home = tempfile::tempdir().expect("a temporary folder");
        let store = home.path().join(".pki/nssdb");
        std::fs::create_dir_all(&store).expect("a folder can be made");
        let store = format!("sql:{}", store.display());
        let certutil = |args: &[&str]| Command::new("certutil").args(["-d", &store]).args(args).output();
        let Ok(made) = certutil(&["-N", "--empty-password"]) else {
            eprintln!("skipped: there is no certutil, or `make tools` was not run");
            return None;
        };
        let told = certutil(&["-A", "-t", "C,,", "-n", "ours", "-i", &authority.display().to_string()]);
        assert!(made.status.success() && told.is_ok_and(|told| told.status.success()), "certutil can do that");
        Some(Profile { home, store })
    }

    fn takes(&self, Pair { cert, key }: &Pair) {
        let packed = self.home.path().join("shown.p12");
        let mut pack = Command::new("openssl");
        pack.args(["pkcs12", "-export", "-passout", "pass:", "-name", "shown", "-in"]).arg(cert);
        outcome(pack.arg("-inkey").arg(key).arg("-out").arg(&packed)).expect("openssl can pack it");
        let mut import = Command::new("pk12util");
        outcome(import.args(["-d", &self.store, "-W", "", "-i"]).arg(&packed)).expect("pk12util can take it");
    }

    /// By a command that goes on to be `node`.
    fn verdicts(&self, node: &mut Command, pages: &[String]) -> Vec<String> {
        node.arg(workspace().join("tests/clients/node/verdicts.mjs")).args(pages).env("HOME", self.home.path());
        let out = node.stdin(Stdio::null()).output().expect("node can be started");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).lines().map(str::to_owned).collect()
    }
}
