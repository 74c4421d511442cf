//! The embedded table, spoken to in process: the operations that the store uses, and a look past
//! everything that goes wrong.

use dynoxide::{Database, DynoxideError};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::aws::TABLE;

/// An answer of the table: its status and its body.
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) body: String,
}

/// Carries an operation out.
pub(super) fn carry_out(database: &Database, operation: &str, body: &[u8]) -> Answered {
    let done = match operation {
        "BatchGetItem" => typed(body, |it| database.batch_get_item(it)),
        "CreateTable" => typed(body, |it| database.create_table(it)),
        "DeleteItem" => typed(body, |it| database.delete_item(it)),
        "GetItem" => typed(body, |it| database.get_item(it)),
        "ListTables" => typed(body, |it| database.list_tables(it)),
        "PutItem" => typed(body, |it| database.put_item(it)),
        "Query" => typed(body, |it| database.query(it)),
        "Scan" => typed(body, |it| database.scan(it)),
        "TransactWriteItems" => typed(body, |it| database.transact_write_items(it)),
        "UpdateItem" => typed(body, |it| database.update_item(it)),
        "UpdateTimeToLive" => typed(body, |it| database.update_time_to_live(it)),
        _ => Err(DynoxideError::ValidationException(format!(
            "the simulation does not know {operation}"
        ))),
    };
    match done {
        Ok(body) => Answered { status: 200, body },
        Err(error) => Answered {
            status: error.status_code(),
            body: error.to_json(),
        },
    }
}

fn typed<Asked: DeserializeOwned, Told: Serialize>(
    body: &[u8],
    act: impl FnOnce(Asked) -> Result<Told, DynoxideError>,
) -> Result<String, DynoxideError> {
    let refused = |error: serde_json::Error| DynoxideError::ValidationException(error.to_string());
    let asked = serde_json::from_slice(body).map_err(refused)?;
    serde_json::to_string(&act(asked)?).map_err(refused)
}

/// All items, as plain JSON.
pub(super) fn items(database: &Database) -> Vec<Value> {
    let mut found = Vec::new();
    let mut start = Value::Null;
    loop {
        let mut scan = json!({"TableName": TABLE, "ConsistentRead": true});
        if !start.is_null() {
            scan["ExclusiveStartKey"] = start;
        }
        let answer = ask(database, "Scan", &scan);
        let page = answer["Items"].as_array().cloned().unwrap_or_default();
        found.extend(page.iter().map(item));
        start = answer["LastEvaluatedKey"].clone();
        if start.is_null() {
            return found;
        }
    }
}

/// Whether there is an item.
pub(super) fn has(database: &Database, pk: &str, sk: &str) -> bool {
    let key = json!({"pk": {"S": pk}, "sk": {"S": sk}});
    let get = json!({"TableName": TABLE, "Key": key, "ConsistentRead": true});
    !ask(database, "GetItem", &get)["Item"].is_null()
}

/// The items of a partition of the first index.
pub(super) fn listed(database: &Database, partition: &str) -> Vec<Value> {
    listed_in(database, "gsi1", partition)
}

/// The items of a partition of an index.
pub(super) fn listed_in(database: &Database, index: &str, partition: &str) -> Vec<Value> {
    let query = json!({
        "TableName": TABLE, "IndexName": index,
        "KeyConditionExpression": "#pk = :pk",
        "ExpressionAttributeNames": {"#pk": format!("{index}pk")},
        "ExpressionAttributeValues": {":pk": {"S": partition}},
    });
    let answer = ask(database, "Query", &query);
    let items = answer["Items"].as_array().cloned().unwrap_or_default();
    items.iter().map(item).collect()
}

fn ask(database: &Database, operation: &str, body: &Value) -> Value {
    let answered = carry_out(database, operation, body.to_string().as_bytes());
    serde_json::from_str(&answered.body).unwrap_or_default()
}

fn item(attributes: &Value) -> Value {
    let fields = attributes.as_object().cloned().unwrap_or_default();
    let plain = fields.iter().map(|(name, it)| (name.clone(), plain(it)));
    Value::Object(plain.collect())
}

/// An attribute value without the letters of its type.
fn plain(attribute: &Value) -> Value {
    let Some((kind, value)) = attribute.as_object().and_then(|it| it.iter().next()) else {
        return Value::Null;
    };
    match (kind.as_str(), value) {
        ("M", Value::Object(fields)) => {
            let fields = fields.iter().map(|(name, it)| (name.clone(), plain(it)));
            Value::Object(fields.collect::<Map<String, Value>>())
        }
        ("L", Value::Array(list)) => list.iter().map(plain).collect(),
        ("N", Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
        ("NULL", _) => Value::Null,
        _ => value.clone(),
    }
}
