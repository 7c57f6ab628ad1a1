//! The console's files, as the build has made them. Where it could not, there is one page, which says why.

use std::io::Read as _;
use std::sync::LazyLock;

use flate2::read::GzDecoder;

include!(concat!(env!("OUT_DIR"), "/console.rs"));

/// The page that the others belong to.
pub const PAGE: &str = "index.html";

/// The `Content-Security-Policy` of [`PAGE`]: files and answers of this server, nothing that stands in the page itself, and no
/// frame around it.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the console.
#[derive(Debug)]
pub struct File {
    /// Below the page's address. All but [`PAGE`] have a name that changes with what is in them.
    pub name: &'static str,
    pub media_type: &'static str,
    /// Of what is in it, in digits of 16.
    pub hash: &'static str,
    /// Packed, where that is shorter: what HTTP calls the form, and its bytes; the shortest first.
    pub packed: &'static [(&'static str, &'static [u8])],
    plain: LazyLock<Vec<u8>>,
}

impl File {
    /// As it is. What is kept packed alone is unpacked when somebody asks for the first time, which is who takes no packed form.
    pub fn plain(&self) -> &[u8] {
        &self.plain
    }
}

/// A file as it is, of the form in which the table has it: empty, or `gzip`.
fn plain_of(form: &str, bytes: &[u8]) -> Vec<u8> {
    if form.is_empty() {
        return bytes.to_vec();
    }
    let mut plain = Vec::new();
    let read = GzDecoder::new(bytes).read_to_end(&mut plain);
    read.unwrap_or_else(|error| panic!("a file of the console is packed wrongly: {error}"));
    plain
}

/// Whether this build has a console. If not, [`PAGE`] says why.
pub const fn is_there() -> bool {
    IS_THERE
}

/// The file of a name.
pub fn file(name: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.name == name)
}

/// All of them.
pub fn files() -> &'static [File] {
    &FILES
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a page loads before it shows anything, packed.
    const MOST_BYTES_AT_FIRST: usize = 300 * 1024;

    #[test]
    fn there_is_a_page_in_any_case() {
        let page = std::str::from_utf8(file(PAGE).unwrap().plain()).unwrap();
        assert!(page.trim_start().to_lowercase().starts_with("<!doctype html>"), "{page}");
        for inline in ["<style", "style=", "<script>", "javascript:", " onload", "https://", "http://"] {
            assert!(!page.contains(inline), "{inline}");
        }
        assert!(!POLICY.contains("unsafe"), "{POLICY}");
    }

    #[test]
    fn the_shell_is_small_and_names_change_with_what_is_in_files() {
        if !is_there() {
            return; // there is nothing but the page
        }
        let page = std::str::from_utf8(file(PAGE).unwrap().plain()).unwrap();
        let first = files().iter().filter(|file| file.name == PAGE || page.contains(file.name));
        let size: usize =
            first.map(|file| file.packed.first().map_or(file.plain().len(), |(_, bytes)| bytes.len())).sum();
        assert!((10_000..MOST_BYTES_AT_FIRST).contains(&size), "{size} bytes");
        for file in files() {
            let (stem, ending) = file.name.rsplit_once('.').unwrap();
            // Eight characters, in which there may be such a line, too.
            let has_hash = stem.len() > 9 && stem.as_bytes()[stem.len() - 9] == b'-';
            assert!(has_hash || ["html", "txt"].contains(&ending), "{}", file.name);
            let mut lengths: Vec<_> = file.packed.iter().map(|(_, bytes)| bytes.len()).collect();
            lengths.push(file.plain().len());
            assert!(lengths.is_sorted_by(|shorter, longer| shorter < longer), "{}: {lengths:?}", file.name);
        }
    }
}
