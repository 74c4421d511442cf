//! Where a drill is held: a stack with gates before the table and Mux, somebody who uses it, and its
//! time.

use std::{path::Path, sync::Arc, time::Duration as StdDuration};

use anyhow::{Context, bail, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::clock::Clock;
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};
use tokio::sync::{Mutex, broadcast::Receiver};

use super::{
    clock::SkippingClock,
    gate::{Gate, Trouble},
};
use crate::{
    client::{Answer, Client, text},
    console::Console,
    stack::{Ground, Place, Stack},
};

/// How long somebody waits before they look again: longer than a look at health counts.
const LOOK: Duration = Duration::milliseconds(2_500);

/// How much time is skipped at once, and how long everybody then has to do what is due.
const SKIP: Duration = Duration::seconds(5);
const DUE: StdDuration = StdDuration::from_millis(20);

/// What may fail as often as it has to: drills begin more uploads than a person would.
const LIMITS: &str = "uploads-per-user=shadow,mux-posts=shadow";

/// How fast somebody is refused while a breaker is open, and how fast health answers.
pub(super) const REFUSAL: StdDuration = StdDuration::from_millis(50);
const HEALTH: StdDuration = StdDuration::from_millis(5);

/// A stack to disturb.
pub(super) struct Scene<'a> {
    console: &'a Console,
    client: Client,
    stack: Stack,
    clock: Arc<SkippingClock>,
    pub table: Gate,
    pub mux: Gate,
    /// What became of webhooks.
    delivered: Mutex<Receiver<muxsim::Delivered>>,
    began: OffsetDateTime,
    /// Whether waiting is done by waiting.
    waits: bool,
    _folder: TempDir,
}

impl<'a> Scene<'a> {
    /// Starts everything, and sees that it is well.
    pub(super) async fn set(console: &'a Console, waits: bool) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let place = Place {
            folder: folder.path().to_owned(),
            port: 0,
            dynamodb_port: 0,
            sqs_port: 0,
            functions: None,
        };
        let clock = Arc::new(SkippingClock::default());
        let (table, mux) = (Gate::new().await?, Gate::new().await?);
        let ground = Ground {
            clock: clock.clone(),
            gates: Some((table.clone(), mux.clone())),
            variables: vec![("LIMITS", LIMITS.to_owned())],
        };
        let stack = Stack::start_on(&place, ground).await?;
        let scene = Self {
            console,
            client: Client::new(stack.url.clone())?,
            delivered: Mutex::new(stack.mux.watch()),
            began: clock.now(),
            stack,
            clock,
            table,
            mux,
            waits,
            _folder: folder,
        };
        scene.until_health("healthy", Duration::MINUTE).await?;
        Ok(scene)
    }

    pub(super) async fn end(self) {
        self.stack.stop().await;
    }

    /// Says what happened, with the time since the drill began.
    pub(super) fn say(&self, name: &str, text: &str) {
        let time = (self.clock.now() - self.began).unsigned_abs();
        self.console.step_at(time, name, text);
    }

    /// Begins it, or ends it.
    pub(super) fn trouble(&self, gate: &Gate, trouble: Trouble) {
        gate.set(trouble);
        let over = trouble == Trouble::Nothing;
        self.say(if over { "over" } else { "begins" }, "");
    }

    /// Faults of Mux itself.
    pub(super) fn faults(&self, faults: muxsim::Faults) {
        self.stack.mux.set_faults(faults);
    }

    /// Lets time pass.
    pub(super) async fn wait(&self, by: Duration) -> anyhow::Result<()> {
        if self.waits {
            self.clock.pause(by).await;
            return Ok(());
        }
        let until = self.clock.now() + by;
        loop {
            let left = until - self.clock.now();
            if !left.is_positive() {
                return Ok(());
            }
            self.clock.skip(left.min(SKIP));
            self.stack.mux.deliver().await?;
            tokio::time::sleep(DUE).await;
        }
    }

    /// Waits until it is so, but not longer than this.
    pub(super) async fn until(
        &self,
        what: &str,
        most: Duration,
        is_so: impl AsyncFn() -> anyhow::Result<bool>,
    ) -> anyhow::Result<Duration> {
        let began = self.clock.now();
        while !is_so().await? {
            let waited = self.clock.now() - began;
            ensure!(waited < most, "not {what} after {waited:.0}");
            self.wait(LOOK).await?;
        }
        Ok(self.clock.now() - began)
    }

    /// Whether health says so at the next look.
    pub(super) async fn is_degraded(&self) -> anyhow::Result<bool> {
        self.wait(LOOK).await?;
        Ok(self.health().await?.body["status"] == "degraded")
    }

    /// Waits until health says so.
    pub(super) async fn until_health(&self, wanted: &str, most: Duration) -> anyhow::Result<()> {
        let is_so = async || Ok(self.health().await?.body["status"] == *wanted);
        self.until(wanted, most, is_so).await?;
        let health = self.health().await?;
        let right = (wanted == "unhealthy") == (health.status == StatusCode::SERVICE_UNAVAILABLE);
        ensure!(right, "{wanted}, and yet {}", health.status);
        let status = health.status.as_u16();
        self.say(wanted, &format!("health answers {status}"));
        Ok(())
    }

    async fn health(&self) -> anyhow::Result<Answer> {
        self.client.get("/api/health/mux-system").await
    }

    /// What operators are told stands, by name.
    pub(super) async fn alerts(&self) -> anyhow::Result<Vec<String>> {
        let path = "/api/ops/alerts";
        let body = self.client.ask("dana", Method::GET, path, None).await?;
        let alerts = body.good()?["alerts"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let names = alerts.iter().map(|it| Ok(text(it, "alert")?.to_owned()));
        names.collect()
    }

    /// How fast health answers: with a new look at everything, and with the last one.
    pub(super) async fn time_health(&self) -> anyhow::Result<()> {
        let (mut new, mut repeated) = (Vec::new(), Vec::new());
        for _ in 0..20 {
            self.wait(LOOK).await?;
            new.push(self.health().await?.took);
            repeated.push(self.health().await?.took);
        }
        let median = |mut took: Vec<StdDuration>| {
            took.sort();
            took[took.len() / 2]
        };
        let (new, repeated) = (median(new), median(repeated));
        let text = format!("{new:.1?} for a new look, {repeated:.1?} within two seconds of one");
        self.say(
            "health",
            &format!("{text} (medians of 20; goal {HEALTH:?})"),
        );
        Ok(())
    }

    /// Somebody wishes to upload.
    pub(super) async fn wish(&self, title: &str) -> anyhow::Result<Answer> {
        let order = json!({"title": title, "contentType": "video/mp4", "size": 1});
        let path = "/api/uploads";
        self.client
            .ask("ada", Method::POST, path, Some(order))
            .await
    }

    /// The same, and is not refused.
    pub(super) async fn begin(&self, title: &str) -> anyhow::Result<Value> {
        self.wish(title).await?.good()
    }

    /// Sends a file to Mux.
    pub(super) async fn send(&self, upload: &Value) -> anyhow::Result<()> {
        let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("clip.mp4");
        let put = self.client.http.put(text(upload, "uploadUrl")?);
        let sent = put.body(tokio::fs::read(clip).await?).send().await;
        sent.and_then(reqwest::Response::error_for_status)
            .map_err(reqwest::Error::without_url)?;
        Ok(())
    }

    /// Waits until a video can be played, by itself.
    pub(super) async fn until_ready(&self, upload: &Value, most: Duration) -> anyhow::Result<()> {
        let path = format!("/api/uploads/{}", text(upload, "id")?);
        let is_so = async || {
            let upload = self.client.ask("ada", Method::GET, &path, None).await?;
            // While the table is away there is no answer either.
            Ok(upload.body["status"] == "READY")
        };
        self.until("ready", most, is_so).await?;
        self.say("ready", "the video that was under way");
        Ok(())
    }

    /// A link to a video that can be played; it was opened before.
    pub(super) async fn link(&self) -> anyhow::Result<String> {
        let upload = self.begin("Played before").await?;
        self.send(&upload).await?;
        let path = format!("/api/uploads/{}", text(&upload, "id")?);
        let is_so = async || {
            let upload = self.client.ask("ada", Method::GET, &path, None).await?;
            Ok(upload.body["status"] == "READY")
        };
        self.until("ready", Duration::MINUTE, is_so).await?;
        let path = format!("/api/assets/{}/shares", text(&upload, "id")?);
        let link = self
            .client
            .ask("ada", Method::POST, &path, Some(json!({"label": "Drill"})));
        let link = link.await?.good()?;
        let token = text(&link, "token")?.to_owned();
        self.open(&token).await?.good()?;
        Ok(token)
    }

    pub(super) async fn open(&self, token: &str) -> anyhow::Result<Answer> {
        self.client.get(&format!("/api/share/{token}")).await
    }

    /// A refusal that is clear: 503, a problem with a name, and when to come back.
    pub(super) fn refused(&self, what: &str, answer: &Answer) -> anyhow::Result<()> {
        ensure!(
            answer.status == StatusCode::SERVICE_UNAVAILABLE,
            "{what}: {} {}",
            answer.status,
            answer.body
        );
        let wait = answer.retry_after.context("a 503 without Retry-After")?;
        let (problem, took) = (answer.problem(), answer.took);
        let text = format!("{what}: 503 {problem}, Retry-After {wait}, in {took:.1?}");
        self.say("refused", &text);
        Ok(())
    }

    /// Something that went on working.
    pub(super) fn served(&self, what: &str, answer: Answer) -> anyhow::Result<Value> {
        let (status, took) = (answer.status.as_u16(), answer.took);
        let body = answer.good().with_context(|| what.to_owned())?;
        self.say("served", &format!("{what}: {status} in {took:.1?}"));
        Ok(body)
    }

    /// Uploads that are refused at once, because it is known that they would fail.
    pub(super) async fn refused_at_once(&self, times: usize) -> anyhow::Result<()> {
        let (mut slowest, mut waits) = (StdDuration::ZERO, Vec::new());
        for _ in 0..times {
            let answer = self.wish("Refused at once").await?;
            ensure!(
                answer.status == StatusCode::SERVICE_UNAVAILABLE,
                "{}",
                answer.status
            );
            waits.extend(answer.retry_after);
            slowest = slowest.max(answer.took);
        }
        ensure!(waits.len() == times, "a 503 without Retry-After");
        let text = format!(
            "{times} uploads: 503, Retry-After {} to {}, slowest {slowest:.1?} (goal {REFUSAL:?})",
            waits.iter().min().unwrap_or(&0),
            waits.iter().max().unwrap_or(&0),
        );
        self.say("refused", &text);
        Ok(())
    }

    /// Webhooks that came since this was last asked: each must have been taken.
    pub(super) async fn webhooks_taken(&self) -> anyhow::Result<()> {
        let mut delivered = self.delivered.lock().await;
        let mut taken = 0;
        while let Ok(it) = delivered.try_recv() {
            match it.status {
                Some(200..=299) => taken += 1,
                status => bail!("a webhook, {}, was answered {status:?}", it.kind),
            }
        }
        self.say(
            "kept",
            &format!("{taken} webhooks of Mux, all answered 2xx"),
        );
        Ok(())
    }
}
