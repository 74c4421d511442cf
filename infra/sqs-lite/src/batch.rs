//! Batches: the rules all three share; an entry that fails does not fail the others.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::fault::Fault;
use crate::input::Input;

const MOST_ENTRIES: usize = 10;

pub(crate) fn each(
    input: Input<'_>,
    mut act: impl FnMut(Input<'_>) -> Result<Value, Fault>,
) -> Result<Value, Fault> {
    let entries = input.entries();
    check(&entries)?;
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        let id = entry.value("Id");
        match act(entry) {
            Ok(mut done) => {
                done["Id"] = id.clone();
                successful.push(done);
            }
            Err(fault @ Fault::Store(_)) => return Err(fault),
            Err(fault) => failed.push(json!({
                "Id": id,
                "SenderFault": true,
                "Code": fault.query_code(),
                "Message": fault.to_string(),
            })),
        }
    }
    Ok(json!({"Successful": successful, "Failed": failed}))
}

fn check(entries: &[Input<'_>]) -> Result<(), Fault> {
    if entries.is_empty() {
        return Err(Fault::EmptyBatchRequest);
    }
    if entries.len() > MOST_ENTRIES {
        return Err(Fault::TooManyEntriesInBatchRequest {
            entries: entries.len(),
        });
    }
    let mut seen = HashSet::new();
    for entry in entries {
        if !seen.insert(entry.text("Id")?) {
            return Err(Fault::BatchEntryIdsNotDistinct);
        }
    }
    Ok(())
}
