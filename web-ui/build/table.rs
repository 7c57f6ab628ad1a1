//! The table of files, as Rust.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

/// What `scripts/build.mjs` says of the files: a line each, of name, media type, hash, and which packed forms there are.
const LIST: &str = "files.tsv";

/// The table of what was made in a folder.
///
/// # Errors
/// When there is no list in it, or one of another form.
pub(crate) fn of_files(made: &Path) -> io::Result<String> {
    let list = fs::read_to_string(made.join(LIST))?;
    let mut rows = String::new();
    for line in list.lines() {
        let [name, media_type, hash, forms] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{LIST}: {line:?}")));
        };
        let bytes = |ending: &str| format!("include_bytes!({:?})", made.join(format!("{name}{ending}")));
        let packed = |form: &str, ending: &str| match forms.split(',').any(|there| there == form) {
            true => format!("Some({})", bytes(ending)),
            false => "None".to_owned(),
        };
        let (plain, brotli, gzip) = (bytes(""), packed("br", ".br"), packed("gzip", ".gz"));
        write_row(&mut rows, name, media_type, hash, [&plain, &brotli, &gzip]);
    }
    Ok(whole(true, &rows))
}

/// The table of a build without a console: a page that says so.
pub(crate) fn of_nothing(page: &str) -> String {
    let mut rows = String::new();
    let bytes = format!("{page:?}.as_bytes()");
    write_row(&mut rows, "index.html", "text/html; charset=utf-8", "missing", [&bytes, "None", "None"]);
    whole(false, &rows)
}

fn whole(is_there: bool, rows: &str) -> String {
    format!("pub(super) const IS_THERE: bool = {is_there};\npub(super) static FILES: &[File] = &[\n{rows}];\n")
}

fn write_row(rows: &mut String, name: &str, media_type: &str, hash: &str, [plain, brotli, gzip]: [&str; 3]) {
    let row = format!(
        "File {{ name: {name:?}, media_type: {media_type:?}, hash: {hash:?}, plain: {plain}, brotli: {brotli}, gzip: {gzip} }},"
    );
    let written = writeln!(rows, "    {row}");
    debug_assert!(written.is_ok(), "text has room");
}
