//! What operators are not shown of an event.

use serde_json::Value;

/// Addresses, keys and playback ids are capabilities, and nothing that an operator has to decide
/// depends on them.
pub(super) fn without_capabilities(body: &[u8]) -> Value {
    let mut event: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut open = vec![&mut event];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let name = name.to_ascii_lowercase();
                    if SECRET.iter().any(|it| name.contains(it)) {
                        *value = "(hidden)".into();
                    }
                    open.push(value);
                }
            }
            Value::Array(items) => open.extend(items),
            Value::String(text) if text.contains("://") => "(hidden)".clone_into(text),
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    event
}

/// What the names of fields contain whose values open something.
const SECRET: [&str; 6] = [
    "stream_key",
    "passphrase",
    "token",
    "secret",
    "playback_id",
    "private_key",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_that_opens_something_is_shown() {
        let event = json!({
            "type": "video.live_stream.created",
            "data": {
                "id": "abc",
                "stream_key": "s3cret",
                "srt_passphrase": "s3cret",
                "playback_ids": [{"id": "s3cret", "policy": "public"}],
                "Playback_Id": "s3cret",
                "url": "https://storage.example/s3cret",
                "nested": [{"upload_token": "s3cret"}],
            },
        });
        let shown = without_capabilities(event.to_string().as_bytes());
        assert!(!shown.to_string().contains("s3cret"), "{shown}");
        assert_eq!(shown["data"]["id"], "abc");
        assert_eq!(without_capabilities(b"not json"), Value::Null);
    }
}
