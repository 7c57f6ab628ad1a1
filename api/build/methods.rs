//! Writes the table of methods: from the services' descriptors, and from the notes on what these cannot say.

mod notes;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;

use heck::ToUpperCamelCase;
use prost_reflect::{DescriptorPool, MethodDescriptor};

use crate::bindings;
use notes::{CONFIDENTIAL, NOTES, Note, REFLECTION};

/// One variant and what is said of it.
struct Row {
    variant: String,
    service: String,
    name: String,
    request: String,
    response: String,
    client_streaming: bool,
    server_streaming: bool,
    routes: Vec<String>,
    note: &'static Note,
    foreign: bool,
}

impl Row {
    fn path(&self) -> String {
        format!("/{}/{}", self.service, self.name)
    }

    fn kind(&self) -> &'static str {
        match (self.client_streaming, self.server_streaming) {
            (false, false) => "Unary",
            (false, true) => "ServerStream",
            (true, false) => "ClientStream",
            (true, true) => "BidiStream",
        }
    }
}

/// `own` has etcd's services, `health` gRPC's own that is in a proto file, too.
pub(crate) fn generate(own: &DescriptorPool, health: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let rows = rows(own, health)?;
    let mut text = String::new();
    write_enum(&mut text, &rows)?;
    write_table(&mut text, &rows)?;
    let by_path = rows.iter().map(|row| (row.path(), &*row.variant)).collect::<Vec<_>>();
    write_lookup(&mut text, "find_path", &by_path)?;
    let by_route = rows.iter().flat_map(|row| row.routes.iter().map(|route| (route.clone(), &*row.variant)));
    write_lookup(&mut text, "find_route", &by_route.collect::<Vec<_>>())?;
    Ok(text)
}

fn rows(own: &DescriptorPool, health: &DescriptorPool) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut notes: BTreeMap<&str, &'static Note> = BTreeMap::new();
    for note in NOTES {
        if notes.insert(note.method, note).is_some() {
            return Err(format!("{} is noted twice", note.method).into());
        }
    }
    let mut note_of = |method: &MethodDescriptor| {
        let note = notes.remove(method.full_name());
        note.ok_or_else(|| format!("say in build/methods/notes.rs what {} does", method.full_name()))
    };
    let mut rows = Vec::new();
    for method in methods(own) {
        let row = row(&method, variant_of(&method), note_of(&method)?);
        rows.push(Row { routes: bindings::paths_of(own, &method)?, ..row });
    }
    for method in methods(health) {
        // Alone it is not clear of what.
        let variant = format!("{}{}", method.parent_service().name(), variant_of(&method));
        rows.push(Row { foreign: true, ..row(&method, variant, note_of(&method)?) });
    }
    if let Some(name) = notes.keys().next() {
        return Err(format!("{name} is noted in build/methods/notes.rs, but is in no proto file").into());
    }
    if let Some(name) = CONFIDENTIAL.iter().find(|name| rows.iter().all(|row| row.service != **name)) {
        return Err(format!("{name} is confidential in build/methods/notes.rs, but is in no proto file").into());
    }
    rows.push(Row {
        variant: REFLECTION.variant.to_owned(),
        service: REFLECTION.service.to_owned(),
        name: REFLECTION.method.to_owned(),
        request: REFLECTION.request.to_owned(),
        response: REFLECTION.response.to_owned(),
        client_streaming: REFLECTION.client_streaming,
        server_streaming: REFLECTION.server_streaming,
        routes: Vec::new(),
        note: &REFLECTION.note,
        foreign: true,
    });
    Ok(rows)
}

fn methods(pool: &DescriptorPool) -> impl Iterator<Item = MethodDescriptor> {
    pool.services().flat_map(|service| service.methods().collect::<Vec<_>>())
}

/// Of etcd's, as long as nothing else is said, and without a path on the gateway.
fn row(method: &MethodDescriptor, variant: String, note: &'static Note) -> Row {
    Row {
        variant,
        service: method.parent_service().full_name().to_owned(),
        name: method.name().to_owned(),
        request: method.input().full_name().to_owned(),
        response: method.output().full_name().to_owned(),
        client_streaming: method.is_client_streaming(),
        server_streaming: method.is_server_streaming(),
        routes: Vec::new(),
        note,
        foreign: false,
    }
}

/// The variant that stands for a method of the proto files.
pub(crate) fn variant_of(method: &MethodDescriptor) -> String {
    method.name().to_upper_camel_case()
}

/// Two methods of one name would be two variants of one name, which the compiler refuses.
fn write_enum(text: &mut String, rows: &[Row]) -> std::fmt::Result {
    writeln!(
        text,
        "/// An RPC that the server answers: a small key for everything that is kept or decided by method."
    )?;
    writeln!(text, "#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]")?;
    writeln!(text, "#[repr(u8)]")?;
    writeln!(text, "pub enum Method {{")?;
    for row in rows {
        writeln!(text, "    /// `{}.{}`", row.service, row.name)?;
        writeln!(text, "    {},", row.variant)?;
    }
    writeln!(text, "}}\n\nimpl Method {{")?;
    writeln!(text, "    /// Every method, service by service, each at its [`Method::index`].")?;
    writeln!(text, "    pub const ALL: [Method; {}] = [", rows.len())?;
    for row in rows {
        writeln!(text, "        Method::{},", row.variant)?;
    }
    writeln!(text, "    ];\n}}")
}

fn write_table(text: &mut String, rows: &[Row]) -> std::fmt::Result {
    writeln!(text, "static TABLE: [MethodInfo; Method::COUNT] = [")?;
    for row in rows {
        writeln!(
            text,
            "    MethodInfo {{ method: Method::{}, path: {:?}, service: {:?}, name: {:?}, request: {:?}, response: {:?}, \
             kind: Kind::{}, routes: &{:?}, span: Span::{}, effect: Effect::{}, need: Need::{}, confidential: {}, \
             foreign: {} }},",
            row.variant,
            row.path(),
            row.service,
            row.name,
            row.request,
            row.response,
            row.kind(),
            row.routes,
            row.note.span,
            row.note.effect,
            row.note.need,
            CONFIDENTIAL.contains(&&*row.service),
            row.foreign,
        )?;
    }
    writeln!(text, "];")
}

/// A jump by the length of the text, which leaves a few candidates of the same length to compare.
fn write_lookup(text: &mut String, name: &str, entries: &[(String, &str)]) -> std::fmt::Result {
    let mut by_length: BTreeMap<usize, Vec<&(String, &str)>> = BTreeMap::new();
    for entry in entries {
        by_length.entry(entry.0.len()).or_default().push(entry);
    }
    writeln!(text, "fn {name}(text: &str) -> Option<Method> {{")?;
    writeln!(text, "    match text.len() {{")?;
    for (length, entries) in by_length {
        writeln!(text, "        {length} => match text {{")?;
        for (entry, variant) in entries {
            writeln!(text, "            {entry:?} => Some(Method::{variant}),")?;
        }
        writeln!(text, "            _ => None,\n        }},")?;
    }
    writeln!(text, "        _ => None,\n    }}\n}}")
}
