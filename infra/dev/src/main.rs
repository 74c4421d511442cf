//! `cargo run -p dev`: the local stack, its demonstration, its stand-ins alone.

use std::{
    fs::OpenOptions,
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Mutex,
};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use dev::{
    chaos::{self, Chaos},
    console::Console,
    demo::{self, Demo},
    permissions::command::{self as permissions, Permissions},
    replay::{self, Replay},
    restore::{self, CompareTables, RestoreDrill},
    rotate::{self, Rotate},
    settings,
    simulation::{self, Simulate},
    smoke::{self, Smoke},
    stack::{Place, Stack},
};
use shared::audit;
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, filter::filter_fn, layer::SubscriberExt, registry::LookupSpan,
    util::SubscriberInitExt,
};

/// Motion Mavericks Portal on this machine: no account, no docker, no network.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    place: PlaceArguments,
}

#[derive(Subcommand)]
enum Command {
    /// Start everything on one port (what happens without a command).
    Up,
    /// Do the main job once, through the public API: upload, share, play, take back.
    Demo(Demo),
    Replay(Replay),
    Chaos(Chaos),
    Rotate(Rotate),
    RestoreDrill(RestoreDrill),
    CompareTables(CompareTables),
    /// Live through thousands of seeded histories of faults and crashes, and check how each ends.
    Simulate(Simulate),
    Permissions(Permissions),
    /// Start the stand-ins alone, for functions that run elsewhere (`cargo lambda watch`).
    Services {
        /// Where `cargo lambda watch` answers; pages and webhooks are led there.
        #[arg(long, default_value = "http://127.0.0.1:9000")]
        functions: String,
        /// Write the variables into this file, for `cargo lambda watch --env-file`, instead of showing them.
        #[arg(long)]
        env_file: Option<PathBuf>,
    },
    Smoke(Smoke),
}

#[derive(Args, Clone)]
struct PlaceArguments {
    /// The port of the pages, the API and the stand-ins.
    #[arg(long, default_value_t = 4000, global = true)]
    port: u16,
    /// The port of the table; 0 takes any.
    #[arg(long, default_value_t = 0, global = true)]
    dynamodb_port: u16,
    /// The port of the queue; 0 takes any.
    #[arg(long, default_value_t = 0, global = true)]
    sqs_port: u16,
    /// Where state is kept: `.dev` of this workspace, if not said. Delete it to start afresh.
    #[arg(long, global = true)]
    folder: Option<PathBuf>,
}

/// `.dev` of this workspace, wherever the command is given.
fn default_folder() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    workspace.unwrap_or(Path::new(".")).join(".dev")
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let console = Console::default();
    let place = arguments.place;
    let outcome = match arguments.command.unwrap_or(Command::Up) {
        Command::Up => {
            let place = place.place(None);
            log_with_heads("info,dynoxide=warn,metric=warn", &place.folder);
            up(&console, place).await
        }
        Command::Services {
            functions,
            env_file,
        } => {
            log("info,dynoxide=warn,metric=warn");
            let place = place.place(Some(functions));
            services(&console, place, env_file.as_deref()).await
        }
        Command::Smoke(smoke) => {
            log("off");
            tokio::select! {
                outcome = smoke::run(&console, &smoke) => outcome,
                _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
            }
        }
        Command::Replay(replay) => {
            log("error");
            replay::run(&console, &replay).await
        }
        Command::Rotate(rotate) => {
            log("error");
            rotate::run(&console, &rotate).await
        }
        Command::Chaos(chaos) => {
            log("off");
            tokio::select! {
                outcome = chaos::run(&console, &chaos) => outcome,
                _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
            }
        }
        Command::RestoreDrill(drill) => {
            log("off");
            tokio::select! {
                outcome = restore::run(&console, &drill) => outcome,
                _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
            }
        }
        Command::CompareTables(tables) => {
            log("error");
            restore::compare(&console, &tables).await
        }
        Command::Simulate(simulate) => {
            log("off");
            simulation::run(&console, simulate).await
        }
        Command::Permissions(wanted) => permissions::run(&console, &wanted),
        Command::Demo(demo) => {
            log("error");
            tokio::select! {
                outcome = demo::run(&console, &demo) => outcome,
                _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
            }
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console.line(&format!("{} {error:#}", console.bold("error:")));
            ExitCode::FAILURE
        }
    }
}

impl PlaceArguments {
    fn place(self, functions: Option<String>) -> Place {
        Place {
            folder: self.folder.unwrap_or_else(default_folder),
            port: self.port,
            dynamodb_port: self.dynamodb_port,
            sqs_port: self.sqs_port,
            functions,
        }
    }
}

/// Logs on standard error; `RUST_LOG` filters.
fn log(filter: &str) {
    tracing_subscriber::registry().with(lines(filter)).init();
}

/// The same, and the heads of the audit log as a deployment logs them: into a file of the folder.
fn log_with_heads(filter: &str, folder: &Path) {
    let file = std::fs::create_dir_all(folder).and_then(|()| {
        let mut file = OpenOptions::new();
        file.create(true)
            .append(true)
            .open(folder.join("heads.jsonl"))
    });
    // A folder that cannot be written to is said to be so when the stack starts.
    let heads = file.ok().map(|file| {
        tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(Mutex::new(file))
            .with_filter(filter_fn(|event| event.target() == audit::HEADS))
    });
    tracing_subscriber::registry()
        .with(lines(filter))
        .with(heads)
        .init();
}

fn lines<S>(filter: &str) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(filter));
    tracing_subscriber::fmt::layer()
        .compact()
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .with_filter(filter)
}

async fn up(console: &Console, place: Place) -> anyhow::Result<()> {
    let stack = Stack::start(&place).await?;
    console.line(&format!(
        "\n  {}  {}\n\n  \
         Open it, sign in as Ada, and upload a video.\n  \
         Or, in another terminal:  cargo run -p dev -- demo --url {}\n\n  \
         State is kept in {}. Ctrl-C ends it.\n",
        console.bold("Motion Mavericks Portal"),
        stack.url,
        stack.url,
        place.folder.display(),
    ));
    ended().await;
    console.line("\n  ending …");
    stack.stop().await;
    Ok(())
}

async fn services(console: &Console, place: Place, env_file: Option<&Path>) -> anyhow::Result<()> {
    let stack = Stack::start(&place).await?;
    let environment = settings::elsewhere(&stack);
    if let Some(path) = env_file {
        let lines = environment
            .iter()
            .map(|(name, value)| format!("{name}='{value}'\n"));
        std::fs::write(path, lines.collect::<String>())
            .with_context(|| format!("cannot write {}", path.display()))?;
        console.line(&format!(
            "Now: cargo lambda watch --invoke-address 127.0.0.1 --env-file {}\n\
             Then the portal is at {}. Ctrl-C ends it.",
            path.display(),
            stack.url
        ));
    } else {
        console.line(
            "# Give these to the functions, then: cargo lambda watch --invoke-address 127.0.0.1",
        );
        for (name, value) in environment {
            console.line(&format!("export {name}='{value}'"));
        }
    }
    ended().await;
    stack.stop().await;
    Ok(())
}

/// Ctrl-C, or the polite signal of whoever started this.
async fn ended() {
    let interrupted = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminated) => tokio::select! {
            _ = interrupted => {}
            _ = terminated.recv() => {}
        },
        Err(_) => {
            let _ = interrupted.await;
        }
    }
}
