//! Pages for people, embedded: a server has nothing to find on disk, and a browser nothing to load from elsewhere.

pub mod console;

/// The API explorer: lists what `/openapi.json` describes, and sends requests to the server it came from. It asks that server
/// for [`DOCS_SCRIPT`] at `/docs/script.js` and [`DOCS_STYLE`] at `/docs/style.css`.
pub const DOCS_PAGE: &str = include_str!("../docs/page.html");

/// What the explorer does.
pub const DOCS_SCRIPT: &str = include_str!("../docs/script.js");

/// How the explorer looks.
pub const DOCS_STYLE: &str = include_str!("../docs/style.css");

/// The `Content-Security-Policy` that the explorer gets along with: files and answers of this server, and nothing else. What
/// stands in the page itself is neither script nor style, whoever has written it there.
pub const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [&str; 3] = [DOCS_PAGE, DOCS_SCRIPT, DOCS_STYLE];

    #[test]
    fn the_page_is_whole_and_small() {
        assert!(DOCS_PAGE.starts_with("<!doctype html>") && DOCS_PAGE.trim_end().ends_with("</html>"));
        for tag in ["<main", "</main>", "</head>", "<body>", "</body>"] {
            assert_eq!(DOCS_PAGE.matches(tag).count(), 1, "{tag}");
        }
        let size: usize = FILES.iter().map(|file| file.len()).sum();
        assert!(size < 48 * 1024, "{size} bytes");
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        for foreign in ["http://", "https://", "@import", "url(", "import("] {
            assert!(FILES.iter().all(|file| !file.contains(foreign)), "{foreign}");
        }
        assert_eq!(DOCS_PAGE.matches("src=").count(), 1);
        assert!(DOCS_PAGE.contains("<script src=\"/docs/script.js\" defer></script>"));
        assert!(DOCS_PAGE.contains("<link rel=\"stylesheet\" href=\"/docs/style.css\">"));
        assert!(DOCS_SCRIPT.contains("fetch(\"/openapi.json\")"));
    }

    /// The policy would not let it run.
    #[test]
    fn nothing_of_script_or_style_stands_in_the_page() {
        for inline in ["<style", "style=", "<script>", "javascript:", " on"] {
            assert!(!DOCS_PAGE.contains(inline), "{inline}");
        }
        assert_eq!(DOCS_PAGE.matches("<script").count(), 1);
        assert!(!DOCS_POLICY.contains("unsafe"), "{DOCS_POLICY}");
    }

    #[test]
    fn answers_never_become_markup() {
        for danger in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!DOCS_SCRIPT.contains(danger), "{danger}");
        }
    }
}
