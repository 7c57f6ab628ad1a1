//! Which keys of a list are of interest, by what is in them.

use std::sync::Arc;

use memchr::memmem::Finder;
use regex::bytes::{Regex, RegexBuilder};

/// Bytes that a regular expression may need, compiled: looking at a byte takes longer the more there are. So a megabyte is looked at
/// in a second at most.
const MOST_BYTES: usize = 16 << 10;
/// Bytes for what it remembers while it looks.
const MOST_REMEMBERED: usize = 1 << 20;

/// See the module's text. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Search {
    wanted: Wanted,
    place: SearchIn,
}

/// Where to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SearchIn {
    #[default]
    Keys,
    Values,
    /// In either of them.
    Both,
}

#[derive(Clone, Debug)]
enum Wanted {
    Part(Arc<Finder<'static>>),
    Pattern(Regex),
}

impl Search {
    /// What has these bytes somewhere in it.
    pub fn part(part: &[u8], place: SearchIn) -> Search {
        Search { wanted: Wanted::Part(Arc::new(Finder::new(part).into_owned())), place }
    }

    /// What a regular expression finds something in. It takes time in proportion to what is looked at and to its own size.
    ///
    /// # Errors
    /// What is wrong with it, or that it is too large.
    pub fn pattern(pattern: &str, place: SearchIn) -> Result<Search, regex::Error> {
        let regex = RegexBuilder::new(pattern).size_limit(MOST_BYTES).dfa_size_limit(MOST_REMEMBERED).build()?;
        Ok(Search { wanted: Wanted::Pattern(regex), place })
    }

    pub(super) fn reads_values(&self) -> bool {
        self.place != SearchIn::Keys
    }

    pub(super) fn finds(&self, key: &[u8], value: &[u8]) -> bool {
        let found = |bytes: &[u8]| match &self.wanted {
            Wanted::Part(part) => part.find(bytes).is_some(),
            Wanted::Pattern(regex) => regex.is_match(bytes),
        };
        match self.place {
            SearchIn::Keys => found(key),
            SearchIn::Values => found(value),
            SearchIn::Both => found(key) || found(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_patterns_are_found_where_they_are_looked_for() {
        let finds = |search: Search| search.finds(b"app/d\xffb", "größe=7".as_bytes());
        for (part, place, found) in [
            (&b"d\xff"[..], SearchIn::Keys, true),
            (b"d\xff", SearchIn::Values, false),
            (b"=7", SearchIn::Both, true),
            (b"", SearchIn::Keys, true),
            (b"APP", SearchIn::Keys, false),
        ] {
            assert_eq!(finds(Search::part(part, place)), found, "{part:?}");
        }
        for (pattern, place, found) in [
            ("^app/", SearchIn::Keys, true),
            ("(?i)APP", SearchIn::Both, true),
            ("gr.{2}e=[0-9]$", SearchIn::Values, true),
            ("^d", SearchIn::Keys, false),
            (r"(?-u)\xff", SearchIn::Keys, true),
        ] {
            assert_eq!(finds(Search::pattern(pattern, place).unwrap()), found, "{pattern}");
        }
        for pattern in ["(", "a{1000}{1000}", r"(?P<x"] {
            assert!(Search::pattern(pattern, SearchIn::Keys).is_err(), "{pattern}");
        }
    }
}
