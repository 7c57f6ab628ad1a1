//! Requests over HTTP/1.1 that are refused before anybody here hears of them, by their heads or because of their connection: for those
//! there is a status and no words. They get the words that other refusals have. (Over HTTP/2 heads are packed by a table that the library alone
//! knows: its answer stays as it is there.)

use bytes::Bytes;
use http::Response;
use http::header::CONTENT_LENGTH;
use keyport_api::error::{Kind, Problem};

use super::layers::{X_REQUEST_ID, fresh};
use super::refusal::{name, problem_document};

/// The head of a request, and what is read at once of its body.
pub(super) const HEAD_BYTES: usize = 128 * 1024;

/// An answer of our own to such a request, with its words.
pub(super) fn told(bare: &'static [u8]) -> Bytes {
    in_words(bare).unwrap_or(Bytes::from_static(bare))
}

/// What is said instead of these bytes, if they are such an answer. Whoever asks knows that no answer of ours is on its way.
pub(super) fn in_words(said: &[u8]) -> Option<Bytes> {
    let head = std::str::from_utf8(said).ok()?.strip_suffix("\r\n\r\n")?;
    let (line, headers) = head.split_once("\r\n")?;
    let (kind, detail) = match line.strip_prefix("HTTP/1.1 ")?.get(..3)? {
        "400" => (Kind::Malformed, "the head of the request is none of HTTP/1.1".to_owned()),
        "408" => (Kind::HeadTooSlow, "the head of the request did not come in time".to_owned()),
        "414" => (Kind::AddressTooLong, "the address has 64 KiB or more".to_owned()),
        "429" => (Kind::TooManyRequests, "this address has as many connections as it may have".to_owned()),
        "431" => {
            let detail =
                format!("the head of the request has {} KiB or more, or more than 100 headers", HEAD_BYTES / 1024);
            (Kind::HeadTooLarge, detail)
        }
        _ => return None,
    };
    let id = fresh();
    let mut response: Response<Bytes> = problem_document(&Problem::of(kind, detail));
    name(&mut response, &id);
    let length = response.body().len().into();
    let said = response.headers_mut();
    said.extend([(X_REQUEST_ID, id), (CONTENT_LENGTH, length)]);
    // The date, and that the connection ends.
    let kept = headers.split("\r\n").filter(|header| !header.starts_with("content-length:"));
    let mut answer: Vec<u8> = [line].into_iter().chain(kept).flat_map(|line| [line, "\r\n"]).collect::<String>().into();
    for (name, value) in response.headers() {
        answer.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    answer.extend([b"\r\n", &response.body()[..]].concat());
    Some(answer.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_words_gets_some() {
        let bare = b"HTTP/1.1 414 URI Too Long\r\nconnection: close\r\ncontent-length: 0\r\ndate: today\r\n\r\n";
        let told = String::from_utf8(in_words(bare).unwrap().to_vec()).unwrap();
        let (head, document) = told.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 414 URI Too Long\r\nconnection: close\r\ndate: today\r\ncontent-type: "),
            "{head}"
        );
        assert!(head.ends_with(&format!("content-length: {}", document.len())), "{head}");
        assert!(
            document.starts_with("{\"type\":\"/problems/address-too-long\"") && document.ends_with("\"}\n"),
            "{document}"
        );
        for other in [
            &b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"[..],
            &bare[..40],
            &[bare, &b"more"[..]].concat(),
            b"",
            b"\xff",
        ] {
            assert_eq!(in_words(other), None);
        }
    }
}
