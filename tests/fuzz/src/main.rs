//! The targets for libFuzzer, one at a time. See `make fuzz`.

#![no_main]

use std::sync::LazyLock;

use keyport_fuzz::{TARGETS, Target, named};

/// The one that is named in the environment.
static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("KEYPORT_FUZZ_TARGET").unwrap_or_default();
    named(&name).unwrap_or_else(|| {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("KEYPORT_FUZZ_TARGET={name:?} is none of {}", names.join(", "));
        std::process::exit(2);
    })
});

libfuzzer_sys::fuzz_target!(
    init: {
        // What a target needs to begin with is left where libFuzzer looks for it.
        if let Some(corpus) = std::env::var_os("KEYPORT_FUZZ_CORPUS") {
            for (number, input) in (TARGET.good)().iter().enumerate() {
                let path = std::path::Path::new(&corpus).join(format!("good-{number}"));
                std::fs::write(&path, input).expect("the corpus can be written");
            }
        }
    },
    |input: &[u8]| (TARGET.run)(input)
);
