//! The drills.

use std::time::Duration as StdDuration;

use anyhow::ensure;
use muxsim::{Fault, Faults};
use time::Duration;

use super::{Drill, gate::Trouble, scene::Scene};

/// How long whatever it is has to recover.
const RECOVERY: Duration = Duration::minutes(12);

/// Longer than one try of Mux may take.
const LATE: StdDuration = StdDuration::from_secs(9);

/// Less than one try of the table may take.
const SLOW: StdDuration = StdDuration::from_millis(700);

/// So many failures in a row open a breaker (S1-029).
const OPENS: usize = 5;

/// So often they are tried at the most, all at one moment.
const ROUNDS: usize = 4;

pub(super) async fn hold(drill: Drill, scene: &Scene<'_>) -> anyhow::Result<()> {
    match drill {
        Drill::TableLost => table_lost(scene).await,
        Drill::TableSlow => table_slow(scene).await,
        Drill::TableThrottled => table_throttled(scene).await,
        Drill::MuxBlocked => mux_blocked(scene).await,
        Drill::WebhooksDelayed => webhooks_delayed(scene).await,
        Drill::MuxLate => mux_late(scene).await,
    }?;
    scene.until_health("healthy", RECOVERY).await
}

async fn table_lost(scene: &Scene<'_>) -> anyhow::Result<()> {
    let link = scene.link().await?;
    let under_way = scene.begin("Under way").await?;
    scene.webhooks_taken().await?;
    scene.trouble(&scene.table, Trouble::Lost);
    scene.send(&under_way).await?;
    scene.refused("upload", &scene.wish("Refused").await?)?;
    scene.refused("link", &scene.open(&link).await?)?;
    scene.until_health("unhealthy", Duration::MINUTE).await?;
    scene.wait(Duration::MINUTE).await?;
    scene.webhooks_taken().await?;
    scene.trouble(&scene.table, Trouble::Nothing);
    scene.until_ready(&under_way, RECOVERY).await?;
    scene.served("link", scene.open(&link).await?)?;
    Ok(())
}

async fn table_slow(scene: &Scene<'_>) -> anyhow::Result<()> {
    let link = scene.link().await?;
    scene.trouble(&scene.table, Trouble::Slow(SLOW));
    let upload = scene.served("upload", scene.wish("Slow").await?)?;
    scene.served("link", scene.open(&link).await?)?;
    scene.send(&upload).await?;
    scene.until_health("degraded", Duration::MINUTE).await?;
    scene.webhooks_taken().await?;
    scene.trouble(&scene.table, Trouble::Nothing);
    scene.until_ready(&upload, RECOVERY).await
}

async fn table_throttled(scene: &Scene<'_>) -> anyhow::Result<()> {
    let under_way = scene.begin("Under way").await?;
    scene.trouble(&scene.table, Trouble::Throttled);
    scene.send(&under_way).await?;
    scene.refused("upload", &scene.wish("Refused").await?)?;
    scene.until_health("degraded", Duration::MINUTE).await?;
    scene.wait(Duration::MINUTE).await?;
    scene.webhooks_taken().await?;
    scene.trouble(&scene.table, Trouble::Nothing);
    scene.until_ready(&under_way, RECOVERY).await
}

async fn mux_blocked(scene: &Scene<'_>) -> anyhow::Result<()> {
    let link = scene.link().await?;
    scene.time_health().await?;
    scene.trouble(&scene.mux, Trouble::Lost);
    opens_the_breaker(scene).await?;
    scene.served("link", scene.open(&link).await?)?;
    scene.trouble(&scene.mux, Trouble::Nothing);
    accepted_again(scene).await
}

async fn mux_late(scene: &Scene<'_>) -> anyhow::Result<()> {
    let link = scene.link().await?;
    scene.trouble(&scene.mux, Trouble::Slow(LATE));
    opens_the_breaker(scene).await?;
    scene.served("link", scene.open(&link).await?)?;
    scene.trouble(&scene.mux, Trouble::Nothing);
    accepted_again(scene).await
}

async fn webhooks_delayed(scene: &Scene<'_>) -> anyhow::Result<()> {
    let mut faults = Faults::seeded(1).with(Fault::Delay, 1.0);
    faults.delay_seconds = 15 * 60;
    scene.faults(faults);
    scene.say("begins", "");
    let mut uploads = Vec::new();
    for title in ["One", "Two", "Three"] {
        let upload = scene.begin(title).await?;
        scene.send(&upload).await?;
        uploads.push(upload);
        scene.wait(Duration::SECOND).await?; // Mux takes one upload a second
    }
    for upload in &uploads {
        scene.until_ready(upload, RECOVERY).await?;
    }
    scene.until_health("degraded", Duration::MINUTE).await?;
    let alerts = scene.alerts().await?;
    let missing = alerts.iter().any(|it| it == "webhooks-missing");
    ensure!(missing, "{alerts:?}");
    scene.say("alert", &alerts.join(", "));
    scene.faults(Faults::default());
    scene.say("over", "");
    scene.wait(Duration::minutes(15)).await?;
    scene.webhooks_taken().await
}

/// Calls that fail until nobody calls any more.
async fn opens_the_breaker(scene: &Scene<'_>) -> anyhow::Result<()> {
    // Failures at one moment race for one row, and one that loses may not be counted: it opens later.
    for _ in 0..ROUNDS {
        let wishes = (0..OPENS).map(|_| scene.wish("In vain"));
        for answer in futures::future::try_join_all(wishes).await? {
            scene.refused("upload", &answer)?;
        }
        if scene.is_degraded().await? {
            break;
        }
    }
    scene.until_health("degraded", Duration::MINUTE).await?;
    scene.refused_at_once(20).await
}

/// Somebody goes on asking, and nobody does anything else.
async fn accepted_again(scene: &Scene<'_>) -> anyhow::Result<()> {
    let accepted = async || Ok(scene.wish("Again").await?.status.is_success());
    scene.until("accepted again", RECOVERY, accepted).await?;
    scene.say("served", "an upload");
    for _ in 0..2 {
        scene.begin("Again").await?;
        scene.wait(Duration::SECOND).await?;
    }
    Ok(())
}
