//! A lean HTTP/1.1 keep-alive client for the JSON gateway: one request in flight per connection.

use std::io::Write;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::entry::{Entry, Protocol, Socket};
use crate::fail::{Fail, net, rpc};

pub(crate) struct Http {
    entry: Entry,
    socket: Socket,
    /// The header line with the token, if there is one.
    authorization: String,
    out: Vec<u8>,
    buf: Vec<u8>,
    body: Vec<u8>,
}

/// What is read of the head of an answer.
struct Head {
    code: u16,
    /// None: the body comes in chunks.
    length: Option<usize>,
    close: bool,
    /// Where the body begins.
    end: usize,
}

#[derive(Deserialize)]
struct Authenticated {
    token: String,
}

impl Http {
    /// Connects, and logs in if the login has no token yet.
    pub(crate) async fn open(entry: Entry) -> Result<Http, Fail> {
        let socket = entry.dial(Protocol::Http1).await?;
        let (out, buf, body) = (Vec::new(), Vec::with_capacity(4096), Vec::new());
        let mut http = Http { entry, socket, authorization: String::new(), out, buf, body };
        match http.entry.login.as_ref().map(|login| login.token()) {
            None => {}
            Some(None) => http.log_in().await?,
            Some(Some(token)) => http.carry(&token),
        }
        Ok(http)
    }

    pub(crate) async fn reconnect(&mut self) -> Result<(), Fail> {
        self.socket = self.entry.dial(Protocol::Http1).await?;
        self.buf.clear();
        Ok(())
    }

    /// Ends the connection in good order.
    pub(crate) async fn close(mut self) -> Result<(), Fail> {
        self.socket.shutdown().await.map_err(net)
    }

    /// POSTs a JSON body and returns the response body; any status but 200 is an error. With a token that has expired, it
    /// logs in and asks again.
    pub(crate) async fn post(&mut self, path: &str, json: &[u8]) -> Result<&[u8], Fail> {
        let mut code = self.exchange("POST", path, json).await?;
        if code == UNAUTHORIZED && self.entry.login.is_some() {
            self.log_in().await?;
            code = self.exchange("POST", path, json).await?;
        }
        self.answered(code)
    }

    /// GETs; any status but 200 is an error.
    pub(crate) async fn get(&mut self, path: &str) -> Result<&[u8], Fail> {
        let code = self.exchange("GET", path, b"").await?;
        self.answered(code)
    }

    /// PUTs a body; any status but 200, 201 and 204 is an error.
    pub(crate) async fn put(&mut self, path: &str, body: &[u8]) -> Result<(), Fail> {
        match self.exchange("PUT", path, body).await? {
            201 | 204 => Ok(()),
            code => self.answered(code).map(drop),
        }
    }

    /// POSTs a JSON body whose answer does not end. Read on with [`Http::more`].
    pub(crate) async fn post_endless(&mut self, path: &str, json: &[u8]) -> Result<(), Fail> {
        self.send("POST", path, json).await?;
        let head = self.head().await?;
        self.buf.drain(..head.end);
        if head.code == 200 { Ok(()) } else { Err(rpc(format!("http {}", head.code))) }
    }

    /// What came of an endless answer since the last time, as it was sent; waits until there is something.
    pub(crate) async fn more(&mut self) -> Result<&[u8], Fail> {
        std::mem::swap(&mut self.body, &mut self.buf);
        self.buf.clear();
        if self.body.is_empty() {
            self.fill().await?;
            std::mem::swap(&mut self.body, &mut self.buf);
        }
        Ok(&self.body)
    }

    /// A new token from the server, for this connection and those that share the login.
    async fn log_in(&mut self) -> Result<(), Fail> {
        let Some(login) = self.entry.login.clone() else { return Err(rpc("nobody to log in")) };
        self.authorization.clear();
        let json = serde_json::json!({ "name": login.name, "password": login.password }).to_string();
        let code = self.exchange("POST", "/v3/auth/authenticate", json.as_bytes()).await?;
        let Authenticated { token } = serde_json::from_slice(self.answered(code)?).map_err(rpc)?;
        login.renewed(&token);
        self.carry(&token);
        Ok(())
    }

    fn carry(&mut self, token: &str) {
        self.authorization = format!("Authorization: {token}\r\n");
    }

    fn answered(&self, code: u16) -> Result<&[u8], Fail> {
        let text = || format!("http {code}: {}", String::from_utf8_lossy(&self.body));
        match code {
            200 => Ok(&self.body),
            UNAUTHORIZED => Err(Fail::Token(text())),
            _ => Err(rpc(text())),
        }
    }

    /// A request and its answer, whose body is then in `self.body`.
    async fn exchange(&mut self, method: &str, path: &str, body: &[u8]) -> Result<u16, Fail> {
        self.send(method, path, body).await?;
        let Head { code, length, close, end: mut at } = self.head().await?;
        self.body.clear();
        match length {
            Some(n) => self.take(&mut at, n).await?,
            None => self.chunks(&mut at).await?,
        }
        self.buf.drain(..at);
        if close {
            self.reconnect().await?;
        }
        Ok(code)
    }

    async fn send(&mut self, method: &str, path: &str, body: &[u8]) -> Result<(), Fail> {
        self.out.clear();
        let _ = write!(
            self.out,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.entry.addr,
            self.authorization,
            body.len()
        );
        self.out.extend_from_slice(body);
        self.socket.write_all(&self.out).await.map_err(net)?;
        self.socket.flush().await.map_err(net)
    }

    async fn head(&mut self) -> Result<Head, Fail> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 32];
            let mut resp = httparse::Response::new(&mut headers);
            match resp.parse(&self.buf).map_err(net)? {
                httparse::Status::Partial => self.fill().await?,
                httparse::Status::Complete(end) => {
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
                    return Ok(Head { code: resp.code.unwrap_or(0), length: (!chunked).then_some(length), close, end });
                }
            }
        }
    }

    /// All chunks of a body, from `at` on.
    async fn chunks(&mut self, at: &mut usize) -> Result<(), Fail> {
        loop {
            let n = match httparse::parse_chunk_size(&self.buf[*at..]).map_err(|_| net("bad chunk"))? {
                httparse::Status::Complete((used, n)) => {
                    *at += used;
                    n as usize
                }
                httparse::Status::Partial => {
                    self.fill().await?;
                    continue;
                }
            };
            self.take(at, n).await?;
            while self.buf.len() < *at + 2 {
                self.fill().await?;
            }
            *at += 2; // the CRLF after a chunk, or after the (trailer-less) last one
            if n == 0 {
                return Ok(());
            }
        }
    }

    async fn fill(&mut self) -> Result<(), Fail> {
        match self.socket.read_buf(&mut self.buf).await {
            Ok(0) => Err(net("connection closed by server")),
            Ok(_) => Ok(()),
            Err(e) => Err(net(e)),
        }
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

const UNAUTHORIZED: u16 = 401;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Access;

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
        let mut h = Http::open(Access::default().stranger(addr)).await.unwrap();
        assert_eq!(h.post("/x", b"{}").await.unwrap(), b"abc");
        assert_eq!(h.post("/x", b"{}").await.unwrap(), b"abc");
        assert!(matches!(h.post("/x", b"{}").await, Err(Fail::Rpc(e)) if e == "http 404: no"));
        assert_eq!(h.post("/x", b"{}").await.unwrap(), b"");
    }

    /// Answers requests in turn, and tells what they were.
    async fn answering(replies: Vec<&'static str>) -> (Entry, tokio::task::JoinHandle<Vec<String>>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let entry = Access::default().stranger(listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let mut asked = vec![];
            for reply in replies {
                let mut request = [0; 1024];
                let n = tcp.read(&mut request).await.unwrap();
                asked.push(String::from_utf8_lossy(&request[..n]).into_owned());
                tcp.write_all(reply.as_bytes()).await.unwrap();
            }
            asked
        });
        (entry, asked)
    }

    #[tokio::test]
    async fn an_expired_token_is_renewed() {
        let (entry, asked) = answering(vec![
            "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"token\":\"one\"}",
            "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"token\":\"two\"}",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        ])
        .await;
        let login = std::sync::Arc::new(crate::entry::Login::new("somebody", "secret"));
        let mut h = Http::open(Entry { login: Some(login.clone()), ..entry }).await.unwrap();
        assert_eq!(login.token().as_deref(), Some("one"), "the login is before the first request");
        assert_eq!(h.post("/x", b"{}").await.unwrap(), b"ok");
        assert_eq!(login.token().as_deref(), Some("two"));
        let asked = asked.await.unwrap();
        let carried: Vec<_> = asked.iter().map(|r| r.lines().find_map(|l| l.strip_prefix("Authorization: "))).collect();
        assert_eq!(carried, [None, Some("one"), None, Some("two")]);
        assert!(asked[0].starts_with("POST /v3/auth/authenticate ") && asked[0].contains(r#""name":"somebody""#));
    }

    #[tokio::test]
    async fn answers_without_end_are_read_as_they_come() {
        let (entry, _) = answering(vec!["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"]).await;
        let mut h = Http::open(entry).await.unwrap();
        h.post_endless("/x", b"{}").await.unwrap();
        let mut came = vec![];
        while !came.ends_with(b"ab\r\n") {
            came.extend_from_slice(h.more().await.unwrap());
        }
        assert!(matches!(h.more().await, Err(Fail::Net(_))), "the connection has ended");
    }
}
