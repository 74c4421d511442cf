//! The command line: what is asked, and what is printed.

mod measure;

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

use anstyle::{AnsiColor, Style};
use audit_verify::{Erased, Finding, Heads, KeyRing, Outcome, Verified, verify};
use clap::Parser;
use serde_json::{Value, json};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Checks an export of the audit log: that nothing in it was edited, removed, added, moved or cut off.
///
/// It needs the export, and the public key of the portal that you trust. It asks nobody else.
///
/// Exit code: 0 if everything holds, 1 if something was tampered with, 2 if it could not be checked.
#[derive(Parser)]
#[command(
    version,
    after_help = "Fetch the heads first and the export after them:\n  \
    audit-verify export.jsonl --key audit.pem --heads heads.jsonl\n  \
    curl -s … | audit-verify - --key audit.pem --json"
)]
pub(crate) struct Arguments {
    /// The export: pages of /api/audit/export, one after the other; - reads standard input
    #[arg(required_unless_present = "measure")]
    file: Option<PathBuf>,
    /// Public keys that you trust: a file, or the keys themselves (PEM, base64 or hexadecimal)
    #[arg(long, required_unless_present = "measure", allow_hyphen_values = true)]
    key: Option<String>,
    /// Lines of the portal's log, among them its heads: shows what was cut off, or replaced as a whole
    #[arg(long, value_name = "FILE")]
    heads: Option<PathBuf>,
    /// Accept an export that begins after the first checkpoint, or ends before the last
    #[arg(long)]
    part: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Make an export of so many entries in memory and say how long it takes to check
    #[arg(long, hide = true, value_name = "ENTRIES")]
    measure: Option<usize>,
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error("{0} cannot be read: {1}")]
    Unreadable(String, io::Error),
    #[error("--key: {0}")]
    Key(#[from] audit_verify::KeyError),
    #[error("nothing can be printed: {0}")]
    Output(#[from] io::Error),
    #[error("the export cannot be made: {0}")]
    Made(#[from] serde_json::Error),
    #[error("{0} is not an export of the audit log")]
    NoExport(String),
    #[error("--heads: none of them is of {0}, so they say nothing of it")]
    NoHead(String),
}

/// Does what was asked; the exit code.
pub(crate) fn run(arguments: &Arguments) -> Result<u8, CliError> {
    if let Some(entries) = arguments.measure {
        return measure::run(entries);
    }
    let file = arguments.file.clone().unwrap_or_default();
    let keys = KeyRing::parse(&key_text(arguments.key.as_deref().unwrap_or_default()))?;
    let heads = match &arguments.heads {
        Some(path) => {
            Heads::read(open(path)?).map_err(|it| CliError::Unreadable(name(path), it))?
        }
        None => Heads::default(),
    };
    let outcome = verify(open(&file)?, &keys, &heads, arguments.part);
    let outcome = outcome.map_err(|it| CliError::Unreadable(name(&file), it))?;
    let report = if arguments.json { as_json } else { as_text };
    match &outcome {
        Outcome::Verified(verified) => report(Ok(verified))?,
        Outcome::Damaged(finding) => report(Err(finding))?,
        Outcome::Unusable => return Err(CliError::NoExport(name(&file))),
        Outcome::Uncompared => return Err(CliError::NoHead(name(&file))),
    }
    Ok(u8::from(!matches!(outcome, Outcome::Verified(_))))
}

/// A file's content, or else the text itself.
fn key_text(key: &str) -> String {
    fs::read_to_string(key).unwrap_or_else(|_| key.to_owned())
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, CliError> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path).map_err(|it| CliError::Unreadable(name(path), it))?;
    Ok(Box::new(BufReader::with_capacity(1 << 18, file)))
}

fn name(path: &Path) -> String {
    if path == Path::new("-") {
        return "standard input".to_owned();
    }
    path.display().to_string()
}

fn as_json(checked: Result<&Verified, &Finding>) -> io::Result<()> {
    let report: Value = match checked {
        Ok(verified) => json!({"ok": true, "verified": verified}),
        Err(finding) => json!({"ok": false, "finding": finding}),
    };
    writeln!(anstream::stdout(), "{report:#}")
}

fn as_text(checked: Result<&Verified, &Finding>) -> io::Result<()> {
    let mut out = anstream::stdout();
    match checked {
        Ok(it) => {
            writeln!(
                out,
                "{GOOD}verified{GOOD:#}  {} entries of {}",
                it.entries, it.tenant
            )?;
            let (first, last) = (it.first_checkpoint, it.last_checkpoint);
            writeln!(
                out,
                "          in checkpoints {first} to {last}, on {} lines",
                it.lines
            )?;
            writeln!(out, "          head {}", it.head)?;
            writeln!(
                out,
                "          given out at {}; {} entries were not sealed yet",
                it.at, it.unsealed
            )?;
            tell_erased(&mut out, &it.erased)?;
            match it.heads {
                0 => writeln!(out, "          not compared with any heads: see --heads"),
                1 => writeln!(out, "          and agrees with 1 head of the log"),
                heads => writeln!(out, "          and agrees with {heads} heads of the log"),
            }
        }
        Err(it) => {
            let about = it
                .id
                .as_ref()
                .map(|id| format!(", {id}"))
                .unwrap_or_default();
            writeln!(
                out,
                "{BAD}TAMPERED{BAD:#}  line {}{about}: {}",
                it.line, it.damage
            )?;
            writeln!(out, "          {}", it.what)
        }
    }
}

/// That somebody took personal fields away breaks no proof; that nobody says so is worth a question.
fn tell_erased(out: &mut impl Write, erased: &Erased) -> io::Result<()> {
    if erased.fields > 0 {
        writeln!(
            out,
            "          {} personal fields are gone; {} entries lost theirs in the archive",
            erased.fields, erased.archived
        )?;
    }
    if erased.unexplained > 0 {
        writeln!(
            out,
            "          {BAD}{} entries lost theirs{BAD:#} and no audit.erased says so: {}",
            erased.unexplained,
            erased.ids.join(" ")
        )?;
    }
    Ok(())
}
