//! The main job, once, through the public HTTP API: upload, wait, share, play, take back, be refused.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{Method, Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
    sync::broadcast::Receiver,
};

use crate::{
    client::{Client, text},
    console::Console,
    stack::{Place, Stack},
};

/// What is sent at once, in bytes: a multiple of 256 KiB, as the upload address wants it.
const CHUNK: u64 = 8 * 1024 * 1024;

/// How often a chunk is tried.
const TRIES: u32 = 5;

/// How long the video may take to become ready.
const PROCESSING: Duration = Duration::from_mins(10);

/// How many segments are fetched to believe that it plays.
const SEGMENTS: usize = 3;

#[derive(Args)]
pub struct Demo {
    /// The video. Without one: a small clip that is part of the repository.
    file: Option<PathBuf>,
    /// Use the stack that runs at this address instead of starting one.
    #[arg(long)]
    url: Option<String>,
}

/// Does it. Fails when the video fails, or when anything is not as it should be.
pub async fn run(console: &Console, demo: &Demo) -> anyhow::Result<()> {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("clip.mp4");
    let file = demo.file.as_deref().unwrap_or(&clip);
    let size = tokio::fs::metadata(file)
        .await
        .with_context(|| format!("cannot read {}", file.display()))?
        .len();
    if let Some(url) = &demo.url {
        let url = url.trim_end_matches('/').to_owned();
        return Job::new(console, url, None)?.run(file, size).await;
    }
    let folder = tempfile::tempdir()?;
    let place = Place {
        folder: folder.path().to_owned(),
        port: 0,
        dynamodb_port: 0,
        sqs_port: 0,
        functions: None,
    };
    let stack = Stack::start(&place).await?;
    console.step("started", &stack.url);
    let done = Job::new(console, stack.url.clone(), Some(stack.mux.watch()))?
        .run(file, size)
        .await;
    stack.stop().await;
    done
}

struct Job<'a> {
    console: &'a Console,
    client: Client,
    webhooks: Option<Receiver<muxsim::Delivered>>,
}

impl<'a> Job<'a> {
    fn new(
        console: &'a Console,
        url: String,
        webhooks: Option<Receiver<muxsim::Delivered>>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            console,
            client: Client::new(url)?,
            webhooks,
        })
    }

    async fn run(mut self, file: &Path, size: u64) -> anyhow::Result<()> {
        let upload = self.create(file, size).await?;
        let id = text(&upload, "id")?;
        self.send(text(&upload, "uploadUrl")?, file, size).await?;
        self.wait(id).await?;
        let share = self.share(id).await?;
        let opened = self.open(text(&share, "token")?).await?;
        self.play(text(&opened, "playbackUrl")?).await?;
        self.take_back(text(&share, "id")?, text(&share, "token")?)
            .await
    }

    async fn create(&self, file: &Path, size: u64) -> anyhow::Result<Value> {
        let name = file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let order = json!({"title": name, "contentType": content_type(file), "size": size});
        let upload = self.api(Method::POST, "/api/uploads", Some(order)).await?;
        self.console.step(
            "created",
            &format!("{} for {}", text(&upload, "id")?, file.display()),
        );
        Ok(upload)
    }

    /// Sends the file in chunks, and goes back to what has arrived when one breaks off.
    async fn send(&self, url: &str, file: &Path, size: u64) -> anyhow::Result<()> {
        let style = "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        let bar = ProgressBar::new(size).with_style(ProgressStyle::with_template(style)?);
        let (mut at, mut tries) = (0, 0);
        while at < size {
            let end = size.min(at + CHUNK);
            match self.send_chunk(url, file, at, end, size).await {
                Ok(arrived) => (at, tries) = (arrived.unwrap_or(end), 0),
                Err(error) if tries + 1 == TRIES => {
                    return Err(error.context("the upload broke off"));
                }
                Err(_) => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            bar.set_position(at);
        }
        bar.finish_and_clear();
        self.console.step("sent", &format!("{size} bytes"));
        Ok(())
    }

    /// How much has arrived, if the answer says so.
    async fn send_chunk(
        &self,
        url: &str,
        file: &Path,
        at: u64,
        end: u64,
        size: u64,
    ) -> anyhow::Result<Option<u64>> {
        let mut reader = File::open(file).await?;
        reader.seek(std::io::SeekFrom::Start(at)).await?;
        let mut chunk = Vec::new();
        reader.take(end - at).read_to_end(&mut chunk).await?;
        let range = format!("bytes {at}-{}/{size}", end - 1);
        let request = self
            .client
            .http
            .put(url)
            .header(header::CONTENT_RANGE, range);
        let answer = request
            .body(chunk)
            .send()
            .await
            .map_err(reqwest::Error::without_url)?;
        match answer.status() {
            StatusCode::PERMANENT_REDIRECT => Ok(arrived(&answer)),
            status if status.is_success() => Ok(Some(size)),
            status => bail!("the upload address answered {status}"),
        }
    }

    /// Follows the status, and tells of every webhook meanwhile.
    async fn wait(&mut self, id: &str) -> anyhow::Result<()> {
        let path = format!("/api/uploads/{id}");
        let waiting = async {
            loop {
                let upload = self.api(Method::GET, &path, None).await?;
                let Some(pause) = upload["poll"]["afterSeconds"].as_u64() else {
                    return anyhow::Ok(upload);
                };
                match self.webhooks.as_mut() {
                    // A webhook is as good a reason to look again as the end of the pause.
                    Some(webhooks) => {
                        if let Ok(Ok(it)) =
                            tokio::time::timeout(Duration::from_secs(pause), webhooks.recv()).await
                        {
                            tell(self.console, &it);
                        }
                    }
                    None => tokio::time::sleep(Duration::from_secs(pause)).await,
                }
            }
        };
        let upload = tokio::time::timeout(PROCESSING, waiting)
            .await
            .context("the video is still not ready")??;
        if let Some(webhooks) = self.webhooks.as_mut() {
            while let Ok(it) = webhooks.try_recv() {
                tell(self.console, &it);
            }
        }
        match text(&upload, "status")? {
            "READY" => {
                self.console.step("ready", "");
                Ok(())
            }
            status => bail!(
                "the video ended as {status}: {} {}",
                upload["error"]["type"].as_str().unwrap_or_default(),
                upload["error"]["message"].as_str().unwrap_or_default(),
            ),
        }
    }

    async fn share(&self, id: &str) -> anyhow::Result<Value> {
        let order = json!({"label": "demonstration"});
        let path = format!("/api/assets/{id}/shares");
        let share = self.api(Method::POST, &path, Some(order)).await?;
        self.console.step("link", text(&share, "url")?);
        Ok(share)
    }

    async fn open(&self, token: &str) -> anyhow::Result<Value> {
        let opened = self.client.get(&format!("/api/share/{token}")).await?;
        let opened = opened.good()?;
        self.console.step(
            "opened",
            &format!("token until {}", text(&opened, "expiresAt")?),
        );
        Ok(opened)
    }

    /// What a player does: the playlist, the best rendition, its first segments.
    async fn play(&self, url: &str) -> anyhow::Result<()> {
        let master = self.fetch(url).await?;
        let (_, master) =
            m3u8_rs::parse_master_playlist(&master).map_err(|_| anyhow::anyhow!("no playlist"))?;
        let best = master
            .variants
            .iter()
            .max_by_key(|it| it.bandwidth)
            .context("no renditions")?;
        self.console
            .step("playlist", &counted(master.variants.len(), "rendition"));
        let media = self.fetch(&best.uri).await?;
        let (_, media) =
            m3u8_rs::parse_media_playlist(&media).map_err(|_| anyhow::anyhow!("no rendition"))?;
        let seconds: f32 = media.segments.iter().map(|it| it.duration).sum();
        let map = media
            .segments
            .first()
            .and_then(|it| it.map.as_ref())
            .map(|it| &it.uri);
        let mut bytes = 0;
        for uri in map
            .into_iter()
            .chain(media.segments.iter().take(SEGMENTS).map(|it| &it.uri))
        {
            bytes += self.fetch(uri).await?.len();
        }
        let fetched = media.segments.len().min(SEGMENTS);
        self.console.step(
            "played",
            &format!(
                "{fetched} of {} segments, {bytes} bytes, of {seconds:.1} s",
                media.segments.len()
            ),
        );
        Ok(())
    }

    async fn fetch(&self, url: &str) -> anyhow::Result<Vec<u8>> {
        let answer = self
            .client
            .http
            .get(url)
            .send()
            .await
            .map_err(reqwest::Error::without_url)?;
        let answer = answer
            .error_for_status()
            .map_err(reqwest::Error::without_url)?;
        Ok(answer.bytes().await?.to_vec())
    }

    async fn take_back(&self, id: &str, token: &str) -> anyhow::Result<()> {
        self.api(Method::DELETE, &format!("/api/shares/{id}"), None)
            .await?;
        self.console.step("revoked", id);
        let refused = self.client.get(&format!("/api/share/{token}")).await?;
        let (status, problem) = (refused.status, refused.problem());
        if status != StatusCode::FORBIDDEN || problem != "share-revoked" {
            bail!("the link should be refused, but: {status} {problem}");
        }
        self.console
            .step("refused:", &format!("{} {problem}", status.as_u16()));
        Ok(())
    }

    /// A call as Ada.
    async fn api(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let answer = self.client.ask("ada", method.clone(), path, body).await?;
        answer.good().with_context(|| format!("{method} {path}"))
    }
}

fn tell(console: &Console, it: &muxsim::Delivered) {
    let status = it
        .status
        .map_or_else(|| "no answer".to_owned(), |it| it.to_string());
    let took = it.took.as_millis();
    console.step("webhook", &format!("{} → {status} in {took} ms", it.kind));
}

/// `Range: bytes=0-N` of a 308.
fn arrived(answer: &Response) -> Option<u64> {
    let range = answer.headers().get(header::RANGE)?.to_str().ok()?;
    let last: u64 = range.strip_prefix("bytes=0-")?.parse().ok()?;
    Some(last + 1)
}

/// What a browser would say of the file; of what it does not know, nothing.
fn content_type(file: &Path) -> &'static str {
    let extension = file.extension().unwrap_or_default().to_ascii_lowercase();
    match extension.to_str() {
        Some("mp4" | "m4v") => "video/mp4",
        Some("mov") => "video/quicktime",
        Some("webm") => "video/webm",
        Some("mkv") => "video/x-matroska",
        _ => "application/octet-stream",
    }
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
