//! Types that read whatever a provider sends in their place.
//!
//! Providers send null, or a value of another kind, where their documents promise a
//! string, a number or an object. Here that reads as absent and never fails the answer.
//! A field of type [`Text`] borrows from the event.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// The visitor methods that read everything of no use as `$nothing`.
macro_rules! nothing {
    ($lifetime:lifetime, $nothing:expr; $($kind:ident)*) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any JSON")
        }
        $(nothing!(@ $kind $lifetime $nothing);)*
    };
    (@ unit $lifetime:lifetime $nothing:expr) => {
        fn visit_unit<E>(self) -> std::result::Result<Self::Value, E> {
            Ok($nothing)
        }
        fn visit_bool<E>(self, _: bool) -> std::result::Result<Self::Value, E> {
            Ok($nothing)
        }
    };
    (@ number $lifetime:lifetime $nothing:expr) => {
        fn visit_i64<E>(self, _: i64) -> std::result::Result<Self::Value, E> {
            Ok($nothing)
        }
        fn visit_u64<E>(self, _: u64) -> std::result::Result<Self::Value, E> {
            Ok($nothing)
        }
        fn visit_f64<E>(self, _: f64) -> std::result::Result<Self::Value, E> {
            Ok($nothing)
        }
    };
    (@ string $lifetime:lifetime $nothing:expr) => {
        fn visit_str<E>(self, _: &str) -> std::result::Result<Self::Value, E> {
            Ok($nothing)
        }
    };
    (@ list $lifetime:lifetime $nothing:expr) => {
        fn visit_seq<A: SeqAccess<$lifetime>>(
            self,
            mut items: A,
        ) -> std::result::Result<Self::Value, A::Error> {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            Ok($nothing)
        }
    };
    (@ object $lifetime:lifetime $nothing:expr) => {
        fn visit_map<A: MapAccess<$lifetime>>(
            self,
            mut fields: A,
        ) -> std::result::Result<Self::Value, A::Error> {
            while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok($nothing)
        }
    };
}

/// A string; a number reads as its digits, all else as "".
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Text<'a>(Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            nothing!('de, Text::default(); unit list object);
            fn visit_borrowed_str<E>(self, text: &'de str) -> std::result::Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> std::result::Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
            fn visit_i64<E>(self, number: i64) -> std::result::Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }
            fn visit_u64<E>(self, number: u64) -> std::result::Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }
            fn visit_f64<E>(self, number: f64) -> std::result::Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

/// A string, or an object or list in its place, written out as JSON: the arguments of a
/// tool call, which some servers send as an object instead of JSON in a string.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TextOrJson<'a>(pub(crate) Text<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for TextOrJson<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct TextOrJsonVisitor;
        impl<'de> Visitor<'de> for TextOrJsonVisitor {
            type Value = TextOrJson<'de>;
            nothing!('de, TextOrJson::default(); unit number);
            fn visit_borrowed_str<E>(self, text: &'de str) -> std::result::Result<Self::Value, E> {
                Ok(TextOrJson(Text(Cow::Borrowed(text))))
            }
            fn visit_str<E>(self, text: &str) -> std::result::Result<Self::Value, E> {
                Ok(TextOrJson(Text(Cow::Owned(text.to_owned()))))
            }
            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut items: A,
            ) -> std::result::Result<Self::Value, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = items.next_element::<Value>()? {
                    values.push(value);
                }
                Ok(TextOrJson(Text(Cow::Owned(Value::Array(values).to_string()))))
            }
            fn visit_map<A: MapAccess<'de>>(
                self,
                fields: A,
            ) -> std::result::Result<Self::Value, A::Error> {
                let value = Value::deserialize(MapAccessDeserializer::new(fields))?;
                Ok(TextOrJson(Text(Cow::Owned(value.to_string()))))
            }
        }
        deserializer.deserialize_any(TextOrJsonVisitor)
    }
}

/// A whole number; all else is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Int(pub(crate) Option<i64>);

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct IntVisitor;
        impl<'de> Visitor<'de> for IntVisitor {
            type Value = Int;
            nothing!('de, Int(None); unit string list object);
            fn visit_i64<E>(self, number: i64) -> std::result::Result<Int, E> {
                Ok(Int(Some(number)))
            }
            fn visit_u64<E>(self, number: u64) -> std::result::Result<Int, E> {
                Ok(Int(i64::try_from(number).ok()))
            }
            fn visit_f64<E>(self, _: f64) -> std::result::Result<Int, E> {
                Ok(Int(None))
            }
        }
        deserializer.deserialize_any(IntVisitor)
    }
}

/// An object read as `T`; all else is `None`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Maybe<T>(pub(crate) Option<T>);

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Maybe(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Maybe<T>;
            nothing!('de, Maybe(None); unit number string list);
            fn visit_map<A: MapAccess<'de>>(
                self,
                fields: A,
            ) -> std::result::Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields)).map(|object| Maybe(Some(object)))
            }
        }
        deserializer.deserialize_any(ObjectVisitor(PhantomData))
    }
}

/// A list of objects read as `T`; what is no object in it is left out, and what is no
/// list is empty.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct List<T>(Vec<T>);

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        List(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct ListVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
            type Value = List<T>;
            nothing!('de, List::default(); unit number string object);
            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut items: A,
            ) -> std::result::Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some(Maybe(item)) = items.next_element::<Maybe<T>>()? {
                    list.extend(item);
                }
                Ok(List(list))
            }
        }
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

/// What a message says: a string, or a list of parts read as `T`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Content<'a, T> {
    pub(crate) text: Text<'a>,
    pub(crate) parts: List<T>,
}

impl<T> Default for Content<'_, T> {
    fn default() -> Self {
        Content { text: Text::default(), parts: List::default() }
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Content<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct ContentVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ContentVisitor<T> {
            type Value = Content<'de, T>;
            nothing!('de, Content::default(); unit number object);
            fn visit_borrowed_str<E>(self, text: &'de str) -> std::result::Result<Self::Value, E> {
                Ok(Content { text: Text(Cow::Borrowed(text)), parts: List::default() })
            }
            fn visit_str<E>(self, text: &str) -> std::result::Result<Self::Value, E> {
                Ok(Content { text: Text(Cow::Owned(text.to_owned())), parts: List::default() })
            }
            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut items: A,
            ) -> std::result::Result<Self::Value, A::Error> {
                let mut parts = Vec::new();
                while let Some(Maybe(part)) = items.next_element::<Maybe<T>>()? {
                    parts.extend(part);
                }
                Ok(Content { text: Text::default(), parts: List(parts) })
            }
        }
        deserializer.deserialize_any(ContentVisitor(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default)]
    struct Sample<'a> {
        #[serde(borrow)]
        text: Text<'a>,
        number: Int,
        #[serde(borrow)]
        object: Maybe<Box<Sample<'a>>>,
        #[serde(borrow)]
        list: List<Inner<'a>>,
        #[serde(borrow)]
        arguments: TextOrJson<'a>,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default)]
    struct Inner<'a> {
        #[serde(borrow)]
        text: Text<'a>,
    }

    #[test]
    fn every_kind_of_value_is_taken_in_every_place() {
        let values =
            ["null", "true", "7", "-1.5", "\"s\"", "\"\\n\"", "[]", "[1,{}]", "{}", "{\"text\":1}"];
        for value in values {
            for field in ["text", "number", "object", "list", "arguments", "unknown"] {
                let json = format!("{{\"{field}\":{value}}}");
                serde_json::from_str::<Sample<'_>>(&json).unwrap_or_else(|e| panic!("{json}: {e}"));
            }
        }
    }

    #[test]
    fn objects_given_for_arguments_are_written_out() {
        let sample: Sample<'_> =
            serde_json::from_str("{\"arguments\":{\"b\":1,\"a\":[2]}}").unwrap();
        assert_eq!(&*sample.arguments.0, "{\"b\":1,\"a\":[2]}");
    }
}
