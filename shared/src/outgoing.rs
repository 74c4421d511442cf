//! Clients for whoever is asked over HTTPS, except AWS. Does not own: how they are asked.

use std::sync::OnceLock;

use reqwest::{Client, ClientBuilder, redirect::Policy};

/// A client that is made when it is first used: it reads all roots that the system trusts, some 4 ms of
/// processor time, and the function that takes webhooks asks nobody.
pub(crate) struct Outgoing {
    settings: fn(ClientBuilder) -> ClientBuilder,
    client: OnceLock<Client>,
}

impl Outgoing {
    /// With these settings, besides those that everybody has.
    pub(crate) fn new(settings: fn(ClientBuilder) -> ClientBuilder) -> Self {
        Self {
            settings,
            client: OnceLock::new(),
        }
    }

    /// The client. Whoever is there when it is first wanted, waits.
    pub(crate) fn client(&self) -> Result<&Client, reqwest::Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let everybody = Client::builder()
            .pool_max_idle_per_host(0) // a frozen Lambda thaws with connections that are long closed
            .redirect(Policy::none()); // an answer leads us, and what we prove ourselves with, nowhere
        let client = (self.settings)(everybody).build()?;
        Ok(self.client.get_or_init(|| client))
    }
}
