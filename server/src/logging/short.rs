//! The shape of a line on a terminal: what a person wants to know, in the width of a window.

use std::fmt::{self, Write as _};

use time::OffsetDateTime;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::format::{harmless, level};

/// Where fields go on in the next line.
const WIDTH: usize = 110;
const INDENT: &str = "               ";

/// Time of day (UTC), level, message, fields as `name=value`.
pub(super) struct Short;

impl<S: Subscriber + for<'a> LookupSpan<'a>, N: for<'w> FormatFields<'w> + 'static> FormatEvent<S, N> for Short {
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = Line::default();
        event.record(&mut line);
        let (h, m, s) = OffsetDateTime::now_utc().to_hms();
        let mut text = format!("{h:02}:{m:02}:{s:02} {:<5} {}", level(event.metadata()), line.message);
        let mut column = text.chars().count();
        for field in &line.fields {
            let width = field.chars().count() + 2;
            if column + width > WIDTH && column > INDENT.len() {
                let _ = write!(text, "\n{INDENT}");
                column = INDENT.len();
            } else {
                text.push_str("  ");
            }
            text.push_str(field);
            column += width;
        }
        writeln!(out, "{text}")
    }
}

#[derive(Default)]
struct Line {
    message: String,
    fields: Vec<String>,
}

impl Line {
    fn add(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = harmless(value);
            return;
        }
        let name = field.name().strip_prefix("r#").unwrap_or(field.name()).replace('_', "-");
        let bare = !value.is_empty() && value.chars().all(|c| !c.is_whitespace() && c != '"' && !c.is_control());
        self.fields.push(if bare { format!("{name}={value}") } else { format!("{name}={value:?}") });
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.add(field, &value.to_string());
    }
}
