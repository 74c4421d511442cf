//! What a call needs: which actions on what, and the partition keys that it names.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::policy::Resource;

/// One action on one resource. IAM judges each by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Access {
    /// As IAM spells it: `dynamodb:PutItem`.
    pub(super) action: String,
    pub(super) resource: Resource,
    /// The values of `dynamodb:LeadingKeys`: the partition keys of the table, or of the index that is asked.
    pub(super) keys: BTreeSet<String>,
}

/// What a request of AWS's JSON protocols needs, by its target and its body.
pub(super) fn accesses(target: &str, body: &[u8]) -> Vec<Access> {
    let (service, operation) = target.split_once('.').unwrap_or_default();
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    if service == "AmazonSQS" {
        // A batch needs the right of its single form.
        let action = operation.strip_suffix("Batch").unwrap_or(operation);
        return vec![Access {
            action: format!("sqs:{action}"),
            resource: Resource::Queue,
            keys: BTreeSet::new(),
        }];
    }
    match operation {
        "TransactWriteItems" | "TransactGetItems" => transaction(&body),
        "BatchGetItem" => batch(keys(operation, &body)),
        _ => vec![Access {
            action: format!("dynamodb:{operation}"),
            resource: body["IndexName"]
                .as_str()
                .map_or(Resource::Table, |it| Resource::Index(it.to_owned())),
            keys: keys(operation, &body),
        }],
    }
}

fn keys(operation: &str, body: &Value) -> BTreeSet<String> {
    match operation {
        "GetItem" | "DeleteItem" | "UpdateItem" => partition(&body["Key"]).into_iter().collect(),
        "PutItem" => partition(&body["Item"]).into_iter().collect(),
        "Query" => asked(body).into_iter().collect(),
        "BatchGetItem" => {
            let tables = body["RequestItems"].as_object().into_iter();
            let tables = tables.flat_map(serde_json::Map::values);
            let keys = tables.filter_map(|it| it["Keys"].as_array()).flatten();
            keys.filter_map(partition).collect()
        }
        _ => BTreeSet::new(),
    }
}

/// A transaction needs the right of each of its parts, and none of its own
/// (docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html). Which keys the
/// context of one part has is not said: here it has those of all parts of its kind.
fn transaction(body: &Value) -> Vec<Access> {
    let mut parts: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for item in body["TransactItems"].as_array().into_iter().flatten() {
        for (kind, part) in item.as_object().into_iter().flatten() {
            let (action, key) = match kind.as_str() {
                "Put" => ("PutItem", &part["Item"]),
                "Update" => ("UpdateItem", &part["Key"]),
                "Delete" => ("DeleteItem", &part["Key"]),
                "Get" => ("GetItem", &part["Key"]),
                _ => ("ConditionCheckItem", &part["Key"]),
            };
            parts.entry(action).or_default().extend(partition(key));
        }
    }
    let access = |(action, keys)| Access {
        action: format!("dynamodb:{action}"),
        resource: Resource::Table,
        keys,
    };
    parts.into_iter().map(access).collect()
}

/// What the service leaves out of a batch is read one by one (`shared/src/store/many.rs`), so that has to
/// be allowed wherever the batch is.
fn batch(keys: BTreeSet<String>) -> Vec<Access> {
    let access = |action: &str, keys| Access {
        action: format!("dynamodb:{action}"),
        resource: Resource::Table,
        keys,
    };
    let each = keys.clone().into_iter();
    let each = each.map(|key| access("GetItem", BTreeSet::from([key])));
    let each: Vec<Access> = each.collect();
    [vec![access("BatchGetItem", keys)], each].concat()
}

fn partition(item: &Value) -> Option<String> {
    Some(item["pk"]["S"].as_str()?.to_owned())
}

/// The partition that a query asks for: what stands after the first `=` of its condition.
fn asked(body: &Value) -> Option<String> {
    let condition = body["KeyConditionExpression"].as_str()?;
    let value = condition.split('=').nth(1)?.split_whitespace().next()?;
    Some(
        body["ExpressionAttributeValues"][value]["S"]
            .as_str()?
            .to_owned(),
    )
}

/// A key without what it names: ids, digests and numbers are `*`.
pub(super) fn shape(key: &str) -> String {
    let word = |it: &str| it.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
    let parts = key.split('#').map(|it| if word(it) { it } else { "*" });
    parts.collect::<Vec<_>>().join("#")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn needed(target: &str, body: &Value) -> Vec<String> {
        let all = accesses(target, body.to_string().as_bytes()).into_iter();
        all.map(|it| format!("{} {} {:?}", it.action, it.resource, it.keys))
            .collect()
    }

    #[test]
    fn a_transaction_needs_the_right_of_each_of_its_parts() {
        let body = json!({"TransactItems": [
            {"Put": {"Item": {"pk": {"S": "A#1"}}}},
            {"Delete": {"Key": {"pk": {"S": "B#1"}}}},
            {"Put": {"Item": {"pk": {"S": "C#1"}}}},
            {"ConditionCheck": {"Key": {"pk": {"S": "D#1"}}}},
        ]});
        assert_eq!(
            needed("DynamoDB_20120810.TransactWriteItems", &body),
            [
                r#"dynamodb:ConditionCheckItem table {"D#1"}"#,
                r#"dynamodb:DeleteItem table {"B#1"}"#,
                r#"dynamodb:PutItem table {"A#1", "C#1"}"#,
            ]
        );
    }

    #[test]
    fn a_query_of_an_index_names_the_key_of_the_index() {
        let body = json!({
            "IndexName": "gsi1", "KeyConditionExpression": "#pk = :pk AND #sk BETWEEN :from AND :to",
            "ExpressionAttributeValues": {":pk": {"S": "AGENDA"}, ":from": {"S": "1"}},
        });
        let needed = needed("DynamoDB_20120810.Query", &body);
        assert_eq!(needed, [r#"dynamodb:Query index gsi1 {"AGENDA"}"#]);
    }

    #[test]
    fn a_batch_names_every_key_of_it_at_once_and_one_by_one() {
        let keys = json!([{"pk": {"S": "A#1"}}, {"pk": {"S": "B#1"}}]);
        let body = json!({"RequestItems": {"table": {"Keys": keys}}});
        let needed = needed("DynamoDB_20120810.BatchGetItem", &body);
        assert_eq!(
            needed,
            [
                r#"dynamodb:BatchGetItem table {"A#1", "B#1"}"#,
                r#"dynamodb:GetItem table {"A#1"}"#,
                r#"dynamodb:GetItem table {"B#1"}"#,
            ]
        );
    }

    #[test]
    fn a_shape_names_nobody() {
        assert_eq!(shape("TENANT#ten_01KE6P#EVENTS"), "TENANT#*#EVENTS");
        assert_eq!(shape("JOB#audit-seal"), "JOB#audit-seal");
    }
}
