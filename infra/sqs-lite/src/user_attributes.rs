//! The attributes a sender puts on a message, which SQS calls message attributes: their rules,
//! their weight and their digest.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde_json::{Map, Value};

use crate::digest;
use crate::fault::Fault;

/// Sorted by name, as the digest wants them.
pub(crate) struct UserAttributes(Vec<UserAttribute>);

struct UserAttribute {
    content: Content,
    data_type: String,
    name: String,
}

enum Content {
    Binary(Vec<u8>),
    Text(String),
}

impl UserAttributes {
    pub(crate) fn parse(attributes: &Map<String, Value>) -> Result<Self, Fault> {
        if attributes.len() > 10 {
            return Err(Fault::invalid(
                "Number of message attributes exceeds the allowed maximum of 10.",
            ));
        }
        let mut parsed = attributes
            .iter()
            .map(|(name, value)| UserAttribute::parse(name, value))
            .collect::<Result<Vec<_>, _>>()?;
        parsed.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(Self(parsed))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(UserAttribute::bytes).sum()
    }

    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>,
    /// "Calculating the MD5 message digest for message attributes".
    pub(crate) fn digest(&self) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let mut md5 = Md5::new();
        for attribute in &self.0 {
            add(&mut md5, attribute.name.as_bytes());
            add(&mut md5, attribute.data_type.as_bytes());
            md5.update([attribute.content.mark()]);
            add(&mut md5, attribute.content.as_bytes());
        }
        Some(digest::hex(&md5.finalize()))
    }
}

/// No message is long enough for its length to need more than the four bytes it has here.
fn add(md5: &mut Md5, bytes: &[u8]) {
    md5.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    md5.update(bytes);
}

impl UserAttribute {
    fn parse(name: &str, value: &Value) -> Result<Self, Fault> {
        let data_type = value["DataType"].as_str().unwrap_or_default();
        let content = match data_type.split('.').next() {
            Some("Binary") => value["BinaryValue"]
                .as_str()
                .and_then(|text| STANDARD.decode(text).ok())
                .map(Content::Binary),
            Some("Number" | "String") => value["StringValue"]
                .as_str()
                .map(|text| Content::Text(text.to_owned())),
            _ => {
                return Err(Fault::InvalidParameterValue(format!(
                    "The type of message (user) attribute '{name}' is invalid. You must use only the following supported type prefixes: Binary, Number, String."
                )));
            }
        };
        let content = content.filter(|content| !content.as_bytes().is_empty());
        Ok(Self {
            content: content.ok_or_else(|| {
                Fault::InvalidParameterValue(format!(
                    "Message (user) attribute '{name}' must contain a non-empty value of type '{data_type}'."
                ))
            })?,
            data_type: data_type.to_owned(),
            name: name.to_owned(),
        })
    }

    fn bytes(&self) -> usize {
        self.name.len() + self.data_type.len() + self.content.as_bytes().len()
    }
}

impl Content {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Binary(bytes) => bytes,
            Self::Text(text) => text.as_bytes(),
        }
    }

    fn mark(&self) -> u8 {
        match self {
            Self::Text(_) => 1,
            Self::Binary(_) => 2,
        }
    }
}
