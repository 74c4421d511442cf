//! The endpoints that options name, beside those that the API makes.

use crate::{
    documents::Webhook,
    options::Options,
    state::{Kind, StateError, Step},
};

/// Brings what is kept into line with the options: all that they name, and no others that options ever
/// named.
pub(crate) fn adopt(step: &Step<'_>, options: &Options, now: i64) -> Result<(), StateError> {
    let named = |it: &Webhook| {
        let mut endpoints = options.endpoints.iter();
        endpoints.any(|endpoint| endpoint.address == it.address)
    };
    for (id, webhook) in step.all::<Webhook>(Kind::Webhook)? {
        if webhook.by_options && !named(&webhook) {
            step.delete(Kind::Webhook, &id)?;
        }
    }
    for endpoint in &options.endpoints {
        let known = step.all::<Webhook>(Kind::Webhook)?;
        let (address, secret) = (endpoint.address.clone(), endpoint.secret.clone());
        let same = known.iter().find(|(_, it)| it.address == address);
        let mut webhook = match same {
            Some((_, webhook)) => webhook.clone(),
            None => Webhook::beside(&known, address, String::new(), now),
        };
        webhook.secret = secret;
        webhook.by_options = true;
        step.put(Kind::Webhook, &webhook.id, &webhook)?;
    }
    Ok(())
}
