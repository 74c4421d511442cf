//! The functions that `vercel build` made: found by their `.vc-config.json`, run as Vercel runs them,
//! as HTTP servers on loopback.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde::Deserialize;
use shared::router::Deployable;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// How long a function may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running function. It ends when this is dropped.
pub(super) struct Function {
    pub url: String,
    pub started_in: Duration,
    _child: Child,
}

/// What is said of a function beside it (vercel.com/docs/build-output-api/primitives).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    handler: String,
    runtime: String,
    architecture: String,
    #[serde(default)]
    file_path_map: BTreeMap<String, PathBuf>,
}

/// Every function of the portal, in its order, and its program. Fails when one is missing, or when there
/// is one that nobody knows.
pub(super) fn found(output: &Path) -> anyhow::Result<Vec<(Deployable, PathBuf)>> {
    let functions = output.join("functions");
    let mut named = BTreeMap::new();
    collect(&functions, &functions, &mut named)?;
    let mut found = Vec::new();
    for deployable in Deployable::ALL {
        let folder = named.remove(deployable.name()).with_context(|| {
            let place = functions.display();
            format!(
                "{place} has no function {}: build it anew",
                deployable.name()
            )
        })?;
        found.push((deployable, program(output, &folder)?));
    }
    if let Some((name, folder)) = named.pop_first() {
        bail!(
            "{} is a function {name} that nobody knows",
            folder.display()
        );
    }
    Ok(found)
}

/// Folders that end in `.func`, by the name of the deployable that each of them is.
fn collect(top: &Path, folder: &Path, named: &mut BTreeMap<String, PathBuf>) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("{} cannot be read: is it built?", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "func") {
            named.insert(name(path.strip_prefix(top)?), path);
        } else if path.is_dir() {
            collect(top, &path, named)?;
        }
    }
    Ok(())
}

/// `api/share/[token].func` is `share`, `api/cron/retire.func` is `retire`.
fn name(path: &Path) -> String {
    let path = path.with_extension("");
    let parts = path.iter().map(|it| it.to_string_lossy());
    let parts = parts.filter(|it| it != "api" && it != "cron" && !it.starts_with('['));
    parts.collect::<Vec<_>>().join("-")
}

/// The program of a function: in its folder, or where its configuration says, beside `.vercel`.
fn program(output: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let path = folder.join(".vc-config.json");
    let text = std::fs::read(&path).with_context(|| format!("{} is missing", path.display()))?;
    let config: Config = serde_json::from_slice(&text)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    if (config.runtime.as_str(), config.architecture.as_str()) != ("executable", "x86_64") {
        let (runtime, architecture) = (config.runtime, config.architecture);
        bail!("{} is {runtime} for {architecture}", folder.display());
    }
    let inside = folder.join(&config.handler);
    let program = match config.file_path_map.get(&config.handler) {
        Some(elsewhere) if !inside.exists() => output.join("../..").join(elsewhere),
        _ => inside,
    };
    let program = program.canonicalize();
    program.with_context(|| format!("{} has no program: build it anew", folder.display()))
}

impl Function {
    /// Starts a program with these variables and no others.
    pub(super) async fn start(
        program: &Path,
        environment: &[(&'static str, String)],
    ) -> anyhow::Result<Self> {
        // The runtime cannot tell which free port it took, so one is chosen for it.
        let free = TcpListener::bind("127.0.0.1:0")?;
        let port = free.local_addr()?.port();
        drop(free);
        let began = Instant::now();
        let mut child = Command::new(program)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .env("VERCEL_DEV", "1")
            .env("VERCEL_DEV_PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().context("it has no output")?;
        let mut lines = BufReader::new(output).lines();
        let ready = async {
            while let Some(line) = lines.next_line().await? {
                if line.starts_with("Dev server listening") {
                    return Ok(());
                }
            }
            bail!("it ended")
        };
        let ready = tokio::time::timeout(PATIENCE, ready).await;
        ready.context("it does not listen")??;
        let started_in = began.elapsed();
        // A pipe that nobody reads fills up. Ends with the function.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self {
            url: format!("http://127.0.0.1:{port}"),
            started_in,
            _child: child,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An output with every function of the portal, at these paths for two of them.
    fn built(folder: &Path) {
        for deployable in Deployable::ALL {
            let path = match deployable.name() {
                "webhooks-mux" => "api/webhooks/mux.func".to_owned(),
                "share" => "api/share/[token].func".to_owned(),
                name if deployable.schedule().is_some() => format!("api/cron/{name}.func"),
                name => format!("api/{name}.func"),
            };
            let path = folder.join("output/functions").join(path);
            std::fs::create_dir_all(&path).unwrap();
            let config = r#"{"handler":"executable","runtime":"executable","architecture":"x86_64",
                "filePathMap":{"executable":"target/program"}}"#;
            std::fs::write(path.join(".vc-config.json"), config).unwrap();
        }
    }

    #[test]
    fn every_function_is_found_with_its_program_inside_or_where_it_is_said_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().canonicalize().unwrap();
        built(&project.join(".vercel"));
        let output = project.join(".vercel/output");
        assert!(found(&output).is_err(), "there are no programs yet");
        std::fs::create_dir(project.join("target")).unwrap();
        std::fs::write(project.join("target/program"), "").unwrap();
        let inside = output.join("functions/api/share/[token].func/executable");
        std::fs::write(&inside, "").unwrap();
        let found = found(&output).unwrap();
        let names: Vec<_> = found.iter().map(|it| it.0).collect();
        assert_eq!(names, Deployable::ALL);
        let share = found.iter().find(|it| it.0 == Deployable::Share).unwrap();
        assert_eq!(share.1, inside);
        assert_eq!(found[0].1, project.join("target/program"));
    }

    #[test]
    fn a_function_that_is_missing_and_one_that_nobody_knows_are_named() {
        let folder = tempfile::tempdir().unwrap();
        built(&folder.path().join(".vercel"));
        std::fs::create_dir(folder.path().join("target")).unwrap();
        std::fs::write(folder.path().join("target/program"), "").unwrap();
        let output = folder.path().join(".vercel/output");
        let assets = output.join("functions/api/assets.func");
        std::fs::rename(&assets, output.join("functions/api/assets-2.func")).unwrap();
        let error = found(&output).unwrap_err().to_string();
        assert!(error.contains("no function assets"), "{error}");
        std::fs::create_dir(&assets).unwrap();
        let copied = output.join("functions/api/assets-2.func/.vc-config.json");
        std::fs::copy(copied, assets.join(".vc-config.json")).unwrap();
        let error = found(&output).unwrap_err().to_string();
        assert!(error.contains("assets-2 that nobody knows"), "{error}");
    }
}
