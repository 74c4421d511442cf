//! Canonical JSON (RFC 8785): one text for one value, so that a digest of it means the value.
//!
//! Numbers are printed by `ryu-js`, which is the rule of the RFC; the rest is sorting. The tests hold
//! it against a crate that does all of it, and is ten times slower.

use serde::Serialize;
use serde_json::{Map, Number, Value};
use sha2::{Digest, Sha256};

/// The largest integer that every reader of JSON understands exactly (RFC 7493, section 2.2).
const EXACT: u64 = 1 << 53;

/// The one text of a value.
pub fn canonical<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut text = Vec::with_capacity(512);
    write(&mut text, &serde_json::to_value(value)?)?;
    Ok(text)
}

/// SHA-256 of the canonical form, in hexadecimal.
pub fn digest_of<T: Serialize + ?Sized>(value: &T) -> Result<String, serde_json::Error> {
    Ok(hex::encode(Sha256::digest(canonical(value)?)))
}

pub(crate) fn write(text: &mut Vec<u8>, value: &Value) -> Result<(), serde_json::Error> {
    match value {
        Value::Null => text.extend(b"null"),
        Value::Bool(true) => text.extend(b"true"),
        Value::Bool(false) => text.extend(b"false"),
        Value::Number(number) => write_number(text, number)?,
        Value::String(it) => write_text(text, it)?,
        Value::Array(items) => {
            text.push(b'[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    text.push(b',');
                }
                write(text, item)?;
            }
            text.push(b']');
        }
        Value::Object(members) => {
            text.push(b'{');
            for (place, (name, member)) in sorted(members).into_iter().enumerate() {
                if place > 0 {
                    text.push(b',');
                }
                write_text(text, name)?;
                text.push(b':');
                write(text, member)?;
            }
            text.push(b'}');
        }
    }
    Ok(())
}

/// By the UTF-16 code units of their names (section 3.2.3), whatever order the map keeps: another
/// crate of the same build may have asked `serde_json` to preserve it.
fn sorted(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_unstable_by(|(a, _), (b, _)| {
        if a.is_ascii() && b.is_ascii() {
            return a.cmp(b);
        }
        a.encode_utf16().cmp(b.encode_utf16())
    });
    members
}

/// Escaped as `serde_json` does, which is what section 3.2.2.2 asks for.
pub(crate) fn write_text(text: &mut Vec<u8>, it: &str) -> Result<(), serde_json::Error> {
    serde_json::to_writer(text, it)
}

fn write_number(text: &mut Vec<u8>, number: &Number) -> Result<(), serde_json::Error> {
    let exact = match (number.as_u64(), number.as_i64()) {
        (Some(it), _) => it <= EXACT,
        (None, Some(it)) => it.unsigned_abs() <= EXACT,
        (None, None) => false,
    };
    if exact {
        return serde_json::to_writer(text, number);
    }
    let double = number.as_f64().unwrap_or_default();
    text.extend(ryu_js::Buffer::new().format_finite(double).as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn text(value: &Value) -> String {
        String::from_utf8(canonical(value).unwrap()).unwrap()
    }

    /// Section 3.2.2 and appendix B of the RFC.
    #[test]
    fn the_examples_of_the_rfc_come_out_as_it_says() {
        let input = r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
            "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#;
        let value: Value = serde_json::from_str(input).unwrap();
        let expected = "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
        assert_eq!(text(&value), expected);
        let sorting = json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7});
        assert_eq!(
            text(&sorting),
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}"
        );
    }

    #[test]
    fn integers_are_exact_up_to_two_to_the_power_of_53_and_doubles_beyond() {
        let numbers = json!([
            0,
            -0.0,
            -1,
            9_007_199_254_740_992_u64,
            9_007_199_254_740_993_u64,
            i64::MIN
        ]);
        assert_eq!(
            text(&numbers),
            "[0,0,-1,9007199254740992,9007199254740992,-9223372036854776000]"
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..6)
                    .prop_map(|it| Value::Object(it.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_it_is_another_implementation_says_the_same(value in any_json()) {
            prop_assert_eq!(text(&value), serde_json_canonicalizer::to_string(&value).unwrap());
        }
    }
}
