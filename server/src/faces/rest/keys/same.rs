//! When two values of JSON are the same for the `test` of a patch (RFC 6902, section 4.6): numbers by what they amount to, however
//! they are written.

use serde_json::{Number, Value};

/// See the module's text.
pub(super) fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => amounts_to(one, other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| is_same(one, other)))
        }
        _ => one == other,
    }
}

fn amounts_to(one: &Number, other: &Number) -> bool {
    match (whole(one), whole(other)) {
        (None, None) => one.as_f64() == other.as_f64(),
        (one, other) => one == other,
    }
}

/// The number, if it is a whole one.
fn whole(number: &Number) -> Option<i128> {
    if let Some(exact) = number.as_i128() {
        return Some(exact);
    }
    let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 2_f64.powi(100))?;
    // Within bounds, and without a part: nothing is lost.
    #[expect(clippy::cast_possible_truncation, reason = "it is a whole number of less than 101 bits")]
    Some(float as i128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_by_what_they_amount_to() {
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        for (one, other, same) in [
            ("1", "1.0", true),
            ("1e2", "100", true),
            ("-0.0", "0", true),
            ("0.5", "5e-1", true),
            ("1e300", "1.0e300", true),
            ("1", "1.5", false),
            ("9007199254740993", "9007199254740992.0", false),
            ("18446744073709551615", "-1", false),
            (r#"{"a":[1,{"b":2.0}]}"#, r#"{"a":[1.0,{"b":2}]}"#, true),
            (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, true),
            (r#"{"a":1}"#, r#"{"a":1,"b":2}"#, false),
            ("[1]", "[1,1]", false),
            ("1", r#""1""#, false),
            ("null", "false", false),
        ] {
            assert_eq!(is_same(&value(one), &value(other)), same, "{one} {other}");
            assert_eq!(is_same(&value(other), &value(one)), same, "{other} {one}");
        }
    }
}
