//! What the packages bring beside the binary, as far as it can be looked at without building them. (`make dist` and `make image` look at
//! the rest.)

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use keyport_tests::target::workspace;
use keyport_tests::{Flavor, Server};

fn packaging(name: &str) -> String {
    fs::read_to_string(workspace().join("server/packaging").join(name)).unwrap()
}

fn values<'t>(unit: &'t str, key: &str) -> Vec<&'t str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

/// The units in a folder, with the binary that there is here.
fn units(folder: &Path) -> [PathBuf; 2] {
    ["keyport.service", "keyport.socket"].map(|name| {
        let unit =
            packaging(name).replace("=/usr/bin/keyport\n", &format!("={}\n", Flavor::Keyport.binary().display()));
        let path = folder.join(name);
        fs::write(&path, unit).unwrap();
        path
    })
}

fn verify(units: &[PathBuf]) -> String {
    let out = Command::new("systemd-analyze").args(["verify", "--man=no"]).args(units).output().unwrap();
    assert!(out.status.success() || !out.stderr.is_empty(), "{out:?}");
    String::from_utf8_lossy(&out.stderr).into_owned()
}

#[test]
fn systemd_takes_the_units() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return println!("skipped: there is no systemd-analyze here");
    }
    let folder = tempfile::tempdir().unwrap();
    let units = units(folder.path());
    assert_eq!(verify(&units), "");
    // It would say so.
    let wrong = format!("{}\nProtectEverything=yes\n", fs::read_to_string(&units[0]).unwrap());
    fs::write(&units[0], wrong.replace("WatchdogSec=60", "WatchdogSec=often")).unwrap();
    let said = verify(&units);
    assert!(said.contains("ProtectEverything") && said.contains("often"), "{said}");
}

#[test]
fn what_the_service_can_reach_is_little() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return println!("skipped: there is no systemd-analyze here");
    }
    let folder = tempfile::tempdir().unwrap();
    let [service, _] = units(folder.path());
    // In tenths; 2 is "OK", and a unit that says nothing has 9.6.
    let exposed = |service: &Path| {
        let mut security = Command::new("systemd-analyze");
        security.args(["security", "--offline=true", "--threshold=20"]).arg(service);
        let out = security.output().unwrap();
        (out.status.success(), String::from_utf8_lossy(&out.stdout).into_owned())
    };
    let (is_little, said) = exposed(&service);
    assert!(is_little, "{said}");
    let open = fs::read_to_string(&service).unwrap().replace("SystemCallFilter=", "#").replace("Protect", "#");
    fs::write(&service, open).unwrap();
    assert!(!exposed(&service).0);
}

#[test]
fn the_user_of_the_unit_is_the_one_that_is_made() {
    let (unit, users) = (packaging("keyport.service"), packaging("keyport.sysusers"));
    let [user] = values(&unit, "User")[..] else { panic!("no user") };
    assert_eq!(users.split_whitespace().take(2).collect::<Vec<_>>(), ["u", user]);
    assert_eq!(values(&unit, "Group"), [user]);
    assert!(packaging("debian/postinst").contains(user));
    let state = values(&unit, "StateDirectory");
    let [data] = values(&unit, "Environment")[..] else { panic!("no data directory") };
    assert_eq!(data, format!("KEYPORT_DATA_DIR=/var/lib/{}", state[0]));
    assert!(users.contains(&format!("/var/lib/{}", state[0])));
}

/// A socket unit whose addresses are not those of the URLs would keep the member from starting.
#[test]
fn the_sockets_are_those_of_a_member_with_the_default_urls() {
    if Flavor::under_test() != Flavor::Keyport {
        return println!("skipped: etcd takes no sockets");
    }
    let unit = packaging("keyport.socket");
    let help = Command::new(Flavor::Keyport.binary()).arg("--help").output().unwrap();
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let addresses = values(&unit, "ListenStream");
    let flags = ["--listen-client-urls", "--listen-peer-urls"];
    assert_eq!(addresses.len(), flags.len());
    for (flag, address) in flags.into_iter().zip(addresses) {
        let line = help.lines().find(|line| line.trim_start().starts_with(flag)).unwrap();
        let url = format!("http://{}", address.replace("127.0.0.1", "localhost"));
        assert!(line.contains(&url), "{url}: {line}");
        assert!(unit.contains(&format!("# {flag}\nListenStream={address}\n")));
    }
}

/// The settings that the file of Debian's shows are ones that a member takes.
#[test]
fn the_settings_that_are_shown_are_settings() {
    let shown: Vec<(String, String)> = packaging("keyport.default")
        .lines()
        .filter_map(|line| line.strip_prefix("#KEYPORT_")?.split_once('='))
        .map(|(name, value)| (format!("KEYPORT_{name}"), value.to_owned()))
        .collect();
    assert_eq!(shown.len(), 3);
    for (name, value) in &shown {
        // Ended by what is looked at last, after every setting was taken.
        let ended = Server::of(Flavor::Keyport).plain().env(name, value.as_str()).env("LISTEN_FDS", "1");
        let ended = ended.started_by(["sh", "-c", "LISTEN_PID=$$ exec \"$0\" \"$@\""]).run_to_end();
        let log = String::from_utf8_lossy(&ended.stderr);
        assert!(log.contains("LISTEN_FDS") || log.contains("advertise-client-urls"), "{name}: {log}");
        assert!(!log.contains("unrecognized environment variable"), "{name}: {log}");
    }
}
