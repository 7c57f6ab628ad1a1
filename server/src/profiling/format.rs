//! `profile.proto` of pprof, as far as a profile of the processor has something to say in it: messages, and how what was
//! taken becomes one. Strings, functions and places are in tables, and named by their number there.

use std::collections::HashMap;
use std::hash::Hash;
use std::io::{self, Write as _};
use std::time::UNIX_EPOCH;

use flate2::Compression;
use flate2::write::GzEncoder;
use pprof::{Frames, Symbol};
use prost::Message;

use super::Taken;

#[derive(Clone, PartialEq, Message)]
pub(super) struct Profile {
    #[prost(message, repeated, tag = "1")]
    pub(super) sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    pub(super) sample: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    pub(super) location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    pub(super) function: Vec<Function>,
    /// The first one is empty.
    #[prost(string, repeated, tag = "6")]
    pub(super) string_table: Vec<String>,
    #[prost(int64, tag = "9")]
    pub(super) time_nanos: i64,
    #[prost(int64, tag = "10")]
    pub(super) duration_nanos: i64,
    #[prost(message, optional, tag = "11")]
    pub(super) period_type: Option<ValueType>,
    #[prost(int64, tag = "12")]
    pub(super) period: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct ValueType {
    #[prost(int64, tag = "1")]
    kind: i64,
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Sample {
    /// The innermost first.
    #[prost(uint64, repeated, tag = "1")]
    pub(super) location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    pub(super) value: Vec<i64>,
    #[prost(message, repeated, tag = "3")]
    pub(super) label: Vec<Label>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Label {
    #[prost(int64, tag = "1")]
    key: i64,
    #[prost(int64, tag = "2")]
    text: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    /// What was inlined into the last of them, innermost first.
    #[prost(message, repeated, tag = "4")]
    line: Vec<Line>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Line {
    #[prost(uint64, tag = "1")]
    function_id: u64,
    #[prost(int64, tag = "2")]
    line: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
    #[prost(int64, tag = "3")]
    system_name: i64,
    #[prost(int64, tag = "4")]
    filename: i64,
}

/// What was seen already, and as which number.
struct Numbers<T>(HashMap<T, u64>);

impl<T: Eq + Hash> Numbers<T> {
    /// The number of a thing, from 1 on, and whether it is a new one.
    fn of(&mut self, thing: T) -> (u64, bool) {
        let next = self.0.len() as u64 + 1;
        let number = *self.0.entry(thing).or_insert(next);
        (number, number == next)
    }
}

struct Writer {
    profile: Profile,
    strings: Numbers<String>,
    functions: Numbers<(i64, i64)>,
    locations: Numbers<Vec<(u64, i64)>>,
}

pub(super) fn packed(taken: &Taken, frequency: i32) -> io::Result<Vec<u8>> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(&profile(taken, frequency).encode_to_vec())?;
    packer.finish()
}

fn profile(taken: &Taken, frequency: i32) -> Profile {
    let period = 1_000_000_000 / i64::from(frequency.max(1));
    let mut writer = Writer {
        profile: Profile { string_table: vec![String::new()], ..Profile::default() },
        strings: Numbers(HashMap::new()),
        functions: Numbers(HashMap::new()),
        locations: Numbers(HashMap::new()),
    };
    let samples = writer.kind("samples", "count");
    let time = writer.kind("cpu", "nanoseconds");
    writer.profile.sample_type = vec![samples, time];
    writer.profile.period_type = Some(time);
    writer.profile.period = period;
    let start = taken.start.duration_since(UNIX_EPOCH).unwrap_or_default();
    writer.profile.time_nanos = i64::try_from(start.as_nanos()).unwrap_or(i64::MAX);
    writer.profile.duration_nanos = i64::try_from(taken.time.as_nanos()).unwrap_or(i64::MAX);
    for (frames, count) in &taken.stacks {
        let count = i64::try_from(*count).unwrap_or(i64::MAX);
        writer.sample(frames, vec![count, count.saturating_mul(period)]);
    }
    writer.profile
}

impl Writer {
    fn text(&mut self, text: &str) -> i64 {
        if text.is_empty() {
            return 0;
        }
        let (number, is_new) = self.strings.of(text.to_owned());
        if is_new {
            self.profile.string_table.push(text.to_owned());
        }
        i64::try_from(number).unwrap_or_default()
    }

    fn kind(&mut self, kind: &str, unit: &str) -> ValueType {
        ValueType { kind: self.text(kind), unit: self.text(unit) }
    }

    fn sample(&mut self, frames: &Frames, value: Vec<i64>) {
        let location_id = frames.frames.iter().map(|inlined| self.location(inlined)).collect();
        let label = Label { key: self.text("thread"), text: self.text(&frames.thread_name_or_id()) };
        self.profile.sample.push(Sample { location_id, value, label: vec![label] });
    }

    fn location(&mut self, inlined: &[Symbol]) -> u64 {
        let lines: Vec<_> = inlined.iter().map(|symbol| (self.function(symbol), i64::from(symbol.lineno()))).collect();
        let (id, is_new) = self.locations.of(lines.clone());
        if is_new {
            let line = lines.into_iter().map(|(function_id, line)| Line { function_id, line }).collect();
            self.profile.location.push(Location { id, line });
        }
        id
    }

    fn function(&mut self, symbol: &Symbol) -> u64 {
        let (name, filename) = (self.text(&symbol.name()), self.text(&symbol.filename()));
        let (id, is_new) = self.functions.of((name, filename));
        if is_new {
            let system_name = self.text(&symbol.sys_name());
            self.profile.function.push(Function { id, name, system_name, filename });
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::super::folded;
    use super::*;

    fn symbol(name: &str, lineno: u32) -> Symbol {
        let name = Some(name.as_bytes().to_vec());
        Symbol { name, addr: None, lineno: Some(lineno), filename: Some("a.rs".into()) }
    }

    fn taken() -> Taken {
        let frames = |inner: u32| Frames {
            frames: vec![vec![symbol("inlined", 1), symbol(&format!("inner{inner}"), inner)], vec![symbol("main", 3)]],
            thread_name: "raft".to_owned(),
            thread_id: 7,
            sample_timestamp: SystemTime::UNIX_EPOCH,
        };
        let stacks = [(frames(2), 5), (frames(9), 1)].into_iter().collect();
        Taken { stacks, start: UNIX_EPOCH + Duration::from_secs(1), time: Duration::from_secs(2) }
    }

    #[test]
    fn what_is_named_is_in_the_tables_once() {
        let profile = profile(&taken(), 100);
        let text = |n: i64| profile.string_table[usize::try_from(n).unwrap()].as_str();
        let kinds: Vec<_> = profile.sample_type.iter().map(|kind| (text(kind.kind), text(kind.unit))).collect();
        assert_eq!(kinds, [("samples", "count"), ("cpu", "nanoseconds")]);
        assert_eq!(
            (profile.time_nanos, profile.duration_nanos, profile.period),
            (1_000_000_000, 2_000_000_000, 10_000_000)
        );
        assert_eq!((profile.sample.len(), profile.function.len(), profile.location.len()), (2, 4, 3));
        let often = profile.sample.iter().find(|sample| sample.value == [5, 50_000_000]).unwrap();
        let place = |id: &u64| profile.location.iter().find(|location| location.id == *id).unwrap();
        let stack: Vec<_> = often.location_id.iter().map(place).collect();
        let names: Vec<Vec<_>> = stack
            .iter()
            .map(|location| {
                let function = |line: &Line| profile.function.iter().find(|f| f.id == line.function_id).unwrap();
                location.line.iter().map(|line| (text(function(line).name), line.line)).collect()
            })
            .collect();
        assert_eq!(names, [vec![("inlined", 1), ("inner2", 2)], vec![("main", 3)]]);
        assert_eq!((text(often.label[0].key), text(often.label[0].text)), ("thread", "raft"));
        let mut unique = profile.string_table.clone();
        unique.sort();
        unique.dedup();
        assert_eq!((unique.len(), profile.string_table[0].as_str()), (profile.string_table.len(), ""));
    }

    #[test]
    fn stacks_of_one_kind_are_one_line() {
        assert_eq!(folded::lines(&taken()), "raft;main;inner2;inlined 5\nraft;main;inner9;inlined 1\n");
    }
}
