//! TLS: which files, what is asked of those who connect, and what is spoken; for clients and for peers.

mod terms;

use std::path::{Path, PathBuf};

pub use terms::{TlsTerms, TlsVersions};

use super::settings::Settings;
use super::{ClusterConfig, ConfigError, Discovery, ListenConfig, Url, invalid};

/// TLS of both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// Of the listeners for clients, and of those for metrics.
    pub client: TlsSide,
    /// Of the listeners for peers, and of what is asked of them.
    pub peer: TlsSide,
}

/// TLS of one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSide {
    /// What listeners show.
    pub own: Option<KeyPairFiles>,
    /// Made at start, if it is not there.
    pub auto: Option<AutoTls>,
    /// What is shown to whom this member dials, if that is another one.
    pub dialling: Option<KeyPairFiles>,
    /// Who vouches for the others.
    pub trusted_ca: Option<PathBuf>,
    /// Whether those who connect must have a certificate, which then says who they are.
    pub client_cert_auth: bool,
    /// Serial numbers that are not taken any more.
    pub crl: Option<PathBuf>,
    pub allowed: Allowed,
    /// Whether a certificate of a caller may name other hosts than the one that he calls from.
    pub skip_caller_names: bool,
    /// The name that is expected of whom this member dials, if not that in the URL.
    pub server_name: Option<String>,
    /// Whether certificates of whom this member dials are not looked at.
    pub skip_verification: bool,
    pub terms: TlsTerms,
}

/// A certificate with those that lead to its authority, and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPairFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// A certificate that the server makes for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoTls {
    /// For how many years of 365 days.
    pub validity_years: u64,
    /// Names and addresses that it is for.
    pub hosts: Vec<String>,
}

/// Who may be whom a certificate names; empty lists allow everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    pub common_names: Vec<String>,
    pub hosts: Vec<String>,
}

impl TlsSide {
    /// Whether those who connect must have a certificate.
    pub fn asks_for_certificates(&self) -> bool {
        self.client_cert_auth || self.trusted_ca.is_some()
    }
}

/// The names of one side's flags.
struct Names {
    cert: &'static str,
    key: &'static str,
    client_cert: &'static str,
    client_key: &'static str,
    client_cert_auth: &'static str,
    trusted_ca: &'static str,
    crl: &'static str,
    allowed_hosts: &'static str,
    auto: &'static str,
    /// Of the side, in warnings.
    side: &'static str,
}

const CLIENT: Names = Names {
    cert: "cert-file",
    key: "key-file",
    client_cert: "client-cert-file",
    client_key: "client-key-file",
    client_cert_auth: "client-cert-auth",
    trusted_ca: "trusted-ca-file",
    crl: "client-crl-file",
    allowed_hosts: "client-cert-allowed-hostname",
    auto: "auto-tls",
    side: "client",
};

const PEER: Names = Names {
    cert: "peer-cert-file",
    key: "peer-key-file",
    client_cert: "peer-client-cert-file",
    client_key: "peer-client-key-file",
    client_cert_auth: "peer-client-cert-auth",
    trusted_ca: "peer-trusted-ca-file",
    crl: "peer-crl-file",
    allowed_hosts: "peer-cert-allowed-hostname",
    auto: "peer-auto-tls",
    side: "peer",
};

/// Reads the settings of both sides, and what is wrong with them for where this member listens.
pub(super) fn build(
    s: &mut Settings,
    listen: &ListenConfig,
    cluster: &ClusterConfig,
    data_dir: &Path,
) -> Result<TlsConfig, ConfigError> {
    let terms = TlsTerms::read(s)?;
    let client = Side { names: &CLIENT, urls: listen.client.iter().chain(&listen.client_http).collect() };
    let peer = Side { names: &PEER, urls: listen.peer.iter().collect() };
    let mut client = client.read(s, data_dir, &terms)?;
    let mut peer = peer.read(s, data_dir, &terms)?;
    client.allowed.common_names = s.list("client-cert-allowed-cn");
    peer.allowed.common_names = s.list("peer-cert-allowed-cn");
    peer.skip_caller_names = s.bool("peer-skip-client-san-verification");
    client.allowed.check()?;
    peer.allowed.check()?;
    for url in listen.client.iter().chain(&listen.client_http) {
        if url.scheme.is_tls() && client.own.is_none() {
            return Err(invalid(format!(
                "TLS key/cert (--cert-file, --key-file) must be provided for client url {url} with HTTPS scheme"
            )));
        }
    }
    if client.own.is_none() && listen.metrics.iter().any(|url| url.scheme.is_tls()) {
        return Err(invalid("client TLS key/cert (--cert-file, --key-file) must be provided for metrics secure url"));
    }
    if ![&listen.client, &listen.client_http, &listen.metrics].into_iter().flatten().any(|url| url.scheme.is_tls()) {
        // Nobody looks at files that nobody uses, as in etcd.
        client = TlsSide { terms: client.terms, ..TlsSide::default() };
    }
    if peer.own.is_none()
        && let Some(url) = listen.peer.iter().find(|url| url.scheme.is_tls())
    {
        let at = url.authority();
        return Err(invalid(format!("cannot listen on TLS for {at}: KeyFile and CertFile are not presented")));
    }
    if peer.auto.is_some() {
        // Certificates that members make for themselves are vouched for by nobody, so none is asked for or looked at.
        if peer.asks_for_certificates() {
            s.warnings.push("peers are not asked for certificates with --peer-auto-tls".to_owned());
        }
        let TlsSide { own, auto, terms, .. } = peer;
        peer = TlsSide { own, auto, terms, skip_verification: true, ..TlsSide::default() };
    }
    if let Some(Discovery::Srv { domain, .. }) = &cluster.discovery
        && peer.trusted_ca.is_none()
    {
        // Anybody's certificate would do otherwise, for a name that came by DNS.
        peer.server_name = Some(domain.clone());
    }
    Ok(TlsConfig { client, peer })
}

impl Allowed {
    fn check(&self) -> Result<(), ConfigError> {
        let Allowed { common_names, hosts } = self;
        if common_names.is_empty() || hosts.is_empty() {
            return Ok(());
        }
        let (cns, hosts) = (common_names.join(" "), hosts.join(" "));
        Err(invalid(format!(
            "AllowedCNs and AllowedHostnames are mutually exclusive (cns=[{cns}], hostnames=[{hosts}])"
        )))
    }
}

/// A side to be read.
struct Side<'a> {
    names: &'static Names,
    /// Where it listens; metrics excepted.
    urls: Vec<&'a Url>,
}

impl Side<'_> {
    fn read(&self, s: &mut Settings, data_dir: &Path, terms: &TlsTerms) -> Result<TlsSide, ConfigError> {
        let names = self.names;
        let file = |name: &str| Some(s.string(name)).filter(|path| !path.is_empty()).map(PathBuf::from);
        let serves = self.urls.iter().any(|url| url.scheme.is_tls());
        let (cert, key) = (file(names.cert), file(names.key));
        let has_files = cert.is_some() || key.is_some();
        let own = match (cert, key) {
            (Some(cert), Some(key)) => Some(KeyPairFiles { cert, key }),
            (None, None) => None,
            (cert, key) if serves => return Err(not_both("KeyFile and CertFile must both be present[", &key, &cert)),
            // As good as none, for whoever does not use it.
            _ => None,
        };
        let dialling = match (file(names.client_cert), file(names.client_key)) {
            (Some(cert), Some(key)) => Some(KeyPairFiles { cert, key }),
            (None, None) => None,
            (cert, key) if serves => {
                return Err(not_both(
                    "ClientKeyFile and ClientCertFile must both be present or both absent: ",
                    &key,
                    &cert,
                ));
            }
            _ => None,
        };
        let mut side = TlsSide {
            own,
            auto: None,
            dialling,
            trusted_ca: file(names.trusted_ca),
            client_cert_auth: s.bool(names.client_cert_auth),
            crl: file(names.crl),
            allowed: Allowed { common_names: Vec::new(), hosts: s.list(names.allowed_hosts) },
            skip_caller_names: false,
            server_name: None,
            skip_verification: false,
            terms: terms.clone(),
        };
        self.warn(s, &side, has_files);
        if s.bool(names.auto) && has_files {
            s.warnings.push(format!("ignoring {} auto TLS since certs given", names.side));
        } else if s.bool(names.auto) {
            let validity_years = s.uint("self-signed-cert-validity");
            if validity_years == 0 {
                return Err(invalid("selfSignedCertValidity is invalid,it should be greater than 0"));
            }
            let folder = data_dir.join("fixtures").join(names.side);
            side.own = Some(KeyPairFiles { cert: folder.join("cert.pem"), key: folder.join("key.pem") });
            side.auto = Some(AutoTls { validity_years, hosts: self.urls.iter().map(|url| url.host.clone()).collect() });
        }
        Ok(side)
    }

    /// What is set and has no effect where nothing is encrypted.
    fn warn(&self, s: &mut Settings, side: &TlsSide, has_files: bool) {
        for url in self.urls.iter().filter(|url| !url.scheme.is_tls()) {
            let plain = "scheme is HTTP while";
            if has_files {
                s.warnings.push(format!("{plain} key and cert files are present; ignoring key and cert files: {url}"));
            }
            if side.client_cert_auth {
                let flag = self.names.client_cert_auth;
                s.warnings.push(format!("{plain} --{flag} is enabled; ignoring client cert auth for this URL: {url}"));
            }
        }
    }
}

/// `what` goes on with the two files, and the bracket is etcd's.
fn not_both(what: &str, key: &Option<PathBuf>, cert: &Option<PathBuf>) -> ConfigError {
    let text = |path: &Option<PathBuf>| path.as_deref().map(|path| path.display().to_string()).unwrap_or_default();
    invalid(format!("{what}key: {}, cert: {}]", text(key), text(cert)))
}
