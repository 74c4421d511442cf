//! The drill: back up, go on, restore, compare, change over, and see that what was promised still holds.

use std::{path::PathBuf, sync::Arc, time::Instant};

use anyhow::{Context, ensure};
use aws_sdk_dynamodb::Client as Table;
use clap::Args;
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;
use time::Duration;

use super::{
    backup::{self, Backup},
    story::{Link, Story},
};
use crate::{
    aws::{self, TABLE},
    chaos::SkippingClock,
    client::Client,
    console::Console,
    stack::{Ground, Place, Stack},
};

/// The table that the backup is restored into: `DynamoDB` restores into a new one.
const RESTORED: &str = "motion-mavericks-restored";

/// How many links there are besides those that are looked at, and how often it is tried to back up while
/// nothing changes.
const CROWD: usize = 40;
const TRIES: u32 = 20;

/// More links than a person would make, at once.
const LIMITS: &str = "uploads-per-user=shadow,opens-per-address=shadow,mux-posts=shadow";

/// Back the table of a busy stack up, restore the backup into a new table, and work on with that.
///
/// It is compared byte for byte; the audit log is proved; a link that was valid plays; one that was taken
/// back, before or after the backup, does not; and the drill is written down in the audit log. Ends with
/// 1 if anything of that is not so.
#[derive(Args)]
pub struct RestoreDrill {
    /// Keep the backup in this file: one item a line, in the JSON of `DynamoDB`.
    #[arg(long)]
    keep: Option<PathBuf>,
}

/// Links that are looked at afterwards.
struct Links {
    valid: Link,
    revoked_before: Link,
    revoked_after: Link,
    revoked_unplayed: Link,
}

/// Holds it.
pub async fn run(console: &Console, drill: &RestoreDrill) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let clock = Arc::new(SkippingClock::default());
    let stack = start(&folder, &clock, 0, TABLE).await?;
    let port = stack.url.rsplit(':').next().and_then(|it| it.parse().ok());
    let port: u16 = port.context("the stack has no port")?;
    console.step("started", &stack.url);
    let story = Story {
        client: Client::new(stack.url.clone())?,
        clock: Arc::clone(&clock),
    };
    let links = busy(&story).await?;
    let table = stack.aws.clients().dynamodb;
    let backup = backed_up(console, &table, drill).await?;
    let late = go_on(&story, &links).await?;
    console.step("went on", "two links taken back, one made, one video more");

    let began = Instant::now();
    let different = restored(console, &table, &backup).await?;
    stack.stop().await;
    let stack = start(&folder, &clock, port, RESTORED).await?;
    let health = story.client.get("/api/health/mux-system").await?;
    health.good().context("health, after the change-over")?;
    let took = began.elapsed();
    console.step(
        "changed over",
        &format!("the portal answers from {RESTORED}, {took:.1?} after the order to restore"),
    );
    let seen = match different.as_slice() {
        [] => holds(console, &story, &links, &late).await,
        [first, ..] => Err(anyhow::anyhow!("{} items differ: {first}", different.len())),
    };
    let outcome = if seen.is_ok() { "restored" } else { "failed" };
    let body = json!({
        "table": RESTORED, "items": backup.items(), "digest": backup.digest(),
        "seconds": took.as_secs(), "outcome": outcome,
    });
    let told = recorded(console, &story, body).await;
    stack.stop().await;
    seen.and(told)
}

async fn start(
    folder: &TempDir,
    clock: &Arc<SkippingClock>,
    port: u16,
    table: &str,
) -> anyhow::Result<Stack> {
    let place = Place {
        folder: folder.path().to_owned(),
        port,
        dynamodb_port: 0,
        sqs_port: 0,
        functions: None,
    };
    let ground = Ground {
        clock: Arc::clone(clock) as _,
        gates: None,
        variables: vec![("LIMITS", LIMITS.into()), ("TABLE_NAME", table.into())],
    };
    Stack::start_on(&place, ground).await
}

/// Videos, links of every kind, and enough time for every job to run.
async fn busy(story: &Story) -> anyhow::Result<Links> {
    let video = story.video("Long jump").await?;
    let gone = story.video("Deleted").await?;
    let links = Links {
        valid: story.link(&video, "valid").await?,
        revoked_before: story.link(&video, "taken back before the backup").await?,
        revoked_after: story.link(&video, "taken back after the backup").await?,
        revoked_unplayed: story.link(&video, "the same, and never played").await?,
    };
    for link in [&links.valid, &links.revoked_before, &links.revoked_after] {
        story.play(link).await?;
    }
    for number in 0..CROWD {
        story
            .link(&video, &format!("one of a crowd, {number}"))
            .await?;
    }
    story.revoke(&links.revoked_before).await?;
    let path = format!("/api/assets/{gone}");
    story
        .ask("ada", Method::DELETE, &path, None)
        .await?
        .good()?;
    // Every job has run: the audit log is sealed, the comparison has begun.
    story.wait(Duration::minutes(11)).await;
    Ok(links)
}

/// Read until nothing has changed in between: an export is no snapshot.
async fn backed_up(
    console: &Console,
    table: &Table,
    drill: &RestoreDrill,
) -> anyhow::Result<Backup> {
    let began = Instant::now();
    let mut before = backup::export(table, TABLE).await?;
    for _ in 0..TRIES {
        let backup = backup::export(table, TABLE).await?;
        if backup != before {
            before = backup;
            continue;
        }
        if let Some(path) = &drill.keep {
            let file = std::fs::File::create(path);
            let file = file.with_context(|| format!("cannot write {}", path.display()))?;
            backup.write(std::io::BufWriter::new(file))?;
        }
        let (items, digest, took) = (backup.items(), backup.digest(), began.elapsed());
        let text = format!("{items} items, sha256 {digest}, twice the same, in {took:.1?}");
        console.step("backed up", &text);
        return Ok(backup);
    }
    anyhow::bail!("the table never was the same twice")
}

/// What is lost with a restore. The link that was made.
async fn go_on(story: &Story, links: &Links) -> anyhow::Result<Link> {
    story.revoke(&links.revoked_after).await?;
    story.revoke(&links.revoked_unplayed).await?;
    let video = story.video("Uploaded after the backup").await?;
    let late = story.link(&video, "made after the backup").await?;
    story.play(&late).await?;
    Ok(late)
}

/// Restores into a new table, as `DynamoDB` does: with keys and indexes, and without the rest, which is
/// then set up again. How it differs from the backup.
async fn restored(
    console: &Console,
    table: &Table,
    backup: &Backup,
) -> anyhow::Result<Vec<String>> {
    let began = Instant::now();
    aws::create_bare_table(table, RESTORED).await?;
    backup::fill(table, RESTORED, backup).await?;
    let took = began.elapsed();
    console.step("restored", &format!("into {RESTORED} in {took:.1?}"));
    let expires = async || {
        let call = table.describe_time_to_live().table_name(RESTORED);
        let told = call.send().await?.time_to_live_description;
        anyhow::Ok(told.and_then(|it| it.attribute_name))
    };
    ensure!(expires().await?.is_none(), "nothing was to be set up");
    aws::set_up_table(table, RESTORED).await?;
    let now = expires().await?;
    ensure!(now.as_deref() == Some("expires"), "{now:?} expires items");
    console.step("set up", "expiry of items, which no restore brings back");
    let different = backup::differences(table, RESTORED, backup).await?;
    for some in different.iter().take(20) {
        console.step("differs", some);
    }
    if different.is_empty() {
        let (items, gsi1, gsi2) = (
            backup.items(),
            backup.indexed("gsi1"),
            backup.indexed("gsi2"),
        );
        let text =
            format!("{items} of {items} items byte for byte, {gsi1} in gsi1, {gsi2} in gsi2");
        console.step("compared", &text);
    }
    Ok(different)
}

/// What must hold after a restore.
async fn holds(console: &Console, story: &Story, links: &Links, late: &Link) -> anyhow::Result<()> {
    let proved = story.proved().await?;
    let (entries, checkpoints) = (proved.entries, proved.last_checkpoint);
    console.step(
        "proved",
        &format!("{entries} entries of the audit log, {checkpoints} checkpoints"),
    );
    story.play(&links.valid).await?;
    console.step("plays", "the link that was valid");
    story
        .refused(&links.revoked_before, "share-revoked")
        .await?;
    console.step("refused", "taken back before the backup: share-revoked");
    story.refused(late, "not-found").await?;
    console.step("refused", "made after the backup: not-found");
    let opened = story.open(&links.revoked_after).await?;
    ensure!(!story.plays(&opened).await?, "what was taken back plays");
    console.step(
        "does not play",
        "taken back after the backup: Mux forgot it",
    );
    story
        .refused(&links.revoked_unplayed, "share-paused")
        .await?;
    console.step("held", "the same, and never played: share-paused");
    story
        .until("taken back again", async || {
            Ok(story.open(&links.revoked_after).await?.problem() == "share-revoked")
        })
        .await?;
    console.step("taken back", "by the comparison with Mux: share-revoked");
    released(story, links).await?;
    console.step(
        "released",
        "after what was never played was taken back again",
    );
    Ok(())
}

/// An operator sees to what nobody else can know, and vouches for the table.
async fn released(story: &Story, links: &Links) -> anyhow::Result<()> {
    story
        .until("compared", async || {
            let standing = story.ask("dana", Method::GET, "/api/ops/restores", None);
            Ok(standing.await?.good()?["comparedAt"].is_string())
        })
        .await?;
    story.revoke(&links.revoked_unplayed).await?;
    let reason = json!({"reason": "what the log says was taken back since is taken back"});
    let path = "/api/ops/restores/release";
    let released = story.ask("dana", Method::POST, path, Some(reason)).await?;
    ensure!(released.good()?["held"] == false, "still held");
    story
        .refused(&links.revoked_unplayed, "share-revoked")
        .await?;
    story.play(&links.valid).await
}

/// Tells the portal what the drill came to, and finds that in the audit log.
async fn recorded(console: &Console, story: &Story, body: serde_json::Value) -> anyhow::Result<()> {
    let path = "/api/ops/restore-drills";
    let told = story.ask("dana", Method::POST, path, Some(body)).await?;
    told.good()?;
    let path = "/api/audit?type=backup.restore-tested";
    let log = story.ask("dana", Method::GET, path, None).await?.good()?;
    let entries = log["entries"].as_array().map_or(0, Vec::len);
    ensure!(
        entries == 1,
        "the audit log has {entries} entries of the drill"
    );
    console.step("recorded", "backup.restore-tested, in the audit log");
    Ok(())
}
