use http::HeaderName;

use super::*;

fn asked(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
}

fn ask(pairs: &[(&'static str, &str)]) -> Response {
    answer(&asked(pairs), ("abc", "text/plain"), &["br", "gzip"], |form| match form {
        "br" => b"1",
        "gzip" => b"22",
        _ => b"333",
    })
}

fn tag_of(response: &Response) -> &str {
    response.headers()["etag"].to_str().unwrap()
}

#[test]
fn the_best_form_that_is_taken_has_its_own_tag() {
    for (taken, form, tag) in [
        ("gzip, deflate, br", "br", "\"abc-br\""),
        ("gzip", "gzip", "\"abc-gzip\""),
        ("br;q=0, GZIP;q=0.5", "gzip", "\"abc-gzip\""),
        ("br;q=0.0, zstd", "", "\"abc\""),
        ("br;q=0.5, gzip", "gzip", "\"abc-gzip\""),
        ("gzip;q=0.5, identity", "", "\"abc\""),
        ("*", "br", "\"abc-br\""),
        ("identity", "", "\"abc\""),
    ] {
        let whole = ask(&[("accept-encoding", taken)]);
        let encoding = whole.headers().get("content-encoding").map_or("", |form| form.to_str().unwrap());
        assert_eq!((whole.status(), encoding, tag_of(&whole)), (StatusCode::OK, form, tag), "{taken}");
        assert_eq!(whole.headers()["vary"], "accept-encoding");
        let known = ask(&[("accept-encoding", taken), ("if-none-match", "*")]);
        assert_eq!((known.status(), tag_of(&known)), (StatusCode::NOT_MODIFIED, tag), "{taken}");
    }
}

#[test]
fn who_holds_another_form_holds_it_as_well() {
    for tag in ["\"abc\"", "\"abc-gzip\"", "\"abc-br\""] {
        let known = ask(&[("accept-encoding", "gzip"), ("if-none-match", &format!("\"x\", W/{tag}"))]);
        assert_eq!((known.status(), tag_of(&known)), (StatusCode::NOT_MODIFIED, tag));
        assert!(!known.headers().contains_key("content-encoding") && !known.headers().contains_key("content-type"));
    }
    for other in ["\"abd\"", "\"abc-\"", "abc", ""] {
        assert_eq!(ask(&[("if-none-match", other)]).status(), StatusCode::OK, "{other}");
    }
}
