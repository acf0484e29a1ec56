//! Follows pointers through JSON without building what they do not lead to.

use std::fmt;

use periplus_config::{Pointer, Segment};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The most values that are kept for one pointer.
const MAX_VALUES: usize = 10_000;

/// Goes on from one value of an object.
struct Walk<'w, 'p> {
    /// The pointers that lead here or further, by number, with what is left of each.
    active: Vec<(usize, &'p [Segment])>,
    found: &'w mut [Vec<String>],
}

/// The texts, numbers and truth values that each pointer leads to, in the order of the object.
/// Nothing where there is no pointer.
pub(super) fn find<'p>(
    object: &RawValue,
    pointers: impl Iterator<Item = Option<&'p Pointer>>,
) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut active = Vec::new();
    for (number, pointer) in pointers.enumerate() {
        active.extend(pointer.map(|pointer| (number, pointer.segments())));
        found.push(Vec::new());
    }
    let walk = Walk {
        active,
        found: &mut found,
    };
    let mut deserializer = serde_json::Deserializer::from_str(object.get());
    // The object is JSON; what could fail is depth alone, and then what was found so far stands.
    let _ = walk.deserialize(&mut deserializer);
    found
}

// === impl Walk ===

impl<'p> Walk<'_, 'p> {
    /// The pointers that go on through the member `key`, or the element with that number.
    fn through(&self, key: &str) -> Vec<(usize, &'p [Segment])> {
        let step = |(number, left): &(usize, &'p [Segment])| match left.split_first()? {
            (Segment::Key(expected), _) if expected != key => None,
            (_, left) => Some((*number, left)),
        };
        self.active.iter().filter_map(step).collect()
    }

    fn value(self, value: &str) {
        for (number, left) in self.active {
            let found = &mut self.found[number];
            if left.is_empty() && found.len() < MAX_VALUES {
                found.push(value.to_owned());
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.active.is_empty() {
            return deserializer.deserialize_ignored_any(IgnoredAny).map(|_| ());
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.value(value);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.value(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.value(&value.to_string());
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.value(&value.to_string());
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.value(&value.to_string());
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            let active = self.through(&key);
            map.next_value_seed(Walk {
                active,
                found: &mut *self.found,
            })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        for at in 0_usize.. {
            let walk = Walk {
                active: self.through(&at.to_string()),
                found: &mut *self.found,
            };
            if seq.next_element_seed(walk)?.is_none() {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_find_texts_numbers_and_truth_values() {
        let object = r#"{"spec":{"a/b":"slash","list":[{"port":80,"x":[{}]},{"port":"443"},{},
            {"port":null},{"port":[1]}],"deep":{"one":{"v":true},"two":{"v":1.5}},"n":-1}}"#;
        let object: &RawValue = serde_json::from_str(object).unwrap();
        for (pointer, expected) in [
            ("/spec/list/*/port", vec!["80", "443"]),
            ("/spec/list/1/port", vec!["443"]),
            ("/spec/deep/*/v", vec!["true", "1.5"]),
            ("/spec/a~1b", vec!["slash"]),
            ("/spec/n", vec!["-1"]),
            ("/spec", vec![]),
            ("/spec/list", vec![]),
            ("/spec/n/deeper", vec![]),
            ("/status/x", vec![]),
        ] {
            let pointer = Pointer::parse(pointer).unwrap();
            let all = Pointer::parse("/*/n").unwrap();
            let found = find(object, [Some(&pointer), None, Some(&all)].into_iter());
            assert_eq!(found, [expected, vec![], vec!["-1"]], "{pointer}");
        }
    }

    #[test]
    fn what_is_deeper_than_any_object_is_not_followed() {
        let object = format!("{}1{}", "[".repeat(500), "]".repeat(500));
        let object: &RawValue = serde_json::from_str(&object).unwrap();
        let pointer = Pointer::parse(&"/*".repeat(500)).unwrap();
        let found = find(object, [Some(&pointer)].into_iter());
        assert_eq!(found, [Vec::<String>::new()]);
    }
}
