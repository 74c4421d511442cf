//! Somebody who keeps a stack busy before a backup, and looks afterwards at what came back.

use std::{path::Path, sync::Arc, time::Duration as StdDuration};

use anyhow::{Context, ensure};
use audit_verify::{Heads, KeyRing, Outcome, Verified};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use time::Duration;

use crate::{
    chaos::SkippingClock,
    client::{Answer, Client, text},
};

/// How much time is skipped at once, and how long everybody then has to do what is due.
const SKIP: Duration = Duration::seconds(5);
const DUE: StdDuration = StdDuration::from_millis(20);

/// Everybody who uses the portal.
pub(super) struct Story {
    pub client: Client,
    pub clock: Arc<SkippingClock>,
}

impl Story {
    pub(super) async fn ask(
        &self,
        who: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Answer> {
        self.client.ask(who, method, path, body).await
    }

    /// Lets time pass.
    pub(super) async fn wait(&self, mut left: Duration) {
        while left.is_positive() {
            self.clock.skip(left.min(SKIP));
            left -= SKIP;
            tokio::time::sleep(DUE).await;
        }
    }

    /// Waits until it is so, for a quarter of an hour of the stack's time at the most.
    pub(super) async fn until(
        &self,
        what: &str,
        is_so: impl AsyncFn() -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        for _ in 0..180 {
            if is_so().await? {
                return Ok(());
            }
            self.wait(SKIP).await;
        }
        anyhow::bail!("not {what} after a quarter of an hour")
    }

    /// A video that can be played; its id.
    pub(super) async fn video(&self, title: &str) -> anyhow::Result<String> {
        let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("clip.mp4");
        let clip = tokio::fs::read(clip).await?;
        let order = json!({"title": title, "contentType": "video/mp4", "size": clip.len()});
        let upload = self.ask("ada", Method::POST, "/api/uploads", Some(order));
        let upload = upload.await?.good()?;
        let put = self.client.http.put(text(&upload, "uploadUrl")?);
        let sent = put.body(clip).send().await;
        sent.and_then(reqwest::Response::error_for_status)
            .map_err(reqwest::Error::without_url)?;
        let id = text(&upload, "id")?.to_owned();
        let path = format!("/api/uploads/{id}");
        self.until("ready", async || {
            let upload = self.ask("ada", Method::GET, &path, None).await?;
            Ok(upload.body["status"] == "READY")
        })
        .await?;
        Ok(id)
    }

    /// A link to a video: its id and its token.
    pub(super) async fn link(&self, video: &str, label: &str) -> anyhow::Result<Link> {
        let path = format!("/api/assets/{video}/shares");
        let body = json!({"label": label, "expiresInHours": 240});
        let link = self.ask("ada", Method::POST, &path, Some(body)).await?;
        let link = link.good()?;
        Ok(Link {
            id: text(&link, "id")?.to_owned(),
            token: text(&link, "token")?.to_owned(),
        })
    }

    pub(super) async fn open(&self, link: &Link) -> anyhow::Result<Answer> {
        self.client.get(&format!("/api/share/{}", link.token)).await
    }

    /// What Mux answers to a player that was given this.
    pub(super) async fn plays(&self, opened: &Answer) -> anyhow::Result<bool> {
        ensure!(opened.status.is_success(), "{}", opened.body);
        let asked = self.client.http.get(text(&opened.body, "playbackUrl")?);
        let answer = asked.send().await.map_err(reqwest::Error::without_url)?;
        Ok(answer.status().is_success())
    }

    /// Opens a link, and plays it. Mux makes one playback id a second.
    pub(super) async fn play(&self, link: &Link) -> anyhow::Result<()> {
        self.wait(Duration::seconds(2)).await;
        let opened = self.open(link).await?;
        ensure!(self.plays(&opened).await?, "{} does not play", link.id);
        Ok(())
    }

    pub(super) async fn revoke(&self, link: &Link) -> anyhow::Result<()> {
        let path = format!("/api/shares/{}", link.id);
        let revoked = self.ask("ada", Method::DELETE, &path, None).await?;
        ensure!(revoked.good()?["state"] == "REVOKED", "not revoked");
        Ok(())
    }

    /// Sees that a link is refused in this way.
    pub(super) async fn refused(&self, link: &Link, problem: &str) -> anyhow::Result<()> {
        let answer = self.open(link).await?;
        ensure!(
            answer.problem() == problem,
            "{}: {} {} instead of {problem}",
            link.id,
            answer.status,
            answer.body
        );
        Ok(())
    }

    /// The audit log of Ada's organisation, proved from its export.
    pub(super) async fn proved(&self) -> anyhow::Result<Verified> {
        let key = self.raw("/api/audit/key").await?;
        let keys = KeyRing::parse(&String::from_utf8(key.0)?)?;
        let (mut file, mut after) = (Vec::new(), Some("0".to_owned()));
        while let Some(last) = after {
            let page = self.raw(&format!("/api/audit/export?after={last}")).await?;
            file.extend(page.0);
            after = page.1;
        }
        match audit_verify::verify(file.as_slice(), &keys, &Heads::default(), false)? {
            Outcome::Verified(verified) => Ok(*verified),
            other @ (Outcome::Damaged(_) | Outcome::Unusable | Outcome::Uncompared) => {
                anyhow::bail!("the audit log is not proved: {other:?}")
            }
        }
    }

    /// What is no JSON, and where to go on.
    async fn raw(&self, path: &str) -> anyhow::Result<(Vec<u8>, Option<String>)> {
        let session = self.client.session("ada").await?;
        let request = self.client.http.get(format!("{}{path}", self.client.url));
        let answer = request.bearer_auth(session).send().await?;
        ensure!(
            answer.status() == StatusCode::OK,
            "{path}: {}",
            answer.status()
        );
        let next = answer.headers().get("x-audit-next").cloned();
        let next = next.map(|it| it.to_str().map(str::to_owned)).transpose();
        Ok((
            answer.bytes().await?.to_vec(),
            next.context(path.to_owned())?,
        ))
    }
}

/// A link that somebody was sent.
pub(super) struct Link {
    pub id: String,
    pub token: String,
}
