//! The two shapes of a line that etcd has.

use std::fmt::{self, Write as _};

use time::OffsetDateTime;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::FATAL;

/// One object a line: `{"level":..,"ts":..,"caller":..,"msg":..,fields}`.
pub(super) struct Json;
/// Tab-separated: time, level, caller, message, fields as an object.
pub(super) struct Console;

impl<S: Subscriber + for<'a> LookupSpan<'a>, N: for<'w> FormatFields<'w> + 'static> FormatEvent<S, N> for Json {
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        json(&mut out, event, true)
    }
}

/// A line of JSON; without its fields, if these are not wanted.
pub(super) fn json(out: &mut impl fmt::Write, event: &Event<'_>, with_fields: bool) -> fmt::Result {
    let line = Line::of(event);
    write!(out, "{{\"level\":\"{}\",\"ts\":\"{}\",\"caller\":\"", level(event.metadata()), Timestamp::now())?;
    escape(out, &line.caller)?;
    out.write_str("\",\"msg\":\"")?;
    escape(out, &line.message)?;
    out.write_char('"')?;
    if with_fields && !line.fields.is_empty() {
        write!(out, ",{}", line.fields)?;
    }
    out.write_str("}\n")
}

impl<S: Subscriber + for<'a> LookupSpan<'a>, N: for<'w> FormatFields<'w> + 'static> FormatEvent<S, N> for Console {
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let line = Line::of(event);
        write!(out, "{}\t{}\t{}\t{}", Timestamp::now(), level(event.metadata()), line.caller, harmless(&line.message))?;
        if !line.fields.is_empty() {
            write!(out, "\t{{{}}}", line.fields)?;
        }
        out.write_char('\n')
    }
}

pub(super) fn level(metadata: &Metadata<'_>) -> &'static str {
    match *metadata.level() {
        Level::ERROR if metadata.target() == FATAL => "fatal",
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

/// Time as `2021-03-04T05:06:07.000008Z`.
struct Timestamp(OffsetDateTime);

impl Timestamp {
    fn now() -> Timestamp {
        Timestamp(OffsetDateTime::now_utc())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = self.0;
        let (date, (h, m, s)) = (t.date(), t.to_hms());
        let (y, month, d) = (date.year(), u8::from(date.month()), date.day());
        write!(f, "{y:04}-{month:02}-{d:02}T{h:02}:{m:02}:{s:02}.{:06}Z", t.microsecond())
    }
}

/// The parts of an event.
#[derive(Default)]
struct Line {
    caller: String,
    message: String,
    /// The members of an object, without its braces.
    fields: String,
}

impl Line {
    fn of(event: &Event<'_>) -> Line {
        let mut line = Line { caller: caller(event.metadata()), ..Line::default() };
        event.record(&mut line);
        line
    }

    fn key(&mut self, field: &Field) {
        if !self.fields.is_empty() {
            self.fields.push(',');
        }
        self.fields.push('"');
        for c in field.name().strip_prefix("r#").unwrap_or(field.name()).chars() {
            self.fields.push(if c == '_' { '-' } else { c });
        }
        self.fields.push_str("\":");
    }

    fn number(&mut self, field: &Field, value: impl fmt::Display) {
        self.key(field);
        let _ = write!(self.fields, "{value}");
    }

    fn text(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if field.name() == "message" {
            let _ = self.message.write_fmt(value);
            return;
        }
        self.key(field);
        self.fields.push('"');
        let _ = Escaped(&mut self.fields).write_fmt(value);
        self.fields.push('"');
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.text(field, format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.number(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field, value);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.number(field, value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.number(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() { self.number(field, value) } else { self.text(field, format_args!("{value}")) }
    }
}

/// Folder, file and line: `server/src/http/stack.rs:12` becomes `http/stack.rs:12`, `server/src/main.rs:3` becomes
/// `server/main.rs:3`.
fn caller(metadata: &Metadata<'_>) -> String {
    let path = metadata.file().unwrap_or_else(|| metadata.target());
    let mut parts = path.rsplit('/').filter(|part| *part != "src");
    let file = parts.next().unwrap_or_default();
    let mut out = String::with_capacity(path.len());
    if let Some(folder) = parts.next() {
        out.push_str(folder);
        out.push('/');
    }
    out.push_str(file);
    if let Some(line) = metadata.line() {
        let _ = write!(out, ":{line}");
    }
    out
}

/// What others sent may hold sequences that a terminal obeys.
pub(super) fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { out.extend(c.escape_debug()) } else { out.push(c) }
    }
    out
}

/// Writes what goes through it as the inside of a JSON string.
struct Escaped<W>(W);

impl<W: fmt::Write> fmt::Write for Escaped<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut plain = 0;
        // More than JSON asks for: a line may be read on a terminal, which obeys the others, too.
        for (at, c) in text.char_indices().filter(|(_, c)| c.is_control() || matches!(c, '"' | '\\')) {
            self.0.write_str(&text[plain..at])?;
            match c {
                '"' => self.0.write_str("\\\"")?,
                '\\' => self.0.write_str("\\\\")?,
                '\n' => self.0.write_str("\\n")?,
                '\r' => self.0.write_str("\\r")?,
                '\t' => self.0.write_str("\\t")?,
                _ => write!(self.0, "\\u{:04x}", u32::from(c))?,
            }
            plain = at + c.len_utf8();
        }
        self.0.write_str(&text[plain..])
    }
}

fn escape(out: &mut impl fmt::Write, text: &str) -> fmt::Result {
    Escaped(out).write_str(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_json_must() {
        let mut out = String::new();
        let text = "a\"b\\c\nd\u{1}\u{e9}\u{7f}\u{9b}31m\u{a0}";
        escape(&mut out, text).unwrap();
        assert_eq!(out, "a\\\"b\\\\c\\nd\\u0001\u{e9}\\u007f\\u009b31m\u{a0}");
        let back: String = serde_json::from_str(&format!("\"{out}\"")).unwrap();
        assert_eq!(back, text);
    }

    #[test]
    fn time_has_microseconds() {
        let t = OffsetDateTime::from_unix_timestamp_nanos(1_614_834_367_000_008_999).unwrap();
        assert_eq!(Timestamp(t).to_string(), "2021-03-04T05:06:07.000008Z");
    }
}
