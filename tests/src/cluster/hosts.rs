//! A machine for each member: network namespaces on a switch, so that packets can be lost and nobody is told.
//!
//! A proxy ([`super::network`]) ends every connection itself: whoever speaks through it is always heard by somebody's kernel. Between
//! hosts there is nothing but packets. When they stop, connections are half open: what is sent waits for acknowledgements, and
//! whether it was heard is known to neither side. Loss in one direction also takes the acknowledgements of the other.
//!
//! The switch is a bridge in a namespace of its own, where no rules of this machine reach. One more cable goes to this
//! process's namespace, for the clients. Neighbours are written down and never asked for; packets to one that is written down
//! wrongly reach nobody. Names begin with the process's id, and what dead processes have left is removed first.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Where `ip` keeps them.
const NAMESPACES: &str = "/var/run/netns";
/// Of namespaces; the process's id follows.
const NAMESPACE: &str = "keyport-";
/// Of the cable's end at this process.
const LINK: &str = "kp";
/// The private ranges, and how many nets of sixteen addresses they have, as a power of two.
const RANGES: [(Ipv4Addr, u32); 3] =
    [(Ipv4Addr::new(10, 0, 0, 0), 20), (Ipv4Addr::new(172, 16, 0, 0), 16), (Ipv4Addr::new(192, 168, 0, 0), 12)];
/// The clients' place in the net; the hosts' follow.
const CLIENTS: u32 = 1;
const FIRST_HOST: u32 = CLIENTS + 1;
/// Nobody's place.
const NOBODY: u32 = 0xff;
/// What a bridge does with a port's packets.
const DISABLED: &str = "0";
const FORWARDING: &str = "3";

/// Machines on a switch; gone when dropped.
#[derive(Debug)]
pub struct Hosts {
    name: String,
    link: String,
    net: u32,
    count: usize,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Host {
    namespace: String,
    pub(super) addr: Ipv4Addr,
}

impl Host {
    /// A command that runs there. The process is the program's own.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]).arg(program);
        command
    }
}

impl Hosts {
    /// So many; `None` where namespaces are not allowed or there is no `ip`.
    pub fn new(count: usize) -> Option<Hosts> {
        static SWEPT: Once = Once::new();
        static NEXT: AtomicU32 = AtomicU32::new(0);
        SWEPT.call_once(sweep);
        let (pid, n) = (std::process::id(), NEXT.fetch_add(1, SeqCst));
        let (name, link) = (format!("{NAMESPACE}{pid}-{n}"), format!("{LINK}{pid:x}-{n}"));
        let net = free_net(pid.wrapping_mul(64).wrapping_add(n % 64))?;
        // What is there of it already is removed by its drop.
        let hosts = Hosts { name, link, net, count };
        hosts.set_up().then_some(hosts)
    }

    fn set_up(&self) -> bool {
        let (link, clients, switch) = (&self.link, mac(CLIENTS), self.switch());
        let mut here =
            format!("netns add {switch}\nlink add {link} address {clients} type veth peer name up netns {switch}\n");
        here += &format!("addr add {}/28 dev {link}\nlink set {link} up\n", self.addr(CLIENTS));
        let mut bridge =
            String::from("link add name hub type bridge\nlink set dev hub up\nlink set dev up master hub up\n");
        for host in 0..self.count {
            let namespace = self.namespace(host);
            here += &format!("netns add {namespace}\n");
            let address = mac(place(host));
            bridge += &format!("link add port{host} type veth peer name eth0 address {address} netns {namespace}\n");
            bridge += &format!("link set dev port{host} master hub up\n");
        }
        ip(None, &here)
            && ip(Some(&switch), &bridge)
            && (0..self.count).all(|host| {
                let own = self.addr(place(host));
                ip(
                    Some(&self.namespace(host)),
                    &format!("link set lo up\naddr add {own}/28 dev eth0\nlink set eth0 up\n"),
                )
            })
            && self.introduce_all()
    }

    /// Everybody knows where everybody is.
    fn introduce_all(&self) -> bool {
        let all: Vec<u32> = std::iter::once(CLIENTS).chain((0..self.count).map(place)).collect();
        let neighbours = |of: u32, device: &str| -> String {
            all.iter().filter(|to| **to != of).map(|to| self.neighbour(*to, *to, device)).collect()
        };
        ip(None, &neighbours(CLIENTS, &self.link))
            && (0..self.count).all(|host| ip(Some(&self.namespace(host)), &neighbours(place(host), "eth0")))
    }

    /// The order to send to `at` what is meant for `to`.
    fn neighbour(&self, to: u32, at: u32, device: &str) -> String {
        format!("neigh replace {} lladdr {} dev {device} nud permanent\n", self.addr(to), mac(at))
    }

    fn addr(&self, place: u32) -> Ipv4Addr {
        (self.net | place).into()
    }

    fn switch(&self) -> String {
        format!("{}-switch", self.name)
    }

    fn namespace(&self, host: usize) -> String {
        format!("{}-{host}", self.name)
    }

    /// # Panics
    /// If there are not so many.
    pub(crate) fn host(&self, host: usize) -> Host {
        assert!(host < self.count, "there are {} hosts", self.count);
        Host { namespace: self.namespace(host), addr: self.addr(place(host)) }
    }

    /// Does something on a host: what it listens on and connects to is there. Only in the thread that does it.
    ///
    /// # Panics
    /// If that does.
    pub fn inside<T: Send>(&self, host: usize, act: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(Path::new(NAMESPACES).join(self.namespace(host))).expect("the namespace is there");
        let done = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                    .expect("a thread may go to a host");
                act()
            });
            thread.join()
        });
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn port(&self, host: usize, state: &str) {
        let port = format!("port{host}");
        let done =
            Command::new("bridge").args(["-n", &self.switch(), "link", "set", "dev", &port, "state", state]).status();
        assert!(done.is_ok_and(|s| s.success()), "the state of {port} can be set");
    }

    /// A host vanishes: nothing reaches it or comes from it, clients' packets neither, and nobody is told.
    ///
    /// # Panics
    /// As the others here: if what was allowed before is refused.
    pub fn unplug(&self, host: usize) {
        self.port(host, DISABLED);
    }

    /// It is back.
    pub fn plug(&self, host: usize) {
        self.port(host, FORWARDING);
    }

    /// What one host sends to another is lost from now on.
    pub fn lose(&self, from: usize, to: usize) {
        let wrong = self.neighbour(place(to), NOBODY, "eth0");
        assert!(ip(Some(&self.namespace(from)), &wrong), "a neighbour can be replaced");
    }

    /// Nothing gets from one group to the other, nor back.
    pub fn partition(&self, one: &[usize], other: &[usize]) {
        for a in one {
            for b in other {
                self.lose(*a, *b);
                self.lose(*b, *a);
            }
        }
    }

    /// All packets arrive again. What was lost is sent again by whoever still wants it to be heard.
    pub fn heal(&self) {
        (0..self.count).for_each(|host| self.plug(host));
        assert!(self.introduce_all(), "neighbours can be replaced");
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        let names = (0..self.count).map(|host| self.namespace(host)).chain([self.switch()]);
        remove(names, [self.link.clone()]);
    }
}

fn place(host: usize) -> u32 {
    FIRST_HOST + u32::try_from(host).expect("hosts are few")
}

/// The hardware address of a place; every switch has its own.
fn mac(place: u32) -> String {
    format!("02:00:00:00:00:{place:02x}")
}

/// Runs `ip` with these commands, a line each, up to the first that fails.
fn ip(namespace: Option<&str>, commands: &str) -> bool {
    run(namespace.iter().flat_map(|name| ["-n", name]).chain(["-batch", "-"]), commands, Stdio::inherit())
}

fn run<'a>(args: impl IntoIterator<Item = &'a str>, commands: &str, errors: Stdio) -> bool {
    let ip = Command::new("ip").args(args).stdin(Stdio::piped()).stderr(errors).spawn();
    ip.and_then(|mut ip| {
        let mut input = ip.stdin.take().expect("was asked for");
        let written = input.write_all(commands.as_bytes());
        drop(input);
        Ok(ip.wait()?.success() && written.is_ok())
    })
    .unwrap_or(false)
}

/// Removes what is there of these.
fn remove(namespaces: impl IntoIterator<Item = String>, links: impl IntoIterator<Item = String>) {
    let mut commands: String = links.into_iter().map(|link| format!("link del {link}\n")).collect();
    commands.extend(namespaces.into_iter().map(|name| format!("netns del {name}\n")));
    run(["-force", "-batch", "-"], &commands, Stdio::null());
}

/// Removes what processes have left that were killed.
fn sweep() {
    let dead = |pid: Option<u32>| pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists());
    let left = |list: &[&str], prefix: &str, radix: u32| -> Vec<String> {
        let names = output(list);
        let names = names.lines().filter_map(|line| line.split([' ', '@']).next());
        let pid = |name: &str| u32::from_str_radix(name.strip_prefix(prefix)?.split('-').next()?, radix).ok();
        names.filter(|name| name.contains('-') && dead(pid(name))).map(String::from).collect()
    };
    let namespaces = left(&["netns", "list"], NAMESPACE, 10);
    let links = left(&["-brief", "link", "show", "type", "veth"], LINK, 16);
    if !namespaces.is_empty() || !links.is_empty() {
        remove(namespaces, links);
    }
}

/// A net of sixteen addresses that this machine has no other way to than the one to everywhere.
fn free_net(number: u32) -> Option<u32> {
    let nets = RANGES.map(|(range, bits)| u32::from(range) | (number & ((1 << bits) - 1)) << 4);
    nets.into_iter().find(|net| {
        let net = format!("{}/28", Ipv4Addr::from(*net));
        let around = output(&["-4", "route", "show", "to", "match", &net]);
        let inside = output(&["-4", "route", "show", "to", "root", &net]);
        inside.is_empty() && around.lines().all(|route| route.starts_with("default"))
    })
}

/// What `ip` says; nothing if there is none.
fn output(args: &[&str]) -> String {
    let out = Command::new("ip").args(args).stderr(Stdio::null()).output();
    out.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default()
}
