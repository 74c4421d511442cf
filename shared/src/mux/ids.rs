//! Mux's own identifiers. They are capabilities or lead to one, so `Debug` keeps them out of logs.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}

names! {
    /// A direct upload at Mux.
    MuxUploadId;
    /// An asset at Mux.
    MuxAssetId;
    /// What a stream address names. With a public policy it would be all that a viewer needs.
    PlaybackId;
    /// A playback restriction: on which pages a token plays.
    RestrictionId;
    /// One webhook event; a redelivery has the same id (mux.com/docs/core/listen-for-webhooks).
    MuxEventId;
    /// Where a file may be sent, by whoever holds it: a signed URL that needs nothing else.
    UploadUrl;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_capability() {
        let url = UploadUrl::new("https://storage.example/secret");
        assert_eq!(format!("{url:?}"), "UploadUrl(…)");
    }
}
