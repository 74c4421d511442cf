//! Variables, read one by one. Every fault is remembered, so that all are named at once.

use std::str::FromStr;

use url::Url;

/// The length of a secret of ours, in bytes: as long as what HMAC-SHA256 makes of it (RFC 2104).
const SECRET_MIN: usize = 32;

/// What is read, and what was wrong with it.
pub(crate) struct Variables<'a> {
    pub(crate) lookup: &'a dyn Fn(&str) -> Option<String>,
    /// What was wrong, by name, and never a value.
    pub(crate) faults: Vec<String>,
}

impl Variables<'_> {
    /// An empty variable is one that is not set: platforms cannot always tell them apart.
    pub(crate) fn lookup_text(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|text| !text.trim().is_empty())
    }

    pub(crate) fn required<T: FromStr>(&mut self, name: &str) -> Option<T> {
        match self.lookup_text(name) {
            Some(text) => self.parse(name, &text),
            None => self.fault(name, "is not set"),
        }
    }

    pub(crate) fn or<T: FromStr>(&mut self, name: &str, default: &str) -> Option<T> {
        match self.lookup_text(name) {
            Some(text) => self.parse(name, &text),
            None => self.parse(name, default),
        }
    }

    /// Secrets of ours: what can be guessed protects nothing.
    pub(crate) fn secrets(&mut self, name: &str) -> Vec<String> {
        let all: Vec<String> = self.list(name);
        if all.iter().any(|it| it.len() < SECRET_MIN) {
            self.fault::<()>(name, "is shorter than 32 characters");
        }
        all
    }

    pub(crate) fn optional_list(&mut self, name: &str) -> Vec<String> {
        self.lookup_text(name)
            .map_or_else(Vec::new, |_| self.list(name))
    }

    /// One or more values, separated by commas.
    pub(crate) fn list<T: FromStr>(&mut self, name: &str) -> Vec<T> {
        let text: String = self.required(name).unwrap_or_default();
        let parts = text.split(',').map(str::trim).filter(|it| !it.is_empty());
        let values: Vec<T> = parts.filter_map(|part| self.parse(name, part)).collect();
        if values.is_empty() && !text.is_empty() {
            self.fault::<()>(name, "has no good value");
        }
        values
    }

    pub(crate) fn url(&mut self, name: &str, default: Option<&str>) -> Option<Url> {
        let url: Url = match default {
            Some(default) => self.or(name, default),
            None => self.required(name),
        }?;
        match url.scheme() {
            "http" | "https" => Some(url),
            _ => self.fault(name, "is not an http or https URL"),
        }
    }

    /// An address of something that is not needed. Here nothing in a variable means nothing.
    pub(crate) fn url_or_off(&mut self, name: &str, default: &str) -> Option<Url> {
        match (self.lookup)(name).as_deref().map(str::trim) {
            Some("" | "off") => None,
            Some(_) | None => self.url(name, Some(default)),
        }
    }

    /// Settings by their names, which may be missing; each of their faults is named.
    pub(crate) fn settings<T>(
        &mut self,
        name: &str,
        read: impl Fn(&str) -> Result<T, Vec<String>>,
    ) -> Option<T> {
        match read(&self.lookup_text(name).unwrap_or_default()) {
            Ok(list) => Some(list),
            Err(faults) => faults.iter().find_map(|it| self.fault(name, it)),
        }
    }

    pub(crate) fn parse<T: FromStr>(&mut self, name: &str, text: &str) -> Option<T> {
        match text.parse() {
            Ok(value) => Some(value),
            Err(_) => self.fault(name, "does not parse"),
        }
    }

    pub(crate) fn fault<T>(&mut self, name: &str, what: &str) -> Option<T> {
        let fault = format!("{name} {what}");
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
        None
    }
}
