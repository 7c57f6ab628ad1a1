//! A lean gRPC client over the `h2` crate: unary calls and bidirectional streams, one thread per connection.

mod chunks;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Request, Uri};
use prost::Message;

use crate::entry::{Entry, Protocol};
use crate::fail::{Fail, net, rpc};
use crate::proto::{AuthenticateResponse, frame};
use chunks::Chunks;

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
    Authenticate,
    AuthEnable,
    UserAdd,
    UserGrantRole,
    RoleAdd,
    RoleGrantPermission,
    RoleRevokePermission,
}
const PATHS: [&str; 17] = [
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
    "etcdserverpb.Auth/Authenticate",
    "etcdserverpb.Auth/AuthEnable",
    "etcdserverpb.Auth/UserAdd",
    "etcdserverpb.Auth/UserGrantRole",
    "etcdserverpb.Auth/RoleAdd",
    "etcdserverpb.Auth/RoleGrantPermission",
    "etcdserverpb.Auth/RoleRevokePermission",
];

/// What an HTTP/2 connection may take to be set up above the socket.
const HANDSHAKE: Duration = Duration::from_secs(5);
const UNAUTHENTICATED: &str = "16";

pub(crate) struct Conn {
    entry: Entry,
    uris: [Uri; PATHS.len()],
    headers: RefCell<HeaderMap>,
    sender: RefCell<SendRequest<Bytes>>,
    generation: Cell<u64>,
}

impl Conn {
    /// Connects, and logs in if the login has no token yet.
    pub(crate) async fn open(entry: Entry) -> Result<Rc<Conn>, Fail> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        headers.insert("te", HeaderValue::from_static("trailers"));
        let (scheme, addr) = (entry.scheme(), entry.addr);
        let uris = PATHS.map(|p| format!("{scheme}://{addr}/{p}").parse().expect("an address and a path make a URI"));
        let (headers, sender) = (RefCell::new(headers), RefCell::new(Self::dial(&entry).await?));
        let conn = Conn { entry, uris, headers, sender, generation: Cell::new(0) };
        match conn.entry.login.as_ref().map(|login| login.token()) {
            None => {}
            Some(None) => conn.log_in().await?,
            Some(Some(token)) => conn.carry(&token)?,
        }
        Ok(Rc::new(conn))
    }

    async fn dial(entry: &Entry) -> Result<SendRequest<Bytes>, Fail> {
        let socket = entry.dial(Protocol::H2).await?;
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(16 << 20).initial_connection_window_size(1 << 30);
        let (sender, conn) =
            tokio::time::timeout(HANDSHAKE, builder.handshake(socket)).await.map_err(net)?.map_err(net)?;
        tokio::task::spawn_local(async move {
            let _ = conn.await;
        });
        Ok(sender)
    }

    /// A new token from the server, for this connection and those that share the login.
    async fn log_in(&self) -> Result<(), Fail> {
        let Some(login) = &self.entry.login else { return Err(rpc("nobody to log in")) };
        let answer: AuthenticateResponse = self.once(Method::Authenticate, frame(&login.request())).await?;
        login.renewed(&answer.token);
        self.carry(&answer.token)
    }

    fn carry(&self, token: &str) -> Result<(), Fail> {
        self.headers.borrow_mut().insert("token", HeaderValue::from_str(token).map_err(rpc)?);
        Ok(())
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.get()
    }

    /// Reconnects once per broken generation, however many callers ask.
    pub(crate) async fn reconnect(&self, seen: u64) -> Result<(), Fail> {
        if self.generation.get() == seen {
            let s = Self::dial(&self.entry).await?;
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
        *req.headers_mut() = self.headers.borrow().clone();
        s.send_request(req, false).map_err(net)
    }

    /// A unary call; `frame` is an already framed request. With a token that has expired, it logs in and calls again.
    pub(crate) async fn call<R: Message + Default>(&self, m: Method, frame: Bytes) -> Result<R, Fail> {
        let again = self.entry.login.is_some().then(|| frame.clone());
        match (self.once(m, frame).await, again) {
            (Err(Fail::Token(_)), Some(frame)) => {
                self.log_in().await?;
                self.once(m, frame).await
            }
            (answer, _) => answer,
        }
    }

    async fn once<R: Message + Default>(&self, m: Method, frame: Bytes) -> Result<R, Fail> {
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
    let text = format!("http {} grpc-status {} {}", http.as_u16(), get("grpc-status"), get("grpc-message"));
    if get("grpc-status") == UNAUTHENTICATED { Fail::Token(text) } else { Fail::Rpc(text) }
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
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;
    use tokio::task::spawn_local;

    use super::*;
    use crate::entry::{Access, Login};
    use crate::local::block_on;
    use crate::proto::{RangeCount, RangeRequest};

    /// Answers calls in turn with a message or a status, and tells the paths and tokens.
    async fn answering(
        answers: Vec<Result<Bytes, &'static str>>,
    ) -> (Entry, mpsc::UnboundedReceiver<(String, String)>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let entry = Access::default().stranger(listener.local_addr().unwrap());
        let (asked, calls) = mpsc::unbounded_channel();
        spawn_local(async move {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut conn = h2::server::handshake(tcp).await.unwrap();
            let mut answers = answers.into_iter();
            while let Some(Ok((request, mut respond))) = conn.accept().await {
                let token = request.headers().get("token").map_or("-", |t| t.to_str().unwrap());
                asked.send((request.uri().path().to_owned(), token.to_owned())).unwrap();
                let answer = answers.next().unwrap();
                let status = HeaderMap::from_iter([(
                    http::HeaderName::from_static("grpc-status"),
                    HeaderValue::from_static(answer.as_ref().err().unwrap_or(&"0")),
                )]);
                let mut head = http::Response::new(());
                if answer.is_err() {
                    head.headers_mut().extend(status.clone());
                }
                let mut body = respond.send_response(head, answer.is_err()).unwrap();
                if let Ok(message) = answer {
                    body.send_data(message, false).unwrap();
                    body.send_trailers(status).unwrap();
                }
            }
        });
        (entry, calls)
    }

    #[test]
    fn an_expired_token_is_renewed() {
        let token = |token: &str| Ok(frame(&AuthenticateResponse { token: token.into() }));
        let range = Ok(frame(&RangeCount { count: 3 }));
        block_on(async {
            let (entry, mut calls) =
                answering(vec![token("one"), Err(UNAUTHENTICATED), token("two"), range, Err("7")]).await;
            let login = Some(std::sync::Arc::new(Login::new("somebody", "secret")));
            let conn = Conn::open(Entry { login, ..entry }).await.unwrap();
            let read = || conn.call::<RangeCount>(Method::Range, frame(&RangeRequest::default()));
            assert_eq!(read().await.unwrap().count, 3);
            assert!(matches!(read().await, Err(Fail::Rpc(_))), "who may not do something is not logged in again");
            let mut asked = vec![];
            while let Ok((path, token)) = calls.try_recv() {
                asked.push(format!("{} {token}", path.rsplit('/').next().unwrap()));
            }
            assert_eq!(asked, ["Authenticate -", "Range one", "Authenticate one", "Range two", "Range two"]);
        });
    }
}
