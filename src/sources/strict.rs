//! Bytes → JSON, more strictly than JSON asks for, and more kindly in one point.
//!
//! - A key that is in one object twice is an error: which of the two was meant, nobody can know, and other programs on
//!   the way may have read the other one.
//! - Half of a surrogate pair (`\ud83d` alone), which forms send that cut a text in the middle of an emoji, becomes
//!   `U+FFFD`: it is no character, and no reason to lose a lead.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, map::Entry};

/// Parses a whole text. Whether it had to be mended.
pub(super) fn parse(text: &[u8]) -> serde_json::Result<(Value, bool)> {
    read(text).map(|value| (value, false)).or_else(|error| match without_halves(text) {
        Some(mended) => read(&mended).map(|value| (value, true)),
        None => Err(error),
    })
}

fn read(text: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(text).map(|Strict(value)| value)
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Reader.deserialize(deserializer).map(Self)
    }
}

struct Reader;

impl<'de> DeserializeSeed<'de> for Reader {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Reader)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = fields.next_key::<String>()? {
            match object.entry(key) {
                Entry::Vacant(place) => {
                    place.insert(fields.next_value_seed(Reader)?);
                }
                Entry::Occupied(first) => {
                    let key = super::json::shown(first.key());
                    return Err(A::Error::custom(format_args!("the key `{key}` is there twice")));
                }
            }
        }
        Ok(Value::Object(object))
    }
}

/// The text with `\ufffd` for each escape that is half of a surrogate pair; `None` if there is none.
fn without_halves(text: &[u8]) -> Option<Vec<u8>> {
    let mut mended = None;
    let mut at = 0;
    while let Some(found) = text[at..].iter().position(|byte| *byte == b'\\') {
        at += found;
        let length = match (escaped(text, at), escaped(text, at + 6)) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => 12,
            (Some(0xd800..0xe000), _) => {
                mended.get_or_insert_with(|| text.to_vec())[at + 2..at + 6].copy_from_slice(b"fffd");
                6
            }
            _ => 2,
        };
        at = text.len().min(at + length);
    }
    mended
}

/// The number of the escape `\uXXXX` at this place.
fn escaped(text: &[u8], at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let digits =
        std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn equal_keys_are_refused_wherever_they_are() {
        for text in [r#"{"a": 1, "a": 1}"#, r#"[{"b": {"a": 1, "x": 2, "\u0061": 3}}]"#] {
            let error = parse(text.as_bytes()).expect_err("twice").to_string();
            assert!(error.starts_with("the key `a` is there twice at line 1"), "{error}");
        }
        assert_eq!(parse(br#"[{"a": 1}, {"a": 2, "A": 3}]"#).expect("fine").0, json!([{"a": 1}, {"a": 2, "A": 3}]));
    }

    #[test]
    fn halves_of_pairs_are_mended_and_nothing_else() {
        for (text, expected) in [
            (r#""a\ud83db""#, Some("a\u{fffd}b")),
            (r#""\ude00\ud83d""#, Some("\u{fffd}\u{fffd}")),
            (r#""\uD83D\ud83d\uDE00""#, Some("\u{fffd}😀")),
            (r#""\ud83d\n\\ud83d""#, Some("\u{fffd}\n\\ud83d")),
            (r#""\ud83d\ude0""#, None),
            (r#""\ud83""#, None),
            (r#""\ud83d\x""#, None),
            (r#""\ud83d"#, None),
            (r"\", None),
        ] {
            match (parse(text.as_bytes()), expected) {
                (Ok(read), Some(expected)) => assert_eq!(read, (json!(expected), true), "{text}"),
                (read, expected) => assert!(read.is_err() && expected.is_none(), "{text}"),
            }
        }
        assert_eq!(parse(r#""\ud83d\ude00""#.as_bytes()).expect("fine"), (json!("😀"), false));
    }

    proptest! {
        #[test]
        fn it_is_the_same_json(text in r#"[ \[\]{}:,"0-9a-f.eE+\-\\untrls]{0,60}"#) {
            let own = parse(text.as_bytes());
            let other = serde_json::from_str::<Value>(&text);
            match (own, other) {
                (Ok((own, false)), Ok(other)) => prop_assert_eq!(own, other),
                (Ok((_, mended)), Err(_)) => prop_assert!(mended),
                (Err(error), Ok(_)) => prop_assert!(error.to_string().contains("is there twice")),
                (Err(_), Err(_)) => {}
                (Ok(_), Ok(_)) => prop_assert!(false, "mended without need"),
            }
        }
    }
}
