//! What is done with a webhook.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use axum::http::HeaderMap;

use super::{
    WebhookError,
    model::{Effect, KEPT_MAX, MUCH_TRAFFIC, Outcome, RECEIPT_LIFE, Receipt, plan},
};
use crate::{
    app::Parts,
    assets::{self, Asset, Pointer, Way},
    dlq::{self, DeadLetter, HEADERS, RawBody, Reason},
    events::{Act, Actor, Via},
    guardrails,
    ids::{AssetId, RequestId},
    metrics::{self, Metric},
    mux::{MuxAssetId, MuxEvent, MuxEventId, MuxUploadId, Subject},
    store::{ATTEMPTS, Guard, StoreError, Write, keys},
    traces,
};

/// Mux gives up after five seconds (mux.com/docs/core/listen-for-webhooks); we are done after four:
/// this long for the table, this long for the queue if the table fails.
const STORE_TIME: Duration = Duration::from_millis(2_600);
const QUEUE_TIME: Duration = Duration::from_millis(1_400);

/// A webhook as it came.
pub(super) struct Incoming<'a> {
    /// The one `mux-signature`, if there is exactly one.
    pub signature: Option<&'a str>,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    pub request: Option<RequestId>,
}

impl Incoming<'_> {
    fn letter(&self, app: &Parts, reason: Reason) -> DeadLetter {
        let headers = HEADERS.iter().filter_map(|name| {
            let value = self.headers.get(*name)?.to_str().ok()?;
            Some(((*name).to_owned(), value.to_owned()))
        });
        DeadLetter {
            id: app.ids.mint(),
            reason,
            received_at: app.clock.now(),
            request: self.request,
            trace: traces::here(),
            headers: headers.collect(),
            body: RawBody::new(self.body),
        }
    }
}

/// Takes a webhook. `Ok` means that the event is durable.
pub(super) async fn receive(app: &Parts, it: Incoming<'_>) -> Result<Outcome, WebhookError> {
    app.keys()
        .webhooks
        .verify(it.signature, it.body, app.clock.now())?;
    let event = match MuxEvent::parse(it.body) {
        Ok(event) => event,
        Err(error) => {
            if app.config.webhook_dlq {
                queue(app, it.letter(app, Reason::NotAnEvent)).await?;
            }
            return Err(error.into());
        }
    };
    let told = Told {
        event: &event,
        body: it.body,
        via: Via::Webhook,
        request: it.request,
        with: None,
    };
    let failure = match tokio::time::timeout(STORE_TIME, apply(app, &told)).await {
        Ok(Ok(effect)) => {
            let now = app.clock.now();
            metrics::emit(now, Metric::WebhookLag, metrics::millis(now - event.at));
            if event.kind == MUCH_TRAFFIC {
                guardrails::much_traffic(app).await;
            }
            return Ok(effect.outcome);
        }
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
    traces::fail();
    tracing::error!(
        event.id = event.id.as_str(),
        event.kind,
        error = crate::telemetry::chain(&failure),
        "event queued as a dead letter"
    );
    queue(app, it.letter(app, reason)).await?;
    Ok(Outcome::Queued)
}

async fn queue(app: &Parts, letter: DeadLetter) -> Result<(), WebhookError> {
    tokio::time::timeout(QUEUE_TIME, dlq::keep(app, letter))
        .await
        .map_err(|_| WebhookError::QueueLate)??;
    Ok(())
}

/// An event, and how it came to be dealt with.
pub(crate) struct Told<'a> {
    pub event: &'a MuxEvent,
    /// The event as it came.
    pub body: &'a [u8],
    pub via: Via,
    pub request: Option<RequestId>,
    /// What is to be written with it, in the same transaction, once it is known what it does.
    pub with: Option<&'a With<'a>>,
}

pub(crate) type With<'a> = dyn Fn(Outcome) -> Result<Vec<Write>, StoreError> + Sync + 'a;

/// Deals with an event that is what it says: one read, one transaction. The same event again: one read.
pub(crate) async fn apply(app: &Parts, told: &Told<'_>) -> Result<Effect, StoreError> {
    let Told { event, body, .. } = told;
    let unseen = Rehearsed::default();
    let mut attempt = 1;
    loop {
        let Some((asset, before)) = look_up(app, event, &unseen).await? else {
            return Ok(Effect::duplicate());
        };
        if let Some(asset) = &before {
            traces::join(asset.trace, asset.created_at);
            traces::note("asset.id", asset.id);
        }
        let now = app.clock.now();
        let (outcome, mut next) = plan(before.as_ref(), event);
        let key = if outcome == Outcome::Unmatched {
            keys::unmatched_receipt(&event.id, now)
        } else {
            keys::receipt(&event.id)
        };
        let key = key.expiring(now + RECEIPT_LIFE);
        let body = match (outcome == Outcome::Applied, body.len() > KEPT_MAX) {
            (true, _) => None,
            (false, true) => {
                let (count, digest) = app.store.put_parts(&key, body).await?;
                Some(RawBody::Parts { count, digest })
            }
            (false, false) => Some(RawBody::new(body)),
        };
        let entry = Receipt {
            event: event.id.clone(),
            kind: event.kind.clone(),
            at: event.at,
            received_at: now,
            outcome,
            asset,
            body,
        };
        let mut writes = vec![Write::put(key, &entry, Guard::Absent)?];
        if let (Some(before), Some(next)) = (&before, &mut next) {
            let act = Act {
                actor: Actor::Mux {
                    event: event.id.clone(),
                    via: told.via,
                },
                request: told.request,
                address: None, // of Mux, not of a person
            };
            writes.extend(assets::step(app, before, next, &act, None)?);
        }
        if let Some(with) = told.with {
            writes.extend(with(outcome)?);
        }
        match app.store.commit(writes).await {
            Ok(()) => {
                if outcome == Outcome::Unmatched {
                    tracing::warn!(
                        event.id = event.id.as_str(),
                        event.kind,
                        "event matches nothing of ours"
                    );
                }
                let change = before.zip(next).map(Box::new);
                if let Some(change) = &change {
                    assets::moved(app, &change.0, &change.1);
                }
                return Ok(Effect {
                    outcome,
                    asset,
                    change,
                });
            }
            // The receipt is the first write: somebody else has dealt with this very event.
            Err(StoreError::Conflict { write: 0 }) => return Ok(Effect::duplicate()),
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

/// What a rehearsal has made of the table so far, in memory only.
#[derive(Default)]
pub(crate) struct Rehearsed {
    receipts: HashSet<MuxEventId>,
    assets: HashMap<AssetId, Asset>,
    pointers: HashMap<String, AssetId>,
}

/// What [`apply`] would do now, after what was rehearsed before. Nothing is written.
pub(crate) async fn rehearse(
    app: &Parts,
    event: &MuxEvent,
    so_far: &mut Rehearsed,
) -> Result<Effect, StoreError> {
    let Some((asset, before)) = look_up(app, event, so_far).await? else {
        return Ok(Effect::duplicate());
    };
    let (outcome, mut next) = plan(before.as_ref(), event);
    so_far.receipts.insert(event.id.clone());
    if let (Some(before), Some(next)) = (&before, &mut next) {
        next.note_way(before, Way::Replay);
        for mux_id in next.lifecycle.mux_ids() {
            so_far.pointers.insert(mux_id.to_owned(), next.id);
        }
        so_far.assets.insert(next.id, next.clone());
    }
    Ok(Effect {
        outcome,
        asset,
        change: before.zip(next).map(Box::new),
    })
}

/// What stands at the receipt's place and at the asset's. `None`: the receipt does.
async fn look_up(
    app: &Parts,
    event: &MuxEvent,
    so_far: &Rehearsed,
) -> Result<Option<(Option<AssetId>, Option<Asset>)>, StoreError> {
    if so_far.receipts.contains(&event.id) {
        return Ok(None);
    }
    let receipt = keys::receipt(&event.id);
    let newest = |id: AssetId, read: Option<Asset>| so_far.assets.get(&id).cloned().or(read);
    if let Some(id) = event.ours {
        let (seen, asset): (Option<Receipt>, Option<Asset>) =
            app.store.get_both(&receipt, &keys::asset(id)).await?;
        if seen.is_some() {
            return Ok(None);
        }
        if asset.is_some() {
            return Ok(Some((Some(id), newest(id, asset))));
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
        let read = pointer.map(|it| it.asset);
        if let Some(id) = read.or_else(|| so_far.pointers.get(mux_id).copied()) {
            let asset = app.store.get(&keys::asset(id)).await?;
            return Ok(Some((Some(id), newest(id, asset))));
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
