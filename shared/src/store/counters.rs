//! Counters of an item: added to, never read first.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{Store, StoreError, keys::Key};

impl Store {
    /// Adds to counters, which begin at nothing. Not idempotent: an answer that was lost may have
    /// been counted.
    pub async fn add(&self, key: &Key, counters: &[(&str, u64)]) -> Result<(), StoreError> {
        self.add_if(key, counters, None).await
    }

    /// The same if `name` holds this text, or nothing yet: then it holds it from now on.
    pub async fn add_as(
        &self,
        key: &Key,
        counters: &[(&str, u64)],
        (name, text): (&str, &str),
    ) -> Result<(), StoreError> {
        self.add_if(key, counters, Some((name, text))).await
    }

    async fn add_if(
        &self,
        key: &Key,
        counters: &[(&str, u64)],
        named: Option<(&str, &str)>,
    ) -> Result<(), StoreError> {
        let mut call = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.address()));
        let (mut added, mut set) = (Vec::with_capacity(counters.len()), Vec::new());
        for (place, (name, by)) in counters.iter().enumerate() {
            added.push(format!("#n{place} :n{place}"));
            call = call
                .expression_attribute_names(format!("#n{place}"), *name)
                .expression_attribute_values(
                    format!(":n{place}"),
                    AttributeValue::N(by.to_string()),
                );
        }
        if let Some(expires) = key.attributes().remove("expires") {
            set.push("expires = :expires");
            call = call.expression_attribute_values(":expires", expires);
        }
        if let Some((name, text)) = named {
            set.push("#name = :name");
            call = call
                .condition_expression("attribute_not_exists(#name) OR #name = :name")
                .expression_attribute_names("#name", name)
                .expression_attribute_values(":name", AttributeValue::S(text.to_owned()));
        }
        let mut expression = format!("ADD {}", added.join(", "));
        if !set.is_empty() {
            expression = format!("{expression} SET {}", set.join(", "));
        }
        call.update_expression(expression)
            .send()
            .await
            .map_err(|it| self.failed(it))?;
        Ok(())
    }
}
