//! A lean gRPC client over the `h2` crate: unary calls and bidirectional streams, one thread per connection.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Request, Uri};
use prost::Message;
use tokio::net::TcpStream;

use crate::proto::frame;

#[derive(Debug)]
pub(crate) enum Fail {
    /// The connection is unusable; reconnect before the next call.
    Net(String),
    /// The server answered, but not what was asked for.
    Rpc(String),
}
impl std::fmt::Display for Fail {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Fail::Net(s) => write!(f, "net: {s}"),
            Fail::Rpc(s) => write!(f, "rpc: {s}"),
        }
    }
}
impl std::error::Error for Fail {}
pub(crate) fn net(e: impl std::fmt::Display) -> Fail {
    Fail::Net(e.to_string())
}
pub(crate) fn rpc(e: impl std::fmt::Display) -> Fail {
    Fail::Rpc(e.to_string())
}

#[derive(Clone, Copy)]
pub(crate) enum Method {
    Range,
    Put,
    Txn,
    Watch,
    Grant,
    Revoke,
    KeepAlive,
    Status,
    MemberAdd,
    MemberRemove,
}
const PATHS: [&str; 10] = [
    "etcdserverpb.KV/Range",
    "etcdserverpb.KV/Put",
    "etcdserverpb.KV/Txn",
    "etcdserverpb.Watch/Watch",
    "etcdserverpb.Lease/LeaseGrant",
    "etcdserverpb.Lease/LeaseRevoke",
    "etcdserverpb.Lease/LeaseKeepAlive",
    "etcdserverpb.Maintenance/Status",
    "etcdserverpb.Cluster/MemberAdd",
    "etcdserverpb.Cluster/MemberRemove",
];

/// Response bytes as received: usually one chunk, many for large lists; never copied together.
#[derive(Default, Clone)]
struct Chunks {
    len: usize,
    first: Bytes,
    rest: VecDeque<Bytes>,
}
impl Chunks {
    fn push(&mut self, b: Bytes) {
        self.len += b.len();
        if self.first.is_empty() {
            self.first = b;
        } else if !b.is_empty() {
            self.rest.push_back(b);
        }
    }
}
impl Buf for Chunks {
    fn remaining(&self) -> usize {
        self.len
    }
    fn chunk(&self) -> &[u8] {
        &self.first
    }
    fn advance(&mut self, mut n: usize) {
        self.len -= n;
        while n > self.first.len() {
            n -= self.first.len();
            self.first = self.rest.pop_front().expect("advance past the end");
        }
        self.first.advance(n);
        if self.first.is_empty()
            && let Some(b) = self.rest.pop_front()
        {
            self.first = b;
        }
    }
}

pub(crate) struct Conn {
    addr: SocketAddr,
    uris: [Uri; PATHS.len()],
    headers: HeaderMap,
    sender: RefCell<SendRequest<Bytes>>,
    generation: Cell<u64>,
}

impl Conn {
    pub(crate) async fn open(addr: SocketAddr) -> Result<Rc<Conn>, Fail> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        headers.insert("te", HeaderValue::from_static("trailers"));
        let uris = PATHS.map(|p| format!("http://{addr}/{p}").parse().expect("an address and a path make a URI"));
        let sender = RefCell::new(Self::dial(addr).await?);
        Ok(Rc::new(Conn { addr, uris, headers, sender, generation: Cell::new(0) }))
    }

    async fn dial(addr: SocketAddr) -> Result<SendRequest<Bytes>, Fail> {
        let connect = async {
            let tcp = TcpStream::connect(addr).await.map_err(net)?;
            tcp.set_nodelay(true).map_err(net)?;
            h2::client::Builder::new()
                .initial_window_size(16 << 20)
                .initial_connection_window_size(1 << 30)
                .handshake(tcp)
                .await
                .map_err(net)
        };
        let (sender, conn) = tokio::time::timeout(Duration::from_secs(5), connect).await.map_err(net)??;
        tokio::task::spawn_local(async move {
            let _ = conn.await;
        });
        Ok(sender)
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.get()
    }

    /// Reconnects once per broken generation, however many callers ask.
    pub(crate) async fn reconnect(&self, seen: u64) -> Result<(), Fail> {
        if self.generation.get() == seen {
            let s = Self::dial(self.addr).await?;
            if self.generation.get() == seen {
                self.sender.replace(s);
                self.generation.set(seen + 1);
            }
        }
        Ok(())
    }

    async fn start(&self, m: Method) -> Result<(ResponseFuture, SendStream<Bytes>), Fail> {
        let s = self.sender.borrow().clone();
        let mut s = s.ready().await.map_err(net)?;
        let mut req = Request::new(());
        *req.method_mut() = http::Method::POST;
        *req.uri_mut() = self.uris[m as usize].clone();
        *req.headers_mut() = self.headers.clone();
        s.send_request(req, false).map_err(net)
    }

    /// A unary call; `frame` is an already framed request.
    pub(crate) async fn call<R: Message + Default>(&self, m: Method, frame: Bytes) -> Result<R, Fail> {
        let (resp, mut tx) = self.start(m).await?;
        tx.send_data(frame, true).map_err(net)?;
        let resp = resp.await.map_err(net)?;
        if resp.headers().contains_key("grpc-status") || resp.status() != 200 {
            return Err(status(resp.status(), resp.headers()));
        }
        let mut body = resp.into_body();
        let mut buf = Chunks::default();
        while let Some(b) = body.data().await {
            let b = b.map_err(net)?;
            let _ = body.flow_control().release_capacity(b.len());
            buf.push(b);
        }
        let trailers = body.trailers().await.map_err(net)?.unwrap_or_default();
        if trailers.get("grpc-status").is_none_or(|s| s != "0") {
            return Err(status(http::StatusCode::OK, &trailers));
        }
        if buf.remaining() < 5 || buf.get_u8() != 0 || buf.get_u32() as usize != buf.remaining() {
            return Err(rpc("bad gRPC framing"));
        }
        R::decode(buf).map_err(rpc)
    }

    pub(crate) async fn stream(&self, m: Method) -> Result<Stream, Fail> {
        let (resp, tx) = self.start(m).await?;
        Ok(Stream { tx, rx: Rx::Head(resp), buf: BytesMut::new() })
    }
}

fn status(http: http::StatusCode, h: &HeaderMap) -> Fail {
    let get = |k| h.get(k).and_then(|v: &HeaderValue| v.to_str().ok()).unwrap_or("-").to_string();
    Fail::Rpc(format!("http {} grpc-status {} {}", http.as_u16(), get("grpc-status"), get("grpc-message")))
}

enum Rx {
    Head(ResponseFuture),
    Body(RecvStream),
}
pub(crate) struct Stream {
    tx: SendStream<Bytes>,
    rx: Rx,
    buf: BytesMut,
}
impl Stream {
    pub(crate) fn send(&mut self, m: &impl Message) -> Result<(), Fail> {
        self.tx.send_data(frame(m), false).map_err(net)
    }

    pub(crate) async fn recv<R: Message + Default>(&mut self) -> Result<R, Fail> {
        if let Rx::Head(resp) = &mut self.rx {
            let resp = resp.await.map_err(net)?;
            if resp.headers().contains_key("grpc-status") || resp.status() != 200 {
                return Err(status(resp.status(), resp.headers()));
            }
            self.rx = Rx::Body(resp.into_body());
        }
        let Rx::Body(body) = &mut self.rx else { unreachable!() };
        loop {
            if let Some([_, len @ ..]) = self.buf.first_chunk::<5>() {
                let n = u32::from_be_bytes(*len) as usize;
                if self.buf.len() >= 5 + n {
                    self.buf.advance(5);
                    return R::decode(self.buf.split_to(n).freeze()).map_err(rpc);
                }
                self.buf.reserve(5 + n - self.buf.len());
            }
            match body.data().await {
                Some(Ok(b)) => {
                    let _ = body.flow_control().release_capacity(b.len());
                    self.buf.extend_from_slice(&b);
                }
                Some(Err(e)) => return Err(net(e)),
                None => {
                    let t = body.trailers().await.map_err(net)?.unwrap_or_default();
                    return Err(net(format!("stream ended: {}", status(http::StatusCode::OK, &t))));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_read_as_one_buffer() {
        let mut c = Chunks::default();
        for s in ["ab", "", "c", "defg"] {
            c.push(Bytes::from(s));
        }
        let mut skipped = c.clone();
        assert_eq!(c.copy_to_bytes(7), "abcdefg");
        assert_eq!((c.remaining(), c.chunk().len()), (0, 0));
        skipped.advance(3);
        assert_eq!((skipped.remaining(), skipped.chunk()), (4, &b"defg"[..]));
    }
}
