//! What the programs here say: lines on standard output, in colour only on a terminal.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

/// Standard output, with a clock for steps.
pub struct Console {
    colour: bool,
    started: Instant,
}

impl Default for Console {
    /// Colour on a terminal, unless `NO_COLOR` says no (no-color.org).
    fn default() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty());
        Self {
            colour: wanted && io::stdout().is_terminal(),
            started: Instant::now(),
        }
    }
}

impl Console {
    /// One line. A reader that went away is no reason to fail.
    pub fn line(&self, text: &str) {
        let _ = writeln!(io::stdout(), "{text}");
    }

    /// One step, with the time since the start.
    pub fn step(&self, name: &str, text: &str) {
        self.step_at(self.started.elapsed(), name, text);
    }

    /// One step of a story that has its own time.
    pub fn step_at(&self, time: Duration, name: &str, text: &str) {
        let time = format!("{:>8.3}s", time.as_secs_f64());
        let (time, name) = (self.dim(&time), self.bold(&format!("{name:<12}")));
        self.line(&format!("{time}  {name} {text}"));
    }

    pub fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    pub fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour {
            return format!("\x1b[{code}m{text}\x1b[0m");
        }
        text.to_owned()
    }
}
