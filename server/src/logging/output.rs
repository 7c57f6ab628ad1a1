//! Where lines go.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use parking_lot::Mutex;
use tracing_subscriber::fmt::MakeWriter;

use super::LogError;
use super::rotated::Rotated;
use crate::config::{LogConfig, LogOutput};

/// Every output of the log. A line is written whole; one that cannot be written is lost, never an error for the caller.
#[derive(Clone, Debug)]
pub(super) struct Outputs(Arc<Vec<Output>>);

#[derive(Debug)]
enum Output {
    Stderr,
    Stdout,
    File(File),
    Rotated(Rotated),
    #[cfg_attr(not(test), expect(dead_code, reason = "the log of tests"))]
    Memory(Mutex<Vec<u8>>),
}

impl Outputs {
    pub(super) fn open(config: &LogConfig) -> Result<Outputs, LogError> {
        let open = |output: &LogOutput| match (output, &config.rotation) {
            (LogOutput::Stderr, _) => Ok(Output::Stderr),
            (LogOutput::Stdout, _) => Ok(Output::Stdout),
            (LogOutput::File(path), Some(rotation)) => Rotated::open(path, rotation).map(Output::Rotated),
            (LogOutput::File(path), None) => match OpenOptions::new().create(true).append(true).open(path) {
                Ok(file) => Ok(Output::File(file)),
                Err(source) => Err(LogError::Open { path: path.clone(), source }),
            },
        };
        Ok(Outputs(Arc::new(config.outputs.iter().map(open).collect::<Result<_, _>>()?)))
    }

    /// Whether only a person reads them, as it seems.
    pub(super) fn are_terminals(&self) -> bool {
        self.0.iter().all(|output| match output {
            Output::Stderr => io::stderr().is_terminal(),
            Output::Stdout => io::stdout().is_terminal(),
            Output::File(_) | Output::Rotated(_) | Output::Memory(_) => false,
        })
    }
}

impl Write for &Outputs {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        for output in self.0.iter() {
            // Appending in one write keeps lines whole, even between processes.
            let _ = match output {
                Output::Stderr => io::stderr().lock().write_all(line),
                Output::Stdout => io::stdout().lock().write_all(line),
                Output::File(file) => {
                    let mut file = file;
                    file.write_all(line)
                }
                Output::Rotated(file) => file.write(line),
                Output::Memory(lines) => lines.lock().write_all(line),
            };
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Outputs {
    type Writer = &'a Outputs;

    fn make_writer(&'a self) -> &'a Outputs {
        self
    }
}

#[cfg(test)]
impl Outputs {
    pub(super) fn memory() -> Outputs {
        Outputs(Arc::new(vec![Output::Memory(Mutex::default())]))
    }

    pub(super) fn text(&self) -> String {
        let read = |output: &Output| match output {
            Output::Memory(lines) => String::from_utf8_lossy(&lines.lock()).into_owned(),
            _ => String::new(),
        };
        self.0.iter().map(read).collect()
    }
}
