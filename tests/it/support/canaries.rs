//! What no log may hold: tokens, playback ids, secrets, e-mail addresses, addresses of uploads. Every
//! test's app notes those that pass through its hands, and looks for them in what was logged meanwhile.

use std::{
    collections::{BTreeSet, HashMap},
    io,
    sync::{Arc, Mutex, Once, PoisonError},
};

use dev::settings;
use serde_json::Value;
use shared::telemetry;

use super::{CRON, KEY};

/// What all tests have logged.
static LINES: Mutex<Vec<Arc<str>>> = Mutex::new(Vec::new());

/// Fields that hold what nobody else may know.
const SECRET: [&str; 13] = [
    "token",
    "grant",
    "playbackUrl",
    "posterUrl",
    "storyboardUrl",
    "uploadUrl",
    "url",
    "email",
    "allowedEmails",
    "recipient",
    "password",
    "playback_ids",
    "authorization",
];

/// Shorter than this, a text turns up by chance.
const LENGTH: usize = 8;

pub(crate) struct Canaries {
    texts: Mutex<BTreeSet<String>>,
    from: usize,
}

impl Canaries {
    /// Logs as the product does, into memory; from now on this app's logs are looked at.
    pub(crate) fn new() -> Self {
        static START: Once = Once::new();
        START.call_once(|| telemetry::log("info,shared=trace", || Memory));
        let constants = [
            settings::MUX_TOKEN_SECRET,
            settings::MUX_WEBHOOK_SECRET,
            settings::GRANT_KEY,
            settings::PSEUDONYM_KEY,
            &KEY.private_key,
            CRON.1,
        ];
        Self {
            texts: Mutex::new(constants.map(str::to_owned).into()),
            from: lines().len(),
        }
    }

    /// Notes what a body holds that nobody else may know.
    pub(crate) fn note(&self, body: &Value) {
        match body {
            Value::Object(fields) => {
                for (name, value) in fields {
                    if SECRET.contains(&name.as_str()) {
                        self.note_all(value);
                    }
                    self.note(value);
                }
            }
            Value::Array(items) => items.iter().for_each(|it| self.note(it)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn note_all(&self, value: &Value) {
        match value {
            Value::String(text) => self.note_text(text),
            Value::Array(items) => items.iter().for_each(|it| self.note_all(it)),
            Value::Object(fields) => {
                // Of a playback id, the policy is none of it.
                let of_id = fields.get("id").into_iter();
                of_id.for_each(|it| self.note_all(it));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The text, and of an address what makes it worth something: its last part and its parameters.
    pub(crate) fn note_text(&self, text: &str) {
        let parts: Vec<&str> = if text.starts_with("http") {
            let (path, query) = text.split_once('?').unwrap_or((text, ""));
            let last = path.rsplit('/').next().unwrap_or_default();
            let name = last.split('.').next().unwrap_or_default();
            let values = query.split('&').filter_map(|it| it.split_once('='));
            // A time is no secret, and may be another line's.
            let telling = |it: &&str| !it.chars().all(|it| it.is_ascii_digit());
            let values = values.map(|it| it.1).filter(telling);
            std::iter::once(name).chain(values).collect()
        } else {
            vec![text]
        };
        let mut texts = self.texts.lock().unwrap();
        texts.extend(
            parts
                .into_iter()
                .filter(|it| it.len() >= LENGTH)
                .map(str::to_owned),
        );
    }

    /// The first line that was logged since with any of it.
    pub(crate) fn found(&self) -> Option<String> {
        // Nobody waits for this to write into the log.
        let since: Vec<Arc<str>> = lines().iter().skip(self.from).cloned().collect();
        let texts = self.texts.lock().unwrap();
        let all = Sought::new(&texts);
        since.iter().find_map(|line| {
            let text = all.found_in(line)?;
            Some(format!("`{text}` stands in the log: {line}"))
        })
    }
}

/// What is looked for. With thousands of tokens, looking for one after the other would take minutes: of
/// those that are long enough the end is looked up at every place of a line.
struct Sought<'a> {
    one_by_one: Vec<&'a str>,
    by_end: HashMap<&'a [u8], Vec<&'a str>>,
}

impl<'a> Sought<'a> {
    /// So much of the end of a text tells it from others: a token's is its signature.
    const END: usize = 16;

    /// From so many on, looking them up is faster.
    const MANY: usize = 500;

    fn new(texts: &'a BTreeSet<String>) -> Self {
        let many = texts.len() >= Self::MANY;
        let long = |it: &&str| many && it.len() >= Self::END;
        let (long, short): (Vec<&str>, Vec<&str>) =
            texts.iter().map(String::as_str).partition(|it| long(it));
        let mut by_end = HashMap::<_, Vec<&str>>::new();
        for text in long {
            let end = &text.as_bytes()[text.len() - Self::END..];
            by_end.entry(end).or_default().push(text);
        }
        Self {
            one_by_one: short,
            by_end,
        }
    }

    fn found_in(&self, line: &str) -> Option<&'a str> {
        let found = self.one_by_one.iter().find(|it| line.contains(**it));
        if found.is_some() || self.by_end.is_empty() {
            return found.copied();
        }
        let mut ends = line.as_bytes().windows(Self::END);
        ends.find_map(|it| {
            let texts = self.by_end.get(it)?;
            texts.iter().find(|it| line.contains(**it)).copied()
        })
    }
}

#[test]
fn a_token_among_thousands_is_found_wherever_it_stands() {
    let texts: BTreeSet<String> = (0..1_000).map(|it| format!("{it:0>40}")).collect();
    let sought = Sought::new(&texts);
    let token = format!("{:0>40}", 777);
    let line = format!("before {token} after");
    assert_eq!(sought.found_in(&line), Some(token.as_str()));
    assert_eq!(sought.found_in(&token[1..]), None, "its end is not it");
    assert_eq!(
        sought.found_in("nothing of that, however long the line is"),
        None
    );
}

impl Canaries {
    /// What of it stands in this text, which left the process.
    pub(crate) fn found_in(&self, told: &str) -> Option<String> {
        let texts = self.texts.lock().unwrap();
        texts.iter().find(|it| told.contains(it.as_str())).cloned()
    }

    /// The first line that names all of these.
    pub(crate) fn line(&self, names: [&str; 2]) -> Option<String> {
        let lines = lines();
        let mut since = lines.iter().skip(self.from);
        since
            .find(|it| names.iter().all(|name| it.contains(name)))
            .map(ToString::to_string)
    }
}

fn lines() -> std::sync::MutexGuard<'static, Vec<Arc<str>>> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the log goes.
struct Memory;

impl io::Write for Memory {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        lines().push(String::from_utf8_lossy(line).into());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
