mod random;
mod vectors;

use std::path::PathBuf;
use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64_simd::URL_SAFE_NO_PAD;
use keyport_storage::auth::AuthStore;

use super::*;
use crate::auth::signed::Lifetime;
use crate::auth::signed::compact::{Flaw, USELESS};
use crate::auth::signed::key::VerifyingKey;
use crate::config::SignMethod;
use vectors::TOKENS;

fn file(bytes: &[u8]) -> Option<(PathBuf, Vec<u8>)> {
    Some((PathBuf::from("key"), bytes.to_vec()))
}

fn with_keys(method: SignMethod, keys: Keys) -> JwtTokens {
    let config =
        JwtConfig { method, public_key: None, private_key: None, lifetime: Duration::from_secs(60), must_end: false };
    JwtTokens { keys, config, verified: Verified::default() }
}

fn with_secret(method: SignMethod, secret: &[u8]) -> JwtTokens {
    with_keys(method, Keys::of(method, None, file(secret)).unwrap())
}

fn meaning(tokens: &JwtTokens, token: &str) -> Meaning {
    AuthStore::new().with(|policy| tokens.meaning(token, policy))
}

fn author(user: &str, auth_revision: u64) -> Meaning {
    Meaning::Author(Author::of(user.into(), auth_revision))
}

fn encoded(text: &str) -> String {
    URL_SAFE_NO_PAD.encode_to_string(text)
}

/// With a good signature, whatever it says.
fn signed(tokens: &JwtTokens, header: &str, claims: &str) -> String {
    let text = format!("{}.{}", encoded(header), encoded(claims));
    let signature = tokens.keys.signing().unwrap().sign(text.as_bytes()).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode_to_string(signature))
}

#[test]
fn tokens_of_another_library_are_known() {
    for (method, key, token) in TOKENS {
        let is_secret = method.name().starts_with("HS");
        let (public, private) = if is_secret { (None, file(key)) } else { (file(key), None) };
        let tokens = with_keys(*method, Keys::of(*method, public, private).unwrap());
        // The second time it is remembered.
        for _ in 0..2 {
            assert_eq!(meaning(&tokens, token), author("alice", 7), "{method:?}");
        }
        if !is_secret {
            assert_eq!(tokens.issue("alice", 7), Err(Error::VerifyOnlyKey));
        }
        for (other, _, token) in TOKENS.iter().filter(|(other, ..)| other != method) {
            assert_eq!(meaning(&tokens, token), Meaning::Invalid, "{other:?} by {method:?}");
        }
    }
}

#[test]
fn the_examples_of_the_standards_are_known() {
    let decoded = |text: &str| URL_SAFE_NO_PAD.decode_to_vec(text).unwrap();
    let point = [
        &[4][..],
        &decoded("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
        &decoded("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
    ]
    .concat();
    let secret = decoded("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
    let secret = Keys::of(SignMethod::Hs256, None, file(&secret)).unwrap();
    let point = VerifyingKey::of(SignMethod::Es256, &point).unwrap();
    let edwards = decoded("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    let edwards = VerifyingKey::of(SignMethod::EdDsa, &edwards).unwrap();
    let claims = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    for (key, header, claims, signature) in [
        // RFC 7515, A.1 and A.3; RFC 8037, A.4.
        (
            secret.verifying(),
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
            claims,
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        ),
        (
            &point,
            "eyJhbGciOiJFUzI1NiJ9",
            claims,
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
        (
            &edwards,
            "eyJhbGciOiJFZERTQSJ9",
            "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        ),
    ] {
        let token = format!("{header}.{claims}.{signature}");
        // The signature is good, and only then the claims are missed.
        assert_eq!(compact::read(&token, |_| Some(key), check), Err(Flaw::Claims(USELESS)), "{header}");
        let token = format!("{header}.{claims}A.{signature}");
        assert_eq!(compact::read(&token, |_| Some(key), check), Err(Flaw::Signature), "{header}");
    }
}

#[test]
fn a_token_may_have_to_end() {
    let mut tokens = with_secret(SignMethod::Hs256, b"secret");
    let header = r#"{"alg":"HS256"}"#;
    let endless = signed(&tokens, header, r#"{"username":"alice","revision":7}"#);
    let ends = signed(&tokens, header, r#"{"username":"alice","revision":7,"exp":32503680000}"#);
    assert_eq!(meaning(&tokens, &endless), author("alice", 7), "etcd takes it for ever");
    tokens.forget_all();
    tokens.config.must_end = true;
    assert_eq!((meaning(&tokens, &endless), meaning(&tokens, &ends)), (Meaning::Invalid, author("alice", 7)));
}

/// Of claims that need no end.
fn check(claims: Incoming) -> Result<Claims, &'static str> {
    claims.check(false)
}

#[test]
fn a_token_is_made_as_etcd_makes_it() {
    let tokens = with_secret(SignMethod::Hs256, b"secret\n");
    let before = unix_time().as_secs();
    let token = tokens.issue("ali\"ce", 9).unwrap();
    assert_eq!(meaning(&tokens, &token), author("ali\"ce", 9));
    let parts: Vec<String> = token.split('.').take(2).map(decoded_text).collect();
    assert_eq!(parts[0], r#"{"alg":"HS256","typ":"JWT"}"#);
    let claims: serde_json::Value = serde_json::from_str(&parts[1]).unwrap();
    let ends = claims["exp"].as_u64().unwrap();
    assert!((before + 60..=before + 61).contains(&ends), "{before} {ends}");
    assert_eq!(parts[1], format!(r#"{{"exp":{ends},"revision":9,"username":"ali\"ce"}}"#));
    // The secret is all of the file.
    assert_eq!(meaning(&with_secret(SignMethod::Hs256, b"secret"), &token), Meaning::Invalid);
}

fn decoded_text(part: &str) -> String {
    String::from_utf8(URL_SAFE_NO_PAD.decode_to_vec(part).unwrap()).unwrap()
}

#[test]
fn only_claims_of_their_types_count() {
    let tokens = with_secret(SignMethod::Hs256, b"secret");
    let header = r#"{"alg":"HS256"}"#;
    for (claims, expected) in [
        (r#"{"username":"alice","revision":7}"#, author("alice", 7)),
        (r#"{"username":"alice","revision":7.9,"iat":99999999999,"aud":["x"],"more":{}}"#, author("alice", 7)),
        (r#"{"username":"","revision":0}"#, author("", 0)),
        (r#"{"username":"alice","revision":7,"exp":32503680000.5,"nbf":1}"#, author("alice", 7)),
        (r#"{"username":"alice","revision":7,"exp":1}"#, Meaning::Invalid),
        (r#"{"username":"alice","revision":7,"exp":0}"#, Meaning::Invalid),
        (r#"{"username":"alice","revision":7,"nbf":32503680000}"#, Meaning::Invalid),
        (r#"{"username":"alice","revision":7,"exp":"32503680000"}"#, Meaning::Invalid),
        (r#"{"username":"alice","revision":7,"exp":null}"#, Meaning::Invalid),
        (r#"{"username":"alice","revision":7,"exp":1e18}"#, author("alice", 7)),
        (r#"{"username":"alice","revision":7,"exp":1e20}"#, Meaning::Invalid),
        (r#"{"username":"alice","revision":7,"exp":1e999}"#, Meaning::Invalid),
        (r#"{"username":"alice","revision":7,"nbf":-1e20}"#, Meaning::Invalid),
        (r#"{"username":"alice","revision":7,"nbf":true}"#, Meaning::Invalid),
        (r#"{"username":"alice","revision":"7"}"#, Meaning::Invalid),
        (r#"{"username":"alice","revision":-1}"#, Meaning::Invalid),
        (r#"{"username":"root","revision":18446744073709551615}"#, Meaning::Invalid),
        (r#"{"username":7,"revision":7}"#, Meaning::Invalid),
        (r#"{"username":"alice"}"#, Meaning::Invalid),
        (r#"{"revision":7}"#, Meaning::Invalid),
        (r#"{"username":"bob","username":"alice","revision":7}"#, Meaning::Invalid),
        (r#"{"Username":"alice","revision":7}"#, Meaning::Invalid),
        (r#"{"username":"alice","revision":7,"more":1e999}"#, Meaning::Invalid),
        (r#"["alice",7]"#, Meaning::Invalid),
        ("", Meaning::Invalid),
    ] {
        assert_eq!(meaning(&tokens, &signed(&tokens, header, claims)), expected, "{claims}");
    }
}

#[test]
fn a_token_is_good_to_the_second() {
    let life = Lifetime { not_before: Some(10.0), ends: Some(20.0) };
    let times = [9.999, 10.0, 19.999, 20.0];
    assert_eq!(times.map(|now| life.holds(now)), [false, true, true, false]);
}

#[test]
fn what_ends_ends_though_it_is_remembered() {
    let tokens = with_secret(SignMethod::Hs256, b"secret");
    let token = tokens.issue("alice", 7).unwrap();
    assert_eq!(meaning(&tokens, &token), author("alice", 7));
    let fingerprint = Fingerprint::of(&token);
    let claims = tokens.verified.get(&fingerprint).unwrap();
    tokens.verified.keep(
        fingerprint,
        &Claims { life: Lifetime { ends: Some(now() - 1.0), ..claims.life }, ..claims },
        |_| true,
    );
    assert_eq!(meaning(&tokens, &token), Meaning::Invalid);
    tokens.forget_all();
    assert_eq!(meaning(&tokens, &token), author("alice", 7));
}

#[test]
fn what_is_not_signed_so_is_refused() {
    let tokens = with_secret(SignMethod::Hs256, b"secret");
    let claims = r#"{"username":"root","revision":7}"#;
    let good = signed(&tokens, r#"{"alg":"HS256","typ":"JWT","kid":"x"}"#, claims);
    assert_eq!(meaning(&tokens, &good), author("root", 7));
    let mut wrong: Vec<String> = [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":"HS512"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":""}"#,
        r#"{"alg":null}"#,
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":"HS256","crit":["exp"]}"#,
        r#"{"typ":"JWT"}"#,
        "",
        "[]",
        r#"["HS256"]"#,
    ]
    .map(|header| signed(&tokens, header, claims))
    .into();
    let (text, signature) = good.rsplit_once('.').unwrap();
    wrong.extend([
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        text.into(),
        format!("{text}."),
        format!("{text}.{signature}="),
        format!("{text}.{signature}."),
        format!(".{good}"),
        format!("{good} "),
        format!("{text}\n.{signature}"),
        good.replace('.', "=."),
        signed(&with_secret(SignMethod::Hs256, b"other"), r#"{"alg":"HS256"}"#, claims),
    ]);
    for token in wrong {
        assert_eq!(meaning(&tokens, &token), Meaning::Invalid, "{token}");
    }
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert_eq!(meaning(&tokens, &changed), Meaning::Invalid, "{changed}");
    }
    for (padding, expected) in [(10 * 1024, author("root", 7)), (16 * 1024, Meaning::Invalid)] {
        let claims = format!(r#"{{"username":"root","revision":7,"more":"{}"}}"#, "x".repeat(padding));
        assert_eq!(meaning(&tokens, &signed(&tokens, r#"{"alg":"HS256"}"#, &claims)), expected, "{padding}");
    }
}

/// A key for one algorithm is none for another, and a public key is no secret.
#[test]
fn keys_are_for_one_method() {
    let key = |method: SignMethod| TOKENS.iter().find(|(other, ..)| *other == method).unwrap().1;
    for (method, other) in [
        (SignMethod::Rs256, SignMethod::Es256),
        (SignMethod::Es256, SignMethod::Rs256),
        (SignMethod::Es256, SignMethod::Es384),
        (SignMethod::Es512, SignMethod::Es384),
        (SignMethod::EdDsa, SignMethod::Es256),
        (SignMethod::Ps256, SignMethod::EdDsa),
    ] {
        let error = Keys::of(method, file(key(other)), None).unwrap_err();
        assert!(matches!(error, KeyError::Unfit { .. }), "{method:?} {other:?}: {error}");
        let error = Keys::of(method, None, file(key(method))).unwrap_err();
        assert!(matches!(error, KeyError::Unfit { .. }), "{method:?}: {error}");
        assert!(matches!(Keys::of(method, None, None), Err(KeyError::Missing)));
        assert!(matches!(Keys::of(method, file(b"no PEM"), None), Err(KeyError::NotPem(_))));
    }
    assert!(matches!(Keys::of(SignMethod::Hs256, file(b"secret"), None), Err(KeyError::Missing)));

    let public = key(SignMethod::Rs256);
    let tokens = with_keys(SignMethod::Rs256, Keys::of(SignMethod::Rs256, file(public), None).unwrap());
    let forger = with_secret(SignMethod::Hs256, public);
    for header in [r#"{"alg":"HS256"}"#, r#"{"alg":"RS256"}"#] {
        let forged = signed(&forger, header, r#"{"username":"root","revision":7}"#);
        assert_eq!(meaning(&tokens, &forged), Meaning::Invalid, "{header}");
    }
}

#[test]
fn two_keys_have_to_belong_together() {
    let pem = |label: &str, der: &[u8]| {
        let body = base64_simd::STANDARD.encode_to_string(der);
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n").into_bytes()
    };
    let pair = || {
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &aws_lc_rs::rand::SystemRandom::new());
        der.unwrap().as_ref().to_vec()
    };
    let public = |private: &[u8]| {
        use aws_lc_rs::encoding::AsDer;
        use aws_lc_rs::signature::KeyPair;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private).unwrap();
        let der: aws_lc_rs::encoding::PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        der.as_ref().to_vec()
    };
    let (one, other) = (pair(), pair());
    let private = || file(&pem("PRIVATE KEY", &one));
    let of = |public: &[u8]| Keys::of(SignMethod::Es256, file(&pem("PUBLIC KEY", public)), private());
    let tokens = with_keys(SignMethod::Es256, of(&public(&one)).unwrap());
    let token = tokens.issue("alice", 7).unwrap();
    let alone = with_keys(SignMethod::Es256, Keys::of(SignMethod::Es256, None, private()).unwrap());
    assert_eq!(meaning(&alone, &token), author("alice", 7));
    assert!(matches!(of(&public(&other)), Err(KeyError::Mismatch)));
}
