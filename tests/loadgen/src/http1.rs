//! A lean HTTP/1.1 keep-alive client for the JSON gateway: one request in flight per connection.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::grpc::{Fail, net, rpc};

pub(crate) struct Http {
    addr: SocketAddr,
    tcp: TcpStream,
    out: Vec<u8>,
    buf: Vec<u8>,
    body: Vec<u8>,
}

impl Http {
    pub(crate) async fn open(addr: SocketAddr) -> Result<Http, Fail> {
        let tcp = Self::dial(addr).await?;
        Ok(Http { addr, tcp, out: Vec::new(), buf: Vec::with_capacity(4096), body: Vec::new() })
    }

    async fn dial(addr: SocketAddr) -> Result<TcpStream, Fail> {
        let tcp =
            tokio::time::timeout(Duration::from_secs(5), TcpStream::connect(addr)).await.map_err(net)?.map_err(net)?;
        tcp.set_nodelay(true).map_err(net)?;
        Ok(tcp)
    }

    pub(crate) async fn reconnect(&mut self) -> Result<(), Fail> {
        self.tcp = Self::dial(self.addr).await?;
        self.buf.clear();
        Ok(())
    }

    async fn fill(&mut self) -> Result<(), Fail> {
        match self.tcp.read_buf(&mut self.buf).await {
            Ok(0) => Err(net("connection closed by server")),
            Ok(_) => Ok(()),
            Err(e) => Err(net(e)),
        }
    }

    /// POSTs a JSON body and returns the response body; any status but 200 is an error.
    pub(crate) async fn post(&mut self, path: &str, json: &[u8]) -> Result<&[u8], Fail> {
        self.out.clear();
        let _ = write!(
            self.out,
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.addr,
            json.len()
        );
        self.out.extend_from_slice(json);
        self.tcp.write_all(&self.out).await.map_err(net)?;
        let (code, length, close, mut at) = loop {
            let mut headers = [httparse::EMPTY_HEADER; 32];
            let mut resp = httparse::Response::new(&mut headers);
            match resp.parse(&self.buf).map_err(net)? {
                httparse::Status::Partial => self.fill().await?,
                httparse::Status::Complete(at) => {
                    let (mut length, mut chunked, mut close) = (0usize, false, false);
                    for h in resp.headers.iter() {
                        if h.name.eq_ignore_ascii_case("content-length") {
                            length = std::str::from_utf8(h.value)
                                .ok()
                                .and_then(|s| s.trim().parse().ok())
                                .ok_or(net("bad length"))?;
                        } else if h.name.eq_ignore_ascii_case("transfer-encoding") {
                            chunked = h.value.eq_ignore_ascii_case(b"chunked");
                        } else if h.name.eq_ignore_ascii_case("connection") {
                            close = h.value.eq_ignore_ascii_case(b"close");
                        }
                    }
                    break (resp.code.unwrap_or(0), (!chunked).then_some(length), close, at);
                }
            }
        };
        self.body.clear();
        match length {
            Some(n) => {
                self.take(&mut at, n).await?;
            }
            None => loop {
                let n = loop {
                    match httparse::parse_chunk_size(&self.buf[at..]).map_err(|_| net("bad chunk"))? {
                        httparse::Status::Complete((used, n)) => {
                            at += used;
                            break n as usize;
                        }
                        httparse::Status::Partial => self.fill().await?,
                    }
                };
                self.take(&mut at, n).await?;
                while self.buf.len() < at + 2 {
                    self.fill().await?;
                }
                at += 2; // the CRLF after a chunk, or after the (trailer-less) last one
                if n == 0 {
                    break;
                }
            },
        }
        self.buf.drain(..at);
        if close {
            self.reconnect().await?;
        }
        if code != 200 {
            return Err(rpc(format!("http {code}: {}", String::from_utf8_lossy(&self.body))));
        }
        Ok(&self.body)
    }

    async fn take(&mut self, at: &mut usize, n: usize) -> Result<(), Fail> {
        while self.buf.len() < *at + n {
            self.fill().await?;
        }
        self.body.extend_from_slice(&self.buf[*at..*at + n]);
        *at += n;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reads_lengths_chunks_and_errors() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let replies = [
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
                "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            ];
            for r in replies {
                let mut request = [0; 1024];
                assert!(tcp.read(&mut request).await.unwrap() > 0);
                for byte in r.as_bytes() {
                    tcp.write_all(&[*byte]).await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        });
        let mut h = Http::open(addr).await.unwrap();
        assert_eq!(h.post("/x", b"{}").await.unwrap(), b"abc");
        assert_eq!(h.post("/x", b"{}").await.unwrap(), b"abc");
        assert!(matches!(h.post("/x", b"{}").await, Err(Fail::Rpc(e)) if e == "http 404: no"));
        assert_eq!(h.post("/x", b"{}").await.unwrap(), b"");
    }
}
