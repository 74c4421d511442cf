//! The rules: what is limited, how often it may be, and whether that is enforced.

use serde::Serialize;
use time::Duration;

/// The most that a rule may allow: its item holds a mark for each.
const MOST: u16 = 500;

/// The longest time that a rule may look at.
const LONGEST: u32 = 7 * 86_400;

macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident = $name:literal, $most:literal in $seconds:literal;)*) => {
        /// What is limited. A name is in configuration, headers and stored keys: it never changes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Rule { $($(#[$doc])* $rule,)* }

        impl Rule {
            /// All of them, in the order in which their settings are kept.
            pub const ALL: [Self; [$(Self::$rule),*].len()] = [$(Self::$rule),*];

            pub const fn name(self) -> &'static str {
                match self { $(Self::$rule => $name,)* }
            }

            /// How often, when nobody says otherwise.
            const fn usual(self) -> Limit {
                match self {
                    $(Self::$rule => Limit { mode: Mode::Enforce, most: $most, seconds: $seconds },)*
                }
            }
        }
    };
}

rules! {
    /// Share links opened or renewed from one address (S0-058).
    OpensPerAddress = "opens-per-address", 100 in 60;
    /// One share link opened by a viewer who begins, from wherever. Going on is not counted.
    OpensPerLink = "opens-per-link", 60 in 600;
    /// Tokens from one address that open nothing.
    UnknownTokensPerAddress = "unknown-tokens-per-address", 20 in 600;
    /// Passwords tried on one link. A right one is given back.
    PasswordTriesPerLink = "password-tries-per-link", 5 in 600;
    /// One-time codes asked for on one link: a team may begin at the same time.
    CodesPerLink = "codes-per-link", 60 in 600;
    /// One-time codes asked for with one address, so that nobody's mailbox is filled.
    CodesPerEmail = "codes-per-email", 5 in 600;
    /// One-time codes tried on one link, of a hundred million. A right one is given back.
    CodeTriesPerLink = "code-tries-per-link", 60 in 600;
    /// Refusals of one link that are written down.
    RefusalNotesPerLink = "refusal-notes-per-link", 1 in 60;
    /// Uploads that one person begins (S0-058).
    UploadsPerUser = "uploads-per-user", 20 in 86400;
    /// Calls that make something at Mux, which takes one a second, and a few at once after a pause
    /// (mux.com/docs/core/make-api-requests).
    MuxPosts = "mux-posts", 5 in 5;
    /// Calls to one vendor that are tried again (S1-037).
    RetriesPerVendor = "retries-per-vendor", 10 in 60;
}

impl Rule {
    /// Whether clients are told how much is left. What limits only ourselves is nobody's business.
    pub const fn is_told(self) -> bool {
        match self {
            Self::OpensPerAddress
            | Self::OpensPerLink
            | Self::UnknownTokensPerAddress
            | Self::PasswordTriesPerLink
            | Self::CodesPerLink
            | Self::CodesPerEmail
            | Self::CodeTriesPerLink
            | Self::UploadsPerUser => true,
            Self::RefusalNotesPerLink | Self::MuxPosts | Self::RetriesPerVendor => false,
        }
    }
}

/// What happens beyond a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It is refused.
    Enforce,
    /// It passes, and is counted as what would have been refused (S0-051).
    Shadow,
}

/// So often in any time of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub mode: Mode,
    pub most: u16,
    pub seconds: u32,
}

impl Limit {
    pub fn window(self) -> Duration {
        Duration::seconds(self.seconds.into())
    }

    /// `shadow`, `enforce:50/86400`: what is not said stays as usual.
    fn read(text: &str, usual: Self) -> Option<Self> {
        let (mode, numbers) = match text.split_once(':') {
            Some((mode, numbers)) => (mode, Some(numbers)),
            None => (text, None),
        };
        let mode = match mode.trim() {
            "enforce" => Mode::Enforce,
            "shadow" => Mode::Shadow,
            _ => return None,
        };
        let Some(numbers) = numbers else {
            return Some(Self { mode, ..usual });
        };
        let (most, seconds) = numbers.split_once('/')?;
        let (most, seconds) = (most.trim().parse().ok()?, seconds.trim().parse().ok()?);
        let good = (1..=MOST).contains(&most) && (1..=LONGEST).contains(&seconds);
        good.then_some(Self {
            mode,
            most,
            seconds,
        })
    }
}

/// Every rule's limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits([Limit; Rule::ALL.len()]);

impl Default for Limits {
    fn default() -> Self {
        Self(Rule::ALL.map(Rule::usual))
    }
}

impl Limits {
    pub fn of(&self, rule: Rule) -> Limit {
        self.0[rule as usize]
    }

    /// `opens-per-address=shadow:200/60,uploads-per-user=enforce:50/86400`. Each fault says where it is
    /// and shows nothing of what stands there.
    pub fn read(text: &str) -> Result<Self, Vec<String>> {
        let (mut limits, mut faults) = (Self::default(), Vec::new());
        let mut seen = [false; Rule::ALL.len()];
        for (place, part) in text.split(',').enumerate() {
            if part.trim().is_empty() {
                continue;
            }
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let rule = Rule::ALL.into_iter().find(|it| it.name() == name.trim());
            let Some(rule) = rule else {
                faults.push(format!("has no rule at place {}", place + 1));
                continue;
            };
            if std::mem::replace(&mut seen[rule as usize], true) {
                faults.push(format!("says {} twice", rule.name()));
            }
            match Limit::read(value.trim(), rule.usual()) {
                Some(limit) => limits.0[rule as usize] = limit,
                None => faults.push(format!("has no good value for {}", rule.name())),
            }
        }
        if faults.is_empty() {
            return Ok(limits);
        }
        Err(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_as_usual() {
        let limits =
            Limits::read("opens-per-address=shadow:200/60, uploads-per-user=shadow").unwrap();
        let of = |rule| {
            let Limit {
                mode,
                most,
                seconds,
            } = limits.of(rule);
            (mode, most, seconds)
        };
        assert_eq!(of(Rule::OpensPerAddress), (Mode::Shadow, 200, 60));
        assert_eq!(of(Rule::UploadsPerUser), (Mode::Shadow, 20, 86_400));
        assert_eq!(of(Rule::OpensPerLink), (Mode::Enforce, 60, 600));
        assert_eq!(Limits::read(" "), Ok(Limits::default()));
    }

    #[test]
    fn faults_say_where_and_not_what() {
        for (text, fault) in [
            ("hunter2=enforce:1/1", "has no rule at place 1"),
            ("mux-posts=enforce,hunter2", "has no rule at place 2"),
            ("mux-posts=hunter2", "has no good value for mux-posts"),
            ("mux-posts=enforce:0/1", "has no good value for mux-posts"),
            ("mux-posts=enforce:501/1", "has no good value for mux-posts"),
            (
                "mux-posts=enforce:1/604801",
                "has no good value for mux-posts",
            ),
            ("mux-posts=enforce:-1/1", "has no good value for mux-posts"),
            ("mux-posts=shadow,mux-posts=enforce", "says mux-posts twice"),
        ] {
            assert_eq!(Limits::read(text), Err(vec![fault.to_owned()]), "{text}");
        }
    }
}
