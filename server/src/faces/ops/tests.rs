use super::*;
use axum::body::Body;
use http::{Method, Request};
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use tower::ServiceExt as _;

use crate::http::{Call, Connection};
use crate::net::Face;

/// A node in any state.
#[derive(Debug)]
struct Fake {
    alarms: Mutex<Vec<AlarmType>>,
    leader: bool,
    learner: bool,
    read: Result<(), Status>,
}

impl Default for Fake {
    fn default() -> Fake {
        Fake { alarms: Mutex::default(), leader: true, learner: false, read: Ok(()) }
    }
}

impl HealthSource for Fake {
    fn alarms(&self) -> Vec<AlarmType> {
        self.alarms.lock().clone()
    }

    fn has_leader(&self) -> bool {
        self.leader
    }

    fn is_learner(&self) -> bool {
        self.learner
    }

    async fn serializable_read(&self) -> Result<(), Status> {
        Ok(())
    }

    async fn linearizable_read(&self) -> Result<(), Status> {
        self.read.clone()
    }

    fn versions(&self) -> Versions {
        Versions::in_cluster(self.leader.then(|| "3.7.0".to_owned()))
    }

    fn raft(&self) -> RaftState {
        RaftState { id: 0xab, leader: 0xab, term: 2, commit: 5, applied: 4 }
    }
}

struct Answer {
    status: u16,
    headers: http::HeaderMap,
    body: String,
}

/// Those who may look inside, or why they may not.
#[derive(Clone, Copy)]
struct Those(Result<(), Error>);

impl Insiders for Those {
    fn admit(&self, _: &Caller) -> Result<(), Error> {
        self.0
    }
}

async fn ask(node: Fake, method: Method, path: &str) -> Answer {
    ask_as(Those(Ok(())), node, method, path).await
}

async fn ask_as(insiders: Those, node: Fake, method: Method, path: &str) -> Answer {
    let router = router(Arc::new(node), Arc::new(Metrics::new(false)), Offer::default(), insiders).fallback(not_found);
    let mut request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let mut call = Call::of(&request, Arc::new(Connection::in_process(Face::All)));
    call.caller = Some(Caller::internal("a test"));
    request.extensions_mut().insert(call);
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

async fn get(node: Fake, path: &str) -> (u16, String) {
    let answer = ask(node, Method::GET, path).await;
    (answer.status, answer.body)
}

fn alarmed(alarm: AlarmType) -> Fake {
    Fake { alarms: Mutex::new(vec![alarm]), ..Fake::default() }
}

fn unhealthy(reason: &str) -> (u16, String) {
    (503, format!("{{\"health\":\"false\",\"reason\":\"{reason}\"}}\n"))
}

#[tokio::test]
async fn health() {
    let ok = || (200, "{\"health\":\"true\",\"reason\":\"\"}".to_owned());
    assert_eq!(get(Fake::default(), "/health").await, ok());
    assert_eq!(get(alarmed(AlarmType::Nospace), "/health").await, unhealthy("ALARM NOSPACE"));
    assert_eq!(get(alarmed(AlarmType::Corrupt), "/health").await, unhealthy("ALARM CORRUPT"));
    assert_eq!(get(alarmed(AlarmType::Nospace), "/health?exclude=CORRUPT").await, unhealthy("ALARM NOSPACE"));
    assert_eq!(get(alarmed(AlarmType::Nospace), "/health?exclude=CORRUPT&exclude=NOSPACE").await, ok());
    let leaderless = || Fake { leader: false, ..Fake::default() };
    assert_eq!(get(leaderless(), "/health").await, unhealthy("RAFT NO LEADER"));
    assert_eq!(get(leaderless(), "/health?serializable=true").await, ok());
    let slow = || Fake { read: Err(Status::unavailable("etcdserver: request timed out")), ..Fake::default() };
    assert_eq!(get(slow(), "/health").await, unhealthy("RANGE ERROR:etcdserver: request timed out"));
    assert_eq!(get(Fake { learner: true, ..Fake::default() }, "/health").await, ok());

    let answer = ask(Fake::default(), Method::GET, "/health").await;
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
}

#[tokio::test]
async fn probes() {
    assert_eq!(get(Fake::default(), "/livez").await, (200, "ok\n".into()));
    assert_eq!(get(Fake::default(), "/livez?verbose").await, (200, "[+]serializable_read ok\nok\n".into()));
    assert_eq!(get(Fake::default(), "/readyz").await, (200, "ok\n".into()));
    assert_eq!(
        get(Fake::default(), "/readyz?verbose").await.1,
        "[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\nok\n"
    );
    assert_eq!(get(alarmed(AlarmType::Nospace), "/readyz").await.0, 200);
    let corrupt = "[-]data_corruption failed: alarm activated: CORRUPT\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\n\n";
    assert_eq!(get(alarmed(AlarmType::Corrupt), "/readyz").await, (503, corrupt.into()));
    assert_eq!(get(alarmed(AlarmType::Corrupt), "/readyz?exclude=data_corruption").await.0, 200);
    assert_eq!(get(alarmed(AlarmType::Corrupt), "/readyz?exclude=nothing").await.0, 503);
    assert_eq!(get(alarmed(AlarmType::Corrupt), "/livez").await.0, 200);
    let learner = || Fake { learner: true, ..Fake::default() };
    assert_eq!(
        get(learner(), "/readyz/non_learner").await,
        (503, "[-]non_learner failed: not supported for learner\n\n".into())
    );
    assert_eq!(get(learner(), "/readyz/serializable_read?verbose").await.1, "[+]serializable_read ok\nok\n");
    let unread = Fake { read: Err(Status::unavailable("etcdserver: request timed out")), ..Fake::default() };
    assert!(get(unread, "/readyz").await.1.contains("[-]linearizable_read failed: etcdserver: request timed out\n"));
    assert_eq!(
        get(Fake::default(), "/livez/non_learner").await,
        (404, "404 page not found\nThe checks of /livez are serializable_read.\n".into())
    );
    assert_eq!(ask(Fake::default(), Method::GET, "/livez").await.headers["x-content-type-options"], "nosniff");
}

#[test]
fn the_document_names_the_checks() {
    for (operation, (_, checks)) in [(Operation::Livez, probes::LIVEZ), (Operation::Readyz, probes::READYZ)] {
        let description = operation.info().description;
        let missing = checks.iter().find(|check| !description.contains(&format!("`{}`", check.name())));
        assert_eq!((missing, description.matches('`').count()), (None, 2 * checks.len()), "{description}");
    }
}

/// A path that leads to a row.
fn example(operation: Operation) -> String {
    operation
        .info()
        .path
        .replace("{check}", "serializable_read")
        .replace("{profile}", "heap")
        .replace("{problem}", "compacted")
        .replace("{file}", "notices.txt")
}

#[tokio::test]
async fn every_row_is_answered_as_the_document_says() {
    for &operation in Operation::ALL {
        let (path, info) = (example(operation), operation.info());
        let verb = if info.verb == Verb::Put { Method::PUT } else { Method::GET };
        let answer = ask(Fake::default(), verb, &path).await;
        let described = info.answers.iter().find(|described| described.status == answer.status);
        let described = described.unwrap_or_else(|| panic!("{path}: {}", answer.status));
        let media_type = answer.headers.get("content-type").map(|value| value.to_str().unwrap());
        let media_type = media_type.and_then(|value| value.split(';').next());
        let media_types: Vec<_> = described.contents.iter().map(|content| content.media_type).collect();
        assert!(media_type.map_or(media_types.is_empty(), |own| media_types.contains(&own)), "{path}: {media_type:?}");
        assert!(described.headers.iter().all(|name| answer.headers.contains_key(*name)), "{path}");
    }
}

#[tokio::test]
async fn other_methods_are_refused() {
    for &operation in Operation::ALL {
        let path = example(operation);
        let plain = ask(Fake::default(), Method::GET, &path).await.status;
        let answer = ask(Fake::default(), Method::POST, &path).await;
        if operation.info().verb == Verb::Any {
            assert_eq!(answer.status, plain, "{path}");
            let traced = ask(Fake::default(), Method::TRACE, &path).await;
            let allow = traced.headers.get("allow").map(|allow| allow.to_str().unwrap_or_default());
            assert_eq!((traced.status, allow), (405, Some("GET, HEAD, POST, PUT, PATCH, DELETE")), "{path}");
            continue;
        }
        let changes = path == Operation::LogChange.info().path;
        let (words, list) =
            if changes { ("GET, HEAD and PUT", "GET, HEAD, PUT") } else { ("GET and HEAD", "GET, HEAD") };
        let expected = format!("Method Not Allowed\nThis path takes {words}: /docs describes it.\n");
        assert_eq!((answer.status, answer.body), (405, expected), "{path}");
        assert_eq!(answer.headers["allow"], list, "{path}");
        let head = ask(Fake::default(), Method::HEAD, &path).await;
        assert_eq!((head.status, head.body.as_str()), (plain, ""), "{path}");
    }
}

#[tokio::test]
async fn what_is_for_the_metrics_listener_is_there_and_nothing_else() {
    let router = metrics_router(Arc::new(Fake::default()), Arc::new(Metrics::new(false)));
    let ask = |path: &str| router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap());
    let hint = ask("/").await.unwrap().into_body().collect().await.unwrap().to_bytes();
    let hint = String::from_utf8(hint.to_vec()).unwrap();
    for &operation in Operation::ALL {
        let path = example(operation);
        let there = operation.info().listeners == Listeners::ClientsAndMetrics;
        assert_eq!(ask(&path).await.unwrap().status(), if there { 200 } else { 404 }, "{path}");
        assert!(!there || operation.info().path.contains('{') || hint.contains(&path), "{hint} {path}");
    }
}

#[tokio::test]
async fn links_lead_somewhere() {
    let ask = async |accept: &'static str| {
        let router = router(Arc::new(Fake::default()), Arc::new(Metrics::new(false)), Offer::default(), Those(Ok(())));
        let request = Request::get("/").header("accept", accept).body(Body::empty()).unwrap();
        let headers = router.oneshot(request).await.unwrap().headers().clone();
        assert_eq!(headers["vary"], "accept");
        headers.get("location").map(|location| location.to_str().unwrap().to_owned())
    };
    let browser = ask("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8").await;
    assert_eq!(browser.as_deref(), Some("ui/"));
    for program in ["*/*", "application/json", "application/json, text/html;q=0.5", "image/png"] {
        assert_eq!(ask(program).await, None, "{program}");
    }
    let index: serde_json::Value = serde_json::from_str(&get(Fake::default(), "/").await.1).unwrap();
    let links = index["links"].as_object().unwrap().values().map(|link| link.as_str().unwrap().to_owned());
    for link in links {
        let operation = Operation::ALL.iter().any(|operation| operation.info().path == link);
        assert!(operation || Resource::find("GET", &link).is_some(), "{link}");
    }
}

#[tokio::test]
async fn version_and_the_rest() {
    let (status, body) = get(Fake::default(), "/version").await;
    let expected = format!(
        "{{\"etcdserver\":\"3.7.1\",\"etcdcluster\":\"3.7.0\",\"storage\":\"3.7.0\",\"keyport\":\"{}\"}}",
        crate::version::KEYPORT
    );
    assert_eq!((status, body), (200, expected));
    let undecided = get(Fake { leader: false, ..Fake::default() }, "/version").await.1;
    assert!(undecided.contains("\"etcdcluster\":\"not_decided\""));

    let vars: serde_json::Value = serde_json::from_str(&get(Fake::default(), "/debug/vars").await.1).unwrap();
    assert_eq!(vars["raft.status"]["id"], "ab");
    assert!(vars["memstats"]["Alloc"].as_u64().unwrap() > 1 << 20);
    assert!(vars["cmdline"].is_array() && vars["file_descriptor_limit"].is_u64());

    let index: serde_json::Value = serde_json::from_str(&get(Fake::default(), "/").await.1).unwrap();
    assert_eq!(index["etcdserver"], "3.7.1");
    assert_eq!(get(Fake::default(), "/members").await.0, 404);
    assert!(get(Fake::default(), "/members").await.1.starts_with("404 page not found\nSee / for"));
}

#[tokio::test]
async fn what_is_inside_is_for_insiders() {
    for (error, status) in [(Error::UserEmpty, 401), (Error::InvalidAuthToken, 401), (Error::PermissionDenied, 403)] {
        for &operation in Operation::ALL {
            let (path, public) = (example(operation), operation.info().public);
            let answer = ask_as(Those(Err(error)), Fake::default(), Method::GET, &path).await;
            assert_eq!(answer.status == status, !public, "{path}: {}", answer.status);
            assert!(public || answer.headers["content-type"] == "application/problem+json", "{path}");
            assert_eq!(answer.headers.contains_key("www-authenticate"), !public && status == 401, "{path}");
        }
    }
    assert!(!Operation::Variables.info().public);
}

#[tokio::test]
async fn the_api_describes_itself() {
    let document = ask(Fake::default(), Method::GET, "/openapi.json").await;
    assert_eq!((document.status, &document.headers["content-type"]), (200, &"application/json".parse().unwrap()));
    let document: serde_json::Value = serde_json::from_str(&document.body).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let page = ask(Fake::default(), Method::GET, "/docs").await;
    if keyport_web_ui::console::is_there() {
        assert_eq!((page.status, &page.headers["location"]), (307, &"ui/#/explorer".parse().unwrap()));
        return;
    }
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(page.body.contains("openapi.json"), "{}", page.body);
}

#[tokio::test]
async fn metrics() {
    let metrics = Arc::new(Metrics::new(false));
    let router = metrics_router(Arc::new(Fake::default()), Arc::clone(&metrics));
    let ask = |method: &str, path: &str, encoding: Option<&str>| {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(encoding) = encoding {
            request = request.header("accept-encoding", encoding);
        }
        router.clone().oneshot(request.body(Body::empty()).unwrap())
    };
    let plain = ask("POST", "/metrics", None).await.unwrap();
    assert_eq!(plain.headers()["content-type"], CONTENT_TYPE);
    let text = plain.into_body().collect().await.unwrap().to_bytes();
    assert!(text.starts_with(b"# HELP "));
    let packed = ask("GET", "/metrics", Some("gzip")).await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    let packed = packed.into_body().collect().await.unwrap().to_bytes();
    assert!(packed.starts_with(&[0x1f, 0x8b]) && packed.len() < text.len() / 2);
    assert_eq!(ask("GET", "/health", None).await.unwrap().status(), 200);
    assert_eq!(ask("GET", "/version", None).await.unwrap().status(), 404);
    ask("GET", "/readyz", None).await.unwrap();
    let text = metrics.render().unwrap();
    for line in [
        "etcd_server_health_success 1",
        "etcd_server_healthcheck{name=\"non_learner\",type=\"readyz\"} 1",
        "etcd_server_healthchecks_total{name=\"non_learner\",status=\"success\",type=\"readyz\"} 1",
        "promhttp_metric_handler_requests_total{code=\"200\"} 2",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}");
    }
}

use crate::metrics::CONTENT_TYPE;
