//! Scalars as YAML 1.1 has them, and as the library that etcd reads its files with does.
//!
//! The parser knows the numbers and booleans of YAML 1.2, and hands everything else over as text: `0777`, `1_000` and
//! `yes` among it. It does not say whether a text stood in quotes, so these three are taken there too, where etcd refuses.

use yaml_serde::Value as Yaml;

use crate::config::flag::parse_int;

pub(super) fn boolean(node: &Yaml) -> Option<bool> {
    match node {
        Yaml::Bool(value) => Some(*value),
        Yaml::String(text) => match text.as_str() {
            "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
            "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A whole number, however it is written: `1e4` and `100.0` are some.
pub(super) fn whole(node: &Yaml) -> Option<i128> {
    match node {
        Yaml::Number(number) => {
            let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
            whole.or_else(|| number.as_f64().and_then(whole_float))
        }
        Yaml::String(text) => whole_text(text),
        _ => None,
    }
}

/// Digits with `_` between them, and those with leading zeros: octal ones, or, where they cannot be, a float.
fn whole_text(text: &str) -> Option<i128> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let of_old = digits.starts_with('0') || digits.contains('_') && digits.starts_with(|c: char| c.is_ascii_digit());
    if !of_old {
        return None;
    }
    let plain = text.replace('_', "");
    parse_int(&plain).or_else(|| plain.parse().ok().and_then(whole_float))
}

fn whole_float(value: f64) -> Option<i128> {
    // Written out in full, and without a point exactly when nothing stands behind it.
    value.to_string().parse().ok()
}

/// A text, or a whole number written where a text is due (`auto-compaction-retention: 1`). What a float or a boolean
/// looked like before it became one, nobody knows any more.
pub(super) fn text(node: &Yaml) -> Option<String> {
    match node {
        Yaml::String(text) => Some(text.clone()),
        Yaml::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Yaml {
        yaml_serde::from_str(text).unwrap()
    }

    /// Each of them was given to an etcd 3.7, as `snapshot-count` or with a sign as `quota-backend-bytes`.
    #[test]
    fn whole_numbers() {
        for (text, number) in [
            ("8.589934592e+09", 8_589_934_592),
            ("1e4", 10_000),
            ("1E4", 10_000),
            ("1.0e+3", 1_000),
            (".5e1", 5),
            ("5.", 5),
            ("100.0", 100),
            ("8_589_934_592", 8_589_934_592),
            ("1_000.0", 1_000),
            ("4_0e2", 4_000),
            ("5_", 5),
            ("0777", 511),
            ("0o777", 511),
            ("0_7", 7),
            ("0x10", 16),
            ("0x_1f", 31),
            ("0b11", 3),
            ("08", 8),
            ("+5", 5),
            ("-5", -5),
            ("-1.0", -1),
            ("-0x10", -16),
            ("-0b11", -3),
            ("-0", 0),
            ("9007199254740993", 9_007_199_254_740_993),
            ("9007199254740993.0", 9_007_199_254_740_992),
            ("9223372036854775808", 9_223_372_036_854_775_808),
            ("1e18", 1_000_000_000_000_000_000),
            ("!!int \"5\"", 5),
            ("!!float 5", 5),
        ] {
            assert_eq!(whole(&node(text)), Some(number), "{text}");
        }
        for text in [
            "1_0.5",
            "1.5",
            "\"100\"",
            "1:30",
            "190:20:30",
            "~",
            "1e400",
            ".inf",
            ".nan",
            "yes",
            "true",
            "2020-01-01",
            "0o08",
            "_5",
            "!!str 5",
            "[5]",
            "{a: 5}",
            "!foo 5",
        ] {
            assert_eq!(whole(&node(text)), None, "{text}");
        }
    }

    #[test]
    fn booleans() {
        for text in ["yes", "Yes", "YES", "y", "Y", "on", "On", "ON", "true", "True", "TRUE", "!!bool true"] {
            assert_eq!(boolean(&node(text)), Some(true), "{text}");
        }
        for text in ["no", "No", "NO", "n", "N", "off", "Off", "OFF", "false", "False", "FALSE"] {
            assert_eq!(boolean(&node(text)), Some(false), "{text}");
        }
        for text in ["t", "1", "0", "\"true\"", "tRue", "yEs", "~", "!!str true"] {
            assert_eq!(boolean(&node(text)), None, "{text}");
        }
    }

    #[test]
    fn texts_are_as_they_were_written() {
        for (text, expected) in [
            ("a", Some("a")),
            ("\"1e4\"", Some("1e4")),
            ("1", Some("1")),
            ("0777", Some("0777")),
            ("1e4", None),
            ("true", None),
        ] {
            assert_eq!(super::text(&node(text)).as_deref(), expected, "{text}");
        }
    }
}
