//! The network between the members of a cluster: a proxy before every peer port.
//!
//! Members advertise their proxies, so that all they say to each other comes through here. Who calls is in the head of the first
//! request of a connection (`X-Server-From`); so each ordered pair of members is a link of its own, that can be cut, slowed down
//! or reset. A cut link loses no bytes: they wait, and go on when it heals, as in a network whose packets are sent again.

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::server::free_port;

/// Proxies go on while a test's own thread waits for something, so they have a thread of their own.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).thread_name("proxies").enable_all().build().expect("a runtime can be made")
});

/// The sender of connections that do not say who calls.
pub const ANYBODY: u64 = 0;

/// Small, so that what is held back is held back by the sender and not in buffers of the kernel.
const SOCKET_BUFFER: u32 = 64 * 1024;
const CHUNK: usize = 32 * 1024;
/// With a delay of 100 ms this still lets 80 MB/s through.
const CHUNKS_UNDERWAY: usize = 256;
const MAX_HEAD: usize = 16 * 1024;
const MAX_TAPE: usize = 1 << 20;

/// How a link is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Link {
    cut: bool,
    delay: Duration,
    bytes_per_second: Option<u32>,
    /// Connections of an earlier epoch are closed.
    epoch: u64,
}

#[derive(Debug, Default)]
struct Links {
    links: HashMap<(u64, u64), watch::Sender<Link>>,
    members: HashSet<u64>,
    /// Bytes that went through, by link.
    passed: HashMap<(u64, u64), u64>,
    /// What was said on streams that began after it was asked for, by link.
    recorded: HashMap<(u64, u64), Vec<Vec<u8>>>,
}

impl Link {
    /// Whether a connection of some epoch may carry bytes (or is to be closed): nothing to wait for.
    fn is_open(self, epoch: u64) -> bool {
        !self.cut || self.epoch != epoch
    }
}

/// The links between members, by their ids.
#[derive(Clone, Debug, Default)]
pub struct Network(Arc<Mutex<Links>>);

impl Network {
    /// A free port, with a proxy on it for the member whose peer port is `to`. The member's id follows by [`Proxy::belongs_to`],
    /// since it depends on the port.
    ///
    /// # Panics
    /// If there is no port.
    pub fn proxy(&self, to: u16) -> Proxy {
        let _inside = RUNTIME.enter();
        let (port, listener) = loop {
            let port = free_port();
            let socket = TcpSocket::new_v4().expect("a socket can be made");
            socket.set_reuseaddr(true).expect("an address may be taken again");
            socket.set_recv_buffer_size(SOCKET_BUFFER).expect("the buffer's size can be set");
            if socket.bind((Ipv4Addr::LOCALHOST, port).into()).is_ok() {
                break (port, socket.listen(1024).expect("a bound socket can listen"));
            }
        };
        let id = watch::Sender::new(None);
        let task = RUNTIME.spawn(accept(self.clone(), id.subscribe(), listener, (Ipv4Addr::LOCALHOST, to).into()));
        Proxy { port, id, network: self.clone(), task: task.abort_handle() }
    }

    fn state(&self, from: u64, to: u64) -> watch::Receiver<Link> {
        self.0.lock().links.entry((from, to)).or_default().subscribe()
    }

    fn change(&self, from: u64, to: u64, change: impl Fn(&mut Link)) {
        self.0.lock().links.entry((from, to)).or_default().send_modify(change);
    }

    fn others(&self, id: u64) -> Vec<u64> {
        let links = self.0.lock();
        links.members.iter().copied().filter(|other| *other != id).chain([ANYBODY]).collect()
    }

    /// Nothing that `from` says reaches `to`.
    pub fn cut(&self, from: u64, to: u64) {
        self.change(from, to, |link| link.cut = true);
    }

    /// Nothing goes to a member or comes from it.
    pub fn isolate(&self, id: u64) {
        for other in self.others(id) {
            self.cut(id, other);
            self.cut(other, id);
        }
    }

    /// Nothing goes between the two groups.
    pub fn partition(&self, one: &[u64], other: &[u64]) {
        for a in one {
            for b in other {
                self.cut(*a, *b);
                self.cut(*b, *a);
            }
        }
    }

    /// Every link is as fast as it can be again; what was held back goes on.
    pub fn heal(&self) {
        for link in self.0.lock().links.values() {
            link.send_modify(|link| *link = Link { epoch: link.epoch, ..Link::default() });
        }
    }

    /// All connections to and from a member are closed; new ones are possible.
    pub fn reset(&self, id: u64) {
        for other in self.others(id) {
            self.change(id, other, |link| link.epoch += 1);
            self.change(other, id, |link| link.epoch += 1);
        }
    }

    /// What goes to and comes from a member takes `delay` longer.
    pub fn delay(&self, id: u64, delay: Duration) {
        for other in self.others(id) {
            self.change(id, other, |link| link.delay = delay);
            self.change(other, id, |link| link.delay = delay);
        }
    }

    /// Every connection to a member gets at most so many bytes through.
    pub fn throttle(&self, to: u64, bytes_per_second: u32) {
        for other in self.others(to) {
            self.change(other, to, |link| link.bytes_per_second = Some(bytes_per_second));
        }
    }

    /// How many bytes have come through to a member, from whomever.
    pub fn passed_to(&self, to: u64) -> u64 {
        self.0.lock().passed.iter().filter(|((_, at), _)| *at == to).map(|(_, bytes)| bytes).sum()
    }

    /// Records what `from` says to `to`, on connections of its own, from now on; those that are open are closed.
    pub fn record(&self, from: u64, to: u64) {
        self.0.lock().recorded.insert((from, to), Vec::new());
        self.change(from, to, |link| link.epoch += 1);
    }

    /// What was recorded, by connection: the head of the request, and what followed.
    pub fn recorded(&self, from: u64, to: u64) -> Vec<Vec<u8>> {
        self.0.lock().recorded.get(&(from, to)).cloned().unwrap_or_default()
    }

    /// The tape for a connection that begins now.
    fn tape(&self, from: u64, to: u64) -> Option<usize> {
        let mut links = self.0.lock();
        let tapes = links.recorded.get_mut(&(from, to))?;
        tapes.push(Vec::new());
        Some(tapes.len() - 1)
    }

    fn passed(&self, from: u64, to: u64, tape: Option<usize>, bytes: &[u8]) {
        let mut links = self.0.lock();
        *links.passed.entry((from, to)).or_default() += bytes.len() as u64;
        let tape = tape.and_then(|tape| links.recorded.get_mut(&(from, to))?.get_mut(tape));
        if let Some(tape) = tape.filter(|tape| tape.len() < MAX_TAPE) {
            tape.extend_from_slice(bytes);
        }
    }
}

/// A proxy before a peer port; it ends when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    id: watch::Sender<Option<u64>>,
    network: Network,
    task: tokio::task::AbortHandle,
}

impl Proxy {
    /// Whose proxy it is; until then connections wait.
    pub fn belongs_to(&self, id: u64) {
        self.network.0.lock().members.insert(id);
        self.id.send_replace(Some(id));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(id) = *self.id.borrow() {
            self.network.0.lock().members.remove(&id);
            self.network.reset(id);
        }
    }
}

async fn accept(network: Network, mut id: watch::Receiver<Option<u64>>, listener: TcpListener, target: SocketAddr) {
    let Ok(id) = id.wait_for(Option::is_some).await.map(|id| *id) else { return };
    let to = id.unwrap_or(ANYBODY);
    loop {
        // An error is of one connection, or of descriptors that others will give back.
        match listener.accept().await {
            Ok((client, _)) => drop(tokio::spawn(connection(network.clone(), to, client, target))),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn connection(network: Network, to: u64, mut client: TcpStream, target: SocketAddr) -> Option<()> {
    let _ = client.set_nodelay(true);
    let mut head = Vec::new();
    while !head.windows(4).any(|w| w == b"\r\n\r\n") && head.len() < MAX_HEAD {
        if client.read_buf(&mut head).await.ok()? == 0 {
            break;
        }
    }
    let from = sender(&head);
    let (mut there, mut back) = (network.state(from, to), network.state(to, from));
    let epochs = (there.borrow().epoch, back.borrow().epoch);
    let reset = {
        let (mut there, mut back) = (there.clone(), back.clone());
        async move {
            tokio::select! {
                _ = there.wait_for(|link| link.epoch != epochs.0) => {}
                _ = back.wait_for(|link| link.epoch != epochs.1) => {}
            }
        }
    };
    let pass = async {
        tokio::select! {
            open = there.wait_for(|link| link.is_open(epochs.0)) => drop(open.ok()?),
            // Who has given up is not let through later.
            () = closed(&client) => return None,
        }
        let server = TcpSocket::new_v4().ok()?;
        server.set_recv_buffer_size(SOCKET_BUFFER).ok()?;
        let server = server.connect(target).await.ok()?;
        let _ = server.set_nodelay(true);
        let ((client_read, client_write), (server_read, server_write)) = (client.into_split(), server.into_split());
        let (through, tape) = (network.clone(), network.tape(from, to));
        tokio::join!(
            pump(head, client_read, server_write, &mut there, epochs.0, |bytes| through.passed(from, to, tape, bytes)),
            pump(Vec::new(), server_read, client_write, &mut back, epochs.1, |_| ()),
        );
        Some(())
    };
    tokio::select! {
        done = pass => done,
        () = reset => None,
    }
}

/// Done when the other side has closed; bytes that wait are left where they are.
async fn closed(tcp: &TcpStream) {
    if matches!(tcp.peek(&mut [0]).await, Ok(n) if n > 0) {
        std::future::pending::<()>().await;
    }
}

/// The member that calls, by the head of its request.
fn sender(head: &[u8]) -> u64 {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let id = head.lines().find_map(|line| line.strip_prefix("x-server-from:"));
    id.and_then(|id| u64::from_str_radix(id.trim(), 16).ok()).unwrap_or(ANYBODY)
}

/// Carries bytes one way until either side ends.
async fn pump(
    first: Vec<u8>,
    mut read: OwnedReadHalf,
    mut write: OwnedWriteHalf,
    link: &mut watch::Receiver<Link>,
    epoch: u64,
    passed: impl Fn(&[u8]),
) {
    let (send, mut chunks) = mpsc::channel::<(Instant, Vec<u8>)>(CHUNKS_UNDERWAY);
    let reader = async move {
        let mut chunk = first;
        loop {
            if !chunk.is_empty() && send.send((Instant::now(), chunk)).await.is_err() {
                return;
            }
            chunk = Vec::with_capacity(CHUNK);
            if !matches!(read.read_buf(&mut chunk).await, Ok(n) if n > 0) {
                return;
            }
        }
    };
    let writer = async move {
        while let Some((came, chunk)) = chunks.recv().await {
            let delay = link.borrow().delay;
            tokio::time::sleep_until(came + delay).await;
            for part in chunk.chunks(4096) {
                // Who heals a link after a reset must not let through what was held back before.
                let Ok(Link { epoch: now, bytes_per_second, .. }) =
                    link.wait_for(|link| link.is_open(epoch)).await.map(|link| *link)
                else {
                    return;
                };
                if now != epoch || write.write_all(part).await.is_err() {
                    return;
                }
                passed(part);
                if let Some(limit) = bytes_per_second {
                    tokio::time::sleep(Duration::from_secs(1) * u32::try_from(part.len()).unwrap_or(0) / limit).await;
                }
            }
        }
        let _ = write.shutdown().await;
    };
    tokio::join!(reader, writer);
}
