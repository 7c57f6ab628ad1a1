//! Pages for people, embedded: a server has nothing to find on disk, and a browser nothing to load from elsewhere.

/// The API explorer: lists what `/openapi.json` describes, and sends requests to the server it came from.
///
/// One page without any other file, from `docs/`.
pub fn docs_page() -> &'static str {
    concat!(
        include_str!("../docs/head.html"),
        include_str!("../docs/style.css"),
        include_str!("../docs/body.html"),
        include_str!("../docs/script.js"),
        include_str!("../docs/tail.html"),
    )
}

/// The `Content-Security-Policy` that the explorer gets along with: its own inline script and style, this server, and
/// nothing else.
pub const DOCS_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
     connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_and_small() {
        let page = docs_page();
        assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
        for tag in ["<style>", "</style>", "<script>", "</script>", "<main", "</main>", "</head>", "<body>", "</body>"]
        {
            assert_eq!(page.matches(tag).count(), 1, "{tag}");
        }
        assert!(page.len() < 48 * 1024, "{} bytes", page.len());
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let page = docs_page();
        for foreign in ["http://", "https://", "src=", "@import", "url(", "import("] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        assert!(page.contains("fetch(\"/openapi.json\")"));
    }

    #[test]
    fn answers_never_become_markup() {
        for danger in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!docs_page().contains(danger), "{danger}");
        }
    }
}
