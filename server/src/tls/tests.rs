//! Whom this member dials, and what those who connect show: both ends in one process.

use std::io;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose,
    SanType,
};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};
use tokio::io::duplex;

use super::acceptor::Side;
use super::*;
use crate::config::{Allowed, KeyPairFiles, TlsSide};

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
}

fn params(common_name: &str, hosts: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = OffsetDateTime::now_utc() - Duration::days(1);
    params
}

impl Authority {
    fn new() -> Authority {
        let mut own = params("an authority", &[]);
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        own.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let issuer = CertifiedIssuer::self_signed(own, KeyPair::generate().unwrap()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), issuer.pem()).unwrap();
        Authority { issuer, dir }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    fn issue(&self, name: &str, params: &CertificateParams) -> KeyPairFiles {
        let key = KeyPair::generate().unwrap();
        self.write(name, &params.signed_by(&key, &self.issuer).unwrap().pem(), &key)
    }

    fn self_signed(&self, name: &str, params: &CertificateParams) -> KeyPairFiles {
        let key = KeyPair::generate().unwrap();
        self.write(name, &params.self_signed(&key).unwrap().pem(), &key)
    }

    fn write(&self, name: &str, certificate: &str, key: &KeyPair) -> KeyPairFiles {
        let place = |end: &str| self.dir.path().join(format!("{name}.{end}"));
        let files = KeyPairFiles { cert: place("pem"), key: place("key") };
        std::fs::write(&files.cert, certificate).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }
}

fn trusting(ca: &Path) -> TlsSide {
    TlsSide { trusted_ca: Some(ca.to_owned()), ..TlsSide::default() }
}

fn showing(files: KeyPairFiles) -> TlsSide {
    TlsSide { own: Some(files), ..TlsSide::default() }
}

/// What the dialling side makes of it, and whom the listening side takes it for.
async fn meet(listens: TlsSide, dials: TlsSide, host: &str) -> (io::Result<()>, Option<CertificateIdentity>) {
    let rejected = Metrics::new(false).tls_rejected.with_label_values(&["peer"]);
    let acceptor = Acceptor::new(Side::Peer, listens, rejected);
    let outgoing = Outgoing::new(dials, Speaks::Http1);
    let (ours, theirs) = duplex(1 << 16);
    let (accepted, dialled) = tokio::join!(
        acceptor.accept(ours, Vec::new(), Some(([127, 0, 0, 1], 1).into())),
        outgoing.encrypt(theirs, host)
    );
    (dialled.map(drop), accepted.map(|accepted| accepted.identity))
}

#[tokio::test]
async fn who_is_dialled_has_to_be_who_is_wanted() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let trusted = || trusting(&authority.file());
    let good = || authority.issue("good", &params("member", &["a.test", "10.0.0.1"]));
    let expired = {
        let mut params = params("member", &["a.test"]);
        params.not_after = OffsetDateTime::now_utc() - Duration::hours(1);
        authority.issue("expired", &params)
    };
    let named = |name: &str| {
        let allowed = Allowed { common_names: vec![name.to_owned()], hosts: Vec::new() };
        TlsSide { allowed, ..trusted() }
    };
    let unchecked = || TlsSide { skip_verification: true, ..TlsSide::default() };
    let other = stranger.issue("good", &params("member", &["a.test"]));
    let by_domain = TlsSide { server_name: Some("a.test".to_owned()), ..trusted() };
    for (what, shown, dials, host, is_well) in [
        ("by name", good(), trusted(), "a.test", true),
        ("by address", good(), trusted(), "10.0.0.1", true),
        ("another name", good(), trusted(), "b.test", false),
        ("by the name of a domain", good(), by_domain, "b.test", true),
        ("one of the names that are wanted", good(), named("member"), "a.test", true),
        ("not one of them", good(), named("other"), "a.test", false),
        ("expired", expired.clone(), trusted(), "a.test", false),
        ("of another authority", other.clone(), trusted(), "a.test", false),
        ("whoever it is", other, unchecked(), "b.test", true),
        ("whenever", expired, unchecked(), "b.test", true),
    ] {
        let (dialled, accepted) = meet(showing(shown), dials, host).await;
        assert_eq!(dialled.is_ok(), is_well, "{what}: {dialled:?}");
        assert!(is_well <= accepted.is_some(), "{what}");
    }
}

/// As etcd makes them for itself.
#[tokio::test]
async fn an_authority_may_show_its_own_certificate_if_that_is_what_is_trusted() {
    let authority = Authority::new();
    let mut own = params("member", &["a.test"]);
    own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    own.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
    let (pinned, issued) = (authority.self_signed("pinned", &own), authority.issue("issued", &own));
    let trusted = trusting(&pinned.cert);
    assert!(meet(showing(pinned.clone()), trusted.clone(), "a.test").await.0.is_ok());
    assert!(meet(showing(pinned.clone()), trusted.clone(), "b.test").await.0.is_err());
    assert!(meet(showing(issued), trusting(&authority.file()), "a.test").await.0.is_err());
    // And the other way round.
    let listens = TlsSide { client_cert_auth: true, own: Some(pinned.clone()), ..trusted.clone() };
    let dials = TlsSide { own: Some(pinned), ..trusted };
    let (dialled, accepted) = meet(listens, dials, "a.test").await;
    dialled.unwrap();
    assert_eq!(accepted.unwrap().common_name.as_deref(), Some("member"));
}

#[tokio::test]
async fn a_certificate_says_who_somebody_is_only_where_that_is_asked_for() {
    let authority = Authority::new();
    let pair = || authority.issue("member", &params("member", &["a.test", "127.0.0.1"]));
    let dials = || TlsSide { own: Some(pair()), ..trusting(&authority.file()) };
    let listens = |client_cert_auth| TlsSide { client_cert_auth, own: Some(pair()), ..trusting(&authority.file()) };
    for (asked, known) in [(true, Some("member")), (false, None)] {
        let (dialled, accepted) = meet(listens(asked), dials(), "a.test").await;
        dialled.unwrap();
        assert_eq!(accepted.unwrap().common_name.as_deref(), known);
    }
    // Who shows none is not let in either way.
    assert!(meet(listens(false), trusting(&authority.file()), "a.test").await.1.is_none());
}

/// A session that was taken up again would show no certificate, so nothing of it could be looked at.
#[tokio::test]
async fn sessions_of_those_who_show_certificates_are_not_resumed() {
    let authority = Authority::new();
    let pair = || authority.issue("member", &params("member", &["a.test", "127.0.0.1"]));
    let resumes = async |listens: TlsSide| {
        let rejected = Metrics::new(false).tls_rejected.with_label_values(&["client"]);
        let acceptor = Acceptor::new(Side::Client, listens, rejected);
        let dials = TlsSide { own: Some(pair()), ..trusting(&authority.file()) };
        let mut config = (*Outgoing::new(dials, Speaks::Http1).config().unwrap()).clone();
        config.resumption = rustls::client::Resumption::default();
        let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let (ours, theirs) = duplex(1 << 16);
            let client = async {
                let mut stream = connector.connect("a.test".try_into().unwrap(), theirs).await.unwrap();
                // What is needed for the next time comes after the handshake.
                let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0]).await;
                stream.get_ref().1.handshake_kind().unwrap()
            };
            let server = async {
                let acceptor::Accepted { mut io, mut session, .. } =
                    acceptor.accept(ours, Vec::new(), None).await.unwrap();
                let mut left = Vec::new();
                while session.wants_write() {
                    session.write_tls(&mut left).unwrap();
                }
                tokio::io::AsyncWriteExt::write_all(&mut io, &left).await.unwrap();
            };
            let ((), kind) = tokio::join!(server, client);
            kinds.push(kind);
        }
        kinds.pop() == Some(rustls::HandshakeKind::Resumed)
    };
    let own = TlsSide { own: Some(pair()), ..TlsSide::default() };
    assert!(!resumes(TlsSide { client_cert_auth: true, own: Some(pair()), ..trusting(&authority.file()) }).await);
    assert!(resumes(own).await);
}

#[test]
fn what_is_wrong_with_a_key_names_its_file() {
    let authority = Authority::new();
    let files = authority.issue("own", &params("own", &["a.test"]));
    let side = TlsSide { skip_verification: true, ..showing(files.clone()) };
    Outgoing::new(side.clone(), Speaks::Http1).open().unwrap();
    std::fs::write(&files.key, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
    let error = Outgoing::new(side, Speaks::Http1).open().unwrap_err().to_string();
    let begin = format!(
        "{}: not a key that can be used (the certificate is for ECDSA with the curve P-256)",
        files.key.display()
    );
    assert!(error.starts_with(&begin), "{error}");
}
