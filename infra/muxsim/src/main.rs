//! `muxsim`: the stand-in as a program of its own.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Parser;
use muxsim::{Endpoint, Options, RateLimit, SigningKey, Sim, media};
use tokio_util::sync::CancellationToken;

/// A stand-in for Mux Video: direct uploads, processing, signed webhooks and signed HLS, offline.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1:4010")]
    listen: SocketAddr,
    /// Where state and files are kept.
    #[arg(long, default_value = ".muxsim")]
    folder: PathBuf,
    /// Where webhooks go; repeat it for several endpoints.
    #[arg(long)]
    webhook: Vec<String>,
    /// The secret that signs webhooks.
    #[arg(long, default_value = "muxsim-webhook-secret")]
    webhook_secret: String,
    /// How many calls of the API may come at once; after that, one POST and five others a second.
    #[arg(long, default_value_t = 10.0)]
    burst: f64,
    /// Let the API be called as often as one likes.
    #[arg(long)]
    no_rate_limit: bool,
    /// Do without ffmpeg even if it is there.
    #[arg(long)]
    no_ffmpeg: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt().with_env_filter("info").init();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(arguments.listen)
        .await
        .with_context(|| {
            format!(
                "cannot listen on {}: choose another with --listen",
                arguments.listen
            )
        })?;
    let key = signing_key(&arguments.folder)?;
    let mut options = Options::new(
        arguments.folder,
        format!("http://{}", listener.local_addr()?),
    );
    let secret = arguments.webhook_secret;
    options.endpoints = arguments
        .webhook
        .into_iter()
        .map(|address| Endpoint {
            address,
            secret: secret.clone(),
        })
        .collect();
    options.rate_limit = (!arguments.no_rate_limit).then(|| RateLimit {
        burst: arguments.burst,
        ..RateLimit::default()
    });
    if !arguments.no_ffmpeg {
        options.ffmpeg = media::find_ffmpeg(std::env::var_os("PATH").as_deref());
    }
    tracing::info!(
        "MUX_API_URL={0} MUX_STREAM_URL={0}/stream",
        options.public_url
    );
    tracing::info!(
        "MUX_TOKEN_ID={} MUX_TOKEN_SECRET={}",
        options.token_id,
        options.token_secret
    );
    tracing::info!(
        "MUX_SIGNING_KEY_ID={} MUX_SIGNING_PRIVATE_KEY={}",
        key.id,
        key.private_key
    );
    options.signing_keys.push(key);
    let sim = Sim::open(options)?;
    let stop = CancellationToken::new();
    let work = tokio::spawn({
        let (sim, stop) = (sim.clone(), stop.clone());
        async move { sim.run(stop).await }
    });
    let interrupted = stop.clone();
    axum::serve(listener, sim.router())
        .with_graceful_shutdown(async move {
            // Without a signal to wait for, the program ends with its terminal.
            let _ = tokio::signal::ctrl_c().await;
            interrupted.cancel();
        })
        .await?;
    work.await?;
    Ok(())
}

/// The key of this folder: the same one after a restart.
fn signing_key(folder: &std::path::Path) -> anyhow::Result<SigningKey> {
    let path = folder.join("signing-key.json");
    if let Ok(text) = std::fs::read(&path) {
        return serde_json::from_slice(&text)
            .with_context(|| format!("{} is not a key", path.display()));
    }
    std::fs::create_dir_all(folder)?;
    let key = SigningKey::generate("muxsim")?;
    std::fs::write(&path, serde_json::to_vec(&key)?)?;
    Ok(key)
}
