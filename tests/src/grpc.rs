//! A gRPC client over the project's own messages, with short spellings for requests.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use keyport_api::etcdserverpb::cluster_client::ClusterClient;
use keyport_api::etcdserverpb::kv_client::KvClient;
use keyport_api::etcdserverpb::lease_client::LeaseClient;
use keyport_api::etcdserverpb::maintenance_client::MaintenanceClient;
use keyport_api::etcdserverpb::watch_client::WatchClient;
use keyport_api::etcdserverpb::{
    CompactionRequest, DeleteRangeRequest, LeaseGrantRequest, LeaseKeepAliveRequest, LeaseKeepAliveResponse,
    PutRequest, PutResponse, RangeRequest, RangeResponse, RequestOp, ResponseHeader, TxnRequest, TxnResponse,
    WatchCancelRequest, WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse, request_op,
    watch_request,
};
use keyport_api::mvccpb::{Event, KeyValue};
use keyport_api::v3electionpb::election_client::ElectionClient;
use keyport_api::v3lockpb::lock_client::LockClient;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status, Streaming};

use crate::wait::within;

/// A message as gRPC frames it: not compressed, its length before it.
///
/// # Panics
/// If it has four gigabytes.
pub fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a length in four bytes");
    [&[0][..], &length.to_be_bytes(), message].concat()
}

/// All services of one server, over one connection.
#[derive(Clone, Debug)]
pub struct Grpc {
    /// The connection, for services that have no field here.
    pub channel: Channel,
    /// KV
    pub kv: KvClient<Channel>,
    /// Watch
    pub watch: WatchClient<Channel>,
    /// Lease
    pub lease: LeaseClient<Channel>,
    /// Cluster
    pub cluster: ClusterClient<Channel>,
    /// Maintenance
    pub maintenance: MaintenanceClient<Channel>,
    /// v3lock
    pub lock: LockClient<Channel>,
    /// v3election
    pub election: ElectionClient<Channel>,
}

impl Grpc {
    /// Connects.
    ///
    /// # Panics
    /// If that fails.
    pub async fn connect(addr: SocketAddr) -> Grpc {
        let endpoint = Endpoint::from_shared(format!("http://{addr}")).expect("an address makes a URL");
        let channel = endpoint
            .connect_timeout(Duration::from_secs(10))
            // A stream that a test does not read must not hold up the others.
            .initial_connection_window_size(u32::MAX >> 1)
            .connect()
            .await
            .expect("the server accepts");
        Grpc::on(channel)
    }

    /// Connects when it is used, and again after the server was away.
    ///
    /// # Panics
    /// If the address makes no URL.
    pub fn lazy(addr: SocketAddr) -> Grpc {
        let endpoint = Endpoint::from_shared(format!("http://{addr}")).expect("an address makes a URL");
        let endpoint = endpoint.connect_timeout(Duration::from_secs(1)).initial_connection_window_size(u32::MAX >> 1);
        Grpc::on(endpoint.connect_lazy())
    }

    /// Uses a connection.
    pub fn on(channel: Channel) -> Grpc {
        Grpc {
            kv: KvClient::new(channel.clone()).max_decoding_message_size(usize::MAX),
            watch: WatchClient::new(channel.clone()).max_decoding_message_size(usize::MAX),
            lease: LeaseClient::new(channel.clone()),
            cluster: ClusterClient::new(channel.clone()),
            maintenance: MaintenanceClient::new(channel.clone()),
            lock: LockClient::new(channel.clone()),
            election: ElectionClient::new(channel.clone()),
            channel,
        }
    }

    /// Puts and returns the revision.
    ///
    /// # Panics
    /// If the server refuses.
    pub async fn put(&mut self, key: &str, value: &str) -> i64 {
        self.put_of(put(key, value)).await.header.expect("a header").revision
    }

    /// Puts.
    ///
    /// # Panics
    /// If the server refuses.
    pub async fn put_of(&mut self, request: PutRequest) -> PutResponse {
        within("put", self.kv.put(request)).await.expect("put").into_inner()
    }

    /// Deletes one key and returns the revision.
    ///
    /// # Panics
    /// If the server refuses.
    pub async fn delete(&mut self, key: &str) -> i64 {
        let done = within("delete", self.kv.delete_range(delete(key))).await.expect("delete").into_inner();
        done.header.expect("a header").revision
    }

    /// Ranges.
    ///
    /// # Panics
    /// If the server refuses.
    pub async fn range(&mut self, request: RangeRequest) -> RangeResponse {
        within("range", self.kv.range(request)).await.expect("range").into_inner()
    }

    /// One key, if it is there.
    ///
    /// # Panics
    /// If the server refuses.
    pub async fn get(&mut self, key: &str) -> Option<KeyValue> {
        self.range(get(key)).await.kvs.into_iter().next()
    }

    /// Runs a transaction.
    ///
    /// # Panics
    /// If the server refuses.
    pub async fn txn(&mut self, request: TxnRequest) -> TxnResponse {
        within("txn", self.kv.txn(request)).await.expect("txn").into_inner()
    }

    /// Compacts and waits for the physical removal.
    ///
    /// # Panics
    /// If the server refuses.
    pub async fn compact(&mut self, revision: i64) {
        let request = CompactionRequest { revision, physical: true };
        within("compact", self.kv.compact(request)).await.expect("compact");
    }

    /// The current revision.
    ///
    /// # Panics
    /// If the server refuses.
    pub async fn revision(&mut self) -> i64 {
        self.range(get("any")).await.header.expect("a header").revision
    }

    /// Grants a lease and returns its id.
    ///
    /// # Panics
    /// If the server refuses.
    pub async fn grant(&mut self, ttl: i64) -> i64 {
        let request = LeaseGrantRequest { ttl, id: 0 };
        within("grant", self.lease.lease_grant(request)).await.expect("grant").into_inner().id
    }

    /// Sends one keep-alive over a stream of its own.
    ///
    /// # Panics
    /// If the server refuses or ends the stream.
    pub async fn keep_alive(&mut self, id: i64) -> LeaseKeepAliveResponse {
        within("keep-alive", self.try_keep_alive(id)).await.expect("keep-alive").expect("an answer")
    }

    /// The same; none if the server ends the stream instead.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn try_keep_alive(&mut self, id: i64) -> Result<Option<LeaseKeepAliveResponse>, Status> {
        let once = tokio_stream::iter([LeaseKeepAliveRequest { id }]);
        self.lease.lease_keep_alive(once).await?.into_inner().message().await
    }

    /// Opens a watch stream.
    ///
    /// # Panics
    /// If the server refuses.
    pub fn watch(&mut self) -> WatchStream {
        let (send, requests) = mpsc::channel(64);
        let mut client = self.watch.clone();
        let answers =
            tokio::spawn(async move { client.watch(ReceiverStream::new(requests)).await.map(Response::into_inner) });
        WatchStream { send: Some(send), answers: Answers::Opening(answers) }
    }
}

enum Answers {
    Opening(tokio::task::JoinHandle<Result<Streaming<WatchResponse>, Status>>),
    Open(Box<Streaming<WatchResponse>>),
}

/// One watch stream with any number of watchers.
pub struct WatchStream {
    send: Option<mpsc::Sender<WatchRequest>>,
    answers: Answers,
}

impl std::fmt::Debug for WatchStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WatchStream").finish_non_exhaustive()
    }
}

impl WatchStream {
    /// Sends any request.
    ///
    /// # Panics
    /// If the stream is closed.
    pub async fn send(&mut self, request: watch_request::RequestUnion) {
        self.send_raw(WatchRequest { request_union: Some(request) }).await;
    }

    /// Sends a request as it is.
    ///
    /// # Panics
    /// If the stream is closed.
    pub async fn send_raw(&mut self, request: WatchRequest) {
        let send = self.send.as_ref().expect("not half-closed");
        within("watch request", send.send(request)).await.expect("the stream is open");
    }

    /// Asks for a watcher, without waiting.
    pub async fn ask(&mut self, create: WatchCreateRequest) {
        self.send(watch_request::RequestUnion::CreateRequest(create)).await;
    }

    /// Creates a watcher and returns the message that says so.
    pub async fn create(&mut self, create: WatchCreateRequest) -> WatchResponse {
        self.ask(create).await;
        let answer = self.next().await;
        assert!(answer.created, "created first: {answer:?}");
        answer
    }

    /// Cancels a watcher, without waiting.
    pub async fn cancel(&mut self, watch_id: i64) {
        self.send(watch_request::RequestUnion::CancelRequest(WatchCancelRequest { watch_id })).await;
    }

    /// Asks for progress.
    pub async fn progress(&mut self) {
        self.send(watch_request::RequestUnion::ProgressRequest(WatchProgressRequest {})).await;
    }

    /// Ends the requests.
    pub fn half_close(&mut self) {
        self.send = None;
    }

    /// The next message, or how the stream ended.
    ///
    /// # Panics
    /// If nothing comes.
    pub async fn message(&mut self) -> Result<Option<WatchResponse>, Status> {
        within("watch message", async {
            if let Answers::Opening(open) = &mut self.answers {
                let open = open.await.expect("the opening task does not panic")?;
                self.answers = Answers::Open(Box::new(open));
            }
            let Answers::Open(answers) = &mut self.answers else { unreachable!("just opened") };
            answers.message().await
        })
        .await
    }

    /// The next message.
    ///
    /// # Panics
    /// If nothing comes or the stream ends.
    pub async fn next(&mut self) -> WatchResponse {
        self.message().await.expect("the stream goes on").expect("the stream goes on")
    }

    /// Reads messages until `count` events are there, or more.
    ///
    /// # Panics
    /// If they do not come.
    pub async fn events(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < count {
            let message = self.next().await;
            assert!(!message.canceled, "canceled: {message:?}");
            events.extend(message.events);
        }
        events
    }
}

/// The end of the range of all keys with this prefix.
pub fn prefix_end(prefix: &[u8]) -> Bytes {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return end.into();
        }
    }
    Bytes::from_static(b"\0")
}

/// Bytes of a text.
pub fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// A put.
pub fn put(key: &str, value: &str) -> PutRequest {
    PutRequest { key: bytes(key), value: bytes(value), ..PutRequest::default() }
}

/// A range of one key.
pub fn get(key: &str) -> RangeRequest {
    RangeRequest { key: bytes(key), ..RangeRequest::default() }
}

/// A range of all keys with a prefix.
pub fn list(prefix: &str) -> RangeRequest {
    RangeRequest { key: bytes(prefix), range_end: prefix_end(prefix.as_bytes()), ..RangeRequest::default() }
}

/// A range of everything.
pub fn all() -> RangeRequest {
    RangeRequest { key: bytes("\0"), range_end: bytes("\0"), ..RangeRequest::default() }
}

/// A deletion of one key.
pub fn delete(key: &str) -> DeleteRangeRequest {
    DeleteRangeRequest { key: bytes(key), ..DeleteRangeRequest::default() }
}

/// A deletion of all keys with a prefix.
pub fn delete_all(prefix: &str) -> DeleteRangeRequest {
    DeleteRangeRequest { key: bytes(prefix), range_end: prefix_end(prefix.as_bytes()), ..DeleteRangeRequest::default() }
}

/// A watcher of one key from the next revision on.
pub fn watch(key: &str) -> WatchCreateRequest {
    WatchCreateRequest { key: bytes(key), ..WatchCreateRequest::default() }
}

/// A watcher of all keys with a prefix from the next revision on.
pub fn watch_all(prefix: &str) -> WatchCreateRequest {
    WatchCreateRequest { key: bytes(prefix), range_end: prefix_end(prefix.as_bytes()), ..WatchCreateRequest::default() }
}

/// Operations of a transaction.
pub trait IntoOp {
    /// As a member of a branch.
    fn op(self) -> RequestOp;
}

macro_rules! into_op {
    ($($request:ty => $variant:ident),*) => {$(
        impl IntoOp for $request {
            fn op(self) -> RequestOp {
                RequestOp { request: Some(request_op::Request::$variant(self)) }
            }
        }
    )*};
}
into_op!(RangeRequest => RequestRange, PutRequest => RequestPut, DeleteRangeRequest => RequestDeleteRange, TxnRequest => RequestTxn);

/// What the server must refuse with.
///
/// # Panics
/// If it did not refuse, or otherwise.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, message: &str) {
    let status = answer.expect_err("a refusal");
    assert_eq!((status.code(), status.message()), (code, message));
}

/// Keys as texts.
pub fn keys(answer: &RangeResponse) -> Vec<String> {
    answer.kvs.iter().map(|kv| text(&kv.key)).collect()
}

/// Values as texts.
pub fn values(answer: &RangeResponse) -> Vec<String> {
    answer.kvs.iter().map(|kv| text(&kv.value)).collect()
}

/// Bytes as a text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The revision in a header.
///
/// # Panics
/// If there is no header.
#[track_caller]
pub fn revision(header: &Option<ResponseHeader>) -> i64 {
    header.as_ref().expect("a header").revision
}
