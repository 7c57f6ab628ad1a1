use super::*;

const CLIENT: [&str; 2] = ["--listen-client-urls=https://127.0.0.1:1", "--advertise-client-urls=https://127.0.0.1:1"];
const PEER: &str = "--listen-peer-urls=https://127.0.0.1:2";
const FILES: [&str; 2] = ["--cert-file=c", "--key-file=k"];

fn with<'a>(words: &[&'a str], more: &[&'a str]) -> Case {
    args(&[words, more].concat())
}

fn files(cert: &str, key: &str) -> Option<KeyPairFiles> {
    Some(KeyPairFiles { cert: cert.into(), key: key.into() })
}

#[test]
fn whoever_listens_with_tls_needs_a_certificate_and_its_key() {
    for (words, text) in [
        (
            &CLIENT[..],
            "TLS key/cert (--cert-file, --key-file) must be provided for client url https://127.0.0.1:1 with HTTPS scheme",
        ),
        (&[CLIENT[0], CLIENT[1], "--cert-file=c"], "KeyFile and CertFile must both be present[key: , cert: c]"),
        (
            &[CLIENT[0], CLIENT[1], FILES[0], FILES[1], "--client-key-file=x"],
            "ClientKeyFile and ClientCertFile must both be present or both absent: key: x, cert: ]",
        ),
        (
            &["--listen-metrics-urls=unixs://x"],
            "client TLS key/cert (--cert-file, --key-file) must be provided for metrics secure url",
        ),
        (&[PEER], "cannot listen on TLS for 127.0.0.1:2: KeyFile and CertFile are not presented"),
        (
            &[CLIENT[0], CLIENT[1], "--auto-tls", "--self-signed-cert-validity=0"],
            "selfSignedCertValidity is invalid,it should be greater than 0",
        ),
        (
            &["--peer-cert-allowed-cn=a,b", "--peer-cert-allowed-hostname=c"],
            "AllowedCNs and AllowedHostnames are mutually exclusive (cns=[a b], hostnames=[c])",
        ),
    ] {
        assert_eq!(args(words).error(), (1, text.to_owned()), "{words:?}");
    }
    let side = with(&CLIENT, &FILES).config().tls.client;
    assert_eq!((side.own.clone(), side.auto.clone(), side.asks_for_certificates()), (files("c", "k"), None, false));
    for flag in ["--client-cert-auth", "--trusted-ca-file=ca"] {
        assert!(with(&CLIENT, &[FILES[0], FILES[1], flag]).config().tls.client.asks_for_certificates());
    }
}

#[test]
fn versions_and_suites_have_etcds_names() {
    let terms = |words: &[&str]| args(words).config().tls.client.terms;
    assert_eq!(terms(&[]), TlsTerms::default());
    assert_eq!(terms(&["--tls-max-version=TLS1.2"]).versions, TlsVersions::Only12);
    assert_eq!(terms(&["--tls-min-version=TLS1.3"]).versions, TlsVersions::Only13);
    let suites = "--cipher-suites=TLS_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305,TLS_RSA_WITH_RC4_128_SHA";
    assert_eq!(terms(&[suites]).suites, Some(vec!["TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"]));
    assert_eq!(
        args(&[suites]).config().warnings,
        ["cipher suites that are too weak to be here, ignored: TLS_RSA_WITH_RC4_128_SHA"]
    );
    for (words, text) in [
        (&["--tls-min-version=TLS1.1"][..], "unexpected TLS version \"TLS1.1\" (must be one of: TLS1.2, TLS1.3)"),
        (
            &["--tls-min-version=TLS1.3", "--tls-max-version=TLS1.2"],
            "min version (TLS1.3) is greater than max version (TLS1.2)",
        ),
        (
            &["--tls-min-version=TLS1.3", "--cipher-suites=FOO"],
            "cipher suites cannot be configured when only TLS1.3 is enabled",
        ),
        (&["--cipher-suites=FOO"], "unexpected TLS cipher suite \"FOO\""),
        (
            &["--cipher-suites=TLS_RSA_WITH_RC4_128_SHA"],
            "none of --cipher-suites is available: TLS_RSA_WITH_RC4_128_SHA",
        ),
    ] {
        assert_eq!(args(words).error(), (1, text.to_owned()), "{words:?}");
    }
}

#[test]
fn what_is_set_without_effect_is_said() {
    let config = args(&[FILES[0], FILES[1], "--client-cert-auth"]).config();
    assert_eq!(
        config.warnings,
        [
            "scheme is HTTP while key and cert files are present; ignoring key and cert files: http://localhost:2379",
            "scheme is HTTP while --client-cert-auth is enabled; ignoring client cert auth for this URL: http://localhost:2379"
        ]
    );
    let config = with(&CLIENT, &[FILES[0], FILES[1], "--auto-tls"]).config();
    assert_eq!(config.warnings, ["ignoring client auto TLS since certs given"]);
    assert_eq!((config.tls.client.own, config.tls.client.auto), (files("c", "k"), None));
}

#[test]
fn certificates_of_its_own_are_in_the_data_directory() {
    let config = with(&CLIENT, &["--data-dir=d", "--auto-tls", "--self-signed-cert-validity=3"]).config();
    let side = config.tls.client;
    assert_eq!(side.own, files("d/fixtures/client/cert.pem", "d/fixtures/client/key.pem"));
    assert_eq!(side.auto, Some(AutoTls { validity_years: 3, hosts: vec!["127.0.0.1".to_owned()] }));
    assert!(!side.skip_verification);
    let config = args(&[PEER, "--peer-auto-tls", "--peer-client-cert-auth", "--peer-crl-file=x"]).config();
    let side = config.tls.peer;
    assert!(side.skip_verification && !side.asks_for_certificates() && side.crl.is_none());
    assert_eq!(config.warnings, ["peers are not asked for certificates with --peer-auto-tls"]);
}

#[test]
fn the_file_has_them_in_two_sections() {
    let config = args(&["--config-file=conf.yml"])
        .file(
            "client-transport-security: {cert-file: c, key-file: k, client-cert-auth: true, allowed-cn: [a]}\n\
             peer-transport-security:\n  cert-file: pc\n  key-file: pk\n  trusted-ca-file: ca\n  allowed-hostname: [h]\n  \
             skip-client-san-verification: true\nlisten-peer-urls: https://127.0.0.1:2\n\
             listen-client-urls: https://127.0.0.1:1\nadvertise-client-urls: https://127.0.0.1:1\n",
        )
        .config();
    let TlsConfig { client, peer } = config.tls;
    assert_eq!((client.own, client.allowed.common_names), (files("c", "k"), vec!["a".to_owned()]));
    assert!(client.client_cert_auth && peer.skip_caller_names && peer.asks_for_certificates());
    assert_eq!((peer.own, peer.allowed.hosts), (files("pc", "pk"), vec!["h".to_owned()]));
}

#[test]
fn peers_found_by_dns_have_the_name_of_the_domain() {
    let name = |more: &[&str]| with(&["--discovery-srv=example.test"], more).config().tls.peer.server_name;
    assert_eq!(name(&[]).as_deref(), Some("example.test"));
    assert_eq!(name(&["--peer-trusted-ca-file=ca"]), None);
}
