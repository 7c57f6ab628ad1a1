//! What bodies of JSON are made of: bytes as text or in base64, and whole numbers that may be texts of digits.

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::kit;

/// What a body is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(String);

/// Longer lists are not read to their end.
const MOST_ELEMENTS: usize = 10_000;

/// What a body says.
///
/// # Errors
/// What of it is not understood, and where.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Malformed> {
    let read: Result<Object<T>, _> = serde_json::from_slice(body);
    read.map(|Object(object)| object).map_err(|error| {
        let said = error.to_string();
        // As the library says it, it is not about what somebody wrote.
        Malformed(said.replace("recursion limit exceeded", "objects and lists are too deep within one another"))
    })
}

/// A body that has a password in it.
pub(super) trait Confidential: DeserializeOwned {
    /// Which fields it has.
    const WANTED: &str;
}

/// What such a body says. Of what is wrong with it no more is said than where, and what is wanted: the password may be anywhere.
///
/// # Errors
/// That it is not understood.
pub(super) fn read_confidential<T: Confidential>(body: &[u8]) -> Result<T, Malformed> {
    let read: Result<Object<T>, _> = serde_json::from_slice(body);
    read.map(|Object(object)| object).map_err(|error| {
        let said = error.to_string();
        let wanted = ["unknown field", "missing field"].iter().any(|word| said.starts_with(word));
        let wanted = if wanted { T::WANTED } else { "" };
        let (line, column) = (error.line(), error.column());
        Malformed(format!("the body is not what is wanted here: line {line}, column {column}{wanted}"))
    })
}

/// What is written as an object. Of itself a struct would take a list of its fields as well.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Object<T>, D::Error> {
        from.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members)).map(Object)
    }
}

/// What a field says, or its twin for bytes that are no text, which ends in `_b64`.
///
/// # Errors
/// When both are there, or it is no base64.
pub(super) fn bytes(name: &str, text: Option<String>, base64: Option<String>) -> Result<Option<Bytes>, Malformed> {
    match (text, base64) {
        (Some(_), Some(_)) => Err(Malformed(format!("only one of {name} and {name}_b64 makes sense"))),
        (Some(text), None) => Ok(Some(text.into())),
        (None, Some(base64)) => match kit::from_base64(base64.as_bytes()) {
            Some(bytes) => Ok(Some(bytes.into())),
            None => Err(Malformed(format!("{name}_b64 is not base64"))),
        },
        (None, None) => Ok(None),
    }
}

/// A whole number. It may be a text of digits: some clients cannot write larger ones otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whole(pub(super) i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Whole, D::Error> {
        from.deserialize_any(WholeVisitor)
    }
}

struct WholeVisitor;

impl Visitor<'_> for WholeVisitor {
    type Value = Whole;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Whole, E> {
        Ok(Whole(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Whole, E> {
        i64::try_from(number).map(Whole).map_err(|_| E::custom("the number is too large"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Whole, E> {
        // As JSON writes numbers: no plus sign, no zeros in front.
        let digits = text.strip_prefix('-').unwrap_or(text);
        let number = if kit::is_plain(digits) && text != "-0" { text.parse().ok() } else { None };
        number.map(Whole).ok_or_else(|| E::custom(format_args!("{text:?} is no whole number")))
    }
}

/// A list of so many elements that reading it costs no more than its text does.
pub(super) fn list<'de, D, T>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct ListVisitor<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
            let mut all = Vec::new();
            while let Some(element) = elements.next_element()? {
                if all.len() == MOST_ELEMENTS {
                    return Err(A::Error::custom(format_args!("a list has more than {MOST_ELEMENTS} elements")));
                }
                all.push(element);
            }
            Ok(all)
        }
    }

    from.deserialize_seq(ListVisitor(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_be_texts_and_nothing_is_rounded() {
        for (text, number) in [
            ("7", 7),
            ("-7", -7),
            ("\"7\"", 7),
            ("9223372036854775807", i64::MAX),
            ("\"-9223372036854775808\"", i64::MIN),
        ] {
            assert_eq!(serde_json::from_str::<Whole>(text).unwrap(), Whole(number), "{text}");
        }
        for text in [
            "1.5",
            "1e3",
            "\"\"",
            "\"x\"",
            "\"7 \"",
            "\"+1\"",
            "\"01\"",
            "\"00\"",
            "\"-0\"",
            "\"-01\"",
            "01",
            "+1",
            "9223372036854775808",
            "null",
            "[7]",
            "true",
            "",
        ] {
            assert!(serde_json::from_str::<Whole>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bytes_are_text_or_base64_and_not_both() {
        let given =
            |text: Option<&str>, base64: Option<&str>| bytes("key", text.map(str::to_owned), base64.map(str::to_owned));
        assert_eq!(given(Some("a"), None).unwrap(), Some("a".into()));
        assert_eq!(given(None, Some("_w==")).unwrap(), Some(Bytes::from_static(b"\xff")));
        assert_eq!(given(None, None).unwrap(), None);
        assert_eq!(given(Some("a"), Some("YQ")).unwrap_err().0, "only one of key and key_b64 makes sense");
        assert_eq!(given(None, Some("?")).unwrap_err().0, "key_b64 is not base64");
    }

    #[test]
    fn a_list_ends_somewhere() {
        #[derive(Debug, Deserialize)]
        struct Lists {
            #[serde(deserialize_with = "list")]
            list: Vec<Whole>,
        }
        assert!(read::<Lists>(b"[[]]").is_err(), "no list of fields");
        for (elements, fits) in [(MOST_ELEMENTS, true), (MOST_ELEMENTS + 1, false)] {
            let text = format!("{{\"list\":[{}]}}", vec!["1"; elements].join(","));
            assert_eq!(
                read::<Lists>(text.as_bytes()).is_ok_and(|lists| lists.list.len() == elements),
                fits,
                "{elements}"
            );
        }
    }
}
