//! Packs the committed documents, as they are kept in the program and mostly asked for.

use std::fs::{self, File};
use std::path::PathBuf;
use std::{env, io};

use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};

fn main() -> io::Result<()> {
    let out = env::var_os("OUT_DIR").map(PathBuf::from);
    let out =
        out.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "OUT_DIR is not set: this is for cargo to run"))?;
    for name in ["openapi.json", "openapi-3.0.json"] {
        println!("cargo:rerun-if-changed={name}");
        let file = File::create(out.join(format!("{name}.gz")))?;
        // Without a name and a time in it, so that the same document has the same bytes.
        let mut packed: GzEncoder<File> = GzBuilder::new().write(file, Compression::best());
        io::copy(&mut fs::File::open(name)?, &mut packed)?;
        packed.finish()?;
    }
    Ok(())
}
