//! A server process with a data directory of its own.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::etcdctl::Etcdctl;
use crate::grpc::Grpc;
use crate::http::Http;
use crate::spawn::spawn;
use crate::target::Flavor;
use crate::wait::eventually_blocking;

/// How to start a server.
#[derive(Debug)]
pub struct Builder {
    flavor: Flavor,
    args: Vec<OsString>,
    envs: Vec<(String, String)>,
    data: Option<PathBuf>,
    plain: bool,
    one_cpu: bool,
    starter: Vec<OsString>,
}

/// A running server. When dropped it is killed; if the test has failed, the end of its log is shown.
#[derive(Debug)]
pub struct Server {
    flavor: Flavor,
    args: Vec<OsString>,
    envs: Vec<(String, String)>,
    plain: bool,
    one_cpu: bool,
    starter: Vec<OsString>,
    client: u16,
    peer: u16,
    child: Option<Child>,
    data: PathBuf,
    dir: TempDir,
}

impl Builder {
    /// More command line flags.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Builder {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// A variable of its environment.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Builder {
        self.envs.push((name.into(), value.into()));
        self
    }

    /// An existing data directory instead of a fresh one.
    pub fn data_dir(mut self, data: impl Into<PathBuf>) -> Builder {
        self.data = Some(data.into());
        self
    }

    /// Pass none of the usual flags: only those of [`Builder::args`].
    pub fn plain(mut self) -> Builder {
        self.plain = true;
        self
    }

    /// It gets one of the processors that we may use.
    pub fn on_one_cpu(mut self) -> Builder {
        self.one_cpu = true;
        self
    }

    /// Has another program become the server: its command line, which that of the server follows.
    pub fn started_by<A: Into<OsString>>(mut self, starter: impl IntoIterator<Item = A>) -> Builder {
        self.starter.extend(starter.into_iter().map(Into::into));
        self
    }

    /// Whether it is a real etcd of a release before `version`, whose known differences a test then allows.
    pub fn older_than(&self, version: &str) -> bool {
        self.flavor.older_than(version)
    }

    fn server(self) -> Server {
        let dir = tempfile::Builder::new().prefix("keyport-test-").tempdir().expect("a temporary folder");
        let data = self.data.unwrap_or_else(|| dir.path().join("data"));
        Server {
            flavor: self.flavor,
            args: self.args,
            envs: self.envs,
            plain: self.plain,
            one_cpu: self.one_cpu,
            starter: self.starter,
            client: free_port(),
            peer: free_port(),
            child: None,
            data,
            dir,
        }
    }

    /// Starts it and waits until it serves.
    ///
    /// # Panics
    /// If it does not, with its log.
    pub fn start(self) -> Server {
        let mut server = self.server();
        for attempt in 0.. {
            server.launch();
            match server.until_ready() {
                Ok(()) => break,
                // Another program took the port between our look and the server's.
                Err(log) if attempt < 3 && log.contains("in use") => {
                    (server.client, server.peer) = (free_port(), free_port());
                }
                Err(log) => panic!("the server ended before it was ready:\n{log}"),
            }
        }
        server
    }

    /// Starts it without waiting for anything.
    pub fn spawn_only(self) -> Server {
        let mut server = self.server();
        server.launch();
        server
    }

    /// Runs it to its end, for starts that must fail.
    ///
    /// # Panics
    /// If it still runs after a while.
    pub fn run_to_end(self) -> Output {
        let mut server = self.server();
        server.launch();
        let mut child = server.child.take().expect("just started");
        let status = eventually_blocking("the server ends", || child.try_wait().expect("a child can be waited for"));
        let read = |name: &str| std::fs::read(server.dir.path().join(name)).unwrap_or_default();
        Output { status, stdout: read("stdout"), stderr: read("stderr") }
    }
}

impl Server {
    /// The server that this run of the suites is about, with a fresh data directory.
    pub fn start() -> Server {
        Server::builder().start()
    }

    /// As [`Server::start`], with settings.
    pub fn builder() -> Builder {
        Server::of(Flavor::under_test())
    }

    /// A server of a certain flavor.
    pub fn of(flavor: Flavor) -> Builder {
        Builder {
            flavor,
            args: Vec::new(),
            envs: Vec::new(),
            data: None,
            plain: false,
            one_cpu: false,
            starter: Vec::new(),
        }
    }

    /// Whether it is a real etcd.
    pub fn is_etcd(&self) -> bool {
        self.flavor != Flavor::Keyport
    }

    /// Whether it is a real etcd of a release before `version`, whose known differences a test then allows.
    pub fn older_than(&self, version: &str) -> bool {
        self.flavor.older_than(version)
    }

    /// Whose server it is.
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.client).into()
    }

    /// Where it listens for other members.
    pub fn peer_addr(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.peer))
    }

    /// The URL for clients, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// Its data directory.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// A folder that lives as long as this value, for a test's own files.
    pub fn scratch(&self) -> &Path {
        self.dir.path()
    }

    /// The process id.
    ///
    /// # Panics
    /// If it does not run.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the server runs").id()
    }

    /// A field of the kernel's account of its memory, such as `VmRSS` or `VmHWM`, in MiB.
    ///
    /// # Panics
    /// If it does not run, or there is no such field.
    pub fn memory_mib(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a status");
        let line = status.lines().find(|line| line.split(':').next() == Some(field)).expect("the field");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") >> 10
    }

    /// Has the kernel forget the most memory that it ever had (`VmHWM`): from here on it is the most since now.
    ///
    /// # Panics
    /// If it does not run, or that is not allowed.
    pub fn forget_peak_memory(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").expect("an account that can be reset");
    }

    /// A gRPC client with a connection of its own.
    pub async fn grpc(&self) -> Grpc {
        Grpc::connect(self.addr()).await
    }

    /// An HTTP/1.1 client.
    pub fn http(&self) -> Http {
        Http::new(self.addr())
    }

    /// A client that speaks HTTP/2 in the clear from the first byte.
    pub fn http2(&self) -> Http {
        Http::h2c(self.addr())
    }

    /// `etcdctl` for this server.
    pub fn etcdctl(&self) -> Etcdctl {
        Etcdctl::new(self.addr())
    }

    /// What it has logged so far (standard output and error).
    pub fn log(&self) -> String {
        ["stdout", "stderr"]
            .map(|name| {
                String::from_utf8_lossy(&std::fs::read(self.dir.path().join(name)).unwrap_or_default()).into_owned()
            })
            .concat()
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    ///
    /// # Panics
    /// On the one thread of a runtime that has no other: the server would wait for seconds until its clients, which are on that
    /// thread, too, have heard that it stops.
    pub fn stop(&mut self) -> ExitStatus {
        let is_alone = Handle::try_current().is_ok_and(|here| here.runtime_flavor() == RuntimeFlavor::CurrentThread);
        assert!(!is_alone, "clients have to go on meanwhile: #[tokio::test(flavor = \"multi_thread\")]");
        self.signal(Signal::TERM)
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
    }

    /// How it has ended, if it has by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().expect("a child can be waited for")?;
        self.child = None;
        Some(status)
    }

    /// Starts it and kills it before it serves, a little later each time by how far it has come: once its log has grown.
    pub fn start_and_kill(&mut self) {
        let before = self.log().len();
        self.launch();
        eventually_blocking("a first line", || (self.log().len() > before).then_some(()));
        self.kill();
    }

    /// From its next start on it is another's program, with the same settings and on the same data.
    pub fn become_a(&mut self, flavor: Flavor) {
        assert!(self.child.is_none(), "stop it first");
        self.flavor = flavor;
    }

    /// Goes on on other data from its next start on.
    pub fn move_to(&mut self, data: &Path) {
        assert!(self.child.is_none(), "stop it first");
        self.data = data.to_owned();
    }

    /// Another server with the settings of this one, on a copy of its data.
    pub fn again_on(&self, data: &Path) -> Server {
        let builder = Server::of(self.flavor).args(self.args.iter().cloned()).data_dir(data);
        let mut server = builder.server();
        // Its own address is part of what a member is.
        (server.client, server.peer) = (self.client, self.peer);
        server.launch();
        if let Err(log) = server.until_ready() {
            panic!("the server did not come up on a copy:\n{log}");
        }
        server
    }

    fn signal(&mut self, signal: Signal) -> ExitStatus {
        let mut child = self.child.take().expect("the server runs");
        let _ = kill_process(Pid::from_child(&child), signal);
        eventually_blocking("the server stops", || child.try_wait().expect("a child can be waited for"))
    }

    /// Starts it again, on the same data and ports, after [`Server::stop`] or [`Server::kill`].
    ///
    /// # Panics
    /// If it does not come up, with its log.
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "stop it first");
        self.launch();
        if let Err(log) = self.until_ready() {
            panic!("the server did not come up again:\n{log}");
        }
    }

    /// As [`Server::restart`], and waits for nothing.
    pub fn relaunch(&mut self) {
        assert!(self.child.is_none(), "stop it first");
        self.launch();
    }

    /// As [`Server::restart`] for a server whose `/health` says no, because of an alarm: waits until it answers at all.
    pub fn restart_unhealthy(&mut self) {
        assert!(self.child.is_none(), "stop it first");
        self.launch();
        let addr = self.addr();
        eventually_blocking("the server answers", || health(addr).contains("ALARM").then_some(()));
    }

    /// Starts it again and expects that it refuses: its exit status and log.
    pub fn restart_refused(&mut self) -> (ExitStatus, String) {
        for name in ["stdout", "stderr"] {
            let _ = std::fs::remove_file(self.dir.path().join(name));
        }
        self.launch();
        let mut child = self.child.take().expect("just started");
        let status = eventually_blocking("the server ends", || child.try_wait().expect("a child can be waited for"));
        (status, self.log())
    }

    fn launch(&mut self) {
        let output = |name: &str| {
            let path = self.dir.path().join(name);
            File::options().create(true).append(true).open(path).expect("a log file can be made")
        };
        let (client, peer) = (self.url(), format!("http://127.0.0.1:{}", self.peer));
        let mut command = match (self.one_cpu, self.starter.split_first()) {
            (true, _) => on_one_cpu(&self.flavor.binary()),
            (false, None) => Command::new(self.flavor.binary()),
            (false, Some((program, args))) => {
                let mut command = Command::new(program);
                command.args(args).arg(self.flavor.binary());
                command
            }
        };
        if !self.plain {
            command.args(["--name", "n0", "--data-dir"]).arg(&self.data);
            command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
            command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
            command.args(["--initial-cluster", &format!("n0={peer}")]);
        }
        own_environment(&mut command);
        command.args(&self.args).envs(self.envs.iter().map(|(k, v)| (k, v))).current_dir(self.dir.path());
        command.stdin(Stdio::null()).stdout(output("stdout")).stderr(output("stderr"));
        self.child = Some(spawn(command).expect("the server's program can be started"));
    }

    /// Waits until `/health` says it serves; its log if it ended instead.
    fn until_ready(&mut self) -> Result<(), String> {
        let addr = self.addr();
        let what = format!("the server on {addr} is ready");
        eventually_blocking(&what, || {
            if health(addr).starts_with("HTTP/1.1 200") {
                return Some(Ok(()));
            }
            self.ended().map(|_| Err(self.log()))
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- the log of {:?} on {} ends ---", self.flavor, self.addr());
            for line in lines.iter().skip(lines.len().saturating_sub(12)) {
                eprintln!("{}", line.chars().take(300).collect::<String>());
            }
        }
    }
}

/// The suites' own environment is not the server's: neither settings nor proxies.
pub(crate) fn own_environment(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let foreign =
            |n: &str| n.starts_with("ETCD") || n.starts_with("KEYPORT_") || n.to_uppercase().ends_with("_PROXY");
        if name.to_str().is_some_and(foreign) {
            command.env_remove(name);
        }
    }
}

/// Runs a program on the first processor that we may use.
fn on_one_cpu(program: &Path) -> Command {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or("0").trim();
    let first: String = allowed.chars().take_while(char::is_ascii_digit).collect();
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &first]).arg(program);
    command
}

/// One `GET /health`, without a runtime: the answer, empty if there is none.
pub(crate) fn health(addr: SocketAddr) -> String {
    let ask = || -> std::io::Result<String> {
        let mut tcp = TcpStream::connect_timeout(&addr, Duration::from_secs(2))?;
        tcp.set_read_timeout(Some(Duration::from_secs(2)))?;
        tcp.write_all(format!("GET /health HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        tcp.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().unwrap_or_default()
}

/// A free loopback port below the ephemeral range, so that no outgoing connection takes it.
///
/// # Panics
/// If there is none.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = u16::try_from(std::process::id() % 100).unwrap_or(0) * 100;
    for _ in 0..10_000 {
        let port = 20_000 + own.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port");
}
