//! Mux: the client for its API, its webhook events and signatures, and playback tokens.
//!
//! Owns: everything that knows how Mux spells things. Does not own: what it means for an asset
//! (`assets::lifecycle`), nor what happens when a webhook comes (`webhooks`).

mod client;
mod error;
mod ids;
mod lists;
mod playback;
mod signature;
mod transport;
mod types;
mod usage;

pub use self::{
    client::{AssetsPage, Cancellation, CreatedUpload, Deletion, FoundUpload, Mux, UploadOrder},
    error::MuxError,
    ids::{MuxAssetId, MuxEventId, MuxUploadId, PlaybackId, RestrictionId, UploadUrl},
    lists::Listed,
    playback::{Audience, PlaybackSigner, Resolution, Signed, SigningError, TOKEN_LIFE, Terms},
    signature::{SignatureError, TOLERANCE, WebhookVerifier},
    transport::MuxApi,
    types::{
        AssetNews, AssetStage, Failure, MuxEvent, NotAnEvent, Subject, UploadNews, UploadStage,
    },
    usage::{Delivered, DeliveredPage, Kept, KeptPage},
};
