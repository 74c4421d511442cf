//! The endpoints that options name, beside those that the API makes.

use crate::{
    documents::Webhook,
    ids,
    options::{Endpoint, Options},
    state::{Kind, StateError, Step},
};

/// The endpoints of the options, and no others that options ever named.
pub(crate) fn name(step: &Step<'_>, options: &Options, now: i64) -> Result<(), StateError> {
    let mut known: Vec<(String, Webhook)> = step.all(Kind::Webhook)?;
    for (id, webhook) in &known {
        let named = |it: &Endpoint| it.address == webhook.address;
        if webhook.by_options && !options.endpoints.iter().any(named) {
            step.delete(Kind::Webhook, id)?;
        }
    }
    let mut number = known.iter().map(|(_, it)| it.number).max().unwrap_or(0);
    for endpoint in &options.endpoints {
        let position = known
            .iter()
            .position(|(_, it)| it.address == endpoint.address);
        let mut webhook = if let Some(position) = position {
            known.swap_remove(position).1
        } else {
            number += 1;
            Webhook {
                id: ids::long(),
                number,
                address: endpoint.address.clone(),
                secret: String::new(),
                created_at: now,
                enabled: true,
                by_options: true,
            }
        };
        webhook.secret.clone_from(&endpoint.secret);
        webhook.by_options = true;
        step.put(Kind::Webhook, &webhook.id, &webhook)?;
    }
    Ok(())
}
