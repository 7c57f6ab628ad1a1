//! A hostile network: what somebody without a password can send, attack by attack.
//!
//! Each row has a name, what is sent, and the answer that is expected. Of every row it is asked, beside that answer, that
//! memory stays where it was, that a put and a watch on another connection go on meanwhile, and that afterwards everything is
//! given back: connections, calls that were begun, watchers. Rows of one table share a server and come one after the other.

mod canaries;
mod connections;
mod heads;
mod http1;
mod http2;
mod logs;
mod messages;
mod metrics;
mod paths;
mod sockets;
mod unread;

use std::any::Any;
use std::cell::RefCell;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use keyport_tests::certificates::{Authority, Holder, Pair};
use keyport_tests::grpc::{Grpc, WatchStream, put, text, watch};
use keyport_tests::server::free_port;
use keyport_tests::wait::eventually;
use keyport_tests::{Flavor, Server};
use tokio::task::JoinHandle;

/// How much memory a row may take for a while.
const MOST_MIB: u64 = 64;
/// How much may be written into the log in a row.
const MOST_LOGGED: usize = 1 << 20;

/// What an attack holds on to until everybody else was seen to go on.
type Held = Box<dyn Any>;

/// Nothing is held.
fn nothing() -> Held {
    Box::new(())
}

/// A server under attack. (etcd has other limits, or none.)
struct Siege {
    server: Server,
    /// What was answered otherwise than expected: one run tells of all rows.
    otherwise: RefCell<Vec<String>>,
}

impl Siege {
    fn start() -> Siege {
        Siege::of(&[""; 0])
    }

    fn of(args: &[impl AsRef<OsStr>]) -> Siege {
        Siege {
            server: Server::of(Flavor::Keyport).args(args.iter().map(|arg| arg.as_ref().to_owned())).start(),
            otherwise: RefCell::default(),
        }
    }

    /// One row: `attack` sees to the answer that is expected.
    async fn row(&self, name: &str, attack: impl AsyncFnOnce(&Server) -> Held) {
        let server = &self.server;
        let bystander = Bystander::start(server).await;
        let (open, logged, begun) = (self.open().await, server.log().len(), std::time::Instant::now());
        server.forget_peak_memory();
        let before = server.memory_mib("VmRSS");
        let held = attack(server).await;
        let rounds = bystander.rounds.load(Relaxed);
        // The round that is under way may have begun before.
        eventually("the others go on", async || (bystander.rounds.load(Relaxed) > rounds + 1).then_some(())).await;
        let most = server.memory_mib("VmHWM");
        drop(held);
        assert!(most < before + MOST_MIB, "{name}: {before} MiB became {most} MiB");
        let logged = server.log().len() - logged;
        assert!(logged < MOST_LOGGED, "{name}: {logged} bytes more in the log");
        eventually(&format!("{name}: connections are given back"), async || (self.open().await <= open).then_some(()))
            .await;
        bystander.stop().await;
        println!("{name}: {} MiB more, {:?}", most.saturating_sub(before), begun.elapsed());
    }

    /// Notes an answer that is not as expected; the table goes on.
    fn expect(&self, is_met: bool, otherwise: impl FnOnce() -> String) {
        if !is_met {
            self.otherwise.borrow_mut().push(otherwise());
        }
    }

    /// How many files and connections the server has, by its own account.
    async fn open(&self) -> u64 {
        self.metric("process_open_fds").await
    }

    /// The sum of all samples of a metric.
    async fn metric(&self, name: &str) -> u64 {
        let text = self.server.http().get("/metrics").await.text();
        let samples = text.lines().filter_map(|line| line.strip_prefix(name));
        let values = samples.filter(|rest| rest.starts_with([' ', '{'])).filter_map(|rest| rest.rsplit(' ').next());
        values.map(|value| value.parse::<f64>().unwrap() as u64).sum()
    }

    /// Nothing of all that was begun is left, and nothing has panicked.
    async fn end(self) {
        let otherwise = self.otherwise.borrow().join("\n");
        assert!(otherwise.is_empty(), "{otherwise}");
        eventually("every call that was begun has ended", async || {
            let begun = self.metric("grpc_server_started_total").await;
            (self.metric("grpc_server_handled_total").await == begun).then_some(())
        })
        .await;
        eventually("no watcher is left", async || {
            (self.metric("etcd_debugging_mvcc_watcher_total").await == 0).then_some(())
        })
        .await;
        let log = self.server.log();
        assert!(!log.contains("panicked"), "{log}");
    }
}

/// Flags for one more listener, which is encrypted: whose authority there is, its own certificate, and where it is.
fn tls_of() -> (Authority, Pair, SocketAddr, Vec<String>) {
    let authority = Authority::new();
    let own = authority.issue("own", &Holder::new("server", &["127.0.0.1"]));
    let addr = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let mut flags = own.flags("");
    flags.push(format!("--listen-metrics-urls=https://{addr}"));
    (authority, own, addr, flags)
}

/// Somebody who puts a key and watches it.
struct Bystander {
    task: JoinHandle<()>,
    rounds: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Bystander {
    async fn start(server: &Server) -> Bystander {
        let mut c = server.grpc().await;
        let mut events = c.watch();
        events.create(watch("bystander")).await;
        let (rounds, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, over) = (Arc::clone(&rounds), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            while !over.load(Relaxed) {
                Bystander::round(&mut c, &mut events, count.load(Relaxed)).await;
                count.fetch_add(1, Relaxed);
            }
        });
        Bystander { task, rounds, stop }
    }

    /// What is put comes back as the next event.
    async fn round(c: &mut Grpc, events: &mut WatchStream, round: usize) {
        let value = round.to_string();
        c.put_of(put("bystander", &value)).await;
        let event = events.events(1).await.remove(0);
        assert_eq!(text(&event.kv.unwrap().value), value);
    }

    async fn stop(self) {
        self.stop.store(true, Relaxed);
        self.task.await.unwrap();
    }
}
