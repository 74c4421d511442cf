//! What can be done with an upload. Each function is one use case, callable without HTTP.

use time::Duration;

use super::{
    UploadError,
    model::{FIRST, IdempotencyKey, ONCE_LIFE, Once, Order},
};
use crate::{
    app::Parts,
    assets::{self, Asset, Ending, Lifecycle, Stamp, Status},
    auth::Member,
    events::Event,
    guardrails::{self, Rail},
    ids::AssetId,
    limits::{self, Allowance, LimitError, Rule},
    mux::{
        Cancellation, MuxError, MuxEventId, MuxUploadId, Subject, UploadNews, UploadOrder,
        UploadStage, UploadUrl,
    },
    origin::Origin,
    resilience::{self, Vendor},
    store::{ATTEMPTS, Guard, StoreError, Write, keys, keys::Key},
    traces,
};

/// The shortest life that Mux gives an upload, in seconds (mux.com/docs/api-reference).
const TIMEOUT_MIN: u32 = 60;

/// How long somebody at a page waits for Mux: shorter than the function lives.
const PATIENCE: Duration = Duration::seconds(10);

/// Begins an upload: the row first, then Mux, then what Mux answered (S0-100, S1-053). Whatever
/// breaks in between, the row is there, and names itself in every event of Mux.
pub(super) async fn create(
    app: &Parts,
    member: &Member,
    order: Order,
    key: Option<IdempotencyKey>,
    origin: &Origin,
) -> Result<Asset, UploadError> {
    let now = app.clock.now();
    let asset = Asset {
        id: app.ids.mint(),
        tenant: member.tenant,
        owner: member.user,
        title: order.title.clone(),
        content_type: order.content_type.clone(),
        size: order.size,
        created_at: now,
        edited_at: now,
        ending: Ending::None,
        lifecycle: Lifecycle::default(),
        closed_by: None,
        at_rest: false,
        trace: traces::here(),
        version: 1,
    };
    let requested = Event::UploadRequested {
        asset: asset.id,
        size: asset.size,
    };
    let mut writes = vec![
        assets::row(&asset, Guard::Absent)?,
        member
            .act()
            .write_change(app, member.tenant, requested, None, Some(&asset))?,
    ];
    // While Mux is not asked, nothing is begun that would have to be undone (S1-058).
    let held = resilience::check(app, Vendor::Mux).await;
    let held = held.map_err(MuxError::from);
    let Some(key) = key else {
        held?;
        let taken = may_begin(app, member).await?;
        app.store.commit(writes).await?;
        assets::begun(app, &asset);
        return begin(app, member, asset, Undo::Row(None, taken), origin).await;
    };
    let key = keys::once(member.user, &key.digest(member.tenant));
    let once = Once::new(asset.id, order.fingerprint(origin.as_str()), now);
    let taken = match held {
        Ok(()) => may_begin(app, member).await,
        Err(error) => Err(error.into()),
    };
    let allowance = match taken {
        Ok(allowance) => allowance,
        // What was begun before is answered all the same.
        Err(
            error @ (UploadError::Limit(LimitError::Limited { .. })
            | UploadError::Mux(_)
            | UploadError::Paused),
        ) => {
            let first: Option<Once> = app.store.get(&key).await?;
            first.ok_or(error)?;
            return resume(app, member, key, &once, origin).await;
        }
        Err(error) => return Err(error),
    };
    writes.insert(
        0,
        Write::put(key.clone().expiring(now + ONCE_LIFE), &once, Guard::Absent)?,
    );
    match app.store.commit(writes).await {
        Ok(()) => {
            assets::begun(app, &asset);
            let undo = Undo::Row(Some(key), allowance);
            begin(app, member, asset, undo, origin).await
        }
        Err(StoreError::Conflict { write: 0 }) => {
            // A repeat counts for nothing. If this fails, it counts: nobody's repeat fails for it.
            let _ = limits::give_back(app, allowance).await;
            resume(app, member, key, &once, origin).await
        }
        Err(error) => Err(error.into()),
    }
}

/// One more upload of this person today, if their month's budget allows any.
async fn may_begin(app: &Parts, member: &Member) -> Result<Allowance, UploadError> {
    let acting = guardrails::known(app).await;
    if acting.acts(&app.config.guardrails, Rail::PauseUploads, member.tenant) {
        return Err(UploadError::Paused);
    }
    let user = member.user.to_string();
    Ok(limits::take(app, Rule::UploadsPerUser, &user, None).await?)
}

/// The same request again: the same answer, or the rest of the work if nobody is at it any more.
async fn resume(
    app: &Parts,
    member: &Member,
    key: Key,
    again: &Once,
    origin: &Origin,
) -> Result<Asset, UploadError> {
    let now = app.clock.now();
    let first: Option<Once> = app.store.get(&key).await?;
    let Some(first) = first else {
        return Err(UploadError::InProgress { seconds: 1 }); // it was undone just now
    };
    if first.fingerprint != again.fingerprint {
        return Err(UploadError::KeyReused);
    }
    let asset = assets::find(app, member.tenant, first.asset).await?;
    if let Ending::Refused { .. } = asset.ending {
        // The first request undid it after its claim was read: nobody may be told of this video.
        return Err(UploadError::InProgress { seconds: 1 });
    }
    if asset.status(now) != Status::AwaitingUpload || asset.lifecycle.open_upload().is_some() {
        return Ok(asset);
    }
    if let Some(seconds) = first.wait(now) {
        return Err(UploadError::InProgress { seconds });
    }
    let claim = first.taken_over(now);
    let claimed = key.clone().expiring(now + ONCE_LIFE);
    match app.store.put(&claimed, &claim, Guard::Lapsed(now)).await {
        // Not its own to undo: the first request may have had an effect that nobody knows of yet.
        Ok(()) => begin(app, member, asset, Undo::Nothing, origin).await,
        Err(StoreError::Conflict { .. }) => Err(UploadError::InProgress { seconds: 1 }),
        Err(error) => Err(error.into()),
    }
}

/// What is taken back when Mux surely did nothing.
enum Undo {
    /// The row, the claim on the key if there is one, and what was counted for it.
    Row(Option<Key>, Allowance),
    Nothing,
}

/// Asks Mux, and writes down what it answered. Where an answer was lost Mux may have made an upload:
/// the row stays, and `video.upload.created` or the same request again finds it.
async fn begin(
    app: &Parts,
    member: &Member,
    asset: Asset,
    undoing: Undo,
    origin: &Origin,
) -> Result<Asset, UploadError> {
    // What is left of the row's own life: a request that took over must not make an upload that
    // outlives it, and takes a file after the video is said to have expired.
    let left = asset.upload_deadline() - app.clock.now();
    let order = UploadOrder {
        asset: asset.id,
        title: asset.title.as_str(),
        cors_origin: origin.as_str(),
        timeout: u32::try_from(left.whole_seconds())
            .unwrap_or_default()
            .max(TIMEOUT_MIN),
    };
    let created = match app.mux(PATIENCE, asset.id).create_upload(&order).await {
        Ok(created) => created,
        Err(error) => {
            if let Undo::Row(key, allowance) = undoing
                && error.had_no_effect()
            {
                undo(app, member, &asset, key).await;
                let _ = limits::give_back(app, allowance).await; // if not, it counts
            }
            return Err(error.into());
        }
    };
    let waiting = news(created.id, UploadStage::Waiting, Some(created.url));
    learn(app, member, asset.id, waiting).await
}

/// Takes the wish back when Mux surely did nothing, so that the same request can start afresh.
/// Should this fail too, the row is shown as expired when its time is over.
async fn undo(app: &Parts, member: &Member, asset: &Asset, key: Option<Key>) {
    let undone = async {
        let mut refused = asset.clone();
        refused.ending = Ending::Refused {
            at: app.clock.now(),
        };
        refused.version += 1;
        let event = Event::UploadRefused { asset: asset.id };
        let mut writes = assets::step(app, asset, &mut refused, &member.act(), Some(event))?;
        // Only this request's own claim: another one may have taken over meanwhile.
        let own = Guard::Version(FIRST);
        writes.extend(key.map(|key| Write::delete(key, own)));
        app.store.commit(writes).await?;
        assets::moved(app, asset, &refused);
        Ok::<_, StoreError>(())
    };
    if let Err(error) = undone.await {
        tracing::warn!(
            asset.id = %asset.id,
            error = crate::telemetry::chain(&error),
            "a refused upload could not be undone"
        );
    }
}

/// Adds an answer of Mux to what is known. A webhook may have been faster; news can come in any order.
async fn learn(
    app: &Parts,
    member: &Member,
    id: AssetId,
    news: UploadNews,
) -> Result<Asset, UploadError> {
    let stamp = Stamp {
        at: app.clock.now(),
        by: MuxEventId::new("answer"),
    };
    let news = Subject::Upload(news);
    let learn = |asset: &mut Asset| {
        *asset = asset.apply(&stamp, &news);
        Ok(None)
    };
    Ok(assets::update(app, member.tenant, id, &member.act(), learn).await?)
}

fn news(upload: MuxUploadId, stage: UploadStage, url: Option<UploadUrl>) -> UploadNews {
    UploadNews {
        upload,
        stage,
        asset: None,
        url,
        failure: None,
    }
}

/// Calls an upload off. Mux decides: what has arrived can no longer be called off.
pub(super) async fn cancel(
    app: &Parts,
    member: &Member,
    id: AssetId,
) -> Result<Asset, UploadError> {
    let now = app.clock.now();
    for _ in 0..ATTEMPTS {
        let asset = assets::find(app, member.tenant, id).await?;
        match asset.status(now) {
            Status::Cancelled | Status::Expired => return Ok(asset),
            Status::AwaitingUpload => {}
            Status::Processing | Status::Ready | Status::Failed | Status::Deleted => {
                return Err(UploadError::NotCancellable);
            }
        }
        let upload = asset.lifecycle.open_upload().map(|(it, _)| it.clone());
        if let Some(upload) = upload {
            return cancel_at_mux(app, member, id, upload).await;
        }
        let withdraw = |asset: &mut Asset| {
            let waiting = asset.status(now) == Status::AwaitingUpload;
            if waiting && asset.lifecycle.open_upload().is_none() {
                asset.ending = Ending::Withdrawn { at: now };
            }
            Ok(None)
        };
        let asset = assets::update(app, member.tenant, id, &member.act(), withdraw).await?;
        if asset.status(now) == Status::Cancelled {
            return Ok(asset);
        }
        // Mux's upload came in between: it must be asked.
    }
    Err(UploadError::InProgress { seconds: 1 })
}

async fn cancel_at_mux(
    app: &Parts,
    member: &Member,
    id: AssetId,
    upload: MuxUploadId,
) -> Result<Asset, UploadError> {
    let mux = app.mux(PATIENCE, id);
    let (stage, asset) = match mux.cancel_upload(&upload).await? {
        // `video.upload.cancelled` will say the same again.
        Cancellation::Done => (UploadStage::Cancelled, None),
        // It has ended already, perhaps by a first try whose answer was lost: what is it now?
        Cancellation::TooLate => {
            let found = mux.find_upload(&upload).await?;
            (found.status, found.asset_id)
        }
    };
    let told = UploadNews {
        asset,
        ..news(upload, stage, None)
    };
    let asset = learn(app, member, id, told).await?;
    match asset.status(app.clock.now()) {
        Status::Cancelled | Status::Expired => Ok(asset),
        Status::AwaitingUpload
        | Status::Processing
        | Status::Ready
        | Status::Failed
        | Status::Deleted => Err(UploadError::NotCancellable),
    }
}
