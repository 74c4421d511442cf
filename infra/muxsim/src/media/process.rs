//! Runs a child process to its end, or ends it: it never outlives the call.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{error::MediaError, watch::Watch};

/// Kept of what a process writes, in bytes; more is read and forgotten, so that it never blocks.
const MAX_OUTPUT: u64 = 256 << 10;

/// Longest line that is reported as one, in bytes.
const MAX_LINE: u64 = 4 << 10;

/// Kept of its complaints, in characters.
const MAX_DETAIL: usize = 500;

/// How often a running process is looked at.
const PAUSE: Duration = Duration::from_millis(20);

/// How a process ended.
pub(super) struct Outcome {
    pub(super) succeeded: bool,
    /// The start of its standard output.
    pub(super) stdout: Vec<u8>,
    /// The end of its standard error.
    pub(super) detail: String,
}

/// Runs `command` without input and with an empty environment, for at most `limit` and no longer
/// than `watch` allows. Tells `on_line` each line of its standard output while it runs.
pub(super) fn run(
    command: &mut Command,
    program: &'static str,
    limit: Duration,
    watch: &Watch,
    on_line: &(dyn Fn(&str) + Sync),
) -> Result<Outcome, MediaError> {
    watch.check()?;
    // A decoder that an upload has taken over shall find no secrets.
    command
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = Guard(command.spawn()?);
    let (stdout, stderr) = (child.0.stdout.take(), child.0.stderr.take());
    thread::scope(|scope| {
        let stdout = scope.spawn(|| follow(stdout, on_line));
        let stderr = scope.spawn(|| drain(stderr));
        let ended = wait(&mut child.0, limit, watch);
        // The pipes close, and the two readers end, only when the process is gone.
        drop(child);
        let stdout = stdout.join().unwrap_or_default();
        let stderr = String::from_utf8_lossy(&stderr.join().unwrap_or_default()).into_owned();
        let skipped = stderr.trim().chars().count().saturating_sub(MAX_DETAIL);
        let detail: String = stderr.trim().chars().skip(skipped).collect();
        match ended? {
            Some(succeeded) => Ok(Outcome {
                succeeded,
                stdout,
                detail,
            }),
            None => Err(MediaError::Ffmpeg {
                program,
                detail: format!("took longer than {} s", limit.as_secs()),
            }),
        }
    })
}

/// `None` when the time ran out first.
fn wait(child: &mut Child, limit: Duration, watch: &Watch) -> Result<Option<bool>, MediaError> {
    let start = Instant::now();
    while start.elapsed() < limit {
        watch.check()?;
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        thread::sleep(PAUSE);
    }
    Ok(None)
}

/// Reads line by line, keeping the start.
fn follow(pipe: Option<impl Read>, on_line: &(dyn Fn(&str) + Sync)) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(pipe) = pipe else {
        return kept;
    };
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = pipe.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
        if !matches!(read, Ok(1..)) {
            return kept;
        }
        on_line(String::from_utf8_lossy(&line).trim_end());
        let room = usize::try_from(MAX_OUTPUT)
            .unwrap_or(0)
            .saturating_sub(kept.len());
        kept.extend(line.iter().take(room));
    }
}

fn drain(pipe: Option<impl Read>) -> Vec<u8> {
    let mut kept = Vec::new();
    if let Some(mut pipe) = pipe {
        // A pipe that breaks is a process that ended, and its status says how.
        let _ = pipe.by_ref().take(MAX_OUTPUT).read_to_end(&mut kept);
        let _ = std::io::copy(&mut pipe, &mut std::io::sink());
    }
    kept
}

/// Ends the process on every way out, panics included.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::{
        process::Command,
        sync::Mutex,
        time::{Duration, Instant},
    };

    use super::{MediaError, Outcome, Watch, run};

    fn sleep(limit: Duration, watch: &Watch) -> Result<Outcome, MediaError> {
        let mut command = Command::new("/bin/sleep");
        run(command.arg("60"), "sleep", limit, watch, &|_| ())
    }

    #[test]
    fn a_process_that_takes_too_long_is_ended() {
        let start = Instant::now();
        let outcome = sleep(Duration::from_millis(100), &Watch::default());
        assert!(matches!(
            outcome,
            Err(MediaError::Ffmpeg {
                program: "sleep",
                ..
            })
        ));
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_process_nobody_wants_is_ended() {
        let start = Instant::now();
        let watch = Watch::default();
        std::thread::scope(|scope| {
            scope.spawn(|| watch.cancel());
            let outcome = sleep(Duration::from_mins(1), &watch);
            assert!(matches!(outcome, Err(MediaError::Cancelled)));
        });
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn output_is_kept_and_the_environment_is_not() {
        let limit = Duration::from_secs(30);
        let watch = Watch::default();
        let outcome = run(
            &mut Command::new("/usr/bin/env"),
            "env",
            limit,
            &watch,
            &|_| (),
        )
        .unwrap();
        assert!(outcome.succeeded);
        assert!(outcome.stdout.is_empty());
        let lines = Mutex::new(Vec::new());
        let outcome = run(
            Command::new("/bin/echo").arg("one\ntwo"),
            "echo",
            limit,
            &watch,
            &|line| lines.lock().unwrap().push(line.to_owned()),
        );
        assert_eq!(outcome.unwrap().stdout, b"one\ntwo\n");
        assert_eq!(*lines.lock().unwrap(), ["one", "two"]);
    }
}
