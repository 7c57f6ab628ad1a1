//! A provider of identities: a server that says what it is told to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use keyport_tests::certificates::Pair;
use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

#[derive(Debug, Default)]
struct Said {
    /// Status and body by path.
    answers: HashMap<String, (u16, String)>,
    asked: Vec<String>,
}

/// Gone when dropped.
pub(super) struct Provider {
    addr: SocketAddr,
    scheme: &'static str,
    said: Arc<Mutex<Said>>,
    serving: JoinHandle<()>,
}

impl Provider {
    /// Encrypted, if it has something to show.
    pub(super) async fn start(shown: Option<&Pair>) -> Provider {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (addr, said) = (listener.local_addr().unwrap(), Arc::<Mutex<Said>>::default());
        let acceptor = shown.map(acceptor);
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let serving = tokio::spawn({
            let said = Arc::clone(&said);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (said, acceptor) = (Arc::clone(&said), acceptor.clone());
                    tokio::spawn(async move {
                        match acceptor {
                            Some(acceptor) => answer(acceptor.accept(stream).await.ok()?, &said).await,
                            None => answer(stream, &said).await,
                        }
                    });
                }
            }
        });
        Provider { addr, scheme, said, serving }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.addr)
    }

    pub(super) fn says(&self, path: &str, status: u16, body: &impl ToString) {
        self.said.lock().answers.insert(path.to_owned(), (status, body.to_string()));
    }

    /// How often it was asked for that.
    pub(super) fn asked(&self, path: &str) -> usize {
        self.said.lock().asked.iter().filter(|asked| *asked == path).count()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn acceptor(Pair { cert, key }: &Pair) -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(cert).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    TlsAcceptor::from(Arc::new(config.with_single_cert(chain, key).unwrap()))
}

/// One request, one answer.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, said: &Mutex<Said>) -> Option<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.ok()?);
    }
    let request = String::from_utf8(request).unwrap();
    let path = request.split(' ').nth(1)?.to_owned();
    let (status, body) = {
        let mut said = said.lock();
        said.asked.push(path.clone());
        said.answers.get(&path).cloned().unwrap_or((404, String::new()))
    };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} \r\nContent-Length: {length}\r\nLocation: /elsewhere\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(body.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}
