//! Pages for people, embedded: a server has nothing to find on disk, and a browser nothing to load from elsewhere.

pub mod console;

/// What stands at `/docs` where there is no console, a screen of which the explorer is.
pub const NO_EXPLORER: &str = include_str!("../no-explorer.html");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_nothing_and_leads_on() {
        assert!(NO_EXPLORER.starts_with("<!doctype html>") && NO_EXPLORER.trim_end().ends_with("</html>"));
        for foreign in ["http://", "https://", "<script", "<style", "style="] {
            assert!(!NO_EXPLORER.contains(foreign), "{foreign}");
        }
        assert!(NO_EXPLORER.contains("href=\"openapi.json\""));
    }
}
