//! What can be done about a budget, from which part of it on, and whether it is. No I/O.

use serde::{Deserialize, Serialize};

use crate::mux::Resolution;

/// The tallest picture that new tokens play once the cap acts: the tier that Mux charges least for
/// (mux.com/blog/introducing-resolution-based-pricing).
pub const CAP: Resolution = Resolution::P720;

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rail {
    /// New tokens play [`CAP`] at the most.
    CapResolution,
    /// Nobody begins an upload.
    PauseUploads,
    /// A link that runs away opens for nobody.
    PauseLinks,
}

impl Rail {
    pub const ALL: [Self; 3] = [Self::CapResolution, Self::PauseUploads, Self::PauseLinks];

    pub const fn name(self) -> &'static str {
        match self {
            Self::CapResolution => "cap-resolution",
            Self::PauseUploads => "pause-uploads",
            Self::PauseLinks => "pause-links",
        }
    }

    /// From which part of a budget on, in percent.
    pub const fn from(self) -> u64 {
        match self {
            Self::PauseLinks => 50,
            Self::CapResolution => 80,
            Self::PauseUploads => 100,
        }
    }
}

/// Whether something is done, or only told of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    Off,
    /// It is told of as if it were done. So everything begins.
    #[default]
    DryRun,
    Enforce,
}

/// What is done about what: `GUARDRAILS`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rails([Mode; Rail::ALL.len()]);

impl Rails {
    pub const fn mode(&self, rail: Rail) -> Mode {
        self.0[rail as usize]
    }

    /// `cap-resolution=enforce,pause-uploads=off`: who is not named stays a dry run. Each fault says
    /// where it is and shows nothing of what stands there.
    pub fn read(text: &str) -> Result<Self, Vec<String>> {
        let (mut rails, mut faults) = (Self::default(), Vec::new());
        let parts = text.split(',').map(str::trim).enumerate();
        for (place, part) in parts.filter(|(_, it)| !it.is_empty()) {
            let (name, mode) = part.split_once('=').unwrap_or((part, ""));
            let rail = Rail::ALL.into_iter().find(|it| it.name() == name.trim());
            let mode = match mode.trim() {
                "off" => Some(Mode::Off),
                "dry-run" => Some(Mode::DryRun),
                "enforce" => Some(Mode::Enforce),
                _ => None,
            };
            match (rail, mode) {
                (Some(rail), Some(mode)) => rails.0[rail as usize] = mode,
                (None, _) => faults.push(format!("has no guardrail at place {}", place + 1)),
                (Some(rail), None) => faults.push(format!("has no good value for {}", rail.name())),
            }
        }
        if faults.is_empty() {
            return Ok(rails);
        }
        Err(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_named_and_not_shown() {
        let faults = Rails::read("cap-resolution=hunter2,hunter2=off,pause-links").unwrap_err();
        let named = [
            "has no good value for cap-resolution",
            "has no guardrail at place 2",
            "has no good value for pause-links",
        ];
        assert_eq!(faults, named);
    }
}
