//! `dev chaos`: six drills against the local stack (S1-070). In each something fails, somebody goes on
//! using the portal, and it says what degraded, what was refused and how, and that it recovered by
//! itself; it fails if that is not so.

mod clock;
mod drills;
mod gate;
mod scene;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

pub(crate) use self::clock::SkippingClock;
pub use self::gate::Gate;
use self::scene::Scene;
use crate::console::Console;

/// Break the table, Mux and the network between them, and watch the portal recover by itself.
///
/// Each drill has a stack of its own, with its own clock: where there is nothing but waiting, the clock
/// is moved ahead.
#[derive(Args)]
pub struct Chaos {
    /// Which drills; all of them, if none is named.
    #[arg(value_enum)]
    drills: Vec<Drill>,
    /// Really wait: half an hour instead of a minute.
    #[arg(long)]
    wait: bool,
}

/// What can be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Drill {
    /// The table takes no connection for a minute.
    TableLost,
    /// Every call of the table takes 0.7 s.
    TableSlow,
    /// The table takes no writes: there were too many.
    TableThrottled,
    /// Mux's API takes no connection.
    MuxBlocked,
    /// Mux's webhooks come a quarter of an hour late.
    WebhooksDelayed,
    /// Mux answers only after nine seconds.
    MuxLate,
}

impl Drill {
    fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |it| it.get_name().to_owned())
    }

    fn what(self) -> String {
        let value = self.to_possible_value();
        let help = value.and_then(|it| it.get_help().map(ToString::to_string));
        help.unwrap_or_default()
    }
}

/// Holds them, one after the other. Fails if one does not end as it should.
pub async fn run(console: &Console, chaos: &Chaos) -> anyhow::Result<()> {
    let named = &chaos.drills;
    let drills: Vec<Drill> = Drill::value_variants()
        .iter()
        .copied()
        .filter(|it| named.is_empty() || named.contains(it))
        .collect();
    let mut failed = Vec::new();
    for &drill in &drills {
        console.line(&format!(
            "\n{}  {}",
            console.bold(&drill.name()),
            drill.what()
        ));
        let held = async {
            let scene = Scene::set(console, chaos.wait).await?;
            let held = drills::hold(drill, &scene).await;
            scene.end().await;
            held
        };
        if let Err(error) = held.await.with_context(|| drill.name()) {
            console.line(&format!("{} {error:#}", console.bold("failed:")));
            failed.push(drill.name());
        }
    }
    let (held, all) = (drills.len() - failed.len(), drills.len());
    console.line(&format!("\n{held} of {all} drills: degraded, recovered"));
    if !failed.is_empty() {
        bail!("{}", failed.join(", "));
    }
    Ok(())
}
