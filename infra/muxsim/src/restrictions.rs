//! Playback restrictions and what they refuse (mux.com/docs: "Control playback with restrictions").

use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use url::Url;

/// How many domains one restriction may name (the same page).
const DOMAINS_MAX: usize = 10;

/// Programs that take videos away rather than show them. Mux keeps its own list to itself; these are
/// the common ones.
const HIGH_RISK: [&str; 8] = [
    "curl",
    "wget",
    "yt-dlp",
    "youtube-dl",
    "ffmpeg",
    "lavf",
    "python-requests",
    "aria2",
];

/// A restriction.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Restriction {
    /// Unix seconds.
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) referrer: Referrer,
    pub(crate) user_agent: UserAgent,
}

/// From which pages.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Referrer {
    /// None at all; `*` for any; or names, `*.example.com` for all below one.
    allowed_domains: Vec<String>,
    #[serde(default)]
    allow_no_referrer: bool,
}

/// With which programs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct UserAgent {
    #[serde(default = "yes")]
    allow_no_user_agent: bool,
    #[serde(default = "yes")]
    allow_high_risk_user_agent: bool,
}

fn yes() -> bool {
    true
}

impl Default for UserAgent {
    fn default() -> Self {
        Self {
            allow_no_user_agent: true,
            allow_high_risk_user_agent: true,
        }
    }
}

impl Referrer {
    /// What is wrong with it, if anything is.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.allowed_domains.len() > DOMAINS_MAX {
            return Err("allowed_domains has more than 10 domains");
        }
        let domain = |it: &String| {
            let name = it.strip_prefix("*.").unwrap_or(it);
            it == "*" || !name.is_empty() && !name.contains(['*', '/', ':', ' '])
        };
        if !self.allowed_domains.iter().all(domain) {
            return Err("allowed_domains must be domains, *.domains or *");
        }
        Ok(())
    }

    fn allows(&self, referrer: Option<&str>) -> bool {
        let Some(referrer) = referrer.filter(|it| !it.is_empty()) else {
            return self.allow_no_referrer;
        };
        let url = Url::parse(referrer).ok();
        let Some(host) = url.as_ref().and_then(Url::host_str) else {
            return false;
        };
        self.allowed_domains
            .iter()
            .map(|it| it.to_ascii_lowercase())
            .any(|it| match it.strip_prefix('*') {
                Some("") => true,
                // `.example.com`: what is below it, and not itself.
                Some(below) => host.ends_with(below),
                None => host == it,
            })
    }
}

impl UserAgent {
    fn allows(&self, agent: Option<&str>) -> bool {
        let Some(agent) = agent.filter(|it| !it.is_empty()) else {
            return self.allow_no_user_agent;
        };
        let agent = agent.to_ascii_lowercase();
        self.allow_high_risk_user_agent || !HIGH_RISK.iter().any(|it| agent.contains(it))
    }
}

impl Restriction {
    /// Whether a viewer with these headers may watch.
    pub(crate) fn allows(&self, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).and_then(|it| it.to_str().ok());
        self.referrer.allows(text(header::REFERER))
            && self.user_agent.allows(text(header::USER_AGENT))
    }
}

#[cfg(test)]
mod tests {
    use super::{Referrer, UserAgent};

    fn referrer(domains: &[&str], nobody: bool) -> Referrer {
        Referrer {
            allowed_domains: domains.iter().map(|it| (*it).to_owned()).collect(),
            allow_no_referrer: nobody,
        }
    }

    #[test]
    fn a_list_of_none_allows_no_page() {
        assert!(!referrer(&[], true).allows(Some("https://a.example/")));
        assert!(referrer(&[], true).allows(None));
        assert!(!referrer(&["*"], false).allows(None));
    }

    #[test]
    fn a_star_is_what_is_below_a_domain() {
        let below = referrer(&["*.example.com"], false);
        assert!(below.allows(Some("https://www.example.com/page?x=1")));
        assert!(!below.allows(Some("https://example.com/")));
        assert!(!below.allows(Some("https://badexample.com/")));
        assert!(!below.allows(Some("https://www.example.com.evil.example/")));
        let exact = referrer(&["example.com"], false);
        assert!(exact.allows(Some("https://Example.com/")));
        assert!(referrer(&["*.Example.COM"], false).allows(Some("https://a.example.com/")));
        assert!(!exact.allows(Some("https://www.example.com/")));
        assert!(!exact.allows(Some("not an address")));
    }

    #[test]
    fn what_is_no_domain_is_refused() {
        for wrong in ["", "https://example.com", "a b", "*.*", "a*"] {
            assert!(referrer(&[wrong], false).check().is_err(), "{wrong}");
        }
        let many = ["example.com"; 11];
        assert!(referrer(&many, false).check().is_err());
        assert!(referrer(&many[1..], false).check().is_ok());
    }

    #[test]
    fn programs_that_take_videos_away_can_be_kept_out() {
        let strict = UserAgent {
            allow_no_user_agent: false,
            allow_high_risk_user_agent: false,
        };
        assert!(strict.allows(Some("Mozilla/5.0 (X11; Linux x86_64)")));
        assert!(!strict.allows(Some("curl/8.5.0")));
        assert!(!strict.allows(None));
        assert!(UserAgent::default().allows(None));
    }
}
