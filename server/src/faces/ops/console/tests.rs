use http::StatusCode;

use super::*;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
}

fn page(mode: ConsoleMode, pairs: &[(&'static str, &str)]) -> Response {
    answer(mode, console::PAGE, &headers(pairs))
}

#[test]
fn a_page_is_guarded_and_asked_for_again() {
    for mode in [ConsoleMode::On, ConsoleMode::ReadOnly] {
        let whole = page(mode, &[]);
        assert_eq!(whole.status(), StatusCode::OK);
        assert_eq!(whole.headers()["content-type"], "text/html; charset=utf-8");
        assert_eq!(whole.headers()["cache-control"], "no-cache");
        assert_eq!(whole.headers()["content-security-policy"], console::POLICY);
        assert_eq!(whole.headers()["x-content-type-options"], "nosniff");
        let tag = whole.headers()["etag"].to_str().unwrap().to_owned();
        for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
            let again = page(mode, &[("if-none-match", &known)]);
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
            assert_eq!(again.headers()["etag"], tag.as_str());
        }
        assert_eq!(page(mode, &[("if-none-match", "\"other\"")]).status(), StatusCode::OK);
    }
    assert_eq!(page(ConsoleMode::Off, &[]).status(), StatusCode::NOT_FOUND);
    assert_eq!(answer(ConsoleMode::On, "../lib.rs", &HeaderMap::new()).status(), StatusCode::NOT_FOUND);
}

#[test]
fn files_come_packed_for_who_takes_that_and_may_be_kept() {
    // One that packing does not make shorter is there as it is alone.
    let has = |file: &File, form: &str| file.packed.iter().any(|(name, _)| *name == form);
    for form in ["br", "gzip"] {
        assert!(!console::is_there() || console::files().iter().any(|file| has(file, form)), "{form}");
    }
    for file in console::files().iter().filter(|file| file.name != console::PAGE) {
        let plain = sent(file, &HeaderMap::new());
        assert!(!plain.headers().contains_key("content-encoding"), "{}", file.name);
        let kept = plain.headers()["cache-control"].to_str().unwrap();
        assert_eq!(kept == FOR_EVER, !file.name.ends_with(".txt"), "{}", file.name);
        for (taken, form) in [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("br;q=0, GZIP;q=0.5", "gzip")] {
            let packed = sent(file, &headers(&[("accept-encoding", taken)]));
            if !has(file, form) {
                continue;
            }
            assert_eq!(packed.headers()["content-encoding"], form, "{}", file.name);
            assert_ne!(packed.headers()["etag"], plain.headers()["etag"], "a strong tag is one form's");
        }
    }
}
