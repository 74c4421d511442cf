//! What the addresses of renditions and segments say in their opaque part, and that it was we who
//! said it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{DENIED, Refusal};
use crate::sim::Sim;

/// One rendition, as one viewer asked for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) playback: String,
    pub(super) asset: String,
    /// A track of further sound or subtitles; the asset's own media without.
    pub(super) track: Option<String>,
    pub(super) rendition: String,
    /// From which second to which, if not all of it.
    pub(super) clip: Option<(f64, f64)>,
}

#[derive(Deserialize)]
pub(super) struct Signed {
    #[serde(default)]
    pub(super) signature: String,
}

impl Place {
    /// An absolute address that is good for a while, token or no token.
    pub(super) fn address(&self, sim: &Sim, host: &str, file: &str) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        let path = format!("/{host}/{}/{file}", URL_SAFE_NO_PAD.encode(text));
        let until = (sim.now() + sim.options().segment_life).unix_timestamp();
        sim.signed_until(&path, until)
    }

    /// What an address says, if its signature is ours and still good.
    pub(super) fn of(
        sim: &Sim,
        host: &str,
        opaque: &str,
        file: &str,
        signed: &Signed,
    ) -> Result<Self, Refusal> {
        let path = format!("/{host}/{opaque}/{file}");
        let now = sim.now().unix_timestamp();
        if !sim.paths().allows(&path, &signed.signature, now) {
            return Err(DENIED);
        }
        let text = URL_SAFE_NO_PAD.decode(opaque).map_err(|_| DENIED)?;
        serde_json::from_slice(&text).map_err(|_| DENIED)
    }
}
