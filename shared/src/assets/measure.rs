//! What a step in the life of a video is, in numbers (S0-015).

use super::model::{Asset, Ending, Status};
use crate::{
    app::Parts,
    metrics::{self, Metric},
};

/// An upload was begun: its row is written.
pub fn begun(app: &Parts, asset: &Asset) {
    let now = app.clock.now();
    metrics::emit(now, Metric::UploadsBegun, 1);
    metrics::emit(now, Metric::UploadBytes, asset.size);
}

/// A video went from one state to the next, and the table has it. Whoever writes what `step` gives
/// tells this afterwards: what was not written did not happen.
pub fn moved(app: &Parts, before: &Asset, next: &Asset) {
    let (now, stage) = (app.clock.now(), next.stage());
    if stage == before.stage() {
        return;
    }
    let metric = match stage {
        // A deletion ends no upload, and nothing begins again.
        Status::AwaitingUpload | Status::Deleted => return,
        Status::Processing => Metric::UploadsReceived,
        Status::Ready => {
            let taken = metrics::millis(now - next.created_at);
            metrics::emit(now, Metric::UploadToReady, taken);
            Metric::UploadsReady
        }
        Status::Failed => Metric::UploadsFailed,
        Status::Cancelled if matches!(next.ending, Ending::Refused { .. }) => {
            Metric::UploadsRefused
        }
        Status::Cancelled => Metric::UploadsCancelled,
        Status::Expired => Metric::UploadsExpired,
    };
    metrics::emit(now, metric, 1);
}
