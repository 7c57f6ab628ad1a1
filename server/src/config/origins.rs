//! Origins of pages, in the one form in which browsers send them (RFC 6454): whoever lists one may write it otherwise.

use super::{AllowList, ConfigError, OWN, invalid};

/// What `--cors` lists.
///
/// # Errors
/// What no page could come from.
pub(super) fn listed(words: Vec<String>) -> Result<AllowList, ConfigError> {
    if words.is_empty() || words.iter().any(|word| word == "*") {
        return Ok(AllowList::Any);
    }
    let origins = words.into_iter().map(|word| match canonical(&word) {
        Some(origin) => Ok(origin),
        None if word == OWN => Ok(word),
        None => Err(invalid(format!(
            "--cors: {word:?} is no origin of pages, such as https://example.com or http://localhost:3000"
        ))),
    });
    origins.collect::<Result<_, _>>().map(AllowList::Only)
}

/// `scheme://host` or `scheme://host:port`, in lower case and without the port that goes without saying; none if it is no such thing.
pub(crate) fn canonical(origin: &str) -> Option<String> {
    let origin = origin.to_ascii_lowercase();
    let (scheme, authority) = origin.split_once("://")?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let is_authority = !authority.is_empty()
        && authority.chars().all(|c| c.is_ascii_graphic() && !"/?#@\\,".contains(c))
        && !authority.starts_with(':');
    let port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    let authority = authority.strip_suffix(port).unwrap_or(authority);
    (is_scheme && is_authority).then(|| format!("{scheme}://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_one_form() {
        for (written, canonical_form) in [
            ("http://page.example", Some("http://page.example")),
            ("http://PAGE.example:80", Some("http://page.example")),
            ("https://page.example:443", Some("https://page.example")),
            ("https://page.example:80", Some("https://page.example:80")),
            ("http://[::1]:3000", Some("http://[::1]:3000")),
            ("chrome-extension://abc", Some("chrome-extension://abc")),
            ("http://page.example/", None),
            ("page.example", None),
            ("null", None),
            ("http://", None),
            ("http://user@page.example", None),
        ] {
            assert_eq!(canonical(written).as_deref(), canonical_form, "{written}");
        }
        let words = |words: &[&str]| listed(words.iter().map(|&word| word.to_owned()).collect());
        assert_eq!(words(&["own", "http://a:80"]).unwrap(), AllowList::Only(vec!["own".into(), "http://a".into()]));
        assert_eq!(words(&["http://a", "*"]).unwrap(), AllowList::Any);
        assert!(words(&["page.example"]).unwrap_err().to_string().contains("is no origin of pages"));
    }
}
