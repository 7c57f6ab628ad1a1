//! A status as text, in the forms that `etcdutl` has.

use std::fmt::Write;

use super::status::Status;
use crate::command_line::bytes;

/// By `-w`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    #[default]
    Simple,
    Json,
    Fields,
    Table,
}

pub(super) fn show(status: &Status, form: Form) -> String {
    let Status { hash, revision, total_key, total_size, version } = status;
    let columns = [
        ("HASH", format!("{hash:x}")),
        ("REVISION", revision.to_string()),
        ("TOTAL KEYS", total_key.to_string()),
        ("TOTAL SIZE", bytes(*total_size)),
        ("STORAGE VERSION", version.clone()),
    ];
    match form {
        Form::Simple => columns.map(|(_, value)| value).join(", ") + "\n",
        // Numbers and one text: there is always a form.
        Form::Json => serde_json::to_string(status).unwrap_or_default() + "\n",
        Form::Fields => format!(
            "\"Hash\" : {hash}\n\"Revision\" : {revision}\n\"Keys\" : {total_key}\n\"Size\" : {total_size}\n\"Version\" : {version:?}\n"
        ),
        Form::Table => table(&columns),
    }
}

fn table(columns: &[(&str, String)]) -> String {
    let widths = columns.iter().map(|(name, value)| name.len().max(value.len()));
    let line = widths.clone().fold(String::from("+"), |line, width| line + &"-".repeat(width + 2) + "+") + "\n";
    let mut out = line.clone();
    for ((name, _), width) in columns.iter().zip(widths.clone()) {
        let _ = write!(out, "| {name:^width$} ");
    }
    out += "|\n";
    out += &line;
    for ((_, value), width) in columns.iter().zip(widths) {
        let _ = write!(out, "| {value:>width$} ");
    }
    out + "|\n" + &line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_those_of_etcdutl() {
        let status =
            Status { hash: 0x5192_013e, revision: 5, total_key: 2, total_size: 20_480, version: "3.6.0".into() };
        assert_eq!(show(&status, Form::Simple), "5192013e, 5, 2, 20 kB, 3.6.0\n");
        let json = r#"{"hash":1368523070,"revision":5,"totalKey":2,"totalSize":20480,"version":"3.6.0"}"#;
        assert_eq!(show(&status, Form::Json), format!("{json}\n"));
        let table = show(&status, Form::Table);
        assert_eq!(table.lines().nth(1), Some("|   HASH   | REVISION | TOTAL KEYS | TOTAL SIZE | STORAGE VERSION |"));
        assert_eq!(table.lines().nth(3), Some("| 5192013e |        5 |          2 |      20 kB |           3.6.0 |"));
    }
}
