//! `dev smoke`: every function that was built for a platform starts alone, with a table, a queue, Mux
//! and a sign-in service on loopback, and answers what it is asked.

mod lambda;
mod questions;
mod vercel;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use clap::Args;
use shared::router::Deployable;

use self::questions::{Answer, Question, Who};
use crate::{
    client::Client,
    console::Console,
    settings,
    stack::{Place, Stack},
};

/// What schedules prove themselves with here.
const CRON_SECRET: &str = "local-cron-secret";

/// Ask every function that was built for a platform, each alone, on loopback.
#[derive(Args)]
#[group(id = "built", required = true, multiple = true)]
pub struct Smoke {
    /// What `vercel build` made, such as .vercel/output.
    #[arg(long, value_name = "FOLDER")]
    vercel: Option<PathBuf>,
    /// What `sam build` made, such as .aws-sam/build; for the processor of this machine.
    #[arg(long, value_name = "FOLDER")]
    aws: Option<PathBuf>,
    /// A stack that runs; its functions that answer HTTP are asked through it.
    #[arg(long)]
    url: Option<String>,
}

/// Asks. Fails when a function is missing, does not start, or does not answer as it should.
pub async fn run(console: &Console, smoke: &Smoke) -> anyhow::Result<()> {
    let mut table = Table::new(console);
    if let Some(folder) = &smoke.vercel {
        ask_vercel(folder, &mut table).await?;
    }
    if let Some(folder) = &smoke.aws {
        ask_lambda(folder, &mut table).await?;
    }
    if let Some(url) = &smoke.url {
        ask_running(url, &mut table).await?;
    }
    table.end()
}

async fn ask_vercel(folder: &Path, table: &mut Table<'_>) -> anyhow::Result<()> {
    let found = vercel::found(folder)?;
    let bench = Bench::set_up().await?;
    table.section("what vercel build made: bytes, until it listens");
    for (deployable, binary) in found {
        match vercel::Function::start(&binary, &bench.environment).await {
            Ok(function) => {
                table.function(deployable, size(&binary)?, function.started_in);
                for question in questions::over_http(deployable) {
                    let session = bench.session(&question).await?;
                    let http = &bench.client.http;
                    let answer = questions::ask(http, &function.url, &question, session).await;
                    table.answer(&question, &answer);
                }
            }
            Err(error) => table.broken(deployable, &error),
        }
    }
    bench.stack.stop().await;
    Ok(())
}

async fn ask_lambda(folder: &Path, table: &mut Table<'_>) -> anyhow::Result<()> {
    let bench = Bench::set_up().await?;
    table.section("what sam build made: bytes, until its first answer");
    for deployable in Deployable::ALL {
        let binary = lambda::binary(folder, deployable)?;
        match lambda::ask(&binary, deployable, &bench).await {
            Ok(answered) => {
                table.function(deployable, size(&binary)?, answered.started_in);
                for (question, answer) in &answered.answers {
                    table.answer(question, answer);
                }
            }
            Err(error) => table.broken(deployable, &error),
        }
    }
    bench.stack.stop().await;
    Ok(())
}

/// Functions that a schedule wakes answer no requests there.
async fn ask_running(url: &str, table: &mut Table<'_>) -> anyhow::Result<()> {
    let client = Client::new(url.trim_end_matches('/').to_owned())?;
    table.section("what runs");
    let answering = |it: &Deployable| it.schedule().is_none();
    for deployable in Deployable::ALL.into_iter().filter(answering) {
        table.heading(deployable.name());
        for question in questions::over_http(deployable) {
            let session = session(&client, &question).await?;
            let answer = questions::ask(&client.http, &client.url, &question, session).await;
            table.answer(&question, &answer);
        }
    }
    Ok(())
}

/// The stand-ins, and who asks.
struct Bench {
    stack: Stack,
    client: Client,
    environment: Vec<(&'static str, String)>,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn set_up() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let stack = Stack::start(&Place {
            folder: folder.path().to_owned(),
            port: 0,
            dynamodb_port: 0,
            sqs_port: 0,
            // Nothing listens there: Mux has nothing to tell, and the functions are asked one by one.
            functions: Some("http://127.0.0.1:9".to_owned()),
        })
        .await?;
        let mut environment = settings::elsewhere(&stack);
        environment.push(("CRON_SECRET", CRON_SECRET.to_owned()));
        Ok(Self {
            client: Client::new(stack.url.clone())?,
            environment,
            stack,
            _folder: folder,
        })
    }

    async fn session(&self, question: &Question) -> anyhow::Result<Option<String>> {
        session(&self.client, question).await
    }
}

/// What who asks shows.
async fn session(client: &Client, question: &Question) -> anyhow::Result<Option<String>> {
    Ok(match question.who {
        Who::Nobody => None,
        Who::Schedule => Some(CRON_SECRET.to_owned()),
        Who::Person(name) => Some(client.session(name).await?),
    })
}

fn size(binary: &Path) -> anyhow::Result<u64> {
    let about = std::fs::metadata(binary);
    Ok(about
        .with_context(|| format!("{} is not there", binary.display()))?
        .len())
}

/// What is shown: a line for each function and each answer.
struct Table<'a> {
    console: &'a Console,
    asked: usize,
    wrong: usize,
}

impl<'a> Table<'a> {
    fn new(console: &'a Console) -> Self {
        Self {
            console,
            asked: 0,
            wrong: 0,
        }
    }

    fn section(&self, title: &str) {
        self.console.line(&self.console.dim(title));
    }

    fn heading(&self, name: &str) {
        self.console.line(&self.console.bold(name));
    }

    fn function(&self, deployable: Deployable, bytes: u64, started_in: Duration) {
        let name = self.console.bold(&format!("{:<14}", deployable.name()));
        let took = millis(started_in);
        self.console.line(&format!("{name} {bytes:>10} {took}"));
    }

    fn broken(&mut self, deployable: Deployable, error: &anyhow::Error) {
        self.asked += 1;
        self.wrong += 1;
        let name = self.console.bold(&format!("{:<14}", deployable.name()));
        self.console
            .line(&format!("{name} WRONG: does not answer: {error:#}"));
    }

    fn answer(&mut self, question: &Question, answer: &anyhow::Result<Answer>) {
        self.asked += 1;
        let said = match answer {
            Ok(answer) => {
                let said = format!("{} {:<18}", answer.status, answer.problem);
                format!("{said} {}", millis(answer.took))
            }
            Err(error) => format!("no answer: {error:#}"),
        };
        let fault = match answer {
            Ok(answer) if question.is_met_by(answer) => String::new(),
            _ => {
                self.wrong += 1;
                let (status, problem) = question.expected;
                format!("   WRONG: {status} {problem} was expected")
            }
        };
        self.console
            .line(&format!("    {question:<60} {said}{fault}"));
    }

    fn end(self) -> anyhow::Result<()> {
        if self.wrong > 0 {
            bail!("{} of {} are not as they should be", self.wrong, self.asked);
        }
        self.console
            .line(&format!("all {} answers are as they should be", self.asked));
        Ok(())
    }
}

fn millis(time: Duration) -> String {
    format!("{:>7.1} ms", time.as_secs_f64() * 1000.0)
}
