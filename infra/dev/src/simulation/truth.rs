//! What a video must be in the end, by what Mux says of it now and what its owner decided. Written
//! apart from the product's reducer, and simpler: there is nothing left to come.

/// Whether something was decided; a lost answer leaves it open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Said {
    #[default]
    No,
    Perhaps,
    Yes,
}

/// What one person did to one video.
#[derive(Debug, Clone, Default)]
pub(super) struct Decisions {
    pub(super) deleted: Said,
    pub(super) cancelled: Said,
    /// How often it was tried to cancel and to rename.
    pub(super) cancels: usize,
    pub(super) renames: usize,
    /// The titles that it may have.
    pub(super) titles: Vec<String>,
}

/// An upload at Mux.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UploadAtMux {
    Waiting,
    TimedOut,
    Cancelled,
}

/// An asset at Mux.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AssetAtMux {
    Preparing,
    Ready,
    Errored,
    Gone,
}

/// All that Mux has of one video.
#[derive(Debug, Clone, Default)]
pub(super) struct AtMux {
    /// Without those that became an asset, oldest first.
    pub(super) uploads: Vec<UploadAtMux>,
    pub(super) assets: Vec<AssetAtMux>,
}

/// The statuses that the video may have. Mostly one: where an answer was lost, either may be true, and
/// of several uploads without a file the product may have heard of any.
pub(super) fn allowed(decided: &Decisions, mux: &AtMux) -> Vec<&'static str> {
    let mut allowed = match decided.deleted {
        Said::Yes => return vec!["DELETED"],
        Said::Perhaps => vec!["DELETED"],
        Said::No => Vec::new(),
    };
    if let Some(status) = of_assets(&mux.assets) {
        allowed.push(status);
        return allowed;
    }
    allowed.extend(mux.uploads.iter().map(|upload| match upload {
        UploadAtMux::Waiting => "AWAITING_UPLOAD",
        UploadAtMux::TimedOut => "EXPIRED",
        UploadAtMux::Cancelled => "CANCELLED",
    }));
    if decided.cancelled > Said::No {
        allowed.push("CANCELLED");
    }
    if mux.uploads.is_empty() {
        // A wish that Mux refused, or never heard of.
        allowed.extend(["EXPIRED", "CANCELLED"]);
    }
    allowed
}

/// What can be played speaks, then what is being made, then what failed.
fn of_assets(assets: &[AssetAtMux]) -> Option<&'static str> {
    [
        (AssetAtMux::Ready, "READY"),
        (AssetAtMux::Preparing, "MUX_PROCESSING"),
        (AssetAtMux::Errored, "ERROR"),
        (AssetAtMux::Gone, "DELETED"),
    ]
    .into_iter()
    .find_map(|(asset, status)| assets.contains(&asset).then_some(status))
}

/// Where an event leads to from a status; `None`: it cannot happen there. The status before the first
/// event is empty.
pub(super) fn step(status: &str, event: &str) -> Option<&'static str> {
    let unsent = matches!(status, "AWAITING_UPLOAD" | "CANCELLED" | "EXPIRED");
    let lives = !matches!(status, "" | "DELETED");
    match event {
        "upload.requested" if status.is_empty() => Some("AWAITING_UPLOAD"),
        "upload.refused" if status == "AWAITING_UPLOAD" => Some("CANCELLED"),
        "upload.received" if unsent => Some("MUX_PROCESSING"),
        "upload.cancelled" if unsent => Some("CANCELLED"),
        "upload.expired" if unsent && status != "EXPIRED" => Some("EXPIRED"),
        "asset.failed" if unsent || status == "MUX_PROCESSING" => Some("ERROR"),
        "asset.ready" if lives && status != "READY" => Some("READY"),
        // A person may wish what Mux has done already.
        "asset.deleted" if !status.is_empty() => Some("DELETED"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_mux(uploads: &[UploadAtMux], assets: &[AssetAtMux]) -> AtMux {
        AtMux {
            uploads: uploads.to_vec(),
            assets: assets.to_vec(),
        }
    }

    #[test]
    fn what_mux_has_decides_and_a_deletion_counts_for_more() {
        let mut decided = Decisions::default();
        let ready = at_mux(&[UploadAtMux::TimedOut], &[AssetAtMux::Ready]);
        assert_eq!(allowed(&decided, &ready), ["READY"]);
        decided.deleted = Said::Perhaps;
        assert_eq!(allowed(&decided, &ready), ["DELETED", "READY"]);
        decided.deleted = Said::Yes;
        assert_eq!(allowed(&decided, &ready), ["DELETED"]);
    }

    #[test]
    fn a_video_that_was_deleted_does_nothing_more() {
        assert_eq!(step("READY", "asset.deleted"), Some("DELETED"));
        assert_eq!(step("DELETED", "asset.ready"), None);
        assert_eq!(step("", "upload.received"), None);
    }
}
