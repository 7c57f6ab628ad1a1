//! Clients that others' generators make of the document: they compile without a word, and do what they are for: keys both ways,
//! a write that is refused, a lease, streams. What they do is in `tests/clients/openapi`.

use std::path::{Path, PathBuf};
use std::process::Command;

use keyport_tests::Server;
use keyport_tests::target::tool;

use super::{folder, node, npm, served, succeeds};

/// A folder of its own for what is made, with the sources of one language.
fn workshop(server: &Server, language: &str) -> PathBuf {
    let place = server.scratch().join(language);
    std::fs::create_dir(&place).unwrap();
    for file in std::fs::read_dir(folder().join(language)).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), place.join(file.file_name())).unwrap();
    }
    place
}

fn program(name: &str) -> Command {
    let mut command = Command::new(tool("openapi", &format!("bin/{name}")));
    // It asks for a formatter that is installed beside it.
    let beside = tool("openapi", "bin/python").parent().map(Path::to_owned).unwrap_or_default();
    let others = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{others}", beside.display()));
    command
}

/// openapi-generator, which is a program in Java inside of a package of Python's.
fn generator(document: &Path, language: &str, to: &Path, properties: &str) {
    let mut command = program("openapi-generator-cli");
    command.args(["generate", "-g", language, "--additional-properties", properties, "-i"]);
    let said = succeeds(command.arg(document).arg("-o").arg(to));
    assert!(!said.contains("ERROR"), "{said}");
}

/// All of them in one run of the compiler, for that is what takes long.
#[tokio::test]
async fn those_in_typescript_compile_and_work() {
    let server = Server::start();
    if server.is_etcd() {
        return; // has no document
    }
    let document = served(&server, "openapi.json").await;
    let older = served(&server, "openapi-3.0.json").await;
    let place = workshop(&server, "typescript");
    std::os::unix::fs::symlink(folder().join("node_modules"), place.join("node_modules")).unwrap();
    std::fs::write(place.join("package.json"), "{\"type\":\"module\"}").unwrap();

    succeeds(npm("openapi-typescript").arg(&document).arg("-o").arg(place.join("schema.d.ts")));
    succeeds(node("hey-api.mjs").arg(&document).arg(place.join("hey")).current_dir(&place));
    generator(&older, "typescript-fetch", &place.join("generator"), "importFileExtension=.js");
    succeeds(npm("tsc").arg("-p").arg(&place));
    for client in ["openapi-fetch", "hey-api", "generator"] {
        succeeds(Command::new("node").arg(place.join(format!("out/{client}.js"))).arg(server.url()));
    }
}

#[tokio::test]
async fn the_one_of_openapi_python_client_works() {
    let server = Server::start();
    if server.is_etcd() {
        return; // has no document
    }
    let document = served(&server, "openapi.json").await;
    let place = workshop(&server, "python");
    let mut generate = program("openapi-python-client");
    generate.args(["generate", "--meta", "none", "--fail-on-warning", "--path"]).arg(&document);
    succeeds(generate.arg("--output-path").arg(place.join("keyport_client")));
    works(&server, &place, "client.py");
}

#[tokio::test]
async fn the_one_of_openapi_generator_in_python_works() {
    let server = Server::start();
    if server.is_etcd() {
        return; // has no document
    }
    let document = served(&server, "openapi-3.0.json").await;
    let place = workshop(&server, "python");
    let made = server.scratch().join("made");
    generator(&document, "python", &made, "packageName=keyport_client");
    std::fs::rename(made.join("keyport_client"), place.join("keyport_client")).unwrap();
    works(&server, &place, "generator.py");
}

/// A script uses a client as its types have it, and then really.
fn works(server: &Server, place: &Path, script: &str) {
    succeeds(program("mypy").args(["--strict", "--follow-imports=silent", script]).current_dir(place));
    succeeds(program("python").arg(script).arg(server.url()).current_dir(place));
}
