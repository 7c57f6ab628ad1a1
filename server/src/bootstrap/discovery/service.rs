//! Founders by a running cluster, in etcd's protocol.
//!
//! Under `/_etcd/registry/<token>` somebody has put how many members there will be (`_config/size`). Each founder puts
//! its `name=url,...` under `members/<id>` and waits until there are as many; the first ones by revision are the cluster.

use std::time::Duration;

use bytes::Bytes;
use keyport_api::etcdserverpb::auth_client::AuthClient;
use keyport_api::etcdserverpb::kv_client::KvClient;
use keyport_api::etcdserverpb::watch_client::WatchClient;
use keyport_api::etcdserverpb::{
    AuthenticateRequest, PutRequest, RangeRequest, WatchCreateRequest, WatchRequest, watch_request,
};
use keyport_api::mvccpb::KeyValue;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};

use crate::config::DiscoveryService;
use crate::net::dial::Dialler;
use crate::tls::{Outgoing, Speaks};

const REGISTRY: &str = "/_etcd/registry";
/// The pause between attempts doubles up to this many times, from one second.
const MAX_DOUBLINGS: u32 = 8;

/// What no further attempt would change.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    #[error("discovery: size key not found")]
    SizeNotFound,
    #[error("discovery: size key is bad")]
    BadSize,
    #[error("discovery: cluster is full")]
    Full,
}

/// What is known of the cluster in the making.
#[derive(Debug)]
struct Registry {
    size: usize,
    /// Key and `name=url,...`, in the order of their registration.
    members: Vec<(String, String)>,
    revision: i64,
}

/// Registers a member; returns the founders as `--initial-cluster` writes them. Waits for the service and for the other
/// founders for as long as it takes.
pub(super) async fn register(service: &DiscoveryService, id: u64, own: &str) -> Result<String, ServiceError> {
    let tls = Outgoing::new((*service.tls).clone(), Speaks::Http2);
    let mut client = Client { service, tls, next: 0, failures: 0 };
    let key = format!("{}/{id:x}", client.members_prefix());
    let registry = client.registry().await?;
    registry.check_place(&key)?;
    client.put(&key, own).await;
    tracing::info!(member_key = key, member_info = own, "register member itself successfully");
    loop {
        let registry = client.registry().await?;
        registry.check_place(&key)?;
        if registry.members.len() >= registry.size {
            let founders = registry.members.into_iter().take(registry.size);
            return Ok(founders.map(|(_, urls)| urls).collect::<Vec<_>>().join(","));
        }
        let (cluster_size, found_peers) = (registry.size, registry.members.len());
        tracing::info!(cluster_size, found_peers, "waiting for peers from discovery service");
        client.wait(registry.revision).await;
    }
}

impl Registry {
    /// A founder must be one of the first, or may still become one.
    fn check_place(&self, key: &str) -> Result<(), ServiceError> {
        let ahead = self.members.iter().position(|(member, _)| member == key).unwrap_or(self.members.len());
        if ahead < self.size {
            return Ok(());
        }
        tracing::warn!("do not reuse discovery token; generate a new one to bootstrap a cluster");
        Err(ServiceError::Full)
    }
}

/// Goes from endpoint to endpoint until one answers.
struct Client<'a> {
    service: &'a DiscoveryService,
    tls: Outgoing,
    next: usize,
    /// In a row.
    failures: u32,
}

/// A connection, and who we are there.
struct Session {
    channel: Channel,
    token: Option<MetadataValue<Ascii>>,
    timeout: Duration,
}

/// A request failed; another endpoint or another time may do better.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Connect(#[from] tonic::transport::Error),
    #[error("{}", .0.message())]
    Status(#[from] tonic::Status),
    #[error("bad token: {0}")]
    Token(#[from] tonic::metadata::errors::InvalidMetadataValue),
    #[error("{0}")]
    Canceled(String),
    #[error("the stream ended")]
    Ended,
}

impl Client<'_> {
    fn prefix(&self) -> String {
        format!("{REGISTRY}/{}", self.service.token)
    }

    fn members_prefix(&self) -> String {
        format!("{}/members", self.prefix())
    }

    async fn registry(&mut self) -> Result<Registry, ServiceError> {
        let size_key = format!("{}/_config/size", self.prefix());
        let members_prefix = self.members_prefix();
        loop {
            match self.try_registry(&size_key, &members_prefix).await {
                Ok((size, members, revision)) => {
                    self.failures = 0;
                    let size = size.ok_or(ServiceError::SizeNotFound)?;
                    let size = std::str::from_utf8(&size).ok().and_then(|text| text.parse::<usize>().ok());
                    let size = size.filter(|size| *size > 0).ok_or(ServiceError::BadSize)?;
                    return Ok(Registry { size, members: read_members(members, &members_prefix), revision });
                }
                Err(error) => self.back_off("cluster status check", &error).await,
            }
        }
    }

    async fn try_registry(
        &mut self,
        size_key: &str,
        members_prefix: &str,
    ) -> Result<(Option<Bytes>, Vec<KeyValue>, i64), Failure> {
        let session = self.session().await?;
        let (size, _) = session.range(size_key.to_owned(), Vec::new()).await?;
        let mut end = format!("{members_prefix}/").into_bytes();
        // The byte after the slash: everything below.
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        let (members, revision) = session.range(format!("{members_prefix}/"), end).await?;
        Ok((size.into_iter().next().map(|pair| pair.value), members, revision))
    }

    async fn put(&mut self, key: &str, value: &str) {
        loop {
            let outcome = match self.session().await {
                Ok(session) => session.put(key, value).await,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(()) => {
                    self.failures = 0;
                    return;
                }
                Err(error) => self.back_off("register member itself", &error).await,
            }
        }
    }

    /// Returns when a member has come or gone since a revision, or when that cannot be known.
    async fn wait(&mut self, revision: i64) {
        let prefix = self.members_prefix();
        let outcome = match self.session().await {
            Ok(session) => session.wait(&prefix, revision + 1).await,
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            self.back_off("watch of the members", &error).await;
        }
    }

    async fn session(&self) -> Result<Session, Failure> {
        let service = self.service;
        let at = self.next % service.endpoints.len().max(1);
        let Some(url) = service.endpoints.get(at) else {
            return Err(Failure::Canceled("there is no endpoint".to_owned()));
        };
        let mut endpoint = Endpoint::from_shared(url.origin())?;
        if !service.keepalive_time.is_zero() {
            endpoint = endpoint
                .http2_keep_alive_interval(service.keepalive_time)
                .keep_alive_timeout(service.keepalive_timeout)
                .keep_alive_while_idle(true);
        }
        let dialler = Dialler { always: Some(url.clone()), patience: service.dial_timeout, tls: self.tls.clone() };
        let channel = endpoint.connect_with_connector(dialler).await?;
        let mut session = Session { channel, token: None, timeout: service.request_timeout };
        if let Some((name, password)) = &service.credentials {
            let request = AuthenticateRequest { name: name.clone(), password: password.clone() };
            let answer = AuthClient::new(session.channel.clone()).authenticate(session.request(request)).await;
            match answer {
                Ok(answer) => session.token = Some(answer.into_inner().token.parse()?),
                // Whoever names a user does not mind a service that asks for none.
                Err(status) if status.message().contains("authentication is not enabled") => {}
                Err(status) => return Err(status.into()),
            }
        }
        Ok(session)
    }

    async fn back_off(&mut self, what: &str, error: &Failure) {
        let pause = Duration::from_secs(1 << self.failures.min(MAX_DOUBLINGS));
        self.failures += 1;
        self.next = self.next.wrapping_add(1);
        tracing::warn!(reason = what, %error, backoff = ?pause, "retry connecting to discovery service");
        tokio::time::sleep(pause).await;
    }
}

impl Session {
    fn request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = self.stream_request(message);
        request.set_timeout(self.timeout);
        request
    }

    fn stream_request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        if let Some(token) = &self.token {
            request.metadata_mut().insert("token", token.clone());
        }
        request
    }

    async fn range(&self, key: String, range_end: Vec<u8>) -> Result<(Vec<KeyValue>, i64), Failure> {
        let request = RangeRequest { key: key.into(), range_end: range_end.into(), ..RangeRequest::default() };
        let answer = KvClient::new(self.channel.clone()).range(self.request(request)).await?.into_inner();
        Ok((answer.kvs, answer.header.unwrap_or_default().revision))
    }

    async fn put(&self, key: &str, value: &str) -> Result<(), Failure> {
        let (key, value) = (Bytes::copy_from_slice(key.as_bytes()), Bytes::copy_from_slice(value.as_bytes()));
        let request = PutRequest { key, value, ..PutRequest::default() };
        KvClient::new(self.channel.clone()).put(self.request(request)).await?;
        Ok(())
    }

    async fn wait(&self, prefix: &str, start_revision: i64) -> Result<(), Failure> {
        let mut end = format!("{prefix}/").into_bytes();
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        let create = WatchCreateRequest {
            key: format!("{prefix}/").into(),
            range_end: end.into(),
            start_revision,
            ..WatchCreateRequest::default()
        };
        let create = WatchRequest { request_union: Some(watch_request::RequestUnion::CreateRequest(create)) };
        let (requests, stream) = tokio::sync::mpsc::channel(1);
        // The channel has room for the one request, and stays open until this returns.
        let _ = requests.try_send(create);
        let stream = tokio_stream::wrappers::ReceiverStream::new(stream);
        let answer = WatchClient::new(self.channel.clone()).watch(self.stream_request(stream)).await?;
        let mut answers = answer.into_inner();
        loop {
            let answer = answers.message().await?.ok_or(Failure::Ended)?;
            if answer.canceled {
                return Err(Failure::Canceled(answer.cancel_reason));
            }
            if !answer.events.is_empty() {
                return Ok(());
            }
        }
    }
}

/// Sorted by the revision of their coming.
fn read_members(mut members: Vec<KeyValue>, prefix: &str) -> Vec<(String, String)> {
    members.sort_by_key(|pair| pair.create_revision);
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).trim().to_owned();
    let mut known = Vec::new();
    for pair in members {
        let (member_key, member_info) = (text(&pair.key), text(&pair.value));
        let id = member_key.strip_prefix(prefix).map(|rest| rest.trim_start_matches('/')).unwrap_or_default();
        if id.is_empty() || member_info.is_empty() {
            tracing::warn!(member_key, member_info, "invalid member in the discovery service");
        } else {
            tracing::info!(member_key, member_info, "found peer from discovery service");
            known.push((member_key, member_info));
        }
    }
    known
}
