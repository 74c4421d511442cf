//! Places of an item: attributes that are taken one by one, under any concurrency and without a
//! transaction, because each write asks only about its own place.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::update_item::UpdateItemError,
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};

use super::{
    Store, StoreError,
    key::{Attributes, Key},
};
use crate::traces;

/// What stands in the places of an item, by their names.
pub type Marks = HashMap<String, String>;

/// What became of a wish for a place, and what stands in every place now.
#[derive(Debug)]
pub enum Place {
    Taken(Marks),
    Occupied(Marks),
}

impl Store {
    /// Puts a mark into a place, if it is empty or its mark is not above `stale`. Marks compare as
    /// text. Either way the same round trip tells all marks.
    ///
    /// Not idempotent: who lost the answer may hold the place without knowing.
    pub async fn take(
        &self,
        key: &Key,
        place: &str,
        mark: &str,
        stale: &str,
    ) -> Result<Place, StoreError> {
        let mut expression = "SET #place = :mark".to_owned();
        let mut call = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.address()));
        if let Some(expires) = key.attributes().remove("expires") {
            expression.push_str(", expires = :expires");
            call = call.expression_attribute_values(":expires", expires);
        }
        let step = traces::step("DynamoDB.UpdateItem");
        let sent = call
            .update_expression(expression)
            .condition_expression("attribute_not_exists(#place) OR #place <= :stale")
            .expression_attribute_names("#place", place)
            .expression_attribute_values(":mark", AttributeValue::S(mark.to_owned()))
            .expression_attribute_values(":stale", AttributeValue::S(stale.to_owned()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let occupied = |it: &UpdateItemError| it.is_conditional_check_failed_exception();
        let failed = |it: &SdkError<_>| !it.as_service_error().is_some_and(occupied);
        step.ends(sent.as_ref().is_err_and(failed));
        match sent {
            Ok(output) => Ok(Place::Taken(marks(output.attributes))),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    Ok(Place::Occupied(marks(failed.item.clone())))
                }
                _ => Err(self.failed(error)),
            },
        }
    }

    /// Empties a place, if this mark still stands in it.
    pub async fn leave(&self, key: &Key, place: &str, mark: &str) -> Result<(), StoreError> {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.address()))
            .update_expression("REMOVE #place")
            .condition_expression("#place = :mark")
            .expression_attribute_names("#place", place)
            .expression_attribute_values(":mark", AttributeValue::S(mark.to_owned()))
            .send()
            .await
            .map_err(|it| self.failed(it))?;
        Ok(())
    }
}

/// Every text of an item but its key.
pub(super) fn marks(item: Option<Attributes>) -> Marks {
    let attributes = item.unwrap_or_default().into_iter();
    let marks = attributes.filter_map(|(name, value)| match value.as_s() {
        Ok(mark) if name != "pk" && name != "sk" => Some((name, mark.clone())),
        Ok(_) | Err(_) => None,
    });
    marks.collect()
}
