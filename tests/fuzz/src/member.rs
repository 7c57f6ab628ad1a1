//! Whole members in this process, started when they are first needed. Where one panics, the process ends.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{LazyLock, Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use keyport_server::config::{self, Action, Sources};
use keyport_tests::certificates::{Authority, Holder, file_flag};
use keyport_tests::server::free_port;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

/// Nothing takes this long.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// What tokens of [`GUARDED`] are signed with.
pub const TOKEN_KEY: &[u8] = b"thirty-two bytes that nobody has";

/// One that serves everybody: plain and over TLS, other members, metrics.
pub static OPEN: LazyLock<Member> = LazyLock::new(|| Member::start(&[]));
/// One that asks who somebody is, by signed tokens. There is root, whose password is `root`.
pub static GUARDED: LazyLock<Member> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let key = dir.path().join("key");
    std::fs::write(&key, TOKEN_KEY).expect("written");
    let member =
        Member::start(&[format!("--auth-token=jwt,pub-key={0},priv-key={0},sign-method=HS256", key.display())]);
    for (path, body) in [
        ("user/add", r#"{"name":"root","password":"root"}"#),
        ("role/add", r#"{"name":"root"}"#),
        ("user/grant", r#"{"user":"root","role":"root"}"#),
        ("enable", "{}"),
    ] {
        let length = body.len();
        let request =
            format!("POST /v3/auth/{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}");
        let answer = exchange(member.clients, request.as_bytes());
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    }
    member
});

/// Where a member listens.
#[derive(Debug)]
pub struct Member {
    pub clients: SocketAddr,
    pub secure_clients: SocketAddr,
    pub peers: SocketAddr,
    pub metrics: SocketAddr,
    dir: TempDir,
}

impl Member {
    fn start(flags: &[String]) -> Member {
        end_with_any_panic();
        let dir = tempfile::tempdir().expect("a temporary folder");
        let authority = Authority::new();
        let own = authority.issue("own", &Holder::new("own", &["127.0.0.1"]));
        let [clients, secure_clients, peers, metrics] = [(); 4].map(|()| (Ipv4Addr::LOCALHOST, free_port()).into());
        let mut args = vec![
            file_flag("data-dir", dir.path()),
            file_flag("cert-file", &own.cert),
            file_flag("key-file", &own.key),
            format!("--listen-client-urls=http://{clients},https://{secure_clients}"),
            format!("--advertise-client-urls=http://{clients}"),
            format!("--listen-peer-urls=http://{peers}"),
            format!("--initial-advertise-peer-urls=http://{peers}"),
            format!("--initial-cluster=default=http://{peers}"),
            format!("--listen-metrics-urls=http://{metrics}"),
            "--access-token-in-query".to_owned(),
            "--unsafe-no-fsync".to_owned(),
            // Whatever inputs write is taken away again.
            "--auto-compaction-mode=revision".to_owned(),
            "--auto-compaction-retention=100".to_owned(),
        ];
        args.extend_from_slice(flags);
        std::thread::spawn(move || {
            let read_file = |path: &str| std::fs::read_to_string(path);
            let sources = Sources { args: &args, env: &[], read_file: &read_file, default_host: &|| None };
            let Ok(Action::Run(config)) = config::load(&sources) else { panic!("the flags are taken") };
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            let ended = runtime.expect("a runtime").block_on(async {
                // A fuzzer's main does not, as others do, have a write to a closed socket be an error.
                let _heard = signal(SignalKind::pipe()).expect("a handler");
                keyport_server::run(*config, std::future::pending()).await
            });
            panic!("the member ended: {ended:?}");
        });
        let member = Member { clients, secure_clients, peers, metrics, dir };
        member.wait();
        // Kept as long as the process, as the member is.
        std::mem::forget(authority);
        member
    }

    fn wait(&self) {
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = exchange(self.clients, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
            if answer.starts_with(b"HTTP/1.1 200 ") {
                return;
            }
            assert!(Instant::now() < end, "the member does not serve: {}", answer.escape_ascii());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Segments of the log of a member that was asked for a few things.
pub fn log_segments() -> Vec<Bytes> {
    for size in 0..30 {
        let body = format!(r#"{{"key":"aw==","value":"{}"}}"#, "YWFh".repeat(size * 5));
        let head = format!("POST /v3/kv/put HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
        exchange(OPEN.clients, [head, body].concat().as_bytes());
    }
    let segments = std::fs::read_dir(OPEN.dir.path().join("member/wal")).expect("a log");
    segments.map(|entry| used(&entry.expect("an entry").path())).filter(|used| used.len() > 64).collect()
}

/// What is written of a segment, and a little of the room behind it.
fn used(path: &Path) -> Bytes {
    let mut bytes = std::fs::read(path).expect("a segment");
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    bytes.truncate(used.next_multiple_of(8) + 64);
    bytes.into()
}

/// Says this on a connection of its own, and nothing after it: what is answered, at most a MiB of it.
///
/// # Panics
/// If the other side does not end it.
pub fn exchange(to: SocketAddr, said: &[u8]) -> Vec<u8> {
    let Ok(mut stream) = TcpStream::connect(to) else { return Vec::new() };
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout can be set");
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = said.to_vec();
    // It may be closed by then, with an answer to what came before.
    let _ = stream.write_all(said);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    match stream.take(1 << 20).read_to_end(&mut answer) {
        Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
            panic!("the connection does not end after {:?}", said.escape_ascii().to_string());
        }
        _ => answer,
    }
}

/// What was said last.
static CURRENT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// A member catches what panics in a call; here it is what is looked for.
fn end_with_any_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            usual(panic);
            let said = CURRENT.try_lock().map(|said| said.escape_ascii().to_string()).unwrap_or_default();
            eprintln!("the last that was said: \"{said}\"");
            std::process::abort();
        }));
    });
}
