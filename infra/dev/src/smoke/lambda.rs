//! The functions that `sam build` made, each run against a Runtime API of its own: requests as events
//! of an HTTP API, and for a job the event of a schedule.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use lambda_lite::{Failure, Function};
use serde_json::json;
use shared::router::Deployable;

use super::{
    Bench,
    questions::{self, Answer, Question},
};

/// What one function said.
pub(super) struct Answered {
    pub started_in: Duration,
    pub answers: Vec<(Question, anyhow::Result<Answer>)>,
}

/// The bootstrap of a function: in a folder that is called as its resource of the template is.
pub(super) fn binary(build: &Path, deployable: Deployable) -> anyhow::Result<PathBuf> {
    let resource: String = deployable
        .name()
        .split('-')
        .map(|part| {
            let (first, rest) = part.split_at(1);
            first.to_uppercase() + rest
        })
        .collect();
    let path = build.join(resource).join("bootstrap");
    if !path.is_file() {
        bail!("{} is not there: is it built?", path.display());
    }
    Ok(path)
}

/// Starts a function, and asks all that there is to ask. A Runtime API learns only from an answer that
/// a function has started, so the first answer is part of the start.
pub(super) async fn ask(
    binary: &Path,
    deployable: Deployable,
    bench: &Bench,
) -> anyhow::Result<Answered> {
    let began = Instant::now();
    let variables: Vec<(&str, &str)> = bench
        .environment
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let binary = binary.to_str().context("its path is no text")?;
    let mut function = Function::start(binary, &variables).await.map_err(told)?;
    if deployable.schedule().is_some() {
        function.wake(json!({})).await.map_err(told)?;
        let took = began.elapsed();
        let question = Question::woken();
        let answer = Answer::new(200, "", took);
        return Ok(Answered {
            started_in: took,
            answers: vec![(question, Ok(answer))],
        });
    }
    let mut started_in = None;
    let mut answers = Vec::new();
    for question in questions::over_http(deployable) {
        let session = bench.session(&question).await?;
        let answer = request(&mut function, &question, session).await;
        started_in.get_or_insert_with(|| began.elapsed());
        answers.push((question, answer));
    }
    Ok(Answered {
        started_in: started_in.unwrap_or_default(),
        answers,
    })
}

async fn request(
    function: &mut Function,
    question: &Question,
    session: Option<String>,
) -> anyhow::Result<Answer> {
    let bearer = session.map(|it| format!("Bearer {it}"));
    let headers: Vec<(&str, &str)> = bearer
        .iter()
        .map(|it| ("authorization", it.as_str()))
        .collect();
    let (method, began) = (question.method.as_str(), Instant::now());
    let answer = function.request_with(method, question.path, &headers, question.body);
    let answer = answer.await.map_err(told)?;
    let status = u16::try_from(answer.status).context("its status is none")?;
    Ok(Answer::new(status, &answer.body, began.elapsed()))
}

fn told(failure: Failure) -> anyhow::Error {
    match failure {
        Failure::Start(error) => anyhow!(error).context("it does not start"),
        Failure::Silent => anyhow!("it ended, or did not answer in time"),
        Failure::Error(error) => anyhow!("it reports: {error}"),
    }
}
