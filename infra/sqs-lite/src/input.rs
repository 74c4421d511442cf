//! The parameters of a request, or of one entry of a batch.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::fault::Fault;

#[derive(Clone, Copy)]
pub(crate) struct Input<'a>(&'a Value);

impl<'a> Input<'a> {
    pub(crate) fn new(value: &'a Value) -> Self {
        Self(value)
    }

    pub(crate) fn value(self, name: &str) -> &'a Value {
        &self.0[name]
    }

    pub(crate) fn text(self, name: &'static str) -> Result<&'a str, Fault> {
        self.optional(name).ok_or(Fault::MissingParameter(name))
    }

    pub(crate) fn optional(self, name: &str) -> Option<&'a str> {
        self.value(name).as_str()
    }

    pub(crate) fn number(
        self,
        name: &str,
        range: &RangeInclusive<i64>,
    ) -> Result<Option<i64>, Fault> {
        let value = self.value(name);
        if value.is_null() {
            return Ok(None);
        }
        match value.as_i64().filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(Fault::InvalidParameterValue(format!(
                "Value {value} for parameter {name} is invalid. Reason: Must be between {} and {}, if provided.",
                range.start(),
                range.end()
            ))),
        }
    }

    pub(crate) fn texts(self, name: &str) -> impl Iterator<Item = &'a str> {
        self.list(name).filter_map(Value::as_str)
    }

    pub(crate) fn entries(self) -> Vec<Self> {
        self.list("Entries").map(Self).collect()
    }

    /// An absent object is an empty one.
    pub(crate) fn object(self, name: &str) -> Map<String, Value> {
        self.value(name).as_object().cloned().unwrap_or_default()
    }

    fn list(self, name: &str) -> impl Iterator<Item = &'a Value> {
        self.value(name).as_array().into_iter().flatten()
    }
}
