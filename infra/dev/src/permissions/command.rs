//! `cargo run -p dev -- permissions`: the roles of `template.yaml` against what was used of them.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::{judge, policy::Policies, record};
use crate::console::Console;

/// Compare what roles allow with what tests did in them.
///
/// Tests, drills, simulations and the local stack act in the roles of `template.yaml`, and write down
/// what they use of them. Run all tests first; records of earlier code are forgotten with `--forget`.
///
/// Ends with 0 when nothing was denied and everything that is allowed was used, else with 1.
#[derive(Args)]
pub struct Permissions {
    /// The folder of the records: `permissions` in the folder of builds, if not said.
    #[arg(long)]
    records: Option<PathBuf>,
    /// The template whose roles are judged: that of this workspace, if not said.
    #[arg(long)]
    template: Option<PathBuf>,
    /// Delete the records, and judge nothing: before tests whose records are to count.
    #[arg(long)]
    forget: bool,
    /// Also say all that was used, line by line: what a role needs.
    #[arg(long)]
    used: bool,
}

pub fn run(console: &Console, wanted: &Permissions) -> anyhow::Result<()> {
    let folder = wanted.records.clone().unwrap_or_else(record::folder);
    if wanted.forget {
        for file in record::files(&folder)? {
            std::fs::remove_file(file)?;
        }
        return Ok(());
    }
    let template = wanted.template.clone().unwrap_or_else(super::template);
    let policies = Policies::read(&template)?;
    let (records, processes) = record::read(&folder)?;
    if records.is_empty() {
        bail!(
            "nothing is recorded in {}: run the tests first",
            folder.display()
        );
    }
    if wanted.used {
        for it in records.iter().filter(|it| it.allowed) {
            let key = it.key.as_deref();
            console.line(&judge::line(&it.function, &it.action, &it.resource, key));
        }
    }
    let verdict = judge::judge(&policies, &records);
    for it in &verdict.denied {
        console.line(&format!("{}  {it}", console.bold("denied")));
    }
    for it in &verdict.unused {
        console.line(&format!("{}  {it}", console.bold("unused")));
    }
    if !verdict.denied.is_empty() || !verdict.unused.is_empty() {
        bail!(
            "{} denied, {} of {} rights unused",
            verdict.denied.len(),
            verdict.unused.len(),
            verdict.rights
        );
    }
    console.line(&format!(
        "{} functions, {} rights: all used, nothing denied ({} kinds of calls by {processes} processes)",
        policies.0.len(),
        verdict.rights,
        records.len(),
    ));
    Ok(())
}
