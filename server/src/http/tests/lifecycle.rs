use super::*;
use tokio::net::UnixStream;

#[tokio::test]
async fn what_is_being_answered_is_answered_before_the_end() {
    let mut server = start(Setup::default());
    let addr = server.addr;
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    server.app.0.arrived.notified().await;
    let mut idle = TcpStream::connect(addr).await.unwrap();
    idle.write_all(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut buffer = [0; 1024];
    assert!(idle.read(&mut buffer).await.unwrap() > 0);

    drop(server.stop.take());
    // The idle connection ends at once, which also tells that the shutdown is under way.
    assert_eq!(idle.read(&mut buffer).await.unwrap(), 0);
    assert!(TcpStream::connect(addr).await.is_err());
    server.app.0.release.notify_one();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("waited"), "{answer}");
    server.serving.await.unwrap();
}

#[tokio::test]
async fn what_does_not_end_is_dropped() {
    let mut server = start(Setup { drain: Duration::from_millis(20), ..Setup::default() });
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    server.app.0.arrived.notified().await;
    drop(server.stop.take());
    server.serving.await.unwrap();
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn unix_sockets() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sock");
    let url = format!("unix://{}", path.display());
    // What a crash left behind is no obstacle, a live server is.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let server = start_on(listen(&url, Face::All), Setup::default());
    let taken = ListenConfig { client: vec![Url::parse(&url).unwrap()], ..config(&[]).listen };
    assert!(bind(&taken, &without_tls()).unwrap_err().to_string().starts_with(&format!("cannot listen on {url}: ")));
    let mut stream = UnixStream::connect(&path).await.unwrap();
    stream.write_all(b"GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("hello"), "{answer}");
    drop(server);
}

#[tokio::test]
async fn a_taken_port_is_an_error_with_its_url() {
    let listeners = listen("http://127.0.0.1:0", Face::All);
    let port = listeners[0].local_addr().unwrap().port();
    let taken =
        ListenConfig { client: vec![Url::parse(&format!("http://127.0.0.1:{port}")).unwrap()], ..config(&[]).listen };
    let error = bind(&taken, &without_tls()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot listen on http://127.0.0.1:{port}: Address already in use")), "{error}");
}
