//! What the settings say of the cluster: who founds it, or where to find that out.

use std::path::PathBuf;

use super::settings::Settings;
use super::{
    ClusterConfig, ConfigError, Discovery, DiscoveryService, InitialState, KeyPairFiles, ListenConfig, TlsSide, Url,
    invalid,
};

/// Flags of discovery that name files for TLS.
const TLS_FILES: [&str; 3] = ["discovery-cert", "discovery-key", "discovery-cacert"];

pub(super) fn build(
    s: &Settings,
    listen: &ListenConfig,
    default_host: &dyn Fn() -> Option<String>,
) -> Result<ClusterConfig, ConfigError> {
    let advertise_client_urls = s.urls("advertise-client-urls");
    if advertise_client_urls.is_empty() {
        return Err(invalid("--advertise-client-urls must name at least one URL"));
    }
    let mut advertise_peer_urls = s.urls("initial-advertise-peer-urls");
    if advertise_peer_urls.is_empty() {
        return Err(invalid("--initial-advertise-peer-urls must name at least one URL"));
    }
    if !s.is_set("initial-advertise-peer-urls")
        && let Some(all) = listen.peer.iter().find(|u| u.is_unspecified())
        && let Some(host) = default_host()
    {
        advertise_peer_urls = vec![Url { host, ..all.clone() }];
    }
    let discovery = discovery(s)?;
    if discovery.is_some() && s.is_set("initial-cluster") {
        return Err(conflict());
    }
    let initial = if s.is_set("initial-cluster") {
        parse_members(&s.string("initial-cluster")).map_err(ConfigError::Invalid)?
    } else {
        vec![(s.string("name"), advertise_peer_urls.clone())]
    };
    let initial_state = match s.string("initial-cluster-state").as_str() {
        "existing" => InitialState::Existing,
        _ => InitialState::New,
    };
    let token = match &discovery {
        Some(Discovery::Service(service)) => service.token.clone(),
        Some(Discovery::Srv { .. }) | None => s.string("initial-cluster-token"),
    };
    let max_learners =
        usize::try_from(s.int("max-learners")).map_err(|_| invalid("--max-learners must not be negative"))?;
    Ok(ClusterConfig {
        advertise_peer_urls,
        advertise_client_urls,
        initial,
        discovery,
        initial_state,
        token,
        has_initial: s.is_set("initial-cluster"),
        has_advertise_peer_urls: s.is_set("initial-advertise-peer-urls"),
        force_new: s.bool("force-new-cluster"),
        max_learners,
        strict_reconfig_check: s.bool("strict-reconfig-check"),
    })
}

/// Reads `name=url,name=url,...`. A name that comes again has several URLs.
pub(crate) fn parse_members(text: &str) -> Result<Vec<(String, Vec<Url>)>, String> {
    let mut members: Vec<(String, Vec<Url>)> = Vec::new();
    for pair in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let (name, url) = pair
            .split_once('=')
            .filter(|(name, url)| !name.is_empty() && !url.is_empty())
            .ok_or_else(|| format!("--initial-cluster must be a list of name=url: {pair:?}"))?;
        let url = Url::parse(url).map_err(|error| error.to_string())?;
        match members.iter_mut().find(|(n, _)| n == name) {
            Some((_, urls)) => urls.push(url),
            None => members.push((name.to_owned(), vec![url])),
        }
    }
    for (_, urls) in &mut members {
        urls.sort_by_cached_key(Url::to_string);
        urls.dedup();
    }
    Ok(members)
}

fn conflict() -> ConfigError {
    invalid(
        "multiple discovery or bootstrap flags are set. Choose one of \"initial-cluster\", \"discovery-endpoints\" or \"discovery-srv\"",
    )
}

fn discovery(s: &Settings) -> Result<Option<Discovery>, ConfigError> {
    let (domain, token) = (s.string("discovery-srv"), s.string("discovery-token"));
    let endpoints = s.list("discovery-endpoints");
    if !domain.is_empty() && !endpoints.is_empty() {
        return Err(conflict());
    }
    if token.is_empty() != endpoints.is_empty() {
        return Err(invalid("both --discovery-token and --discovery-endpoints must be set"));
    }
    if !domain.is_empty() {
        return Ok(Some(Discovery::Srv { domain, name: s.string("discovery-srv-name") }));
    }
    if endpoints.is_empty() {
        return Ok(None);
    }
    let asks_for_tls = asks_for_tls(s);
    let endpoints = endpoints.iter().map(|it| read_endpoint(it, asks_for_tls)).collect::<Result<_, _>>()?;
    Ok(Some(Discovery::Service(DiscoveryService {
        token,
        endpoints,
        dial_timeout: s.duration("discovery-dial-timeout"),
        request_timeout: s.duration("discovery-request-timeout"),
        keepalive_time: s.duration("discovery-keepalive-time"),
        keepalive_timeout: s.duration("discovery-keepalive-timeout"),
        credentials: credentials(s)?,
        tls: Box::new(tls(s)?),
    })))
}

/// Whether an endpoint without a scheme is to be asked over TLS.
fn asks_for_tls(s: &Settings) -> bool {
    TLS_FILES.into_iter().any(|flag| !s.string(flag).is_empty())
        || s.bool("discovery-insecure-skip-tls-verify")
        || !s.bool("discovery-insecure-transport")
}

/// A URL, whatever the flags for TLS say; or `host:port`, for which they do.
fn read_endpoint(endpoint: &str, asks_for_tls: bool) -> Result<Url, ConfigError> {
    let scheme = if asks_for_tls { "https" } else { "http" };
    let text = if endpoint.contains("://") { endpoint.to_owned() } else { format!("{scheme}://{endpoint}") };
    let url = Url::parse(&text)?;
    if url.scheme.is_unix() {
        return Err(invalid(format!("--discovery-endpoints must be host:port: {endpoint}")));
    }
    Ok(url)
}

/// Of the endpoints that are asked over TLS.
fn tls(s: &Settings) -> Result<TlsSide, ConfigError> {
    let [cert, key, ca] = TLS_FILES.map(|flag| Some(s.string(flag)).filter(|path| !path.is_empty()).map(PathBuf::from));
    let dialling = match (cert, key) {
        (Some(cert), Some(key)) => Some(KeyPairFiles { cert, key }),
        (None, None) => None,
        _ => return Err(invalid("--discovery-cert and --discovery-key need each other")),
    };
    let skip_verification = s.bool("discovery-insecure-skip-tls-verify");
    Ok(TlsSide { dialling, trusted_ca: ca, skip_verification, ..TlsSide::default() })
}

/// `--discovery-user name[:password]`, with the password here or in its own flag.
fn credentials(s: &Settings) -> Result<Option<(String, String)>, ConfigError> {
    let (user, password) = (s.string("discovery-user"), s.string("discovery-password"));
    match (user.split_once(':'), user.as_str(), password.as_str()) {
        (None, "", "") => Ok(None),
        (_, "", _) => Err(invalid("--discovery-password needs --discovery-user")),
        (Some((name, password)), _, "") => Ok(Some((name.to_owned(), password.to_owned()))),
        (None, _, "") => Err(invalid("--discovery-user needs a password: name:password or --discovery-password")),
        (_, name, password) => Ok(Some((name.to_owned(), password.to_owned()))),
    }
}
