mod tls;

use super::*;

#[derive(Default)]
struct Case {
    args: Vec<String>,
    env: Vec<(String, String)>,
    file: Option<&'static str>,
}

fn args(words: &[&str]) -> Case {
    Case { args: words.iter().map(|w| (*w).to_owned()).collect(), ..Case::default() }
}

impl Case {
    fn env(mut self, name: &str, value: &str) -> Case {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    fn file(mut self, text: &'static str) -> Case {
        self.file = Some(text);
        self
    }

    fn load(&self) -> Result<Action, ConfigError> {
        let read_file = |path: &str| match (path, self.file) {
            ("conf.yml", Some(text)) => Ok(text.to_owned()),
            _ => Err(std::io::Error::from(std::io::ErrorKind::NotFound)),
        };
        load(&Sources {
            args: &self.args,
            env: &self.env,
            read_file: &read_file,
            default_host: &|| Some("192.0.2.7".to_owned()),
        })
    }

    fn config(&self) -> Config {
        match self.load() {
            Ok(Action::Run(config)) => *config,
            other => panic!("{other:?}"),
        }
    }

    fn error(&self) -> (u8, String) {
        let error = self.load().unwrap_err();
        (error.exit_code(), error.to_string())
    }
}

fn texts(urls: &[Url]) -> Vec<String> {
    urls.iter().map(Url::to_string).collect()
}

#[test]
fn without_flags() {
    let config = args(&[]).config();
    assert_eq!(config.name, "default");
    assert_eq!(config.data_dir, Path::new("default.etcd"));
    assert_eq!(config.wal_path(), Path::new("default.etcd/member/wal"));
    assert_eq!(config.snap_path(), Path::new("default.etcd/member/snap"));
    assert_eq!(texts(&config.listen.client), ["http://localhost:2379"]);
    assert_eq!(config.cluster.initial, [("default".to_owned(), vec![Url::parse("http://localhost:2380").unwrap()])]);
    assert_eq!(config.cluster.initial_state, InitialState::New);
    assert_eq!(config.quota_backend_bytes, Some(2 << 30));
    assert_eq!(config.backend_batch_interval, Duration::from_millis(500));
    assert_eq!(config.backend_batch_limit, 16_000);
    assert_eq!(config.snapshot_count, 10_000);
    assert_eq!(config.max_request_bytes, 1_572_864);
    assert_eq!(config.max_receive_bytes(), 2_097_152);
    assert_eq!(config.request_timeout(), Duration::from_secs(7));
    assert_eq!(config.min_lease_ttl(), 2);
    assert_eq!(config.auto_compaction, None);
    assert_eq!(config.compaction_batch_limit, 1_000);
    assert_eq!(config.watch_progress_notify_interval, Duration::from_secs(600));
    assert_eq!(config.http.keepalive_interval, Some(Duration::from_secs(7200)));
    assert_eq!(config.http.max_concurrent_streams, u32::MAX);
    assert_eq!(config.http.cors, AllowList::Only(vec![OWN.to_owned()]));
    assert_eq!(config.log, LogConfig::default());
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn help_and_version() {
    assert_eq!(args(&["--version"]).load(), Ok(Action::Version));
    assert_eq!(args(&["--version", "--help"]).load(), Ok(Action::Help));
    assert!(matches!(args(&["--version=false"]).load(), Ok(Action::Run(_))));
    let config = args(&[]).env("ETCD_VERSION", "3.5").config();
    assert_eq!(config.warnings, ["environment variable ETCD_VERSION is ignored"]);
}

#[test]
fn environment() {
    let config = args(&[]).env("ETCD_NAME", "a").env("KEYPORT_PRE_VOTE", "false").env("ETCD_DATA_DIR", "").config();
    assert_eq!((config.name.as_str(), config.pre_vote), ("a", false));
    assert_eq!(config.data_dir, Path::new("a.etcd"));

    let config = args(&[]).env("ETCD_NOPE", "1").env("KEYPORT_NOPE", "1").env("ETCDCTL_API", "3").config();
    let expected = ["unrecognized environment variable ETCD_NOPE", "unrecognized environment variable KEYPORT_NOPE"];
    assert_eq!(config.warnings, expected);

    assert_eq!(
        args(&["--name=a"]).env("ETCD_NAME", "b").error(),
        (1, "conflicting environment variable \"ETCD_NAME\" is shadowed by corresponding command-line flag (either unset environment variable or disable flag)".to_owned())
    );
    assert_eq!(args(&[]).env("ETCD_NAME", "a").env("KEYPORT_NAME", "a").error().0, 1);
    let bad = args(&[]).env("ETCD_SNAPSHOT_COUNT", "x").error();
    assert_eq!(bad, (1, "invalid value \"x\" for ETCD_SNAPSHOT_COUNT: parse error".to_owned()));
}

#[test]
fn rates_of_several_prefixes_add_up() {
    let rate = |per_second, burst| Rate { per_second, burst };
    let expected = [("/a=b/".to_owned(), rate(5, 5)), ("/b/".to_owned(), rate(1, 10))];
    let twice = args(&["--rate-limit-prefix=/a=b/=5", "--rate-limit-prefix", "/b/=1:10"]).config();
    assert_eq!(twice.rates.prefixes, expected);
    assert_eq!(args(&[]).env("KEYPORT_RATE_LIMIT_PREFIX", "/a=b/=5,/b/=1:10").config().rates.prefixes, expected);
    let file = "rate-limit-prefix: ['/a=b/=5', '/b/=1:10']\nrate-limit-per-user: 7\nrate-limit-per-address: '1:2'\n";
    let RatesConfig { per_user, per_address, prefixes } = args(&["--config-file=conf.yml"]).file(file).config().rates;
    assert_eq!((per_user, per_address, prefixes), (Some(rate(7, 7)), Some(rate(1, 2)), expected.to_vec()));
    assert_eq!(args(&[]).config().rates, RatesConfig::default());
    for (flag, text) in [
        ("--rate-limit-prefix=/a", "--rate-limit-prefix: \"/a\" is no <prefix>= and rate: "),
        ("--rate-limit-prefix=/a=x", "--rate-limit-prefix: \"/a=x\" is no <prefix>= and rate: "),
        ("--rate-limit-prefix=/a=1,/a=2", "--rate-limit-prefix names \"/a\" twice"),
        ("--rate-limit-per-user=fast", "--rate-limit-per-user: \"fast\" is no rate: "),
    ] {
        let (code, message) = args(&[flag]).error();
        assert!(code == 1 && message.starts_with(text), "{message}");
    }
}

#[test]
fn heads_have_a_time_between_bounds() {
    let of = |flag: &str| args(&[flag]).config().http.request_head_timeout.as_secs();
    assert_eq!(args(&[]).config().http.request_head_timeout.as_secs(), 20);
    assert_eq!((of("--request-head-timeout=1s"), of("--request-head-timeout=5m")), (1, 300));
    for flag in ["--request-head-timeout=0s", "--request-head-timeout=999ms", "--request-head-timeout=5m1s"] {
        let (code, message) = args(&[flag]).error();
        assert!(code == 1 && message.ends_with("is not from 1s to 5m"), "{message}");
    }
}

#[test]
fn what_an_empty_list_means_is_said() {
    let config = args(&["--host-whitelist=", "--cors="]).config();
    assert_eq!((&config.http.hosts, &config.http.cors), (&AllowList::Any, &AllowList::Any));
    assert_eq!(
        config.warnings,
        [
            "--host-whitelist is empty, which means the same as *: HTTP requests may name any host",
            "--cors is empty, which means the same as *: pages of all sites may call",
        ]
    );
    assert_eq!(args(&["--host-whitelist=*", "--cors=*"]).config().warnings, Vec::<String>::new());
}

#[test]
fn a_file_replaces_everything_else() {
    let file = "name: f\nwal-dir: /w\nsnapshot-count: 5\n";
    let config = args(&["--name=a", "--snapshot-catchup-entries=9", "--config-file", "conf.yml"])
        .env("ETCD_NAME", "b")
        .file(file)
        .config();
    assert_eq!((config.name.as_str(), config.snapshot_catchup_entries, config.snapshot_count), ("f", 5_000, 5));
    assert_eq!(config.wal_path(), Path::new("/w"));
    assert_eq!(config.warnings.len(), 1);
    let config = args(&[]).env("ETCD_CONFIG_FILE", "conf.yml").file(file).config();
    assert_eq!((config.name.as_str(), config.warnings.len()), ("f", 0));
    let config = args(&["--config-file=conf.yml"]).file("{\"name\": \"j\"}").config();
    assert_eq!((config.name.as_str(), config.warnings.len()), ("j", 0));

    let (code, text) = args(&["--config-file=none"]).error();
    assert_eq!((code, text.starts_with("cannot load configuration file \"none\": ")), (1, true));
    let wrong = args(&["--config-file=conf.yml"]).file("name: [").error();
    assert_eq!(wrong.0, 1);
    let listen = args(&["--config-file=conf.yml"]).file("listen-client-urls: http://localhost:1").error();
    assert!(listen.1.starts_with("--advertise-client-urls is required"));
}

#[test]
fn mistakes_on_the_line_exit_with_2_and_in_sense_with_1() {
    assert_eq!(args(&["--nope"]).error().0, 2);
    assert_eq!(args(&["--listen-client-urls=x"]).error().0, 2);
    assert_eq!(args(&["--initial-cluster-state=old"]).error().0, 2);
    assert_eq!(args(&["--discovery-fallback=proxy"]).error().0, 2);
    assert_eq!(args(&["--max-request-bytes=4294967296"]).error().0, 2);
    for removed in ["--enable-v2", "--proxy=on", "--discovery=x", "--experimental-enable-v2v3=x", "--max-snapshots=x"] {
        assert_eq!(args(&[removed]).error().0, 2, "{removed}");
    }
    let (status, text) = args(&["word"]).error();
    assert_eq!((status, text.starts_with("\"word\" is not a valid flag")), (2, true), "{text}");

    for (words, text) in [
        (
            &["--election-timeout=400"][..],
            "--election-timeout[400ms] should be at least as 5 times as --heartbeat-interval[100ms]",
        ),
        (&["--election-timeout=50001"], "--election-timeout[50001ms] is too long, and should be set less than 50000ms"),
        (&["--heartbeat-interval=0"], "--heartbeat-interval must be >0 (set to 0ms)"),
        (
            &["--listen-client-urls=http://localhost:1"],
            "--advertise-client-urls is required when --listen-client-urls is set explicitly",
        ),
        (
            &["--listen-client-urls=http://example.com:1", "--advertise-client-urls=http://example.com:1"],
            "expected IP in URL for binding (http://example.com:1)",
        ),
        (&["--auto-compaction-mode=x"], "unknown auto-compaction-mode \"x\""),
        (&["--compact-hash-check-time=0"], "--compact-hash-check-time must be >0 (set to 0s)"),
        (&["--log-level=loud"], "unrecognized level: \"loud\""),
        (&["--log-format=x"], "unknown log format: \"x\", supported values json, console"),
        (&["--log-outputs=default,stdout"], "multi logoutput for \"default\" is not supported yet"),
        (&["--feature-gates=X=true"], "unrecognized feature gate: X"),
        (
            &["--initial-cluster=a=http://a:1", "--discovery-srv=x"],
            "multiple discovery or bootstrap flags are set. Choose one of \"initial-cluster\", \"discovery-endpoints\" or \"discovery-srv\"",
        ),
        (&["--initial-cluster=a"], "--initial-cluster must be a list of name=url: \"a\""),
    ] {
        assert_eq!(args(words).error(), (1, text.to_owned()), "{words:?}");
    }
}

#[test]
fn the_cluster_follows_name_and_listener() {
    let config = args(&["--name=m", "--listen-peer-urls=http://0.0.0.0:9"]).config();
    assert_eq!(texts(&config.cluster.advertise_peer_urls), ["http://192.0.2.7:9"]);
    assert_eq!(config.cluster.initial[0].0, "m");
    assert_eq!(texts(&config.cluster.initial[0].1), ["http://192.0.2.7:9"]);

    let config =
        args(&["--initial-cluster=b=http://b:2,a=http://a:1,b=http://b:1", "--initial-cluster-state=existing"])
            .config();
    assert_eq!(config.cluster.initial[0].0, "b");
    assert_eq!(texts(&config.cluster.initial[0].1), ["http://b:1", "http://b:2"]);
    assert_eq!(config.cluster.initial[1].0, "a");
    assert_eq!(config.cluster.initial_state, InitialState::Existing);
}

#[test]
fn derived_values() {
    let config = args(&[
        "--election-timeout=3000",
        "--quota-backend-bytes=-1",
        "--watch-progress-notify-interval=1ms",
        "--grpc-keepalive-interval=0",
        "--warning-unary-request-duration=0",
        "--backend-batch-limit=-5",
        "--cors=http://a:80,http://b:80",
        "--host-whitelist=",
    ])
    .config();
    assert_eq!(config.request_timeout(), Duration::from_secs(11));
    assert_eq!(config.min_lease_ttl(), 5);
    assert_eq!(config.quota_backend_bytes, None);
    assert_eq!(config.watch_progress_notify_interval, Duration::from_millis(100));
    assert_eq!(config.http.keepalive_interval, None);
    assert_eq!(config.http.warning_unary_request_duration, Duration::from_millis(300));
    assert_eq!(config.backend_batch_limit, 16_000);
    assert_eq!(config.http.cors, AllowList::Only(vec!["http://a".into(), "http://b".into()]));
    assert_eq!(config.http.hosts, AllowList::Any);
    assert_eq!(args(&["--quota-backend-bytes=5"]).config().quota_backend_bytes, Some(5));
    assert_eq!(config.bootstrap_defrag_threshold_bytes, None);
    let megabytes = |n: u64| args(&[&format!("--bootstrap-defrag-threshold-megabytes={n}")]).config();
    assert_eq!(args(&[]).config().downgrade_check_interval, Some(Duration::from_secs(5)));
    assert_eq!(args(&["--downgrade-check-time=0"]).config().downgrade_check_interval, None);
    assert_eq!(megabytes(3).bootstrap_defrag_threshold_bytes, Some(3 << 20));
    assert_eq!(megabytes(u64::MAX).bootstrap_defrag_threshold_bytes, Some(u64::MAX));
}

#[test]
fn automatic_compaction() {
    let of = |mode: &str, retention: &str| {
        let words = [format!("--auto-compaction-mode={mode}"), format!("--auto-compaction-retention={retention}")];
        args(&[&words[0], &words[1]]).load().map(|a| match a {
            Action::Run(config) => config.auto_compaction,
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(of("periodic", "0"), Ok(None));
    assert_eq!(of("periodic", "2"), Ok(Some(AutoCompaction::Periodic(Duration::from_secs(7200)))));
    assert_eq!(of("periodic", "10m"), Ok(Some(AutoCompaction::Periodic(Duration::from_secs(600)))));
    assert_eq!(of("revision", "1000"), Ok(Some(AutoCompaction::Revision(1000))));
    assert_eq!(of("revision", "0"), Ok(None));
    assert!(of("revision", "10m").is_err() && of("revision", "-1").is_err());
    assert!(of("periodic", "ten").is_err());
}

#[test]
fn tokens_are_simple_or_signed_or_nobody_gets_one() {
    let of = |flags: &[&str]| {
        let TokenConfig { kind, lifetime } = args(flags).config().tokens;
        (kind, lifetime.as_secs())
    };
    assert_eq!(of(&[]), (TokenKind::Simple, 300));
    assert_eq!(of(&["--auth-token=simple,any=thing", "--auth-token-ttl=7"]), (TokenKind::Simple, 7));
    assert_eq!(of(&["--auth-token=", "--auth-token-ttl=0"]), (TokenKind::None, 300));
    let (_, error) = args(&["--auth-token=other"]).error();
    assert!(error.starts_with("auth: invalid auth options"), "{error}");
    let config = args(&["--auth-token=jwt,sign-method=RS256,x=y"]).config();
    assert!(matches!(config.tokens.kind, TokenKind::Jwt(_)));
    assert!(config.warnings.iter().any(|warning| warning == "unknown JWT options: x"), "{:?}", config.warnings);
    let cost = |cost: &str| args(&["--bcrypt-cost", cost]).config().bcrypt_cost;
    assert_eq!([cost("4"), cost("31"), cost("3"), cost("32")], [4, 31, 10, 10]);
}

#[test]
fn identities_are_of_an_issuer_and_for_an_audience() {
    assert_eq!(args(&[]).config().identity, None);
    let with = |more: &[&str]| args(&[&["--identity-audience=us"], more].concat());
    let of = |more: &[&str]| with(more).config().identity.unwrap();
    let found = of(&["--identity-issuer=https://a.example/realm"]);
    assert_eq!((&*found.issuer, &*found.audience), ("https://a.example/realm", "us"));
    let KeySource::Discovered(url) = &found.keys else { panic!("{found:?}") };
    assert_eq!(url.to_string(), "https://a.example:443/realm/.well-known/openid-configuration");
    assert_eq!((found.user, &*found.user_prefix), (ClaimPath::Named("sub".into()), "oidc/"));
    assert_eq!((found.roles, &*found.role_prefix), (None, "oidc/"));
    assert_eq!((found.refresh, found.tls.trusted_ca), (Duration::from_secs(300), None));
    let found = of(&[
        "--identity-issuer=me",
        "--identity-jwks=keys.json",
        "--identity-user-claim=/a/b",
        "--identity-user-prefix=",
        "--identity-roles-claim=groups",
        "--identity-role-prefix=",
        "--identity-refresh-interval=0s",
        "--identity-ca-file=ca.pem",
    ]);
    assert_eq!(found.keys, KeySource::File("keys.json".into()));
    assert_eq!((found.user, &*found.user_prefix), (ClaimPath::Inside("/a/b".into()), ""));
    assert_eq!((found.roles, &*found.role_prefix), (Some(ClaimPath::Named("groups".into())), ""));
    assert_eq!((found.refresh, found.tls.trusted_ca), (Duration::from_secs(1), Some("ca.pem".into())));
    let found = of(&["--identity-issuer=me", "--identity-jwks=http://localhost/keys"]);
    assert!(matches!(found.keys, KeySource::At(_)), "{found:?}");
    for more in [&[][..], &["--identity-issuer=me"], &["--identity-issuer=me", "--identity-jwks=ftp://a/b"]] {
        assert_eq!(with(more).error().0, 1, "{more:?}");
    }
    assert_eq!(args(&["--identity-issuer=https://a.example"]).error().0, 1);
}

/// Whoever wonders why finds it in the README, and nothing there that has an effect.
#[test]
fn flags_without_effect_have_a_reason() {
    let readme = include_str!("../../../README.md");
    let (_, table) = readme.split_once("| Flag | Why it changes nothing |\n|---|---|\n").expect("the table");
    let rows = table.lines().take_while(|line| line.starts_with("| ")).filter_map(|line| line.split_once("` | "));
    let rows: Vec<_> = rows.map(|(flag, why)| (flag.trim_start_matches("| `--"), why)).collect();
    assert!(rows.iter().all(|(_, why)| why.len() > 20), "{rows:?}");
    let named: Vec<_> = rows.iter().map(|(flag, _)| *flag).collect();
    // It will get an effect.
    let inert = flags::FLAGS.iter().filter(|flag| flag.inert && flag.name != "downgrade-check-time");
    assert_eq!(named, inert.map(|flag| flag.name).collect::<Vec<_>>());
}

#[test]
fn flags_without_effect_are_named_in_one_line() {
    let config =
        args(&["--max-wals=3", "--backend-bbolt-freelist-type=map", "--snapshot=1", "--enable-pprof=false"]).config();
    assert_eq!(
        config.warnings,
        [
            "flag -snapshot is no longer supported - ignoring",
            "accepted, but without effect in this release: --max-wals, --backend-bbolt-freelist-type"
        ]
    );
    let gates = "--feature-gates=SetMemberLocalAddr=true,TxnModeWriteWithSharedBuffer=true,InitialCorruptCheck=true";
    assert_eq!(
        args(&[gates, "--feature-gates=SetMemberLocalAddr=true,PriorityRequest=true"]).config().warnings,
        ["accepted, but without effect in this release: --feature-gates PriorityRequest, SetMemberLocalAddr"]
    );
    assert_eq!(
        args(&[gates]).config().warnings,
        ["accepted, but without effect in this release: --feature-gates SetMemberLocalAddr"]
    );
    let config =
        args(&["--max-request-bytes=20000000", "--quota-backend-bytes=9000000000", "--unsafe-no-fsync"]).config();
    assert_eq!(config.warnings.len(), 3);
}

#[test]
fn former_names_count_as_what_took_their_place() {
    let config = args(&[
        "--experimental-compaction-batch-limit=7",
        "--experimental-warning-apply-duration",
        "1s",
        "--experimental-initial-corrupt-check",
        "--feature-gates=AllAlpha=false",
        "--max-snapshots=3",
        "--v2-deprecation=not-yet",
    ])
    .env("ETCD_EXPERIMENTAL_MAX_LEARNERS", "4")
    .config();
    assert_eq!((config.compaction_batch_limit, config.cluster.max_learners), (7, 4));
    assert_eq!(config.warning_apply_duration, Duration::from_secs(1));
    assert!(config.feature_gates.enabled(Gate::InitialCorruptCheck));
    let replaced =
        |name: &str, now: &str| format!("{name} is deprecated in 3.6 and decommissioned in 3.7. Use {now} instead.");
    for warning in [
        replaced("--experimental-compaction-batch-limit", "--compaction-batch-limit"),
        replaced("--experimental-warning-apply-duration", "--warning-apply-duration"),
        replaced("--experimental-max-learners", "--max-learners"),
        replaced("--experimental-initial-corrupt-check", "--feature-gates=InitialCorruptCheck=true"),
        "--max-snapshots is deprecated in 3.6 and will be decommissioned in 3.8. It is ignored: a state that was received is removed as soon as it is in place.".to_owned(),
        "--v2-deprecation is deprecated and scheduled for removal in v3.8. The default value is enforced, ignoring user input.".to_owned(),
    ] {
        assert!(config.warnings.contains(&warning), "{warning:?} in {:?}", config.warnings);
    }
    assert_eq!(config.warnings.len(), 6);

    let file = "experimental-snapshot-catchup-entries: 9\nexperimental-txn-mode-write-with-shared-buffer: false\nmax-snapshots: 5\n";
    let config = args(&["--config-file=conf.yml"]).file(file).config();
    assert_eq!((config.snapshot_catchup_entries, config.warnings.len()), (9, 4));
    assert!(!config.feature_gates.enabled(Gate::TxnModeWriteWithSharedBuffer));

    // The present name wins; a gate that is set in two ways is a riddle.
    let config = args(&["--max-learners=2", "--experimental-max-learners=9"]).config();
    assert_eq!((config.cluster.max_learners, config.warnings.len()), (2, 1));
    assert_eq!(
        args(&["--experimental-initial-corrupt-check=false", "--feature-gates=InitialCorruptCheck=true"]).error(),
        (1, "cannot specify both flags: --experimental-initial-corrupt-check and --feature-gates=InitialCorruptCheck=true".to_owned())
    );
}

#[test]
fn log_outputs() {
    let config =
        args(&["--log-outputs=stderr,systemd/journal,stdout,/tmp/l", "--log-level=WARN", "--log-format=console"])
            .config();
    assert_eq!(config.log.outputs, [LogOutput::Stderr, LogOutput::Stdout, LogOutput::File("/tmp/l".into())]);
    assert_eq!((config.log.level, config.log.format), (LogLevel::Warn, LogFormat::Console));
}

#[test]
fn how_founders_find_each_other() {
    let discovery = |words: &[&str]| args(words).config().cluster.discovery;
    assert_eq!(discovery(&["--initial-cluster=default=http://localhost:2380"]), None);
    assert_eq!(
        discovery(&["--discovery-srv=example.com", "--discovery-srv-name=x"]),
        Some(Discovery::Srv { domain: "example.com".to_owned(), name: "x".to_owned() })
    );
    let words = [
        "--discovery-token=t",
        "--discovery-endpoints=a:1,http://b:2",
        "--discovery-user=u:p",
        "--discovery-request-timeout=7s",
    ];
    let Some(Discovery::Service(service)) = discovery(&words) else { panic!("a service was named") };
    assert_eq!(texts(&service.endpoints), ["http://a:1", "http://b:2"]);
    assert_eq!(service.credentials, Some(("u".to_owned(), "p".to_owned())));
    assert_eq!(service.request_timeout, Duration::from_secs(7));
    assert!(!format!("{service:?}").contains("credentials"));
    // The token takes the place of the cluster's.
    assert_eq!(args(&words).config().cluster.token, "t");

    let refused = |words: &[&str]| {
        let both = ["--discovery-token=t", "--discovery-endpoints=a:1"];
        args(&both.iter().chain(words).copied().collect::<Vec<_>>()).error()
    };
    assert_eq!(
        args(&["--discovery-token=t"]).error(),
        (1, "both --discovery-token and --discovery-endpoints must be set".to_owned())
    );
    assert!(refused(&["--discovery-srv=x"]).1.starts_with("multiple discovery or bootstrap flags are set"));
    assert!(refused(&["--discovery-user=u"]).1.contains("needs a password"));
    assert!(refused(&["--discovery-password=p"]).1.contains("needs --discovery-user"));
}

/// A scheme says whether there is TLS; only an endpoint without one leaves that to the flags.
#[test]
fn how_a_discovery_endpoint_is_asked_is_in_its_url_or_else_in_the_flags() {
    for flags in [
        &["--discovery-cert=c", "--discovery-key=k"][..],
        &["--discovery-cacert=ca"],
        &["--discovery-insecure-transport=false"],
        &["--discovery-insecure-skip-tls-verify"],
    ] {
        let words = ["--discovery-token=t", "--discovery-endpoints=http://b:1,a:1,https://c:1"];
        let Some(Discovery::Service(service)) = args(&[&words[..], flags].concat()).config().cluster.discovery else {
            panic!("a service was named")
        };
        assert_eq!(texts(&service.endpoints), ["http://b:1", "https://a:1", "https://c:1"], "{flags:?}");
        assert_eq!(service.tls.skip_verification, flags[0].ends_with("verify"));
    }
    let half = args(&["--discovery-token=t", "--discovery-endpoints=a:1", "--discovery-cert=c"]).error();
    assert_eq!(half, (1, "--discovery-cert and --discovery-key need each other".to_owned()));
}

#[test]
fn peers_and_their_limits() {
    let config = args(&["--max-learners=3", "--raft-read-timeout=1s", "--force-new-cluster"]).config();
    assert_eq!(config.cluster.max_learners, 3);
    assert_eq!(config.raft_read_timeout, Duration::from_secs(5));
    assert!(config.cluster.force_new && config.cluster.strict_reconfig_check && config.initial_election_tick_advance);
    assert_eq!(config.election_ticks(), 10);
    assert_eq!(args(&["--max-learners=-1"]).error(), (1, "--max-learners must not be negative".to_owned()));
    let error = args(&["--listen-peer-urls=http://example.com:2380"]).error();
    assert_eq!(error.1, "expected IP in URL for binding (http://example.com:2380)");
}
