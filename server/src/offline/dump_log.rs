//! A log, record by record: lines to read, or lines of JSON. One record is held at a time.

use std::error::Error;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;

use keyport_raft::wal::{FsDisk, Item, Wal};
use serde_json::{Map, Value, json};

use super::directory::Directory;
use super::request::{Shown, Style, shown};

/// What was asked for.
#[derive(Debug, clap::Args)]
pub(super) struct DumpLog {
    #[command(flatten)]
    directory: Directory,
    /// A line of JSON for each record, with keys as base64
    #[arg(long)]
    json: bool,
    /// Show values, too, and not only how long they are
    #[arg(long)]
    values: bool,
    /// The first entry to show
    #[arg(long, value_name = "INDEX", default_value = "0")]
    from: u64,
}

impl DumpLog {
    /// # Errors
    /// When a member runs on it, it cannot be read, or is damaged; when nobody takes what is written.
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
        let disk = FsDisk::look(self.directory.log())?;
        let mut out = BufWriter::new(out);
        let mut written = Ok(());
        let scanned = Wal::scan(&disk, &mut |item| {
            let Some(line) = self.line(item) else { return ControlFlow::Continue(()) };
            written = writeln!(out, "{line}");
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        // What was found before the damage is shown before it is said.
        written?;
        out.flush()?;
        if let Some(torn) = scanned?.torn {
            let line = if self.json {
                json!({ "torn": { "path": torn.path, "offset": torn.offset, "what": torn.what } }).to_string()
            } else {
                format!("torn at byte {} of {}: {}", torn.offset, torn.path.display(), torn.what)
            };
            writeln!(out, "{line}")?;
            out.flush()?;
        }
        Ok(())
    }

    /// None for what nobody asked for.
    fn line(&self, item: Item<'_>) -> Option<String> {
        let style = Style { is_readable: !self.json, values: self.values };
        Some(match item {
            Item::Entry(entry) if entry.index() < self.from => return None,
            Item::Entry(entry) => {
                let Shown { kind, author, request } = shown(&entry, style);
                let (index, term) = (entry.index(), entry.term());
                if self.json {
                    let mut fields = Map::new();
                    fields.insert("index".into(), index.into());
                    fields.insert("term".into(), term.into());
                    fields.insert("kind".into(), kind.into());
                    author.into_iter().for_each(|author| _ = fields.insert("author".into(), author.into()));
                    fields.insert("request".into(), request);
                    Value::from(fields).to_string()
                } else {
                    let author = author.map(|author| format!(" by {author}")).unwrap_or_default();
                    format!("entry {index} term {term} {kind}{author} {request}")
                }
            }
            Item::Segment(path) if self.json => json!({ "segment": path }).to_string(),
            Item::Segment(path) => format!("segment {}", path.display()),
            Item::Metadata(metadata) => {
                let (member, cluster) = (format!("{:x}", metadata.node_id), format!("{:x}", metadata.cluster_id));
                if self.json {
                    json!({ "metadata": { "member": member, "cluster": cluster } }).to_string()
                } else {
                    format!("metadata member {member} cluster {cluster}")
                }
            }
            Item::State(state) => {
                let (term, vote, commit) = (state.term(), format!("{:x}", state.vote()), state.commit());
                if self.json {
                    json!({ "state": { "term": term, "vote": vote, "commit": commit } }).to_string()
                } else {
                    format!("state term {term} vote {vote} commit {commit}")
                }
            }
            Item::Snapshot(mark) => {
                let voters: Vec<String> = mark.conf_state.voters.iter().map(|id| format!("{id:x}")).collect();
                if self.json {
                    json!({ "snapshot": { "index": mark.index, "term": mark.term, "voters": voters } }).to_string()
                } else {
                    format!("snapshot index {} term {} voters [{}]", mark.index, mark.term, voters.join(" "))
                }
            }
        })
    }
}
