//! A member in the process of a test: a real one, alone in its cluster, that follows its log and listens where it is told.

pub(crate) mod admissions;
pub(crate) mod counts;
pub(crate) mod dns;
pub(crate) mod h2;
pub(crate) mod raw;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use admissions::Admissions;
use keyport_api::etcdserverpb::request_op::Request;
use keyport_api::etcdserverpb::{CompactionRequest, DeleteRangeRequest, PutRequest, RequestOp, TxnRequest};
use keyport_raft::LeaderState;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tower::Layer as _;

use crate::calls::Calls;
use crate::config::{self, Action, Config, ListenConfig, Sources, TlsConfig, Url};
use crate::faces::json::GatewayOptions;
use crate::faces::ops;
use crate::faces::routes::Routes;
use crate::gate::Pass;
use crate::http::layers::Quota;
use crate::http::plain::not_found;
use crate::http::{Column, Pace, Server, Stack, StackOptions};
use crate::metrics::Metrics;
use crate::net::{Face, Listener, bind};
use crate::node::Node;
use crate::tls::Tls;

/// A key and its new value, or none to delete it.
pub(crate) type Change<'a> = (&'a [u8], Option<&'a [u8]>);

/// See the module's text. What it left is gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) node: Node,
    pub(crate) calls: Calls,
    /// Everything that was asked for at the gate.
    pub(crate) admissions: Admissions,
    /// The slowest that requests may come in.
    pub(crate) pace: Pace,
    metrics: Arc<Metrics>,
    config: Config,
    _duties: JoinSet<()>,
    _dir: TempDir,
}

impl Member {
    /// Starts one, and returns when it leads its cluster.
    pub(crate) async fn start() -> Member {
        Member::start_with(&[]).await
    }

    /// The same of one with further flags.
    pub(crate) async fn start_with(flags: &[&str]) -> Member {
        let dir = tempfile::tempdir().unwrap();
        let mut args = vec![format!("--data-dir={}", dir.path().display()), "--unsafe-no-fsync".to_owned()];
        args.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let config = config(&args);
        let metrics = Arc::new(Metrics::new(false));
        let started =
            crate::bootstrap::start(&config, Arc::clone(&metrics), &Tls::new(&config.tls, &metrics)).await.unwrap();
        let node = started.node;
        let mut duties = JoinSet::new();
        let following = node.clone().follow(started.notices);
        duties.spawn(async move { _ = following.await });
        duties.spawn(node.clone().expire_leases());
        duties.spawn(node.clone().watch_versions());
        node.ready().await;
        let admissions = Admissions::default();
        let calls = Calls::permitting(&node, admissions.clone()).unwrap();
        Member { node, calls, admissions, pace: Pace::default(), metrics, config, _duties: duties, _dir: dir }
    }

    /// Commits all changes as one revision, past the gate; which one it is.
    pub(crate) async fn commit(&self, changes: &[Change<'_>]) -> i64 {
        let op = |&(key, value): &Change<'_>| {
            let key = key.to_vec().into();
            RequestOp {
                request: Some(match value {
                    Some(value) => {
                        Request::RequestPut(PutRequest { key, value: value.to_vec().into(), ..PutRequest::default() })
                    }
                    None => Request::RequestDeleteRange(DeleteRangeRequest { key, ..DeleteRangeRequest::default() }),
                }),
            }
        };
        let request = TxnRequest { success: changes.iter().map(op).collect(), ..TxnRequest::default() };
        self.node.propose(&Pass::internal("a test"), request).await.unwrap().revision
    }

    /// Forgets what was before `revision`, past the gate.
    pub(crate) async fn compact(&self, revision: i64) {
        let request = CompactionRequest { revision, physical: true };
        let compacted = self.node.propose(&Pass::internal("a test"), request).await.unwrap();
        compacted.reply.finished().await.unwrap();
    }

    /// Tells the member what Raft tells it when the leader is lost.
    pub(crate) fn lose_leader(&self) {
        let lost = LeaderState { leader: 0, is_leader: false, term: self.node.raft().term() };
        self.node.state().leadership.tell(&lost, Instant::now());
    }

    /// How the member's gateway works unless a test wants it otherwise.
    pub(crate) fn gateway(&self) -> GatewayOptions {
        GatewayOptions::new(
            self.config.max_request_bytes,
            self.config.max_txn_ops,
            self.node.stopping().token().clone(),
        )
    }

    /// All faces behind the whole stack; messages are held to what the gateway takes.
    pub(crate) fn column(&self, gateway: GatewayOptions) -> Column<Routes, Calls> {
        let state = self.node.shared_state();
        let full = Quota::new(move || state.alarms.no_space());
        let max_message_bytes = gateway.max_message_bytes;
        let options = StackOptions { max_message_bytes, pace: self.pace, ..StackOptions::of(&self.config) };
        let stack = Stack::new(options, Arc::clone(&self.metrics), self.calls.clone(), full);
        let (node, metrics) = (Arc::new(self.node.clone()), Arc::clone(&self.metrics));
        let router = ops::router(node, metrics, ops::Offer::default(), self.calls.clone()).fallback(not_found);
        stack.layer(Routes::new(self.calls.clone(), max_message_bytes, Some(gateway), router))
    }

    /// Serves all faces on the loopback, for as long as the test's runtime runs or until the gateway stops.
    pub(crate) fn serve(&self, gateway: GatewayOptions) -> SocketAddr {
        self.serve_as(Face::All, gateway)
    }

    /// As [`Member::serve`], on a listener for this.
    pub(crate) fn serve_as(&self, face: Face, gateway: GatewayOptions) -> SocketAddr {
        let listeners = listen("http://127.0.0.1:0", face);
        let address = listeners[0].local_addr().unwrap();
        let (stop, column) = (gateway.stop.clone(), self.column(gateway));
        let server = Server::start(&self.config.http, &self.metrics).unwrap();
        tokio::spawn(async move { server.serve(listeners, column, stop, Duration::from_secs(10)).await.unwrap() });
        address
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.node.stopping().raise();
        self.node.peers().stop();
        self.node.raft().stop();
    }
}

/// Settings from these words of a command line alone.
pub(crate) fn config(args: &[String]) -> Config {
    let sources =
        Sources { args, env: &[], read_file: &|_| Err(std::io::ErrorKind::NotFound.into()), default_host: &|| None };
    match config::load(&sources) {
        Ok(Action::Run(config)) => *config,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn without_tls() -> Tls {
    Tls::new(&TlsConfig::default(), &Metrics::new(false))
}

/// One listener. Must be called within a tokio runtime.
pub(crate) fn listen(url: &str, face: Face) -> Vec<Listener> {
    let listen = ListenConfig { client: vec![Url::parse(url).unwrap()], ..config(&[]).listen };
    let mut listeners = bind(&listen, &without_tls()).unwrap();
    listeners[0].face = face;
    listeners
}

mod tests {
    use super::*;

    #[tokio::test]
    async fn a_member_commits_what_it_is_told_as_one_revision() {
        let member = Member::start().await;
        assert_eq!(member.commit(&[(b"a", Some(b"1")), (b"b", Some(b"2"))]).await, 2);
        assert_eq!(member.commit(&[(b"a", None), (b"c", None)]).await, 3);
        member.compact(3).await;
        assert_eq!((member.node.store().revision(), member.node.store().compacted()), (3, 3));
        assert_eq!(member.admissions.take(), []);
    }
}
