//! `muxsim` itself: it serves until it is interrupted.

use std::{
    collections::BTreeSet,
    fs::{File, TryLockError},
    io::{IsTerminal, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::Args;
use muxsim::{Endpoint, Fault, Options, RateLimit, SigningKey, Sim, find_ffmpeg};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};
use url::Url;

/// How the stand-in serves.
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(super) struct Serve {
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1:4010")]
    listen: SocketAddr,
    /// Where it is reached, if that is another address
    #[arg(long, value_name = "URL", value_parser = web_address)]
    public_url: Option<String>,
    /// Where state and files are kept
    #[arg(long, default_value = ".muxsim")]
    folder: PathBuf,
    #[command(flatten)]
    token: super::client::Token,
    /// Where webhooks go; repeat it for several endpoints
    #[arg(long, value_name = "URL", value_parser = web_address)]
    webhook: Vec<String>,
    /// Signs webhooks
    #[arg(
        long,
        env = "MUX_WEBHOOK_SECRET",
        default_value = "muxsim-webhook-secret",
        hide_env_values = true
    )]
    webhook_secret: String,
    /// How many calls of the API may come at once; after that, one POST and five others a second
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    burst: u32,
    /// Let the API be called as often as one likes
    #[arg(long)]
    no_rate_limit: bool,
    /// End at ten assets, as the free plan does
    #[arg(long)]
    free_plan: bool,
    /// Let browsers read the `Range` of an unfinished upload
    #[arg(long)]
    expose_range: bool,
    /// Pass over parameters beside a token, which are refused otherwise
    #[arg(long)]
    stray_parameters: bool,
    /// How long the addresses of renditions and segments are good
    #[arg(long, default_value = "2h")]
    segment_life: humantime::Duration,
    /// How long after it was delivered, delivery is reported
    #[arg(long, default_value = "12h")]
    usage_lag: humantime::Duration,
    /// How many files are processed at once
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    workers: u16,
    /// The ffmpeg to use, if not the one on the PATH; ffprobe must be beside it
    #[arg(long, value_name = "FILE", conflicts_with = "no_ffmpeg")]
    ffmpeg: Option<PathBuf>,
    /// Do without ffmpeg even if it is there
    #[arg(long)]
    no_ffmpeg: bool,
    /// Let something go wrong, such as duplicate=0.2; repeat it for several. They are named below
    #[arg(long, value_name = "NAME=RATE", value_parser = super::faults::rate)]
    fault: Vec<(Fault, f64)>,
    #[command(flatten)]
    faults: super::faults::Numbers,
}

fn web_address(text: &str) -> Result<String, &'static str> {
    let url = Url::parse(text).ok().filter(Url::has_host);
    let good = url.is_some_and(|it| matches!(it.scheme(), "http" | "https"));
    let wrong = "it is no http or https address, such as http://127.0.0.1:3000/webhooks";
    good.then(|| text.to_owned()).ok_or(wrong)
}

pub(super) async fn run(arguments: Serve) -> anyhow::Result<()> {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let listener = tokio::net::TcpListener::bind(arguments.listen)
        .await
        .with_context(|| {
            let address = arguments.listen;
            format!("cannot listen on {address}; choose another address with --listen")
        })?;
    let address = format!("http://{}", listener.local_addr()?);
    let mut options = options(arguments, address)?;
    // Held until all work has ended.
    let _lock = lock(&options.folder)?;
    let key = signing_key(&options.folder)?;
    options.signing_keys.push(key.clone());
    let sim = Sim::open(options.clone())?;
    let stop = CancellationToken::new();
    let work = tokio::spawn({
        let (sim, stop) = (sim.clone(), stop.clone());
        async move { sim.run(stop).await }
    });
    let router = sim.router();
    // Somebody who reads no further wants it to serve all the same.
    let _ = say(&options, &key);
    tokio::select! {
        served = axum::serve(listener, router) => served?,
        // Streams of events would keep it open for ever.
        () = interrupted() => {}
    }
    stop.cancel();
    work.await?;
    Ok(())
}

/// Ctrl-C, or what a supervisor sends.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Without a signal to wait for, the program ends with its terminal.
    let _ = tokio::signal::ctrl_c().await;
}

/// Two stand-ins on one folder would process everything twice.
fn lock(folder: &Path) -> anyhow::Result<File> {
    let shown = folder.display();
    std::fs::create_dir_all(folder).with_context(|| format!("cannot use the folder {shown}"))?;
    let file = File::create(folder.join("lock"))
        .with_context(|| format!("cannot write to the folder {shown}"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another muxsim uses the folder {shown}; choose another with --folder")
        }
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn options(arguments: Serve, address: String) -> anyhow::Result<Options> {
    let public_url = arguments.public_url.unwrap_or(address);
    let mut options = Options::new(arguments.folder, public_url.trim_end_matches('/'));
    options.token_id = arguments.token.token_id;
    options.token_secret = arguments.token.token_secret;
    let secret = arguments.webhook_secret;
    let addresses: BTreeSet<String> = arguments.webhook.into_iter().collect();
    let endpoints = addresses.into_iter().map(|address| Endpoint {
        address,
        secret: secret.clone(),
    });
    options.endpoints = endpoints.collect();
    options.rate_limit = (!arguments.no_rate_limit).then(|| RateLimit {
        burst: arguments.burst.into(),
        ..RateLimit::default()
    });
    options.free_plan = arguments.free_plan;
    options.expose_range = arguments.expose_range;
    options.stray_parameters = arguments.stray_parameters;
    options.segment_life = time::Duration::try_from(*arguments.segment_life)?;
    options.usage_lag = time::Duration::try_from(*arguments.usage_lag)?;
    options.workers = arguments.workers.into();
    options.faults = arguments.faults.of(arguments.fault);
    options.faults.check()?;
    options.ffmpeg = match arguments.ffmpeg {
        Some(ffmpeg) => Some(named(&ffmpeg)?),
        None if arguments.no_ffmpeg => None,
        None => find_ffmpeg(std::env::var_os("PATH").as_deref()),
    };
    Ok(options)
}

/// The ffmpeg of this name, with its ffprobe.
fn named(ffmpeg: &Path) -> anyhow::Result<PathBuf> {
    let folder = std::path::absolute(ffmpeg)?;
    let folder = folder.parent().map(Path::as_os_str);
    find_ffmpeg(folder)
        .filter(|found| found.file_name() == ffmpeg.file_name())
        .with_context(|| {
            let shown = ffmpeg.display();
            format!("{shown} is no ffmpeg with an ffprobe beside it; leave --ffmpeg out to take the one on the PATH")
        })
}

fn say(options: &Options, key: &SigningKey) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "muxsim serves Mux at {}", options.public_url)?;
    writeln!(out)?;
    writeln!(out, "export MUX_BASE_URL={}", options.public_url)?;
    writeln!(out, "export MUXSIM_URL={}", options.public_url)?;
    writeln!(out, "export MUX_TOKEN_ID={}", options.token_id)?;
    writeln!(out, "export MUX_TOKEN_SECRET={}", options.token_secret)?;
    writeln!(out, "export MUX_SIGNING_KEY={}", key.id)?;
    writeln!(out, "export MUX_PRIVATE_KEY={}", key.private_key)?;
    if let Some(endpoint) = options.endpoints.first() {
        writeln!(out, "export MUX_WEBHOOK_SECRET={}", endpoint.secret)?;
    }
    writeln!(out)?;
    if options.ffmpeg.is_none() {
        writeln!(
            out,
            "There is no ffmpeg: only MP4 files with H.264 and AAC are taken, and there are no pictures."
        )?;
    }
    out.flush()?;
    Ok(())
}

/// The key of this folder: the same one after a restart.
fn signing_key(folder: &Path) -> anyhow::Result<SigningKey> {
    let path = folder.join("signing-key.json");
    if let Ok(text) = std::fs::read(&path) {
        return serde_json::from_slice(&text)
            .with_context(|| format!("{} is not a key", path.display()));
    }
    let key = SigningKey::generate("muxsim")?;
    std::fs::write(&path, serde_json::to_vec(&key)?)?;
    Ok(key)
}
