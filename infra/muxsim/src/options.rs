//! What can be chosen when the stand-in starts.

use std::{path::PathBuf, sync::Arc};

use axum::{body::Body, extract::Request, response::Response};
use futures::future::BoxFuture;
use time::{Duration, OffsetDateTime};

use crate::{faults::Faults, keys::SigningKey, limits::RateLimit};

/// Where time comes from: the system, or a test's hand.
pub type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// Carries a webhook to its endpoint and brings the answer, or none if the connection broke.
pub type Post = Arc<dyn Fn(Request<Body>) -> BoxFuture<'static, Option<Response>> + Send + Sync>;

/// Everything that can be chosen.
#[derive(Clone)]
pub struct Options {
    /// Where state and files are kept. They survive a restart, and a SIGKILL.
    pub folder: PathBuf,
    /// The address under which the router is reachable, without a slash at its end. Upload,
    /// rendition and segment addresses begin with it.
    pub public_url: String,
    /// The access token that the API asks for, as Basic auth.
    pub token_id: String,
    pub token_secret: String,
    /// More of them, id and secret, while one replaces another.
    pub further_tokens: Vec<(String, String)>,
    /// Who is told of events.
    pub endpoints: Vec<Endpoint>,
    /// The keys that playback tokens may be signed with.
    pub signing_keys: Vec<SigningKey>,
    pub clock: Clock,
    /// How often the API may be called; `None` is as often as one likes.
    pub rate_limit: Option<RateLimit>,
    /// Whether uploads expose `Range` to browsers. Mux's own did not (muxinc/upchunk#156).
    pub expose_range: bool,
    /// How long the address of a rendition or a segment is good. Mux signs them apart from the
    /// token; for how long is not documented.
    pub segment_life: Duration,
    /// How long the first retry of a webhook waits; each further one waits twice as long.
    pub retry_after: Duration,
    /// The `ffmpeg` to use for formats beyond MP4 and for a ladder of renditions.
    pub ffmpeg: Option<PathBuf>,
    /// How many files are processed at once.
    pub workers: usize,
    /// How long after it was delivered, delivery is reported. Mux's own is 12 hours behind.
    pub usage_lag: Duration,
    /// Whether parameters beside a token are passed over. Mux documents that they must be inside it,
    /// and not what becomes of those that are not: here they are refused.
    pub stray_parameters: bool,
    /// Whether the account is on the free plan, which ends at ten assets.
    pub free_plan: bool,
    /// What goes wrong on purpose.
    pub faults: Faults,
    /// Makes the names of uploads, assets and events repeatable; `None`: nobody can guess them.
    pub seed: Option<u64>,
    /// How webhooks are carried, for a world without a network; `None` is HTTP.
    pub post: Option<Post>,
}

/// One webhook endpoint.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub address: String,
    /// Signs what is sent there: plain text, as Mux shows it.
    pub secret: String,
}

impl Options {
    /// What is usual, for a folder and an address.
    pub fn new(folder: PathBuf, public_url: impl Into<String>) -> Self {
        Self {
            folder,
            public_url: public_url.into(),
            token_id: "muxsim".to_owned(),
            token_secret: "muxsim-secret".to_owned(),
            further_tokens: Vec::new(),
            endpoints: Vec::new(),
            signing_keys: Vec::new(),
            clock: Arc::new(system_time),
            rate_limit: None,
            expose_range: false,
            segment_life: Duration::hours(2),
            retry_after: Duration::seconds(2),
            ffmpeg: None,
            workers: 2,
            usage_lag: Duration::hours(12),
            stray_parameters: false,
            free_plan: false,
            faults: Faults::default(),
            seed: None,
            post: None,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one read of the system clock; everything else takes it from the options"
)]
fn system_time() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
