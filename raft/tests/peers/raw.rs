//! A peer made by hand: bytes on a socket, as the documentation of the frames has them.

use std::net::SocketAddr;

use keyport_api::raftpb::{Message, MessageType, Snapshot, SnapshotMetadata};
use prost::Message as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{CLUSTER, within};

pub(crate) const MESSAGES: u8 = 1;
pub(crate) const PING: u8 = 2;
pub(crate) const PONG: u8 = 3;
pub(crate) const SNAPSHOT_HEADER: u8 = 4;
pub(crate) const SNAPSHOT_CHUNK: u8 = 5;
pub(crate) const SNAPSHOT_END: u8 = 6;

pub(crate) fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
    frame.push(kind);
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&frame), payload);
    frame.extend(checksum.to_be_bytes());
    frame.extend(payload);
    frame
}

pub(crate) fn message_frame(message: &Message) -> Vec<u8> {
    frame(MESSAGES, &message.encode_length_delimited_to_vec())
}

pub(crate) fn heartbeat(from: u64, to: u64) -> Message {
    let kind = Some(MessageType::MsgHeartbeat as i32);
    Message { r#type: kind, from: Some(from), to: Some(to), term: Some(1), ..Message::default() }
}

pub(crate) fn snapshot_message(from: u64, to: u64, index: u64, term: u64) -> Message {
    let metadata = Some(SnapshotMetadata { index: Some(index), term: Some(term), conf_state: None });
    Message {
        r#type: Some(MessageType::MsgSnap as i32),
        from: Some(from),
        to: Some(to),
        term: Some(term),
        snapshot: Some(Snapshot { data: None, metadata }),
        ..Message::default()
    }
}

/// What a peer says first; every field may be wrong.
#[derive(Clone)]
pub(crate) struct Greeting {
    pub(crate) cluster: u64,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) version: &'static str,
    pub(crate) urls: String,
    pub(crate) upgrade: &'static str,
}

impl Greeting {
    pub(crate) fn new(from: u64, to: u64) -> Greeting {
        let (version, upgrade) = ("3.7.1", "keyport-raft/1");
        Greeting { cluster: CLUSTER, from, to, version, urls: String::new(), upgrade }
    }

    fn headers(&self) -> String {
        format!(
            "Host: peer\r\nX-Etcd-Cluster-ID: {:x}\r\nX-Server-From: {:x}\r\nX-Raft-To: {:x}\r\n\
             X-Server-Version: {}\r\nX-Min-Cluster-Version: 3.0.0\r\nX-PeerURLs: {}\r\n",
            self.cluster, self.from, self.to, self.version, self.urls
        )
    }

    /// Asks for a stream.
    pub(crate) async fn stream(&self, address: SocketAddr) -> Raw {
        let upgrade = format!("Connection: Upgrade\r\nUpgrade: {}\r\n", self.upgrade);
        let head = format!("GET /raft/stream HTTP/1.1\r\n{}{upgrade}\r\n", self.headers());
        let mut raw = Raw::connect(address).await;
        raw.write(head.as_bytes()).await;
        raw.status = status(&mut raw.socket).await;
        raw
    }

    /// Begins a snapshot; the body follows in any number of chunks.
    pub(crate) async fn snapshot(&self, address: SocketAddr) -> Raw {
        let head = format!("POST /raft/snapshot HTTP/1.1\r\n{}Transfer-Encoding: chunked\r\n\r\n", self.headers());
        let mut raw = Raw::connect(address).await;
        raw.write(head.as_bytes()).await;
        raw
    }
}

/// A connection to a member.
pub(crate) struct Raw {
    pub(crate) socket: TcpStream,
    pub(crate) status: u16,
}

impl Raw {
    async fn connect(address: SocketAddr) -> Raw {
        Raw { socket: within("a connection", TcpStream::connect(address)).await.unwrap(), status: 0 }
    }

    /// The other side may have closed it.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let _ = within("somebody reads", self.socket.write_all(bytes)).await;
    }

    /// Part of a chunked body.
    pub(crate) async fn write_chunk(&mut self, bytes: &[u8]) {
        let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        self.write(&chunk).await;
    }

    /// Ends a chunked body and waits for the answer.
    pub(crate) async fn answer(&mut self) -> u16 {
        self.write(b"0\r\n\r\n").await;
        status(&mut self.socket).await
    }

    /// A ping comes back.
    pub(crate) async fn ping(&mut self, number: u64) {
        self.write(&frame(PING, &number.to_be_bytes())).await;
        let mut pong = [0; 17];
        within("a pong", self.socket.read_exact(&mut pong)).await.unwrap();
        assert_eq!(pong[..], frame(PONG, &number.to_be_bytes()));
    }

    /// Waits until the other side ends it.
    pub(crate) async fn closed(&mut self) {
        let mut buffer = [0; 1024];
        within("the other side ends it", async { while self.socket.read(&mut buffer).await.unwrap_or(0) > 0 {} }).await;
    }
}

/// Reads an answer's head; 0 when there is none.
async fn status(socket: &mut TcpStream) -> u16 {
    let Ok(head) = within("an answer", head(socket)).await else { return 0 };
    let head = String::from_utf8(head).unwrap();
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Of a request or an answer.
async fn head(socket: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await?);
    }
    Ok(head)
}

/// A listener that grants streams, whatever comes.
pub(crate) struct Acceptor(TcpListener);

impl Acceptor {
    pub(crate) async fn new() -> Acceptor {
        Acceptor(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    /// The next connection, which is told that it reached that member.
    pub(crate) async fn accept(&self, id: u64) -> TcpStream {
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: keyport-raft/1\r\n\
             X-Etcd-Cluster-ID: {CLUSTER:x}\r\nX-Server-From: {id:x}\r\n\r\n"
        );
        self.answer(&head).await
    }

    /// The next connection, answered with this.
    pub(crate) async fn answer(&self, answer: &str) -> TcpStream {
        let (mut socket, _) = self.hear().await;
        socket.write_all(answer.as_bytes()).await.unwrap();
        socket
    }

    /// The next connection, and how it introduces itself.
    pub(crate) async fn hear(&self) -> (TcpStream, String) {
        within("a connection comes", async {
            let (mut socket, _) = self.0.accept().await.unwrap();
            let head = head(&mut socket).await.unwrap();
            (socket, String::from_utf8(head).unwrap())
        })
        .await
    }
}
