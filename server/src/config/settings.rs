//! What was given, by the names of flags, whatever it came from.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Url;
use super::flag::{Flag, Value};
use super::flags::FLAGS;

/// The values that were given, and the defaults of the others.
pub(super) struct Settings {
    pub(super) set: BTreeMap<&'static str, Value>,
    pub(super) warnings: Vec<String>,
}

/// A getter by kind. Names are literals in this room; asking for one that is not in the table, or of another kind, is
/// a mistake in the program that any test of `load` finds.
macro_rules! getter {
    ($name:ident, $variant:ident, $type:ty) => {
        pub(super) fn $name(&self, name: &str) -> $type {
            match self.value(name) {
                Value::$variant(value) => value,
                other => unreachable!("flag {name} holds {other:?}"),
            }
        }
    };
}

impl Settings {
    fn value(&self, name: &str) -> Value {
        if let Some(value) = self.set.get(name) {
            return value.clone();
        }
        match FLAGS.iter().find(|flag| flag.name == name).map(|flag| flag.parse(flag.default)) {
            Some(Ok(value)) => value,
            other => unreachable!("flag {name} has no usable default: {other:?}"),
        }
    }

    getter!(bool, Bool, bool);
    getter!(int, Int, i64);
    getter!(uint, Uint, u64);
    getter!(duration, Duration, Duration);
    getter!(string, Str, String);
    getter!(list, List, Vec<String>);
    getter!(urls, Urls, Vec<Url>);

    /// Whether the flag was given, rather than left at its default.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.set.contains_key(name)
    }

    /// The given flags that are accepted without effect, unless they just repeat the default.
    pub(super) fn inert(&self) -> Vec<&'static str> {
        let differs = |f: &&Flag| self.set.get(f.name).is_some_and(|v| f.parse(f.default).as_ref() != Ok(v));
        FLAGS.iter().filter(|f| f.inert).filter(differs).map(|f| f.name).collect()
    }
}
