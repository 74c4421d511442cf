//! What was used of roles, and what was denied: a file for each process beside the build, which
//! `cargo run -p dev -- permissions` reads.

use std::{
    collections::{BTreeSet, HashSet},
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex, PoisonError},
};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::{
    call::{self, Access},
    policy::Resource,
};

/// That a function did something once, or tried to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) function: String,
    pub(super) action: String,
    pub(super) resource: Resource,
    /// The shape of a key that it named.
    pub(super) key: Option<String>,
    pub(super) allowed: bool,
}

impl Record {
    /// One for every key.
    pub(super) fn all(function: &str, access: &Access, allowed: bool) -> Vec<Self> {
        let one = |key| Self {
            function: function.to_owned(),
            action: access.action.clone(),
            resource: access.resource.clone(),
            key,
            allowed,
        };
        if access.keys.is_empty() {
            return vec![one(None)];
        }
        let keys = access.keys.iter().map(|it| Some(call::shape(it)));
        keys.map(one).collect()
    }
}

/// Where records are, if nobody says otherwise: `permissions` in the folder of builds.
pub(super) fn folder() -> PathBuf {
    let target = crate::environment("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
        workspace.unwrap_or(Path::new(".")).join("target")
    });
    target.join("permissions")
}

#[derive(Default)]
struct Book {
    seen: HashSet<Record>,
    file: Option<File>,
}

/// Writes down what this process has not yet written down.
pub(super) fn keep(records: Vec<Record>) {
    static BOOK: LazyLock<Mutex<Book>> = LazyLock::new(|| {
        Mutex::new(Book {
            file: open().ok(),
            ..Book::default()
        })
    });
    let mut book = BOOK.lock().unwrap_or_else(PoisonError::into_inner);
    for record in records {
        if book.seen.contains(&record) {
            continue;
        }
        // Without a file nothing is recorded, and the command says that nothing was.
        let line = serde_json::to_string(&record).unwrap_or_default();
        if let Some(file) = &mut book.file {
            let _ = file.write_all(format!("{line}\n").as_bytes());
        }
        book.seen.insert(record);
    }
}

fn open() -> std::io::Result<File> {
    let program = std::env::current_exe()?;
    let program = program.file_stem().unwrap_or_default().to_string_lossy();
    let folder = folder();
    fs::create_dir_all(&folder)?;
    File::create(folder.join(format!("{program}-{}.jsonl", std::process::id())))
}

/// The files of a folder that may not be there.
pub(super) fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries.collect::<Result<Vec<_>, _>>()?,
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let paths = entries.iter().map(fs::DirEntry::path);
    let records = |it: &PathBuf| it.extension().is_some_and(|it| it == "jsonl");
    Ok(paths.filter(records).collect())
}

/// What all processes have written down, and how many there were.
pub(super) fn read(folder: &Path) -> anyhow::Result<(Vec<Record>, usize)> {
    let files = files(folder)?;
    let mut all = BTreeSet::new();
    for path in &files {
        let text = fs::read_to_string(path)?;
        // The last line of a process that was ended may be half of one.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in whole.lines() {
            let record = serde_json::from_str(line);
            let damaged = || format!("{} is damaged: delete it", path.display());
            all.insert(record.with_context(damaged)?);
        }
    }
    Ok((all.into_iter().collect(), files.len()))
}
