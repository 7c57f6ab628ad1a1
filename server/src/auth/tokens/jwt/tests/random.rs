//! Tokens of any kind, by the thousand.

use base64_simd::URL_SAFE_NO_PAD;
use proptest::prelude::*;

use super::{author, meaning, signed, with_secret};
use crate::auth::Author;
use crate::auth::signed::now;
use crate::auth::tokens::Meaning;
use crate::config::SignMethod;

/// A text of JSON, mostly of what claims are made of, and whatever may be between.
fn json_like() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&str; 22] = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"alg\"",
        "\"HS256\"",
        "\"crit\"",
        "\"username\"",
        "\"revision\"",
        "\"exp\"",
        "\"nbf\"",
        "\"alice\"",
        "1",
        "7.5",
        "-1",
        "1e400",
        "32503680000",
        "null",
        "true",
        "\\u0000",
    ];
    let piece = prop_oneof![
        8 => prop::sample::select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    let object =
        prop::collection::vec((prop::sample::select(&PIECES[6..13]), prop::sample::select(&PIECES[7..21])), 0..6)
            .prop_map(|fields| {
                let fields: Vec<String> = fields.into_iter().map(|(name, value)| format!("{name}:{value}")).collect();
                format!("{{{}}}", fields.join(",")).into_bytes()
            });
    prop_oneof![prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat()), object]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever is signed: what is taken is what any reader of JSON finds in it.
    #[test]
    fn what_is_taken_was_said(header in json_like(), claims in json_like()) {
        let tokens = with_secret(SignMethod::Hs256, b"secret");
        for header in [header, br#"{"alg":"HS256"}"#.to_vec()] {
            let text = [header, claims.clone()].map(|part| URL_SAFE_NO_PAD.encode_to_string(part)).join(".");
            let signature = tokens.keys.signing().unwrap().sign(text.as_bytes()).unwrap();
            let token = format!("{text}.{}", URL_SAFE_NO_PAD.encode_to_string(signature));
            let first = meaning(&tokens, &token);
            prop_assert_eq!(&meaning(&tokens, &token), &first);
            if let Meaning::Author(Author { user, auth_revision, .. }) = first {
                let said: serde_json::Value = serde_json::from_slice(&claims).unwrap();
                prop_assert_eq!(said["username"].as_str(), Some(&*user));
                prop_assert_eq!(said["revision"].as_f64().map(f64::trunc), Some(auth_revision as f64));
                prop_assert!(said.get("exp").is_none_or(|end| end.as_f64().unwrap() > now() - 60.0));
            }
        }
    }

    /// No text that nobody signed is taken, however like a token it is.
    #[test]
    fn nothing_else_is_taken(text in ".{0,60}", at in any::<prop::sample::Index>(), cut in 0usize..12) {
        let tokens = with_secret(SignMethod::Hs256, b"secret");
        let good = signed(&tokens, r#"{"alg":"HS256"}"#, r#"{"username":"alice","revision":7}"#);
        prop_assert_eq!(meaning(&tokens, &text), Meaning::Invalid);
        let at = at.index(good.len());
        let end = (at + cut).min(good.len());
        let other = format!("{}{text}{}", &good[..at], &good[end..]);
        let expected = if other == good { author("alice", 7) } else { Meaning::Invalid };
        prop_assert_eq!(meaning(&tokens, &other), expected);
    }
}
