//! A client that shows the bytes: one connection, chunks as they were cut.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Nothing here takes this long.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Raw {
    stream: BufReader<TcpStream>,
}

#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Raw {
    pub(crate) async fn open(address: SocketAddr) -> Raw {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Raw { stream: BufReader::new(stream) }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends a whole request; `headers` are lines with their line ends.
    pub(crate) async fn request(&mut self, method: &str, path: &str, headers: &str, body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        self.send(format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        ))
        .await;
        self.send(body).await;
    }

    /// Sends a head whose body comes in chunks.
    pub(crate) async fn begin(&mut self, path: &str) {
        self.send(format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n")).await;
    }

    pub(crate) async fn send_chunk(&mut self, data: impl AsRef<[u8]>) {
        let data = data.as_ref();
        self.send([format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat()).await;
    }

    pub(crate) async fn head(&mut self) -> Head {
        let status = self.line().await;
        let mut head = Head { status: status.split(' ').nth(1).unwrap().parse().unwrap(), headers: Vec::new() };
        loop {
            let line = self.line().await;
            let Some((name, value)) = line.split_once(": ") else { return head };
            head.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    /// The next chunk; none after the last.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let len = usize::from_str_radix(&self.line().await, 16).unwrap();
        let data = self.exactly(len).await;
        assert_eq!(self.line().await, "");
        (len > 0).then_some(data)
    }

    /// A chunk that is one JSON document and its newline.
    pub(crate) async fn message(&mut self) -> Value {
        let chunk = self.chunk().await.expect("the answer has ended");
        let (newline, document) = chunk.split_last().unwrap();
        assert_eq!(*newline, b'\n');
        assert!(!document.contains(&b'\n'));
        serde_json::from_slice(document).unwrap()
    }

    /// A body of declared length, or of chunks.
    pub(crate) async fn body(&mut self, head: &Head) -> Vec<u8> {
        if head.header("transfer-encoding") == Some("chunked") {
            let mut body = Vec::new();
            while let Some(chunk) = self.chunk().await {
                body.extend(chunk);
            }
            return body;
        }
        let length = head.header("content-length").unwrap_or_else(|| panic!("no content-length: {head:?}"));
        self.exactly(length.parse().unwrap()).await
    }

    /// A whole unary call.
    pub(crate) async fn post(&mut self, path: &str, body: impl AsRef<[u8]>) -> (Head, Value) {
        self.call("POST", path, "", body).await
    }

    pub(crate) async fn call(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: impl AsRef<[u8]>,
    ) -> (Head, Value) {
        self.request(method, path, headers, body).await;
        let head = self.head().await;
        let body = self.body(&head).await;
        (head, serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {body:?}")))
    }

    /// Whether the server has nothing to say for a moment: for what must *not* come.
    pub(crate) async fn silent(&mut self) -> bool {
        tokio::time::timeout(Duration::from_millis(50), self.stream.fill_buf()).await.is_err()
    }

    /// Everything up to the end of the connection, however it ends.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut data = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, self.stream.read_to_end(&mut data)).await.expect("no end");
        data
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = tokio::time::timeout(PATIENCE, self.stream.read_line(&mut line)).await.expect("no line").unwrap();
        assert!(read > 0, "the connection was closed");
        line.trim_end_matches("\r\n").to_owned()
    }

    async fn exactly(&mut self, len: usize) -> Vec<u8> {
        let mut data = vec![0; len];
        tokio::time::timeout(PATIENCE, self.stream.read_exact(&mut data)).await.expect("no data").unwrap();
        data
    }
}
