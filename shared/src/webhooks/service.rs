//! What is done with a webhook.

use std::time::Duration;

use time::OffsetDateTime;

use super::{
    WebhookError,
    model::{Outcome, RECEIPT_LIFE, Receipt, kept},
};
use crate::{
    app::Parts,
    assets::{self, Asset, Pointer, Stamp},
    dlq::{DeadLetter, RawBody, Reason},
    events::{Act, Actor},
    ids::{AssetId, RequestId},
    mux::{MuxAssetId, MuxEvent, MuxUploadId, Subject},
    store::{ATTEMPTS, Guard, StoreError, Write, keys},
};

/// Mux gives up after five seconds (mux.com/docs/core/listen-for-webhooks); we are done after four:
/// this long for the table, this long for the queue if the table fails.
const STORE_TIME: Duration = Duration::from_millis(2_600);
const QUEUE_TIME: Duration = Duration::from_millis(1_400);

/// Takes a webhook as it came. `Ok` means that the event is durable.
pub(super) async fn receive(
    app: &Parts,
    signature: Option<&str>,
    body: &[u8],
    request: Option<RequestId>,
) -> Result<Outcome, WebhookError> {
    let now = app.clock.now();
    app.webhooks.verify(signature, body, now)?;
    let letter = |reason| DeadLetter {
        id: app.ids.mint(),
        reason,
        received_at: now,
        request,
        body: RawBody::new(body),
    };
    let event = match MuxEvent::parse(body) {
        Ok(event) => event,
        Err(error) => {
            if app.config.webhook_dlq {
                queue(app, &letter(Reason::NotAnEvent)).await?;
            }
            return Err(error.into());
        }
    };
    let failure = match tokio::time::timeout(STORE_TIME, apply(app, &event, body, request)).await {
        Ok(Ok(outcome)) => return Ok(outcome),
        Ok(Err(error)) => WebhookError::Store(error),
        Err(_) => WebhookError::Late,
    };
    if !app.config.webhook_dlq {
        return Err(failure);
    }
    let refused = matches!(&failure, WebhookError::Store(error) if !error.is_retryable());
    let reason = if refused {
        Reason::StoreRefused
    } else {
        Reason::StoreUnavailable
    };
    tracing::error!(
        event.id = event.id.as_str(),
        event.kind,
        error = crate::telemetry::chain(&failure),
        "event queued as a dead letter"
    );
    queue(app, &letter(reason)).await?;
    Ok(Outcome::Queued)
}

async fn queue(app: &Parts, letter: &DeadLetter) -> Result<(), WebhookError> {
    tokio::time::timeout(QUEUE_TIME, app.dead_letters.send(letter))
        .await
        .map_err(|_| WebhookError::QueueLate)??;
    Ok(())
}

/// Deals with an event that is what it says: one read, one transaction. The same event again: one read.
pub(crate) async fn apply(
    app: &Parts,
    event: &MuxEvent,
    body: &[u8],
    request: Option<RequestId>,
) -> Result<Outcome, StoreError> {
    let receipt = keys::receipt(&event.id);
    let mut attempt = 1;
    loop {
        let Some((seen, asset)) = look_up(app, event).await? else {
            return Ok(Outcome::Duplicate);
        };
        let now = app.clock.now();
        let (outcome, writes) = match &asset {
            Some(before) => changes(app, before, event, request)?,
            None => (Outcome::Unmatched, Vec::new()),
        };
        let entry = Receipt {
            kind: event.kind.clone(),
            at: event.at,
            received_at: now,
            outcome,
            asset: seen,
            body: (outcome != Outcome::Applied)
                .then(|| kept(body))
                .transpose()?,
        };
        let key = if outcome == Outcome::Unmatched {
            keys::unmatched_receipt(&event.id, &stamp(now))
        } else {
            receipt.clone()
        };
        let key = key.expiring(now + RECEIPT_LIFE);
        let entry = Write::put(key, &entry, Guard::Absent)?;
        let all = std::iter::once(entry).chain(writes).collect();
        match app.store.commit(all).await {
            Ok(()) => {
                if outcome == Outcome::Unmatched {
                    tracing::warn!(
                        event.id = event.id.as_str(),
                        event.kind,
                        "event matches nothing of ours"
                    );
                }
                return Ok(outcome);
            }
            // The receipt is the first write: somebody else has dealt with this very event.
            Err(StoreError::Conflict { write: 0 }) => return Ok(Outcome::Duplicate),
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

/// What stands at the receipt's place and at the asset's. `None`: the receipt does.
async fn look_up(
    app: &Parts,
    event: &MuxEvent,
) -> Result<Option<(Option<AssetId>, Option<Asset>)>, StoreError> {
    let receipt = keys::receipt(&event.id);
    if let Some(id) = event.ours {
        let (seen, asset): (Option<Receipt>, Option<Asset>) =
            app.store.get_both(&receipt, &keys::asset(id)).await?;
        if seen.is_some() {
            return Ok(None);
        }
        if asset.is_some() {
            return Ok(Some((Some(id), asset)));
        }
    }
    // Not by our own id, then by Mux's: parts of an asset, and events without `passthrough`.
    for mux_id in mux_ids(&event.subject) {
        let (seen, pointer): (Option<Receipt>, Option<Pointer>) = app
            .store
            .get_both(&receipt, &keys::mux_pointer(mux_id))
            .await?;
        if seen.is_some() {
            return Ok(None);
        }
        if let Some(pointer) = pointer {
            let asset = app.store.get(&keys::asset(pointer.asset)).await?;
            return Ok(Some((Some(pointer.asset), asset)));
        }
    }
    let seen: Option<Receipt> = app.store.get(&receipt).await?;
    Ok(seen.is_none().then_some((None, None)))
}

/// A name of what the event is about: the same for events that may meet in the table.
pub(crate) fn about(event: &MuxEvent) -> Option<String> {
    let ours = event.ours.map(|it| it.to_string());
    ours.or_else(|| mux_ids(&event.subject).first().map(|it| (*it).to_owned()))
}

/// The ids by which Mux names what the event is about, the asset's first.
fn mux_ids(subject: &Subject) -> Vec<&str> {
    match subject {
        Subject::Upload(news) => {
            let asset = news.asset.as_ref().map(MuxAssetId::as_str);
            asset.into_iter().chain([news.upload.as_str()]).collect()
        }
        Subject::Asset(news) => {
            let upload = news.upload.as_ref().map(MuxUploadId::as_str);
            [news.asset.as_str()].into_iter().chain(upload).collect()
        }
        Subject::Part { asset } => asset.iter().map(MuxAssetId::as_str).collect(),
        Subject::Other => Vec::new(),
    }
}

/// What the event changes, beside its receipt.
fn changes(
    app: &Parts,
    before: &Asset,
    event: &MuxEvent,
    request: Option<RequestId>,
) -> Result<(Outcome, Vec<Write>), StoreError> {
    if matches!(event.subject, Subject::Part { .. } | Subject::Other) {
        return Ok((Outcome::Ignored, Vec::new()));
    }
    let news = Stamp {
        at: event.at,
        by: event.id.clone(),
    };
    let mut next = before.apply(&news, &event.subject);
    if next == *before {
        return Ok((Outcome::Applied, Vec::new())); // it was known already
    }
    next.version += 1;
    let act = Act {
        actor: Actor::Mux {
            event: event.id.clone(),
        },
        request,
    };
    Ok((
        Outcome::Applied,
        assets::step(app, before, &next, &act, None)?,
    ))
}

/// Sorts by time as text.
fn stamp(at: OffsetDateTime) -> String {
    format!("{:020}", at.unix_timestamp_nanos())
}
