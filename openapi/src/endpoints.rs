//! Everything that a client's port serves over HTTP and that is no RPC, in one table: an [`Operation`] for those who run
//! a member, a [`Resource`] beside the RPCs below `/v3/`.
//!
//! A row ([`Endpoint`]) is data: path, methods, parameters, answers. The document describes the rows, and the server makes
//! its routes of them by an exhaustive `match`. So a row without a handler does not compile, and without a row nothing
//! leads to a handler. The same goes for the parameters of the events ([`EventsParameter`]).

mod access;
mod cluster;
mod debug;
mod document;
mod events;
mod keys;
mod leases;
mod lines;
mod observed;
mod operations;
mod problems;
mod schemas;
mod session;
mod snapshot;
mod stream;
mod transactions;

use std::array;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use serde_json::Value;

use crate::errors::Form;
pub use debug::{PROFILE_FORM, PROFILE_FORMS, PROFILE_SECONDS};
pub(crate) use document::add;
pub use events::parameters::HEARTBEAT_SECONDS;
pub use keys::list::LIST_LIMITS;
pub use keys::parameters::{VERSIONS_LIMITS, WAIT_SECONDS};
pub use operations::{EXCLUDED_ALARMS, EXCLUDED_CHECKS, SERIALIZABLE, VERBOSE};
pub(crate) use schemas::add as add_schemas;

/// One path with one way to ask.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Path of the URL. A part in braces is a parameter and stands for any text without a slash: `/livez/{check}`.
    pub path: &'static str,
    pub verb: Verb,
    /// Which listeners have it.
    pub listeners: Listeners,
    /// `operationId` of the document, its parts with `_` between them (`Keys_Put` for `keysPut`): unique, and the same for ever.
    pub(crate) id: &'static str,
    pub(crate) tag: &'static str,
    /// One line without a full stop.
    pub(crate) summary: &'static str,
    /// What else there is to say, in Markdown; may be empty.
    pub description: &'static str,
    pub parameters: &'static [Parameter],
    /// The forms in which its body may come; none has no body.
    pub body: &'static [Content],
    /// Those of its own: that other methods are refused goes without saying.
    pub answers: &'static [Answer],
    /// How it says no, if it may do so in all the ways of a call of the API.
    pub(crate) refusals: Option<Form>,
    /// Whether it is for everybody: no token is asked for. An operation that is not is for the role root.
    pub public: bool,
}

/// What those have in common that are resources for clients.
const RESOURCE: Endpoint = Endpoint {
    path: "",
    verb: Verb::Get,
    listeners: Listeners::Clients,
    id: "",
    tag: "",
    summary: "",
    description: "",
    parameters: &[],
    body: &[],
    answers: &[],
    refusals: Some(Form::Problem),
    public: false,
};

/// A document of JSON.
const fn json_of(schema: &'static str, example: fn() -> Value) -> Content {
    Content { media_type: "application/json", shape: Shape::Schema(schema), example: Some(example) }
}

/// A refusal of a row's own.
const PROBLEM: Content =
    Content { media_type: "application/problem+json", shape: Shape::Schema("Problem"), example: None };

/// What holds for as long as it is read.
const HELD: Content = Content {
    media_type: "text/event-stream",
    shape: Shape::Schema("HeldServerSentEvent"),
    example: Some(|| serde_json::json!({"event": "held", "data": "{\"id\":\"7587848390525747211\",\"ttl\":\"10\"}"})),
};

/// By which methods it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// GET, and HEAD for all but the body.
    Get,
    Post,
    Put,
    Patch,
    Delete,
    /// Whatever comes is answered like GET.
    Any,
}

impl Verb {
    /// The methods, as `Allow` lists them; none where every method will do.
    pub const fn methods(self) -> &'static [&'static str] {
        match self {
            Verb::Get => &["GET", "HEAD"],
            Verb::Post => &["POST"],
            Verb::Put => &["PUT"],
            Verb::Patch => &["PATCH"],
            Verb::Delete => &["DELETE"],
            Verb::Any => &[],
        }
    }
}

/// Which listeners have an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listeners {
    /// Those of clients.
    Clients,
    /// Those for metrics alone, too.
    ClientsAndMetrics,
}

/// What a request may say beside its path.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub name: &'static str,
    /// Other spellings of the name that are taken, and not described.
    pub aliases: &'static [&'static str],
    pub place: Place,
    pub description: &'static str,
    /// Of one value.
    pub shape: Shape,
    /// It may be given several times.
    pub repeated: bool,
}

/// One of the query, given once.
const fn query(name: &'static str, description: &'static str, shape: Shape) -> Parameter {
    Parameter { name, aliases: &[], place: Place::Query, description, shape, repeated: false }
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Query,
    /// In braces in the path, so it is always there.
    Path,
    Header,
}

/// What a value looks like.
#[derive(Clone, Debug)]
pub enum Shape {
    Text,
    /// Bytes as text.
    Base64,
    /// Bytes as they are.
    Binary,
    /// A number as text, of digits alone.
    Digits,
    Integer(RangeInclusive<u16>),
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Any JSON object.
    Object,
    /// What the schema of this name says.
    Schema(&'static str),
}

/// One way in which a request is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    pub(crate) description: &'static str,
    /// The forms in which it comes; none has no body.
    pub contents: &'static [Content],
    /// Headers that come with it, beside those that every answer has.
    pub headers: &'static [&'static str],
}

/// A form of an answer, or of a request.
#[derive(Clone, Debug)]
pub struct Content {
    /// Without parameters: `text/plain`.
    pub media_type: &'static str,
    pub(crate) shape: Shape,
    pub(crate) example: Option<fn() -> Value>,
}

/// An enum with a row of a table behind each variant, and the list of all.
macro_rules! table {
    ($(#[$about:meta])* $name:ident of $Row:ident { $($(#[$doc:meta])* $variant:ident => $row:expr,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[$name] = &[$($name::$variant),*];

            /// What is known of it.
            pub const fn info(self) -> &'static $Row {
                match self {
                    $($name::$variant => &$row,)*
                }
            }
        }
    };
}

table! {
    /// What tells those who run a member how it is, and what there is to find on its port.
    Operation of Endpoint {
        Metrics => operations::METRICS,
        Health => operations::HEALTH,
        Livez => operations::LIVEZ,
        LivezCheck => operations::LIVEZ_CHECK,
        Readyz => operations::READYZ,
        ReadyzCheck => operations::READYZ_CHECK,
        Version => operations::VERSION,
        Variables => operations::VARIABLES,
        /// What is written to the log.
        Log => debug::LOG,
        LogChange => debug::LOG_CHANGE,
        Profiles => debug::PROFILES,
        Profile => debug::PROFILE,
        /// One that there is not.
        OtherProfile => debug::OTHER_PROFILE,
        /// What can be said instead of an answer.
        Problems => problems::LIST,
        ProblemsEntry => problems::ENTRY,
        Problem => problems::PAGE,
        Index => operations::INDEX,
        /// `/v3`, which leads to [`Resource::Paths`].
        Gateway => operations::GATEWAY,
        OpenApi => operations::OPENAPI,
        OlderOpenApi => operations::OLDER_OPENAPI,
        Docs => operations::DOCS,
        /// A page to see and change everything with.
        Console => operations::CONSOLE,
        ConsoleEntry => operations::CONSOLE_ENTRY,
        ConsoleSettings => operations::CONSOLE_SETTINGS,
        ConsoleFile => operations::CONSOLE_FILE,
    }
}

table! {
    /// What is beside the RPCs below `/v3/`, and below the older prefixes.
    Resource of Endpoint {
        /// Which paths there are.
        Paths => operations::PATHS,
        /// Changes as server-sent events.
        Events => events::EVENTS,
        /// The database as a file.
        Snapshot => snapshot::SNAPSHOT,
        /// Who the caller is.
        Session => session::SHOW,
        SessionBegin => session::BEGIN,
        SessionEnd => session::END,
        /// A user's own password.
        SessionPassword => session::PASSWORD,
        /// A key, whose name is the rest of the path.
        Key => keys::GET,
        KeyPut => keys::PUT,
        KeyPatch => keys::PATCH,
        /// A key that gets its name.
        KeyAdd => keys::POST,
        KeyDelete => keys::DELETE,
        /// What a key was.
        KeyHistory => keys::HISTORY,
        /// What is at a level of keys.
        Keys => keys::list::LIST,
        KeysDelete => keys::list::DELETE,
        /// Operations under conditions.
        Transaction => transactions::RUN,
        /// Operations without.
        KeysBatch => transactions::BATCH,
        Leases => leases::LIST,
        LeaseGrant => leases::GRANT,
        Lease => leases::SHOW,
        LeaseKeepAlive => leases::KEEP_ALIVE,
        LeaseRevoke => leases::REVOKE,
        /// Who holds a lock, and who waits.
        Lock => lines::LOCK,
        LockTake => lines::TAKE,
        LockRelease => lines::RELEASE,
        /// Who leads, and who would.
        Election => lines::ELECTION,
        ElectionCampaign => lines::CAMPAIGN,
        ElectionProclaim => lines::PROCLAIM,
        ElectionResign => lines::RESIGN,
        Members => cluster::MEMBERS,
        MemberAdd => cluster::ADD,
        Member => cluster::MEMBER,
        MemberUpdate => cluster::UPDATE,
        MemberRemove => cluster::REMOVE,
        MemberPromote => cluster::PROMOTE,
        MemberLead => cluster::LEAD,
        /// How all members are.
        Overview => observed::OVERVIEW,
        /// What this member did of late.
        Statistics => observed::STATISTICS,
        /// What the log warned of last.
        Warnings => observed::WARNINGS,
        Alarms => cluster::ALARMS,
        AlarmsDisarm => cluster::DISARM,
        Users => access::USERS,
        UserAdd => access::USER_ADD,
        User => access::USER,
        UserRemove => access::USER_REMOVE,
        UserPassword => access::USER_PASSWORD,
        /// What he may.
        UserPermissions => access::USER_PERMISSIONS,
        UserGrant => access::USER_GRANT,
        UserRevoke => access::USER_REVOKE,
        Roles => access::ROLES,
        RoleAdd => access::ROLE_ADD,
        Role => access::ROLE,
        RoleRemove => access::ROLE_REMOVE,
        RoleGrant => access::ROLE_GRANT,
        RoleRevoke => access::ROLE_REVOKE,
        /// Whether anybody is asked who he is.
        Authentication => access::AUTHENTICATION,
        AuthenticationSet => access::AUTHENTICATION_SET,
    }
}

table! {
    /// What the query of [`Resource::Events`] may say.
    EventsParameter of Parameter {
        Key => events::parameters::KEY,
        Prefix => events::parameters::PREFIX,
        /// Goes with the key before it.
        RangeEnd => events::parameters::RANGE_END,
        KeyBase64 => events::parameters::KEY_BASE64,
        PrefixBase64 => events::parameters::PREFIX_BASE64,
        RangeEndBase64 => events::parameters::RANGE_END_BASE64,
        StartRevision => events::parameters::START_REVISION,
        Since => events::parameters::SINCE,
        Initial => events::parameters::INITIAL,
        LastEventId => events::parameters::LAST_EVENT_ID,
        Filters => events::parameters::FILTERS,
        PrevKv => events::parameters::PREV_KV,
        Encoding => events::parameters::ENCODING,
        Heartbeat => events::parameters::HEARTBEAT,
        Unnamed => events::parameters::UNNAMED,
        AccessToken => events::parameters::ACCESS_TOKEN,
    }
}

table! {
    /// What the query of a [`Resource::Key`] and its likes may say.
    KeyParameter of Parameter {
        KeyBase64 => keys::parameters::KEY_BASE64,
        Revision => keys::parameters::REVISION,
        Consistency => keys::parameters::CONSISTENCY,
        /// Leads elsewhere.
        Watch => keys::parameters::WATCH,
        Wait => keys::parameters::WAIT,
        Ttl => keys::parameters::TTL,
        Lease => keys::parameters::LEASE,
        /// As long as the answer is read.
        Hold => keys::parameters::HOLD,
        Unnamed => events::parameters::UNNAMED,
        Increment => keys::parameters::INCREMENT,
        Append => keys::parameters::APPEND,
        Cas => keys::parameters::CAS,
        Create => keys::parameters::CREATE,
        Update => keys::parameters::UPDATE,
        Previous => keys::parameters::PREVIOUS,
        Before => keys::parameters::BEFORE,
        Limit => keys::parameters::LIMIT,
    }
}

table! {
    /// What the query of a [`Resource::Lock`], a [`Resource::Election`] and their likes may say.
    LineParameter of Parameter {
        Ttl => lines::TTL,
        Lease => lines::LEASE,
        Wait => lines::WAIT,
        Hold => keys::parameters::HOLD,
        /// As events.
        Watch => lines::WATCH,
        Unnamed => events::parameters::UNNAMED,
        Limit => lines::LIMIT,
    }
}

table! {
    /// What the query of a [`Resource::Keys`] and its likes may say.
    ListParameter of Parameter {
        Prefix => keys::list::PREFIX,
        PrefixBase64 => keys::list::PREFIX_BASE64,
        Separator => keys::list::SEPARATOR,
        Recursive => keys::list::RECURSIVE,
        KeysOnly => keys::list::KEYS_ONLY,
        Counts => keys::list::COUNTS,
        Search => keys::list::SEARCH,
        Regex => keys::list::REGEX,
        In => keys::list::IN,
        Limit => keys::list::LIMIT,
        Download => keys::list::DOWNLOAD,
        After => keys::list::AFTER,
        All => keys::parameters::ALL,
        /// Leads elsewhere.
        Watch => keys::parameters::WATCH,
        Revision => keys::parameters::REVISION,
        Consistency => keys::parameters::CONSISTENCY,
    }
}

impl Endpoint {
    /// Whether it is at such a path.
    fn is_at(&self, path: &str) -> bool {
        leads(self.path, path)
    }
}

/// Parameters that stand for all the rest of a path, slashes included.
const WHOLE: [&str; 3] = ["{key}", "{lock}", "{election}"];

/// Whether a path is what a row writes with parameters in braces. Each stands for a part, unless it is of [`WHOLE`].
fn leads(row: &str, path: &str) -> bool {
    let Some(end) = row.bytes().position(|byte| byte == b'{') else { return row == path };
    let (fixed, parameters) = row.split_at(end);
    let Some(rest) = path.strip_prefix(fixed) else { return false };
    if WHOLE.contains(&parameters) {
        return true;
    }
    let Some((_, behind)) = parameters.split_once('}') else { return false };
    let part = rest.split('/').next().unwrap_or_default();
    !part.is_empty() && leads(behind, rest.strip_prefix(part).unwrap_or_default())
}

/// What the paths of all resources begin with.
const BELOW: &str = "/v3/";

/// The resources by what comes next in their paths: nothing, or a letter from a to z, of which each has few.
static BY_LETTER: LazyLock<[Vec<Resource>; 27]> = LazyLock::new(|| {
    let is_at = |resource: &Resource, place| letter(resource.info().path) == Some(place);
    array::from_fn(|place| Resource::ALL.iter().copied().filter(|resource| is_at(resource, place)).collect())
});

/// The place in [`BY_LETTER`] of what begins as a path does.
fn letter(path: &str) -> Option<usize> {
    match path.as_bytes().get(BELOW.len()) {
        None => Some(0),
        Some(letter) => letter.checked_sub(b'a').map(|place| usize::from(place) + 1),
    }
}

impl Resource {
    /// What a method asks for at a path as the routes have it ([`keyport_api::routes::canonical`]).
    pub fn find(method: &str, path: &str) -> Option<Resource> {
        let mut rows = BY_LETTER.get(letter(path)?)?.iter().copied();
        let is_asked = |row: &Endpoint| row.verb.methods().contains(&method) && row.is_at(path);
        rows.find(|resource| is_asked(resource.info()))
    }

    /// How the table writes such a path: with a parameter in braces.
    pub fn route(path: &str) -> Option<&'static str> {
        Resource::ALL.iter().map(|resource| resource.info()).find(|row| row.is_at(path)).map(|row| row.path)
    }

    /// The methods that ask for something at such a path; none where there is nothing.
    pub fn methods_at(path: &str) -> impl Iterator<Item = &'static str> {
        let there = Resource::ALL.iter().filter(move |resource| resource.info().is_at(path));
        there.flat_map(|resource| resource.info().verb.methods()).copied()
    }
}

impl Operation {
    /// How the table writes such a path, if what is there is for the role root; none for what everybody may see.
    pub fn inside(path: &str) -> Option<&'static str> {
        let mut rows = Operation::ALL.iter().map(|operation| operation.info());
        rows.find(|row| !row.public && row.is_at(path)).map(|row| row.path)
    }
}

/// The methods that ask for something at a path as the routes have it, resource or not.
pub fn methods_at(path: &str) -> Vec<&'static str> {
    let operations = Operation::ALL.iter().map(|operation| operation.info());
    let rows = operations.chain(Resource::ALL.iter().map(|resource| resource.info()));
    let mut methods = Vec::new();
    for row in rows.filter(|row| row.is_at(path)) {
        let of_row = if row.verb == Verb::Any { Verb::Get.methods() } else { row.verb.methods() };
        for method in of_row {
            if !methods.contains(method) {
                methods.push(method);
            }
        }
    }
    methods
}

impl EventsParameter {
    /// The parameter of a name, in any of its spellings.
    pub fn named(name: &str) -> Option<EventsParameter> {
        EventsParameter::ALL.iter().copied().find(|parameter| {
            let Parameter { name: own, aliases, .. } = parameter.info();
            *own == name || aliases.contains(&name)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn endpoints() -> impl Iterator<Item = &'static Endpoint> {
        let operations = Operation::ALL.iter().map(|operation| operation.info());
        operations.chain(Resource::ALL.iter().map(|resource| resource.info()))
    }

    #[test]
    fn one_row_answers_one_question() {
        let mut asked = HashSet::new();
        for endpoint in endpoints() {
            assert!(asked.insert((endpoint.path, endpoint.verb.methods())), "{} is there twice", endpoint.path);
            assert!(!endpoint.answers.is_empty(), "{}", endpoint.path);
        }
    }

    /// What may become a stream has one among its answers.
    #[test]
    fn streams_are_described_where_they_are_asked_for() {
        // Beside their usual answer it would take generated clients the type of that: they tell of it in words.
        let in_words = ["Keys_Put", "Leases_Grant"];
        for Endpoint { id, parameters, answers, .. } in endpoints() {
            let asked = parameters.iter().any(|parameter| ["watch", "hold"].contains(&parameter.name));
            let mut contents = answers.iter().flat_map(|answer| answer.contents);
            assert_eq!(
                asked && !in_words.contains(id) || *id == "Watch_Events",
                contents.any(|one| one.media_type == "text/event-stream"),
                "{id}"
            );
        }
    }

    #[test]
    fn resources_are_found_by_what_they_take() {
        for resource in Resource::ALL {
            let Endpoint { path, verb, .. } = resource.info();
            assert!(path.starts_with(BELOW) && !path.starts_with("/v3/{") && !verb.methods().is_empty(), "{path}");
            for method in verb.methods() {
                assert_eq!(Resource::find(method, path), Some(*resource), "{method} {path}");
            }
            assert_eq!(Resource::find("BREW", path), None, "{path}");
        }
        for (path, row) in [
            ("/v3/keys/", Some("/v3/keys/{key}")),
            ("/v3/keys/a/b/", Some("/v3/keys/{key}")),
            ("/v3/leases/7", Some("/v3/leases/{id}")),
            ("/v3/leases/7/keepalive", Some("/v3/leases/{id}/keepalive")),
            ("/v3/leases/", None),
            ("/v3/leases/7/", None),
            ("/v3/leases/7/keepalive/x", None),
            ("/v3/leases//keepalive", None),
        ] {
            assert_eq!(Resource::route(path), row, "{path}");
        }
        assert_eq!(Resource::methods_at("/v3/watch").collect::<Vec<_>>(), ["GET", "HEAD"]);
        assert_eq!(Resource::methods_at("/v3/session").collect::<Vec<_>>(), ["GET", "HEAD", "POST", "DELETE"]);
        assert_eq!((Resource::find("GET", "/v3/watch/"), Resource::methods_at("/v3/kv/put").count()), (None, 0));
    }

    #[test]
    fn spellings_are_unique() {
        let mut spellings = HashSet::new();
        for parameter in EventsParameter::ALL {
            let Parameter { name, aliases, .. } = parameter.info();
            for spelling in aliases.iter().chain([name]) {
                assert!(spellings.insert(*spelling), "{spelling}");
                assert_eq!(EventsParameter::named(spelling), Some(*parameter));
            }
            let described = Resource::Events.info().parameters.iter().filter(|described| described.name == *name);
            assert_eq!(described.count(), 1, "{name}");
        }
        assert_eq!((EventsParameter::named("Key"), EventsParameter::named("")), (None, None));
    }
}
