//! The OpenAPI 3.1 document of everything that is served over HTTP.
//!
//! [`build`] puts it together: the gateway's routes and all schemas from the descriptors of `api/proto`, comments
//! included; what no proto file knows from the table of [`endpoints`], by which the server routes. The result is committed as `openapi.json`, and that file is
//! what a server hands out ([`DOCUMENT`]): at run time nothing is built. A test keeps the two equal;
//! `UPDATE_OPENAPI=1 cargo test -p keyport-openapi` writes the file anew.

mod comments;
pub mod endpoints;
mod errors;
mod examples;
mod gateway;
mod ids;
mod older;
mod required;
mod schemas;

use std::io::Read as _;
use std::sync::OnceLock;

use flate2::read::GzDecoder;
use keyport_api::FILE_DESCRIPTOR_SET;
use prost_reflect::{DescriptorError, DescriptorPool};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContactBuilder, InfoBuilder, License, OpenApi, OpenApiBuilder, PathsBuilder, ServerBuilder, Tag,
};

/// The committed document, as JSON.
pub static DOCUMENT: Document =
    Document { gzip: include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json.gz")), text: OnceLock::new() };

/// The same as OpenAPI 3.0, as JSON.
pub static OLDER_DOCUMENT: Document =
    Document { gzip: include_bytes!(concat!(env!("OUT_DIR"), "/openapi-3.0.json.gz")), text: OnceLock::new() };

/// A document that is part of the program. It is kept as it is mostly asked for, which is a tenth of its size.
#[derive(Debug)]
pub struct Document {
    /// Packed.
    pub gzip: &'static [u8],
    text: OnceLock<String>,
}

impl Document {
    /// As it is: unpacked when somebody asks for the first time.
    pub fn text(&self) -> &str {
        self.text.get_or_init(|| {
            let mut text = String::new();
            let read = GzDecoder::new(self.gzip).read_to_string(&mut text);
            read.unwrap_or_else(|error| panic!("a document is packed wrongly: {error}"));
            text
        })
    }
}

/// Makes the document that is OpenAPI 3.0 of the other one.
pub fn older(document: &OpenApi) -> serde_json::Result<String> {
    Ok(format!("{:#}\n", older::document(&serde_json::to_value(document)?)))
}

/// Builds the document.
pub fn build() -> Result<OpenApi, DescriptorError> {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET)?;
    let mut paths = PathsBuilder::new();
    let mut components = ComponentsBuilder::new()
        .security_scheme("token", scheme(HttpAuthScheme::Bearer, "A token from `/v3/auth/authenticate`."))
        .security_scheme("password", scheme(HttpAuthScheme::Basic, "A user and his password."));
    components = schemas::add(&pool, components);
    components = errors::add(components);
    components = endpoints::add_schemas(components);
    paths = gateway::add(&pool, paths);
    paths = endpoints::add(paths);

    let mut tags = vec![
        tag("Keys", "Keys as resources: a path, and a value as it is."),
        tag("Transactions", "Several operations at once."),
        tag("Leases", "Leases as resources: what keys are bound to."),
        tag("Locks", "Locks: held by one, waited for by others."),
        tag("Elections", "Elections: led by one, observed by others."),
        tag("Members", "The members of the cluster, and their alarms."),
        tag("Users", "Users and roles: who may do what."),
    ];
    tags.extend(gateway::tags(&pool));
    tags.push(tag("Operations", "Health, metrics and what the server says about itself."));
    Ok(OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Keyport")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(ABOUT))
                .contact(Some(ContactBuilder::new().name(Some("Those who run this server")).build()))
                .license(Some({
                    let mut license = License::new("Apache-2.0");
                    license.identifier = Some("Apache-2.0".to_owned());
                    license
                }))
                .build(),
        )
        .servers(Some([ServerBuilder::new().url("/").description(Some("Where this document came from.")).build()]))
        .tags(Some(tags))
        .security(Some([
            SecurityRequirement::default(),
            SecurityRequirement::new("token", [""; 0]),
            SecurityRequirement::new("password", [""; 0]),
        ]))
        .paths(paths)
        .components(Some(components.build()))
        .build())
}

fn scheme(how: HttpAuthScheme, description: &str) -> SecurityScheme {
    let mut scheme = Http::new(how);
    scheme.description = Some(description.to_owned());
    SecurityScheme::Http(scheme)
}

const ABOUT: &str = "A distributed key-value store that speaks the etcd v3 API.

**Requests.** A message is a JSON object, whatever the `Content-Type` says. Field names may be written as here or in \
camelCase. 64-bit integers may be strings or numbers, and are refused if they have more than 64 bits; bytes are base64 (either alphabet, padded or not); enums are names \
or numbers. Unknown fields are ignored, and so is everything behind the first object.

**Answers.** 64-bit integers are strings, bytes are padded base64, and a field that is zero, empty or false is left out.

**Streams.** Lines of JSON, each with a `result`, or at the end with an `error`; their `Content-Type` is \
`application/json` as etcd's gateway has it, or `application/x-ndjson` for whoever sends `Accept: application/x-ndjson`. Those that take several requests read \
them from the body, one object after the other. The same paths accept a WebSocket, with one message a frame.

`/v3beta/` and `/v3alpha/` stand for `/v3/`.";

fn tag(name: &str, description: &str) -> Tag {
    let mut tag = Tag::new(name);
    tag.description = Some(description.to_owned()).filter(|text| !text.is_empty());
    tag
}
