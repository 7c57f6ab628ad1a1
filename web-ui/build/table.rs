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
        let has = |form: &str| forms.split(',').any(|there| there == form);
        let there = [("br", ".br"), ("gzip", ".gz")].into_iter().filter(|(form, _)| has(form));
        let packed: Vec<_> = there.map(|(form, ending)| format!("({form:?}, {})", bytes(ending))).collect();
        let (form, ending) = if has("gzip") { ("gzip", ".gz") } else { ("", "") };
        write_row(&mut rows, [name, media_type, hash], &packed, form, &bytes(ending));
    }
    Ok(whole(true, &rows))
}

/// The table of a build without a console: a page that says so.
pub(crate) fn of_nothing(page: &str) -> String {
    let mut rows = String::new();
    let names = ["index.html", "text/html; charset=utf-8", "missing"];
    write_row(&mut rows, names, &[], "", &format!("{page:?}.as_bytes()"));
    whole(false, &rows)
}

fn whole(is_there: bool, rows: &str) -> String {
    let count = rows.lines().count();
    format!("pub(super) const IS_THERE: bool = {is_there};\npub(super) static FILES: [File; {count}] = [\n{rows}];\n")
}

fn write_row(rows: &mut String, [name, media_type, hash]: [&str; 3], packed: &[String], form: &str, bytes: &str) {
    let packed = packed.join(", ");
    let plain = format!("LazyLock::new(|| plain_of({form:?}, {bytes}))");
    let row = format!(
        "File {{ name: {name:?}, media_type: {media_type:?}, hash: {hash:?}, packed: &[{packed}], plain: {plain} }},"
    );
    let written = writeln!(rows, "    {row}");
    debug_assert!(written.is_ok(), "text has room");
}
