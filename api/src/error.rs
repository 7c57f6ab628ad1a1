//! The error catalogue: what a client can be told, under which gRPC code, HTTP status and exact text.
//!
//! Clients match on the message, byte for byte, so a message is never built or edited elsewhere. One table
//! ([`Error`]) drives every rendering: a [`tonic::Status`], the gateway's JSON body ([`gateway_body`],
//! [`stream_body`]) and RFC 9457 problem details ([`Problem`]). The declared gRPC code is what goes out on the wire,
//! also in two cases where etcd degrades it to `Unknown` (too many requests, not enough started members): clients that
//! map by text see no difference, others see a better code. Lock and Election send `Unknown`, as etcd's do.
//!
//! Typed errors of the inner layers convert into this one at the service; what caused them belongs in the log.

mod parts;
mod problems;
mod render;

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use tonic::{Code, Status};

pub use parts::{
    answer_too_large, backend_failed, body_broken, decompressed_too_large, decompression_failed, decompressor_missing,
    frame_too_large, lease_forwarding_failed, message_undecodable, method_not_allowed, not_understood,
    promote_forwarding_failed,
};
pub use problems::{Kind, KindInfo, PROBLEMS};
pub use render::{
    Problem, gateway_body, gateway_body_telling, http_status, problem, problem_of, reason_phrase, stream_body,
    stream_body_as,
};

/// Says in a trailer, in milliseconds, when clients of gRPC that try again by themselves should.
const RETRY_PUSHBACK: &str = "grpc-retry-pushback-ms";

macro_rules! catalogue {
    ($($(#[$doc:meta])* $name:ident = $code:ident, $message:literal;)*) => {
        /// An error of the public surface, named as in etcd without its `ErrGRPC` prefix.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
        pub enum Error {
            $(
                $(#[$doc])*
                #[doc = concat!("`", $message, "` (", stringify!($code), ")")]
                #[error($message)]
                $name,
            )*
            /// A gRPC message above the receive limit (ResourceExhausted).
            #[error("grpc: received message larger than max ({size} vs. {limit})")]
            MessageTooLarge {
                /// Bytes the message has.
                size: usize,
                /// Bytes it may have.
                limit: usize,
            },
            /// A body above what is read of one (ResourceExhausted).
            #[error("the request body is larger than the {limit} bytes allowed")]
            BodyTooLarge {
                /// Bytes it may have.
                limit: usize,
            },
        }

        impl Error {
            /// Every entry with a fixed message.
            pub const ALL: &[Error] = &[$(Error::$name),*];

            /// The gRPC code it is sent with.
            pub const fn code(self) -> Code {
                match self {
                    $(Error::$name => Code::$code,)*
                    Error::MessageTooLarge { .. } | Error::BodyTooLarge { .. } => Code::ResourceExhausted,
                }
            }

            /// The message, where it is a fixed text; `to_string` answers for all.
            pub const fn fixed_message(self) -> Option<&'static str> {
                match self {
                    $(Error::$name => Some($message),)*
                    Error::MessageTooLarge { .. } | Error::BodyTooLarge { .. } => None,
                }
            }

            /// The name of the entry, for logs, metrics and problem types.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Error::$name => stringify!($name),)*
                    Error::MessageTooLarge { .. } => "MessageTooLarge",
                    Error::BodyTooLarge { .. } => "BodyTooLarge",
                }
            }
        }
    };
}

catalogue! {
    // Keys, transactions, revisions.
    EmptyKey = InvalidArgument, "etcdserver: key is not provided";
    KeyNotFound = InvalidArgument, "etcdserver: key not found";
    ValueProvided = InvalidArgument, "etcdserver: value is provided";
    LeaseProvided = InvalidArgument, "etcdserver: lease is provided";
    TooManyOps = InvalidArgument, "etcdserver: too many operations in txn request";
    DuplicateKey = InvalidArgument, "etcdserver: duplicate key given in txn request";
    InvalidClientApiVersion = InvalidArgument, "etcdserver: invalid client api version";
    InvalidSortOption = InvalidArgument, "etcdserver: invalid sort option";
    Compacted = OutOfRange, "etcdserver: mvcc: required revision has been compacted";
    FutureRev = OutOfRange, "etcdserver: mvcc: required revision is a future revision";
    NoSpace = ResourceExhausted, "etcdserver: mvcc: database space exceeded";
    RangeStreamSort = Unimplemented, "RangeStream does not support custom sort orders";
    RangeStreamRevisionFilter = Unimplemented, "RangeStream does not support revision filters";

    // Leases and watches.
    LeaseNotFound = NotFound, "etcdserver: requested lease not found";
    LeaseExist = FailedPrecondition, "etcdserver: lease already exists";
    LeaseTtlTooLarge = OutOfRange, "etcdserver: too large lease TTL";
    NotPrimaryLessor = Unknown, "not a primary lessor";
    WatchCanceled = Cancelled, "etcdserver: watch canceled";

    // Membership.
    MemberExist = FailedPrecondition, "etcdserver: member ID already exist";
    PeerUrlExist = FailedPrecondition, "etcdserver: Peer URLs already exists";
    MemberNotEnoughStarted = FailedPrecondition, "etcdserver: re-configuration failed due to not enough started members";
    MemberBadUrls = InvalidArgument, "etcdserver: given member URLs are invalid";
    MemberNotFound = NotFound, "etcdserver: member not found";
    MemberNotLearner = FailedPrecondition, "etcdserver: can only promote a learner member";
    LearnerNotReady = FailedPrecondition, "etcdserver: can only promote a learner member which is in sync with leader";
    TooManyLearners = FailedPrecondition, "etcdserver: too many learner members in cluster";
    ClusterIdMismatch = FailedPrecondition, "etcdserver: cluster ID mismatch";
    NotSupportedForLearner = FailedPrecondition, "etcdserver: rpc not supported for learner";
    BadLeaderTransferee = FailedPrecondition, "etcdserver: bad leader transferee";
    LeaderTransferTimeout = Unknown, "etcdserver: request timed out, leader transfer took too long";

    // Limits.
    RequestTooLarge = InvalidArgument, "etcdserver: request is too large";
    RequestTooManyRequests = ResourceExhausted, "etcdserver: too many requests";
    /// Keyport's own: this member's disk has too little room to copy the database.
    NoRoomForCopy = ResourceExhausted, "keyport: not enough disk space to copy the database";

    // Users, roles, tokens.
    RootUserNotExist = FailedPrecondition, "etcdserver: root user does not exist";
    RootRoleNotExist = FailedPrecondition, "etcdserver: root user does not have root role";
    UserAlreadyExist = FailedPrecondition, "etcdserver: user name already exists";
    UserEmpty = InvalidArgument, "etcdserver: user name is empty";
    UserNotFound = FailedPrecondition, "etcdserver: user name not found";
    RoleAlreadyExist = FailedPrecondition, "etcdserver: role name already exists";
    RoleNotFound = FailedPrecondition, "etcdserver: role name not found";
    RoleEmpty = InvalidArgument, "etcdserver: role name is empty";
    AuthFailed = InvalidArgument, "etcdserver: authentication failed, invalid user ID or password";
    /// Keyport's own: a request that brings a user and a password, and they do not belong together.
    InvalidCredentials = Unauthenticated, "keyport: invalid user name or password";
    /// Keyport's own: too many passwords that were wrong; see [`Error::retry_after`].
    TooManyLogins = ResourceExhausted, "keyport: too many failed logins";
    /// Keyport's own: more requests of one user than the operator allows.
    UserRateExceeded = ResourceExhausted, "keyport: too many requests of this user";
    /// Keyport's own: more requests from one address than the operator allows.
    AddressRateExceeded = ResourceExhausted, "keyport: too many requests from this address";
    /// Keyport's own: more requests for the keys with a prefix than the operator allows.
    PrefixRateExceeded = ResourceExhausted, "keyport: too many requests for these keys";
    PermissionNotGiven = InvalidArgument, "etcdserver: permission not given";
    PermissionDenied = PermissionDenied, "etcdserver: permission denied";
    RoleNotGranted = FailedPrecondition, "etcdserver: role is not granted to the user";
    PermissionNotGranted = FailedPrecondition, "etcdserver: permission is not granted to the role";
    AuthNotEnabled = FailedPrecondition, "etcdserver: authentication is not enabled";
    InvalidAuthToken = Unauthenticated, "etcdserver: invalid auth token";
    InvalidAuthMgmt = InvalidArgument, "etcdserver: invalid auth management";
    AuthOldRevision = InvalidArgument, "etcdserver: revision of auth store is old";
    NoPasswordUser = Unknown, "auth: authentication failed, password was given for no password user";
    VerifyOnlyKey = Unknown, "auth: token signing attempted with verify-only key";
    PasswordTooLong = Unknown, "bcrypt: password length exceeds 72 bytes";

    // Leader, time, health.
    NoLeader = Unavailable, "etcdserver: no leader";
    NotLeader = FailedPrecondition, "etcdserver: not leader";
    LeaderChanged = Unavailable, "etcdserver: leader changed";
    NotCapable = FailedPrecondition, "etcdserver: not capable";
    Stopped = Unavailable, "etcdserver: server stopped";
    Timeout = Unavailable, "etcdserver: request timed out";
    TimeoutDueToLeaderFail = Unavailable, "etcdserver: request timed out, possibly due to previous leader failure";
    TimeoutDueToConnectionLost = Unavailable, "etcdserver: request timed out, possibly due to connection lost";
    TimeoutWaitAppliedIndex = Unavailable, "etcdserver: request timed out, waiting for the applied index took too long";
    Unhealthy = Unavailable, "etcdserver: unhealthy cluster";
    Corrupt = DataLoss, "etcdserver: corrupt cluster";
    Canceled = Cancelled, "etcdserver: request canceled";
    DeadlineExceeded = DeadlineExceeded, "etcdserver: context deadline exceeded";
    ContextDeadlineExceeded = DeadlineExceeded, "context deadline exceeded";
    ContextCanceled = Cancelled, "context canceled";
    ProposalDropped = Unknown, "raft proposal dropped";
    RaftStopped = Unknown, "raft: stopped";
    /// A handler panicked, and the log says where.
    Panicked = Internal, "internal error";
    /// A `grpc-timeout` that is not in the protocol's form.
    MalformedTimeout = Internal, "malformed grpc-timeout";
    /// Keyport's own: the database of this member cannot be read or written any more.
    StorageFailed = Internal, "keyport: the database failed";
    /// Keyport's own: a key that has signed before did not, and the log says which.
    TokenNotSigned = Internal, "keyport: cannot sign a token";
    /// Keyport's own: a request got past the layer that finds out whose it is.
    Unidentified = Internal, "keyport: nobody knows who asks";
    /// Keyport's own: an invariant did not hold, and the log says which.
    ReplyMismatch = Internal, "keyport: the answer is to another request";

    // Downgrade.
    WrongDowngradeVersionFormat = InvalidArgument, "etcdserver: wrong downgrade target version format";
    InvalidDowngradeTargetVersion = InvalidArgument, "etcdserver: invalid downgrade target version";
    ClusterVersionUnavailable = FailedPrecondition, "etcdserver: cluster version not found during downgrade";
    DowngradeInProcess = FailedPrecondition, "etcdserver: cluster has a downgrade job in progress";
    NoInflightDowngrade = FailedPrecondition, "etcdserver: no inflight downgrade job";
    UnknownMethod = Unknown, "etcdserver: unknown method";

    // What a request is made of.
    /// A unary call of gRPC whose body has no message.
    MissingMessage = Internal, "Missing request message.";
    /// A message of gRPC that is shorter than its prefix says.
    TruncatedMessage = Internal, "Unexpected EOF decoding stream.";
    /// A message of gRPC whose first byte is neither zero nor one.
    UnexpectedPayload = Internal, "grpc: received unexpected payload format";
    /// A message of gRPC that is compressed, and nothing says how.
    CompressionNotNamed = Internal, "grpc: compressed flag set with identity or empty encoding";
    /// Keyport's own: gRPC by another method of HTTP.
    GrpcNotPosted = InvalidArgument, "gRPC is always a POST";
    /// Keyport's own: what the listener is not for.
    ContentTypeNotServed = InvalidArgument, "unsupported content type on this listener";
    /// Keyport's own: messages of gRPC-Web in another form than protobuf.
    GrpcWebForm = InvalidArgument, "gRPC-Web is protobuf here: application/grpc-web+proto or application/grpc-web-text+proto";
    /// Keyport's own: a call of the Connect protocol.
    ConnectNotSpoken = Unimplemented, "the Connect protocol is not spoken here: use gRPC-Web (createGrpcWebTransport), or JSON below /v3/";
    /// Keyport's own: a request that names two hosts.
    SeveralHosts = InvalidArgument, "more than one Host header";
    /// A request of HTTP/1.1 that names no host.
    MissingHost = InvalidArgument, "missing required Host header";
    /// A request whose host cannot be the name of one.
    MalformedHost = InvalidArgument, "malformed Host header";
    /// Keyport's own: a request that is to one host by its target, and to another by its header.
    DifferentHosts = InvalidArgument, "the Host header names another host than the request's target";
    /// Keyport's own: what a page of another site must not do.
    ForeignPage = PermissionDenied, "pages of other sites may not do this; --cors lists those that may";
    /// Keyport's own: a body in an encoding that HTTP/1.1 need not know.
    UnknownTransferEncoding = InvalidArgument, "no transfer encoding but chunked is known here";
    /// Keyport's own: a body that would have to be unpacked first.
    UnknownContentEncoding = InvalidArgument, "no content encoding is known here: bodies are taken as they are";
    /// Keyport's own: a body that came in so slowly that nobody waits for the rest.
    BodyTooSlow = DeadlineExceeded, "the request body took too long";
    /// Keyport's own: a path that is nobody's.
    PathNotFound = NotFound, "Not Found: no such path; /v3/ lists them, /docs describes them";
    /// Of a health check, in the words of gRPC's own servers.
    ServiceNotFound = NotFound, "unknown service";
    /// Keyport's own: a watch by JSON that asks for nothing. etcd leaves such a caller waiting for ever.
    NothingWatched = InvalidArgument, "a watch begins with a create_request, cancel_request or progress_request";

    // Lock and election.
    ElectionNoLeader = Unknown, "election: no leader";
    ElectionNotLeader = Unknown, "election: not leader";
    ElectionLeaderMissing = Unknown, "\"leader\" field must be provided";
    /// Keyport's own: a candidate's lease ended, or it left, before its turn came.
    ElectionSessionExpired = Unknown, "election: session is expired";
    SessionExpired = Unknown, "mutex: session is expired";
    LostWatcher = Unknown, "lost watcher waiting for delete";
}

/// Why a watcher was refused or ended, where the text is not that of a catalogue entry.
pub mod cancel_reason {
    /// An explicit `watch_id` that is already in use on the stream.
    pub const DUPLICATE_WATCH_ID: &str = "mvcc: duplicate watch ID provided on the WatchStream";
    /// A range whose end is not after its key.
    pub const EMPTY_RANGE: &str = "mvcc: watcher range is empty";
}

impl Error {
    /// The HTTP status to answer with: that of the code, but where HTTP has a better word.
    pub fn http_status(self) -> http::StatusCode {
        match self {
            Error::MessageTooLarge { .. } | Error::BodyTooLarge { .. } => http::StatusCode::PAYLOAD_TOO_LARGE,
            Error::BodyTooSlow => http::StatusCode::REQUEST_TIMEOUT,
            _ => http_status(self.code()),
        }
    }

    /// The HTTP status of problem details: the word that HTTP has for it, where clients of etcd's gateway know another one.
    pub fn problem_status(self) -> http::StatusCode {
        self.kind().status()
    }

    /// Seconds after which it may go well, where that is known.
    pub const fn retry_after(self) -> Option<u32> {
        match self {
            Error::TooManyLogins => Some(10),
            Error::UserRateExceeded | Error::AddressRateExceeded | Error::PrefixRateExceeded => Some(1),
            _ => None,
        }
    }

    /// The entry with exactly this message.
    pub fn from_message(message: &str) -> Option<Error> {
        static BY_MESSAGE: LazyLock<HashMap<&'static str, Error>> = LazyLock::new(|| {
            Error::ALL.iter().filter_map(|&error| error.fixed_message().map(|message| (message, error))).collect()
        });
        BY_MESSAGE.get(message).copied()
    }

    /// The entry a status stands for, judged by its message as clients do.
    pub fn from_status(status: &Status) -> Option<Error> {
        Error::from_message(status.message())
    }

    /// The text a Go client would print for the status, which etcd also puts into a watch's `cancel_reason`.
    pub fn rpc_text(self) -> String {
        format!("rpc error: code = {} desc = {self}", CodeName(self.code()))
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Status {
        let mut status = match error.fixed_message() {
            Some(message) => Status::new(error.code(), message),
            None => Status::new(error.code(), error.to_string()),
        };
        if let Some(seconds) = error.retry_after() {
            status.metadata_mut().insert(RETRY_PUSHBACK, (u64::from(seconds) * 1000).into());
        }
        status
    }
}

/// An error of the services that are clients of their own server in etcd, and lose the code on the way: the text stays, and
/// that is what clients go by.
pub fn of_own_client(error: Error) -> Status {
    match error {
        Error::ContextDeadlineExceeded | Error::ContextCanceled => error.into(),
        error => Status::unknown(error.to_string()),
    }
}

/// Prints a gRPC code by its name in the gRPC specification's CamelCase form (`OK`, `Canceled`, ...).
#[derive(Clone, Copy, Debug)]
pub struct CodeName(pub Code);

impl fmt::Display for CodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Code::Ok => f.write_str("OK"),
            Code::Cancelled => f.write_str("Canceled"),
            code => write!(f, "{code:?}"),
        }
    }
}

#[cfg(test)]
mod tests;
