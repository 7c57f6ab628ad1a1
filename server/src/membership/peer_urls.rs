//! What the peer URLs that a member is given must look like.

use http::Uri;
use keyport_api::error::Error;

/// The URLs, checked and sorted.
///
/// # Errors
/// `MemberBadUrls`: none at all, or one that is not `http`, `https`, `unix` or `unixs`, has no port, or has a path.
pub(crate) fn checked(urls: &[String]) -> Result<Vec<String>, Error> {
    let mut checked = urls.iter().map(|url| check(url.trim())).collect::<Option<Vec<String>>>();
    if let Some(urls) = &mut checked {
        urls.sort();
    }
    checked.filter(|urls| !urls.is_empty()).ok_or(Error::MemberBadUrls)
}

fn check(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    match scheme.to_ascii_lowercase().as_str() {
        scheme @ ("http" | "https") => {
            let uri: Uri = format!("{scheme}://{rest}").parse().ok()?;
            let authority = uri.authority()?;
            let has_port = authority.port_u16().is_some() || authority.as_str().ends_with(':');
            // `http` reads an empty path as "/".
            let bare = rest == authority.as_str();
            (has_port && bare).then(|| format!("{scheme}://{rest}"))
        }
        scheme @ ("unix" | "unixs") if !rest.is_empty() => Some(format!("{scheme}://{rest}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_ones_are_sorted() {
        let urls = ["http://b:2380", " https://a:2380 ", "unix://m0:1", "http://[::1]:2380"].map(str::to_owned);
        let expected = ["http://[::1]:2380", "http://b:2380", "https://a:2380", "unix://m0:1"];
        assert_eq!(checked(&urls).unwrap(), expected);
    }

    #[test]
    fn bad_ones_are_refused() {
        let bad = [
            "",
            "localhost:2380",
            "http://a",
            "http://a:2380/",
            "http://a:2380/x",
            "ftp://a:1",
            "http://a:99999",
            "http://a b:1",
        ];
        for url in bad {
            assert_eq!(checked(&[url.to_owned()]), Err(Error::MemberBadUrls), "{url:?}");
        }
        assert_eq!(checked(&[]), Err(Error::MemberBadUrls));
    }
}
