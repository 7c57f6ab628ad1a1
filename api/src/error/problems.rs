//! The kinds of problems that resources answer with, in one table: the `type` of each document, its page under
//! `/problems/`, the list in the OpenAPI document and `docs/problems.md` are all made of it.
//!
//! A kind is what a client does something about; which of the catalogue's errors it was, the document's `detail` says.

use http::StatusCode;
use tonic::Code;

use super::Error;

/// Where the pages of the kinds are.
pub const PROBLEMS: &str = "/problems/";

/// What is known of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindInfo {
    /// The last part of its address.
    pub name: &'static str,
    /// The `type` of its documents: the address of its page, as a reference relative to the server.
    pub address: &'static str,
    /// The HTTP status it comes with.
    pub status: u16,
    /// A few words, the same every time.
    pub title: &'static str,
    /// What it means. These three are whole sentences; what is in backticks is typed, or found at that path.
    pub meaning: &'static str,
    /// When it comes.
    pub when: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

macro_rules! problems {
    ($($kind:ident($name:literal, $status:literal, $title:literal) of [$($error:ident),*]:
        $meaning:literal, $when:literal, $remedy:literal;)*) => {
        /// See the module's text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind {
            $(#[doc = $title] $kind,)*
        }

        impl Kind {
            /// All of them, by their statuses.
            pub const ALL: &[Kind] = &[$(Kind::$kind),*];

            /// What is known of it.
            pub const fn info(self) -> &'static KindInfo {
                match self {
                    $(Kind::$kind => &KindInfo {
                        name: $name,
                        address: concat!("/problems/", $name),
                        status: $status,
                        title: $title,
                        meaning: $meaning,
                        when: $when,
                        remedy: $remedy,
                    },)*
                }
            }
        }

        impl Error {
            /// Which kind of problem it is.
            pub const fn kind(self) -> Kind {
                match self {
                    $($(Error::$error { .. } => Kind::$kind,)*)*
                }
            }
        }
    };
}

problems! {
    Malformed("malformed-request", 400, "The request is malformed")
        of [SeveralHosts, MissingHost, MalformedHost, DifferentHosts, MalformedTimeout, MissingMessage, TruncatedMessage,
            UnexpectedPayload, CompressionNotNamed, NothingWatched]:
        "The request cannot be understood as it is.",
        "A parameter, a header or the body has a form that it may not have, or two of them contradict each other.",
        "`detail` says which part it is. `/docs` lists what each operation takes. The same request fails again.";
    EmptyKey("empty-key", 400, "There is no key") of [EmptyKey]:
        "The request names no key, and there is no empty one.",
        "The path ends behind `keys/`, or the key in the body or the query is empty.",
        "Name the key; `/v3/keys` without a slash lists what there is.";
    InvalidArgument("invalid-argument", 400, "The request asks for something impossible")
        of [ValueProvided, LeaseProvided, TooManyOps, DuplicateKey, InvalidClientApiVersion, InvalidSortOption, PermissionNotGiven,
            RoleEmpty, MemberBadUrls, WrongDowngradeVersionFormat, InvalidDowngradeTargetVersion, PasswordTooLong,
            ElectionLeaderMissing, InvalidAuthMgmt]:
        "The request is well-formed, and what it asks for makes no sense.",
        "A transaction writes a key twice or has too many operations, a member has no usable URL, a password has more than 72 bytes.",
        "`detail` says what it is. The same request fails again.";
    FutureRevision("future-revision", 400, "The revision is still to come") of [FutureRev]:
        "The store has not come so far as the revision that is asked for.",
        "`rev` is larger than the store's revision: it is of another cluster, or of one before a backup was restored.",
        "Ask without a revision; `Keyport-Revision` of the answer says where the store is.";
    LeaseTtlTooLarge("lease-ttl-too-large", 400, "The lease would last too long") of [LeaseTtlTooLarge]:
        "No lease lasts longer than 9,000,000,000 seconds.",
        "`ttl` is larger than that.",
        "Ask for less, or write the key without a lease.";
    Unauthenticated("unauthenticated", 401, "The request does not say whose it is") of [UserEmpty]:
        "There are users here, and only those who say who they are may do this.",
        "Authentication is on, and the request has no token, no password, no cookie and no certificate that counts.",
        "`POST /v3/auth/authenticate` gives a token for `Authorization: Bearer`; `curl -u name:password` does, too. `WWW-Authenticate` lists the ways.";
    InvalidToken("invalid-token", 401, "The token is no longer good") of [InvalidAuthToken, AuthOldRevision]:
        "The token that came with the request is unknown, has expired, or is older than a change of users and roles.",
        "The member was started again, the token was not used for a while, or somebody changed users or roles.",
        "Log in again and repeat the request.";
    InvalidCredentials("invalid-credentials", 401, "User and password do not belong together")
        of [InvalidCredentials, AuthFailed, NoPasswordUser]:
        "There is no such user, or he has another password. Which of the two is not said.",
        "Somebody logs in, or sends a password with a request.",
        "Look at name and password. After ten failures one try in ten seconds is let through.";
    PermissionDenied("permission-denied", 403, "The user may not do this") of [PermissionDenied]:
        "Who asks is known, and none of his roles allows it.",
        "A key is outside of what the roles cover, or the operation is for root.",
        "Have a role granted that covers it: `etcdctl role grant-permission`. The same request fails until then.";
    ForeignPage("foreign-page", 403, "A page of another site asks") of [ForeignPage]:
        "Browsers send the requests of any page, so pages of other sites may change nothing here.",
        "The `Origin` of the request is neither this server's nor listed by `--cors`.",
        "List the page's origin: `--cors=https://app.example`.";
    NotFound("not-found", 404, "There is nothing at this address") of [PathNotFound, ServiceNotFound]:
        "The path leads nowhere.",
        "It is misspelt, or of another version of the API.",
        "`/v3/` lists the paths, `/docs` describes them.";
    KeyNotFound("key-not-found", 404, "There is no such key") of [KeyNotFound]:
        "Nobody has written this key, or it was removed, or its lease ended.",
        "A key is read that is not there, or was not at the revision asked for.",
        "`Keyport-Revision` says as of when it is not there; `?wait=30s` waits for it.";
    LeaseNotFound("lease-not-found", 404, "There is no such lease") of [LeaseNotFound]:
        "The lease was never granted, was revoked, or has run out. Its keys are gone.",
        "A lease is renewed, looked at, revoked, or named for a key.",
        "Grant a new one and write its keys again. Ids are decimal; hexadecimal ones, as `etcdctl` has them, begin with `0x`.";
    MemberNotFound("member-not-found", 404, "There is no such member") of [MemberNotFound]:
        "No member of the cluster has this id.",
        "It was removed, or the id was rounded by a client that reads large numbers as floating point.",
        "List the members, and take ids as text.";
    UserNotFound("user-not-found", 404, "There is no such user") of [UserNotFound]:
        "No user has this name.",
        "A user is looked at, changed or removed.",
        "List the users; names are told apart by upper and lower case.";
    RoleNotFound("role-not-found", 404, "There is no such role") of [RoleNotFound]:
        "No role has this name.",
        "A role is looked at, changed, removed or granted.",
        "List the roles, or add this one first.";
    NotGranted("not-granted", 404, "It was not granted") of [RoleNotGranted, PermissionNotGranted]:
        "What is to be taken away is not there.",
        "A role is revoked from a user who does not have it, or a permission from a role.",
        "Nothing has to be done; a permission is named by exactly the range it was granted for.";
    NotInLine("not-in-line", 404, "The lease has no place there") of []:
        "No place in the line behind this lock or election belongs to the lease.",
        "A lock is given up, or a candidate resigns, whose lease has ended, or that never stood there.",
        "Nothing has to be done: the place is not there any more.";
    NoLeaderElected("no-leader-elected", 404, "Nobody has been elected") of [ElectionNoLeader]:
        "The election has no leader at the moment.",
        "Somebody asks who leads while there is no candidate.",
        "Ask again later, or observe the election: its stream says when somebody leads.";
    MethodNotAllowed("method-not-allowed", 405, "The resource takes other methods") of [GrpcNotPosted]:
        "There is something at this path, and not by this method.",
        "A call of the gateway is asked for by GET, say, which takes POST.",
        "`Allow` lists the methods, `/docs` says what each does.";
    BodyTooSlow("body-too-slow", 408, "The body took too long") of [BodyTooSlow]:
        "So little of the body arrived for so long that nobody waits for the rest.",
        "The connection is bad, or the client announced a body and does not send it.",
        "Send it again. Nothing was done.";
    HeadTooSlow("head-too-slow", 408, "The head of the request took too long") of []:
        "A request was begun, and the rest of its head did not come.",
        "The connection is bad, or the client keeps it busy with half a request for longer than `--request-head-timeout` lets it.",
        "Send it again. Nothing was done.";
    Conflict("conflict", 409, "The state does not allow it") of []:
        "What is there is not what the request could be done to.",
        "A patch is for JSON or for a number and the value is neither, or a `test` in it fails.",
        "Read what is there and decide anew.";
    Contended("contended", 409, "Others were always quicker") of []:
        "The change depends on what is there, and somebody changed that again and again meanwhile.",
        "Very many clients change the same key by patches.",
        "Try again after `Retry-After`, a little later each time. Nothing was done.";
    Held("held", 409, "Somebody else has it") of []:
        "The lock is held, or somebody else leads; `holder` says who, as far as he said so.",
        "A lock is taken or an election stood for, and the first place was not free before the waiting was over.",
        "Ask again with `wait`, which stands in line, or look at the lock: it says who waits.";
    LeaseExists("lease-exists", 409, "The lease is there already") of [LeaseExist]:
        "Somebody has a lease with this id.",
        "A lease is asked for by an id of the client's choice.",
        "Leave the id out: the server chooses one.";
    MemberExists("member-exists", 409, "The member is there already") of [MemberExist, PeerUrlExist]:
        "A member has this id, or one of these peer URLs.",
        "A member is added, or its URLs are changed.",
        "List the members: it may have been added by a request whose answer was lost.";
    UserExists("user-exists", 409, "The user is there already") of [UserAlreadyExist]:
        "Somebody has this name.",
        "A user is added.",
        "Choose another name, or change the user that is there.";
    RoleExists("role-exists", 409, "The role is there already") of [RoleAlreadyExist]:
        "A role has this name.",
        "A role is added.",
        "Choose another name, or change the role that is there.";
    Membership("membership", 409, "The cluster cannot be changed so just now")
        of [MemberNotEnoughStarted, MemberNotLearner, LearnerNotReady, TooManyLearners, BadLeaderTransferee, ClusterIdMismatch]:
        "The change would cost the cluster its quorum, or does not fit its members.",
        "Too few members have been connected for long enough, a learner has not caught up or is none, or the one who is to lead cannot.",
        "`detail` says which it is. What only takes time goes well a few seconds later.";
    Authentication("authentication-state", 409, "Authentication cannot be changed so just now")
        of [RootUserNotExist, RootRoleNotExist, AuthNotEnabled]:
        "Authentication is off, or cannot be turned on yet.",
        "Somebody logs in where nobody has to, or turns authentication on before there is a user root with the role root.",
        "Add the user root and grant it the role root; or leave the token out.";
    Downgrade("downgrade-state", 409, "The downgrade cannot be changed so just now")
        of [ClusterVersionUnavailable, DowngradeInProcess, NoInflightDowngrade]:
        "A downgrade is under way, or none is.",
        "One is begun a second time, or ended that was never begun.",
        "Look at the status of the members first.";
    NotElected("not-elected", 409, "Somebody else leads") of [ElectionNotLeader]:
        "The leadership that the request is about has ended.",
        "A leader proclaims something or resigns after his lease ended or somebody else was elected.",
        "Campaign again.";
    SessionExpired("session-expired", 409, "The lease ended meanwhile") of [SessionExpired, ElectionSessionExpired]:
        "Whoever waited for a lock or an election lost his place with his lease.",
        "The lease ran out or was revoked while he waited.",
        "Take a new lease, keep it alive while waiting, and ask again.";
    Compacted("compacted", 410, "The revision has been compacted") of [Compacted]:
        "History before a revision has been removed; `oldest_revision` says which one is the oldest that is known.",
        "`rev`, a cursor of a list or the start of a watch is older than that.",
        "Read what is there now, and watch from its revision. How long history is kept is up to `--auto-compaction-retention`.";
    RevisionMismatch("revision-mismatch", 412, "The key is not what it has to be") of []:
        "A precondition does not hold. `current_revision`, and the `ETag`, say at which revision the key was last changed; without them it is not there.",
        "`If-Match`, `If-None-Match`, `cas`, `create` or `update` names something else: somebody has changed the key meanwhile.",
        "Read the key and decide anew. Nothing was done.";
    PreconditionFailed("precondition-failed", 412, "A precondition does not hold") of []:
        "What the request depends on is no longer so.",
        "The rest of a copy of the database is asked for that is gone.",
        "Begin anew without the precondition.";
    TooLarge("content-too-large", 413, "The request is too large") of [RequestTooLarge, MessageTooLarge, BodyTooLarge]:
        "The body, or what it becomes in the log, is larger than a request may be.",
        "A value is larger than `--max-request-bytes` allows (1.5 MiB unless told otherwise).",
        "Write less at a time. The same request fails again.";
    AddressTooLong("address-too-long", 414, "The address is too long") of []:
        "The path and the query of the request are longer than the server reads.",
        "A key, or a text that is searched for, is larger than 64 KiB once it is percent-encoded.",
        "`POST /v3/transactions` has keys in its body. The same request fails again.";
    UnsupportedMediaType("unsupported-media-type", 415, "The body has a form that is not taken here")
        of [UnknownContentEncoding, ContentTypeNotServed, GrpcWebForm, ConnectNotSpoken]:
        "The body is not of a media type that the operation takes, or it is compressed.",
        "A patch comes without its `Content-Type`, or a body with `Content-Encoding: gzip`.",
        "`Accept-Patch` lists the types of patches. Bodies are taken as they are: send them uncompressed.";
    RangeNotSatisfiable("range-not-satisfiable", 416, "There are not so many bytes") of []:
        "The part that is asked for begins behind the end.",
        "`Range` of a value or of a copy of the database.",
        "`Content-Range` says how many bytes there are.";
    UnknownHost("unknown-host", 421, "The server is asked by a name that is not its own") of []:
        "Pages reach a server by any name that somebody gives it, so it answers to its own alone: addresses, `localhost`, the machine's name and the names in its URLs.",
        "The `Host` of the request is that of a proxy or a service in front, or is misspelt.",
        "List the name: `--host-whitelist=own,NAME`. `*` takes all.";
    IdempotencyKeyReused("idempotency-key-reused", 422, "The name of the request was that of another one") of []:
        "An `Idempotency-Key` names one request and its repetitions. This one differs from the first: in its body, `ttl` or `lease`.",
        "A key is added by POST or patched, or a transaction or batch is sent, and its `Idempotency-Key` was used for another one within the last hour.",
        "Take a new one for each request, and the same only to repeat it.";
    TooManyRequests("too-many-requests", 429, "The server has too much to do") of [RequestTooManyRequests]:
        "More requests are waiting than the server lets wait, or there are more connections than an address may have.",
        "Clients ask for more than the cluster, its disks or its memory are up to, one connection has too many requests open, or each request opens one of its own.",
        "Try again after `Retry-After`, a little later each time. Nothing was done.";
    RateExceeded("rate-exceeded", 429, "More requests than are allowed")
        of [UserRateExceeded, AddressRateExceeded, PrefixRateExceeded]:
        "The operator allows so many requests of a user, an address, or for the keys under a prefix, and these are used up.",
        "A rate is configured (`--rate-limit-per-user` and its likes) and was exceeded for longer than its burst.",
        "Wait as long as `Retry-After` says.";
    TooManyLogins("too-many-logins", 429, "Too many failed logins") of [TooManyLogins]:
        "For this user, from this address, wrong passwords have been tried too often.",
        "After ten failures one try in ten seconds is let through, whether its password is right or not.",
        "Wait as long as `Retry-After` says.";
    HeadTooLarge("head-too-large", 431, "The head of the request is too large") of []:
        "The headers of the request are more than the server reads.",
        "There are more than 100 of them, or they have more than 128 KiB together with the address; a proxy in front, or very many cookies.",
        "Send fewer. The same request fails again.";
    Canceled("canceled", 499, "The request was cancelled") of [Canceled, ContextCanceled, WatchCanceled]:
        "Nobody waits for the answer any more.",
        "The client went away. Mostly it is seen in logs alone.",
        "A write that was under way may have been done.";
    Internal("internal-error", 500, "The server made a mistake") of [Panicked, Unidentified, ReplyMismatch]:
        "Something happened that should not have.",
        "A defect of the server. The log of the member says more, under the id in `instance`.",
        "Please report it, with what `keyport doctor` collects.";
    Corrupt("corrupt", 500, "The members of the cluster differ") of [Corrupt]:
        "Members have found that they do not have the same data, and take no more writes.",
        "A disk or memory has damaged something. The alarm CORRUPT is raised.",
        "See docs/troubleshooting.md: find the member that differs, and replace it.";
    StorageFailed("storage-failed", 500, "The database of this member failed") of [StorageFailed]:
        "The member cannot read or write its database.",
        "The disk fails. The member ends.",
        "Ask another member. Look at the disk and the log of this one.";
    CannotSign("cannot-sign", 500, "This member cannot give out tokens") of [VerifyOnlyKey, TokenNotSigned]:
        "It has only the key to check tokens, or its key has failed.",
        "Somebody logs in at a member with a `pub-key` alone.",
        "Log in at another member; the token is good here, too.";
    NotImplemented("not-implemented", 501, "The server does not do this")
        of [RangeStreamSort, RangeStreamRevisionFilter, UnknownMethod, NotCapable, UnknownTransferEncoding]:
        "The request is understood, and there is nothing here that does it.",
        "An option is not for this call, the cluster's version is too old, or a transfer encoding is not `chunked`.",
        "`detail` says what it is.";
    NoLeader("no-leader", 503, "The cluster has no leader just now")
        of [NoLeader, LeaderChanged, Unhealthy, NotPrimaryLessor]:
        "Writes and reads that must not be stale need a leader, and this member knows of none.",
        "The leader has gone and the next one is being elected, which takes a second or two at most; or the majority of the members cannot be reached.",
        "Try again after `Retry-After`. `?consistency=serializable` reads without a leader. After `leader changed` a write may have been done.";
    NotLeader("not-leader", 503, "Another member leads") of [NotLeader]:
        "Only the leader can do this, and the member that was asked is not the leader.",
        "A member that does not lead is told to hand over to another one: `POST /v3/members/{id}/lead`.",
        "`GET /v3/members` says who leads: ask that member.";
    TimedOut("timed-out", 503, "The cluster did not answer in time")
        of [Timeout, TimeoutDueToLeaderFail, TimeoutDueToConnectionLost, TimeoutWaitAppliedIndex, ProposalDropped,
            LeaderTransferTimeout, LostWatcher]:
        "The members did not agree in time. A write may have been done, or may be done yet.",
        "A leader has failed, members cannot reach each other, or disks are slow.",
        "Read before writing again, or write with a precondition, which cannot be done twice.";
    Stopping("stopping", 503, "The member is stopping") of [Stopped, RaftStopped]:
        "It takes no more requests.",
        "The member is being shut down, or has been removed from the cluster.",
        "Ask another member.";
    Learner("learner", 503, "This member is a learner") of [NotSupportedForLearner]:
        "It does not vote yet, and serves nothing but reads of its own state.",
        "It was added as a learner and has not been promoted.",
        "Ask another member, or promote it.";
    DeadlineExceeded("deadline-exceeded", 504, "It took longer than the caller wanted to wait")
        of [DeadlineExceeded, ContextDeadlineExceeded]:
        "The time that the request gave itself is over. A write may have been done, or may be done yet.",
        "`Grpc-Timeout` names a time that was too short for the cluster as it is.",
        "As with `timed-out`: read before writing again, or write with a precondition.";
    NoSpace("no-space", 507, "The database is as large as it may be") of [NoSpace]:
        "The database has reached its quota, and takes nothing that would make it larger.",
        "A write, while the alarm NOSPACE is raised or the quota is reached.",
        "Remove keys, compact, defragment, then disarm the alarm; or raise `--quota-backend-bytes`. docs/upkeep.md has the steps.";
    NoRoomForCopy("no-room-for-copy", 507, "The disk has too little room for a copy") of [NoRoomForCopy]:
        "A copy of the database would fill this member's disk.",
        "A backup is asked for, and the disk has hardly more room than the database is large.",
        "Ask another member, or make room.";
}

impl Kind {
    /// The kind of what HTTP alone has a word for; whatever else there is counts as malformed or as a mistake of the server.
    pub const fn of_status(status: StatusCode) -> Kind {
        match status.as_u16() {
            401 => Kind::Unauthenticated,
            403 => Kind::PermissionDenied,
            404 => Kind::NotFound,
            405 => Kind::MethodNotAllowed,
            408 => Kind::BodyTooSlow,
            409 => Kind::Conflict,
            412 => Kind::PreconditionFailed,
            413 => Kind::TooLarge,
            414 => Kind::AddressTooLong,
            415 => Kind::UnsupportedMediaType,
            416 => Kind::RangeNotSatisfiable,
            421 => Kind::UnknownHost,
            422 => Kind::IdempotencyKeyReused,
            429 => Kind::TooManyRequests,
            431 => Kind::HeadTooLarge,
            499 => Kind::Canceled,
            501 => Kind::NotImplemented,
            503 => Kind::TimedOut,
            504 => Kind::DeadlineExceeded,
            507 => Kind::NoSpace,
            500..=599 => Kind::Internal,
            _ => Kind::Malformed,
        }
    }

    /// The kind whose page has this name.
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.info().name == name)
    }

    /// The HTTP status.
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.info().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The gRPC codes that its errors have, each once; none where HTTP alone refuses.
    pub fn codes(self) -> Vec<Code> {
        let with_limits = [Error::MessageTooLarge { size: 0, limit: 0 }, Error::BodyTooLarge { limit: 0 }];
        let mut codes = Vec::new();
        for error in Error::ALL.iter().chain(&with_limits).filter(|error| error.kind() == self) {
            if !codes.contains(&error.code()) {
                codes.push(error.code());
            }
        }
        codes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn kinds_have_an_address_each() {
        let mut names = HashSet::new();
        let mut statuses = Vec::new();
        for &kind in Kind::ALL {
            let KindInfo { name, address, status, meaning, when, remedy, .. } = *kind.info();
            assert!(names.insert(name) && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{name}");
            assert_eq!(address.strip_prefix(PROBLEMS), Some(name));
            assert_eq!((Kind::named(name), kind.status().as_u16()), (Some(kind), status));
            assert!([meaning, when, remedy].iter().all(|text| text.ends_with('.')), "{name}");
            statuses.push(status);
        }
        assert!(statuses.is_sorted());
        assert_eq!((Kind::named("nothing"), Kind::named("")), (None, None));
    }

    #[test]
    fn every_status_has_a_kind_with_it() {
        for status in Kind::ALL.iter().map(|kind| kind.status()).filter(|status| *status != StatusCode::GONE) {
            assert_eq!(Kind::of_status(status).status(), status);
        }
        assert_eq!(Kind::of_status(StatusCode::IM_A_TEAPOT), Kind::Malformed);
        assert_eq!(Kind::of_status(StatusCode::BAD_GATEWAY), Kind::Internal);
    }

    #[test]
    fn codes_are_those_of_the_errors() {
        assert_eq!(Kind::Compacted.codes(), [Code::OutOfRange]);
        assert_eq!(Kind::TooLarge.codes(), [Code::InvalidArgument, Code::ResourceExhausted]);
        assert_eq!(Kind::RevisionMismatch.codes(), []);
    }
}
