//! More instances of a test's portal, each with a memory of its own.

use std::sync::Arc;

use aws_sdk_secretsmanager::Client as SecretsClient;
use shared::{
    app::App,
    boot::{self, Clients},
    clock::Clock,
    config::Config,
    ids::IdSource,
    secrets::Source,
};

use super::{TestApp, assemble, counted, unhurried};
use crate::secrets;

impl TestApp {
    /// One more instance of the portal, with a memory of its own and ids that nobody else has.
    pub(crate) fn instance(&self, clock: Arc<dyn Clock>, number: u64) -> App {
        let explorer = self.explorer.clone();
        assemble(
            &self.variables,
            clock,
            &self.reached,
            number << 40,
            explorer,
        )
    }

    /// The same, reaching AWS by these.
    pub(crate) fn instance_reaching(&self, clients: Clients) -> App {
        let clock: Arc<dyn Clock> = self.clock.clone();
        let config = Config::read(|name| self.variables.get(name).cloned()).unwrap();
        let ids = IdSource::new(Arc::clone(&clock), counted(7 << 40));
        boot::assemble(config, clock, ids, clients).unwrap()
    }

    /// The same with secrets that are kept elsewhere; the other variables are its environment.
    pub(crate) async fn instance_kept(&self, client: &SecretsClient, id: &str, number: u64) -> App {
        let variables = self.variables.clone();
        let environment = move |name: &str| {
            let variable = variables.get(name).cloned();
            variable.filter(|_| !secrets::NAMES.contains(&name))
        };
        let source = Source::new(client.clone(), id.to_owned(), environment);
        let clock: Arc<dyn Clock> = self.clock.clone();
        let ids = IdSource::new(Arc::clone(&clock), counted(number << 40));
        let clients = unhurried(&self.reached);
        boot::assemble_kept(source, clock, ids, clients)
            .await
            .unwrap()
    }

    /// The same with another variable.
    pub(crate) fn instance_with(&self, number: u64, name: &'static str, value: String) -> App {
        let mut variables = self.variables.clone();
        variables.insert(name, value);
        let explorer = self.explorer.clone();
        assemble(
            &variables,
            self.clock.clone(),
            &self.reached,
            number << 40,
            explorer,
        )
    }
}
