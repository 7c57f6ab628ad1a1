//! Tokens from outside, with keys made here.

mod signer;

use keyport_storage::auth::AuthStore;
use keyport_storage::backend::Batch;
use serde_json::{Value, json};

use super::*;
use crate::config::{ClaimPath, SignMethod, TlsSide};
use signer::{Signer, encoded, hs256};

const ISSUER: &str = "https://issuer.example";
const US: &str = "keyport";

fn config() -> IdentityConfig {
    IdentityConfig {
        issuer: ISSUER.into(),
        audience: US.into(),
        keys: KeySource::File("nowhere".into()),
        user: ClaimPath::Named("sub".into()),
        user_prefix: "oidc/".into(),
        roles: None,
        role_prefix: "oidc/".into(),
        refresh: Duration::from_secs(300),
        tls: Box::new(TlsSide::default()),
    }
}

fn of_config(config: IdentityConfig, keys: &[Value]) -> Identities {
    let (known, seen, unknown_key, told) = (RwLock::default(), Mutex::default(), Notify::new(), Mutex::default());
    let identities = Identities { config, known, seen, unknown_key, told };
    identities.take(set(keys).as_bytes()).unwrap();
    identities
}

fn with_keys(keys: &[Value]) -> Identities {
    of_config(config(), keys)
}

fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

/// Users and roles, with these users.
fn store(users: &[&str]) -> AuthStore {
    let store = AuthStore::new();
    users.iter().for_each(|user| add(&store, user));
    store
}

fn add(store: &AuthStore, user: &str) {
    store.change(&mut Batch::new(), |edit| edit.user_add(user, true, || Ok(Default::default()))).unwrap();
}

/// As the gate looks, in memory first.
fn look(identities: &Identities, token: &str, policy: &Policy) -> Option<Outsider> {
    identities.remembered(token, policy).or_else(|| identities.named(token, policy))
}

/// Who it is.
fn named(identities: &Identities, token: &str) -> Option<String> {
    let store = store(&["oidc/alice"]);
    let found = store.with(|policy| look(identities, token, policy))?;
    assert_eq!(found.author.auth_revision, store.revision());
    assert!(found.left > Duration::ZERO);
    Some(found.author.user.to_string())
}

fn alice() -> Option<String> {
    Some("oidc/alice".into())
}

/// The claims of a good token, with some of them others; those that are `null` are left out.
fn claims(others: Value) -> Value {
    let mut claims = json!({ "iss": ISSUER, "aud": US, "sub": "alice", "exp": 32_503_680_000_u64 });
    let Value::Object(others) = others else { panic!("{others}") };
    for (name, value) in others {
        match value {
            Value::Null => _ = claims.as_object_mut().unwrap().remove(&name),
            value => claims[name] = value,
        }
    }
    claims
}

fn good() -> Value {
    claims(json!({}))
}

#[test]
fn keys_of_every_kind_say_themselves_what_they_are_for() {
    use SignMethod::*;
    for method in [Rs256, Rs384, Rs512, Ps256, Ps384, Ps512, Es256, Es384, Es512, EdDsa] {
        let signer = Signer::new(method);
        let token = signer.token(&good());
        for key in
            [signer.jwk(), signer.jwk_with(&json!({ "alg": method.name(), "use": "sig", "key_ops": ["verify"] }))]
        {
            let identities = with_keys(&[key]);
            // The second time it is remembered.
            for _ in 0..2 {
                assert_eq!(named(&identities, &token), alice(), "{method:?}");
            }
            let (text, _) = token.rsplit_once('.').unwrap();
            assert_eq!(named(&identities, text), None);
            assert_eq!(named(&identities, &format!("{text}.")), None);
        }
        // With a key for one algorithm, none of the others is good.
        let other = if method == Rs256 { "RS384" } else { "RS256" };
        assert_eq!(
            named(&with_keys(&[signer.jwk()]), &signer.token_with(json!({ "alg": other }), &claims(json!({ "x": 1 })))),
            None
        );
        if method.name().starts_with(['R', 'P']) {
            let narrow =
                with_keys(&[signer.jwk_with(&json!({ "alg": if method == Rs384 { "RS512" } else { "RS384" } }))]);
            assert_eq!(named(&narrow, &token), None, "{method:?}");
        }
    }
}

#[test]
fn keys_for_something_else_are_left_out() {
    let (signer, rsa) = (Signer::new(SignMethod::Es256), Signer::new(SignMethod::Rs256));
    let jwk = signer.jwk();
    let short = |name: &str| json!({ name: jwk[name].as_str().unwrap().get(2..).unwrap() });
    for (others, why) in [
        (json!({ "use": "enc" }), "not for signatures"),
        (json!({ "use": 7 }), "no text"),
        (json!({ "key_ops": ["sign"] }), "not for verifying"),
        (json!({ "key_ops": "verify" }), "not for verifying"),
        (json!({ "d": "AA" }), "private key"),
        (json!({ "alg": "ES384" }), "another algorithm"),
        (json!({ "alg": "HS256" }), "another algorithm"),
        (json!({ "alg": "none" }), "another algorithm"),
        (json!({ "alg": null }), "no text"),
        (json!({ "kty": "oct", "k": "c2VjcmV0" }), "of a kind"),
        (json!({ "kty": "RSA" }), "of a kind"),
        (json!({ "crv": "P-384" }), "no key"),
        (json!({ "crv": "secp256k1" }), "of a kind"),
        (json!({ "crv": 256 }), "no text"),
        (json!({ "kid": 7 }), "no text"),
        (json!({ "x": jwk["y"] }), "no key"),
        (short("x"), "no key"),
        (json!({ "x": "+/==" }), "base64url"),
        (json!({ "y": 7 }), "no text"),
    ] {
        let bad = signer.jwk_with(&others);
        let error = KeySet::parse(set(std::slice::from_ref(&bad)).as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("the set has no key") && error.contains(why), "{others}: {error}");
        // Others beside them are good all the same.
        let both = KeySet::parse(set(&[bad, rsa.jwk()]).as_bytes()).unwrap();
        assert_eq!(both.len(), 1, "{others}");
    }
    let modulus = rsa.jwk()["n"].clone();
    for (others, is_good) in [
        (json!({ "e": "AQ" }), false),
        (json!({ "e": "AgA" }), false),
        (json!({ "e": "" }), false),
        (json!({ "n": "" }), false),
        (json!({ "n": modulus.as_str().unwrap().get(..160).unwrap() }), false),
        (json!({ "e": "AAEAAQ" }), true),
    ] {
        let parsed = KeySet::parse(set(&[rsa.jwk_with(&others)]).as_bytes());
        assert_eq!(parsed.is_ok(), is_good, "{others}");
    }
}

#[test]
fn what_is_no_set_of_keys_changes_nothing() {
    let signer = Signer::new(SignMethod::EdDsa);
    let identities = with_keys(&[signer.jwk()]);
    let key = signer.jwk().to_string();
    for text in [
        String::new(),
        "{}".into(),
        "[]".into(),
        format!("[{key}]"),
        r#"{"keys":{}}"#.into(),
        r#"{"keys":[]}"#.into(),
        r#"{"keys":[null,7,"x",[]]}"#.into(),
        format!(r#"{{"keys":[{key}],"keys":[{key}]}}"#),
        format!(r#"{{"keys":[{}]}}"#, key.replacen('{', r#"{"kty":"oct","#, 1)),
        format!(r#"{{"keys":[{key}]}} x"#),
        set(&vec![signer.jwk(); 101]),
    ] {
        assert!(identities.take(text.as_bytes()).is_err(), "{text}");
    }
    assert_eq!(named(&identities, &signer.token(&good())), alice());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys");
    let with_file = |path: &Path| IdentityConfig { keys: KeySource::File(path.to_owned()), ..config() };
    assert!(matches!(Identities::open(&with_file(&path)), Err(KeySetError::Read { .. })));
    std::fs::write(&path, format!("{}{}", set(&[signer.jwk()]), " ".repeat(MOST_KEY_SET_BYTES))).unwrap();
    assert!(matches!(Identities::open(&with_file(&path)), Err(KeySetError::TooLarge)));
    std::fs::write(&path, set(&[signer.jwk()])).unwrap();
    let identities = Identities::open(&with_file(&path)).unwrap();
    assert_eq!(named(&identities, &signer.token(&good())), alice());
    assert!(identities.age().is_some());
}

#[test]
fn the_key_is_the_one_that_is_named_or_the_only_one() {
    let [one, other] = [(); 2].map(|()| Signer::new(SignMethod::Es256));
    let rsa = Signer::new(SignMethod::Rs256);
    let key = |signer: &Signer, kid: &str| signer.jwk_with(&json!({ "kid": kid }));
    let token = |signer: &Signer, header: Value| signer.token_with(header, &good());
    let identities = with_keys(&[key(&one, "1"), key(&other, "2"), rsa.jwk()]);
    for (token, expected) in [
        (token(&one, json!({ "kid": "1" })), alice()),
        (token(&other, json!({ "kid": "2" })), alice()),
        (token(&one, json!({ "kid": "2" })), None),
        (token(&one, json!({ "kid": "3" })), None),
        (token(&one, json!({ "kid": "" })), None),
        (token(&one, json!({ "kid": 1 })), None),
        (token(&one, json!({ "kid": null })), None),
        // It could be either of two.
        (token(&one, json!({})), None),
        // Of this kind there is one, which has no name.
        (token(&rsa, json!({})), alice()),
        (token(&rsa, json!({ "kid": "1" })), None),
        (token(&rsa, json!({ "kid": "" })), None),
    ] {
        assert_eq!(named(&identities, &token), expected, "{token}");
    }
    // A name that two keys have is none, unless they are of different kinds.
    let twice = with_keys(&[key(&one, "1"), key(&other, "1"), key(&rsa, "1")]);
    assert_eq!(named(&twice, &token(&one, json!({ "kid": "1" }))), None);
    assert_eq!(named(&twice, &token(&rsa, json!({ "kid": "1" }))), alice());
}

#[test]
fn another_set_takes_the_place_of_the_one_before() {
    let [old, new] = [(); 2].map(|()| Signer::new(SignMethod::EdDsa));
    let (old_key, new_key) = (old.jwk_with(&json!({ "kid": "old" })), new.jwk_with(&json!({ "kid": "new" })));
    let identities = with_keys(std::slice::from_ref(&old_key));
    let (by_old, by_new) =
        (old.token_with(json!({ "kid": "old" }), &good()), new.token_with(json!({ "kid": "new" }), &good()));
    let both = |identities: &Identities| [named(identities, &by_old), named(identities, &by_new)];
    let asked = |identities: &Identities| {
        use futures_util::FutureExt as _;
        identities.unknown_key().now_or_never().is_some()
    };
    assert_eq!(named(&identities, &by_old), alice());
    assert!(!asked(&identities));
    assert_eq!(named(&identities, &by_new), None);
    assert!(asked(&identities) && !asked(&identities), "an unknown name is asked for once");
    assert!(!identities.take(set(std::slice::from_ref(&old_key)).as_bytes()).unwrap());
    assert!(identities.take(set(&[old_key, new_key.clone()]).as_bytes()).unwrap());
    assert_eq!(both(&identities), [alice(), alice()]);
    // It was remembered, and is forgotten with its key.
    assert!(identities.take(set(&[new_key]).as_bytes()).unwrap());
    assert_eq!(both(&identities), [None, alice()]);
}

#[test]
fn only_what_is_said_by_the_issuer_to_us_counts() {
    let signer = Signer::new(SignMethod::Es256);
    let identities = with_keys(&[signer.jwk()]);
    for (others, expected) in [
        (json!({}), alice()),
        (json!({ "aud": [US] }), alice()),
        (json!({ "aud": ["other", US] }), alice()),
        (json!({ "iat": 99_999_999_999_u64, "nbf": 1, "more": { "aud": [] } }), alice()),
        (json!({ "exp": 32_503_680_000.5 }), alice()),
        (json!({ "sub": "root" }), Some("oidc/root".into())),
        (json!({ "iss": "https://issuer.example/" }), None),
        (json!({ "iss": "https://ISSUER.example" }), None),
        (json!({ "iss": [ISSUER] }), None),
        (json!({ "iss": "" }), None),
        (json!({ "iss": null }), None),
        (json!({ "aud": "other" }), None),
        (json!({ "aud": "Keyport" }), None),
        (json!({ "aud": "keyport " }), None),
        (json!({ "aud": "" }), None),
        (json!({ "aud": [] }), None),
        (json!({ "aud": ["other"] }), None),
        (json!({ "aud": [US, 7] }), None),
        (json!({ "aud": { "0": US } }), None),
        (json!({ "aud": null }), None),
        (json!({ "exp": null }), None),
        (json!({ "exp": 1 }), None),
        (json!({ "exp": 0 }), None),
        (json!({ "exp": -1 }), None),
        (json!({ "exp": "32503680000" }), None),
        (json!({ "exp": [32_503_680_000_u64] }), None),
        (json!({ "exp": true }), None),
        (json!({ "exp": 1e20 }), None),
        (json!({ "nbf": 32_503_680_000_u64 }), None),
        (json!({ "nbf": "1" }), None),
        (json!({ "nbf": now().trunc() + 20.0 }), alice()),
        (json!({ "nbf": now().trunc() + 90.0 }), None),
        (json!({ "sub": null }), None),
        (json!({ "sub": "" }), None),
        (json!({ "sub": 7 }), None),
        (json!({ "sub": ["alice"] }), None),
        (json!({ "sub": "../root" }), Some("oidc/../root".into())),
    ] {
        assert_eq!(named(&identities, &signer.token(&claims(others.clone()))), expected, "{others}");
    }
    let text = good().to_string();
    for (from, to) in [
        (r#""sub":"alice""#, r#""sub":"root","sub":"alice""#),
        (r#""exp":"#, r#""exp":1,"exp":"#),
        (r#""iss":"#, r#""iss":"other","iss":"#),
        (r#""iss":"#, r#""\u0069ss":"other","iss":"#),
        (r#""iss":"#, r#""more":{"a":1,"a":2},"iss":"#),
        (r#""exp":32503680000"#, r#""exp":null"#),
        (r#""exp":32503680000"#, r#""exp":1e999"#),
        ("{", "[{"),
        ("{", ""),
    ] {
        assert!(text.contains(from), "{from}");
        assert_eq!(named(&identities, &signer.token_of_text(&text.replacen(from, to, 1))), None, "{to}");
    }
}

#[test]
fn roles_are_those_that_there_are() {
    let signer = Signer::new(SignMethod::Es256);
    let of = |claim: &str, prefix: &str| {
        let roles = Some(ClaimPath::Named(claim.into()));
        of_config(IdentityConfig { roles, role_prefix: prefix.into(), ..config() }, &[signer.jwk()])
    };
    let store = store(&["oidc/alice"]);
    for role in ["oidc/reads", "oidc/writes", "root"] {
        store.change(&mut Batch::new(), |edit| edit.role_add(role)).unwrap();
    }
    let roles = |identities: &Identities, others: Value| {
        let token = signer.token(&claims(others));
        // The second time it is remembered.
        let found = [(); 2].map(|()| store.with(|policy| look(identities, &token, policy)));
        assert_eq!(found[0].as_ref().map(|found| &found.author), found[1].as_ref().map(|found| &found.author));
        let [found, _] = found;
        let roles = found?.author.roles.expect("they come with the token");
        Some(roles.iter().map(|role| role.to_string()).collect::<Vec<_>>())
    };
    let groups = of("groups", "oidc/");
    for (said, expected) in [
        (json!(["reads", "writes"]), Some(vec!["oidc/reads", "oidc/writes"])),
        (json!(["root", "other", "reads"]), Some(vec!["oidc/reads"])),
        (json!("writes"), Some(vec!["oidc/writes"])),
        (json!([]), Some(vec![])),
        (json!(null), Some(vec![])),
        (json!(["reads", 7]), None),
        (json!({ "reads": true }), None),
        (json!(7), None),
    ] {
        let expected = expected.map(|roles| roles.into_iter().map(str::to_owned).collect());
        assert_eq!(roles(&groups, json!({ "groups": said.clone() })), expected, "{said}");
    }
    // Who asks for it, gets it.
    assert_eq!(roles(&of("groups", ""), json!({ "groups": ["root", "reads"] })), Some(vec!["root".to_owned()]));
    let unmapped = store.with(|policy| look(&with_keys(&[signer.jwk()]), &signer.token(&good()), policy)).unwrap();
    assert_eq!(unmapped.author.roles, None, "they are the user's");
}

#[test]
fn it_is_known_why_a_token_is_refused() {
    let signer = Signer::new(SignMethod::Es256);
    let identities = with_keys(&[signer.jwk()]);
    let why = |token: &str| {
        let keys = Arc::clone(&identities.known.read());
        identities.read(token, &keys.keys).unwrap_err().to_string()
    };
    for (others, reason) in [
        (json!({ "iss": "other" }), "iss is not the issuer"),
        (json!({ "aud": "other" }), "aud does not have the audience in it"),
        (json!({ "exp": null }), "exp is not there, or no number"),
        (json!({ "exp": "1" }), "exp is not there, or no number"),
        (json!({ "nbf": "1" }), "nbf is no number"),
        (json!({ "exp": 1e300 }), "exp or nbf is no time"),
        (json!({ "sub": null }), "no claim names the user"),
    ] {
        assert_eq!(why(&signer.token(&claims(others.clone()))), reason, "{others}");
    }
    let other = Signer::new(SignMethod::Es256);
    assert_eq!(why(&other.token(&good())), "the signature is wrong");
    assert_eq!(why(&Signer::new(SignMethod::EdDsa).token(&good())), "no key is for its algorithm");
    assert_eq!(why("a.b.c"), "it has not the form of a signed token");
}

#[test]
fn the_user_is_whom_the_settings_say() {
    let signer = Signer::new(SignMethod::Es256);
    let token = |others: Value| signer.token(&claims(others));
    let of = |user: ClaimPath, prefix: &str| {
        of_config(IdentityConfig { user, user_prefix: prefix.into(), ..config() }, &[signer.jwk()])
    };
    let email = of(ClaimPath::Named("email".into()), "oidc/");
    for (verified, expected) in
        [(json!(true), alice()), (json!(null), alice()), (json!(false), None), (json!("true"), None)]
    {
        let token = token(json!({ "email": "alice", "email_verified": verified }));
        assert_eq!(named(&email, &token), expected, "{verified}");
    }
    let inside = of(ClaimPath::Inside("/realm/user".into()), "oidc/");
    assert_eq!(named(&inside, &token(json!({ "realm": { "user": "alice" } }))), alice());
    for others in
        [json!({ "realm": "alice" }), json!({ "realm": { "user": ["alice"] } }), json!({ "/realm/user": "alice" })]
    {
        assert_eq!(named(&inside, &token(others.clone())), None, "{others}");
    }
    // Who asks for it, gets it.
    let bare = of(ClaimPath::Named("sub".into()), "");
    assert_eq!(named(&bare, &token(json!({ "sub": "root" }))), Some("root".into()));
}

#[test]
fn no_other_signature_is_good() {
    let signer = Signer::new(SignMethod::Rs256);
    let identities = with_keys(&[signer.jwk_with(&json!({ "kid": "1" }))]);
    let jwk = signer.jwk();
    let header = |others: Value| {
        let mut header = json!({ "alg": "RS256", "typ": "JWT", "kid": "1" });
        for (name, value) in others.as_object().unwrap() {
            header[name] = value.clone();
        }
        header
    };
    // What everybody may know is no secret to sign with, in whatever form.
    let modulus = jwk["n"].as_str().unwrap();
    let secrets = [jwk.to_string(), modulus.to_owned(), signer.public_pem(), String::new()];
    let decoded = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(modulus).unwrap();
    let secrets = secrets.iter().map(|text| text.as_bytes()).chain([&decoded[..], signer.public_der()]);
    for secret in secrets {
        for alg in ["HS256", "RS256"] {
            let forged = hs256(&header(json!({ "alg": alg })), &good(), secret);
            assert_eq!(named(&identities, &forged), None);
        }
    }
    let unsigned = |alg: &str| format!("{}.{}.", encoded(&header(json!({ "alg": alg }))), encoded(&good()));
    for alg in ["none", "None", "NONE", "", "RS256"] {
        assert_eq!(named(&identities, &unsigned(alg)), None, "{alg}");
    }
    let stranger = Signer::new(SignMethod::Rs256);
    assert_eq!(named(&identities, &stranger.token_with(json!({ "kid": "1" }), &good())), None);
    for (others, expected) in [
        // Where else keys could be is not looked at.
        (json!({ "jku": "https://attacker.example", "x5u": "https://attacker.example" }), alice()),
        (json!({ "jwk": stranger.jwk() }), alice()),
        (json!({ "typ": "at+jwt" }), alice()),
        (json!({ "typ": "application/at+JWT" }), alice()),
        (json!({ "crit": ["exp"] }), None),
        (json!({ "crit": null }), None),
        (json!({ "typ": "logout+jwt" }), None),
        (json!({ "typ": 7 }), None),
        (json!({ "typ": null }), None),
        (json!({ "alg": "RS512" }), None),
        (json!({ "alg": "PS256" }), None),
        (json!({ "alg": ["RS256"] }), None),
    ] {
        let token = signer.token_with(header(others.clone()), &good());
        assert_eq!(named(&identities, &token), expected, "{others}");
    }
    let by_stranger = stranger.token_with(header(json!({ "jwk": stranger.jwk() })), &good());
    assert_eq!(named(&identities, &by_stranger), None);
    let long = |bytes: usize| signer.token_with(header(json!({})), &claims(json!({ "more": "x".repeat(bytes) })));
    assert_eq!([named(&identities, &long(10 * 1024)), named(&identities, &long(16 * 1024))], [alice(), None]);
    let good = signer.token_with(header(json!({})), &good());
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        assert_eq!(named(&identities, &String::from_utf8(bytes).unwrap()), None, "{at}");
    }
}

#[test]
fn rules_are_those_of_the_moment_and_the_time_is_looked_at_each_time() {
    let signer = Signer::new(SignMethod::Es256);
    let identities = with_keys(&[signer.jwk()]);
    let token = signer.token(&good());
    let store = store(&["oidc/alice"]);
    let found =
        |token: &str| store.with(|policy| look(&identities, token, policy)).map(|found| found.author.auth_revision);
    assert_eq!(found(&token), Some(2));
    add(&store, "other");
    assert_eq!(found(&token), Some(3), "what is known of him is as new as the rules");

    let ends = now().trunc() + 100.0;
    let short = signer.token(&claims(json!({ "exp": ends })));
    let left = store.with(|policy| look(&identities, &short, policy)).unwrap().left;
    assert!((Duration::from_secs(60)..=Duration::from_secs(100)).contains(&left), "{left:?}");
    let known = Arc::clone(&identities.known.read());
    let fingerprint = Fingerprint::of(&short);
    let mut claims = known.verified.get(&fingerprint).unwrap();
    claims.life.ends = Some(now() - 1.0);
    known.verified.keep(fingerprint, &claims, |_| true);
    assert_eq!(store.with(|policy| identities.remembered(&short, policy)), None, "it is remembered, and has ended");
}
