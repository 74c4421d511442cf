//! Erasing what is about a person: the salts and values beside the commitments. The entries stay, and
//! so does their proof.

use audit_verify::CLEAR;
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    AuditError,
    model::{Entry, Wanted, id},
    read::{self, Question, by_id},
};
use crate::{app::Parts, auth::Member, events::Event, ids::EventId, store::keys};

/// How many entries one request erases at the most, and at once.
const AT_ONCE: usize = 500;
const ABREAST: usize = 32;

/// Whose fields go.
pub(super) enum Whose {
    /// Of this entry.
    Entry(EventId),
    /// Of all entries that this actor caused, the newest first, after this one.
    Actor(String, Option<EventId>),
}

/// What was erased.
pub(super) struct Erased {
    pub(super) entries: u32,
    pub(super) next: Option<EventId>,
}

/// The event is written first: a request that breaks half way has left its trace, and the same request
/// again does the rest.
pub(super) async fn erase(
    app: &Parts,
    member: &Member,
    whose: Whose,
) -> Result<Erased, AuditError> {
    let tenant = member.tenant;
    let (found, next, entry, actor) = match whose {
        Whose::Entry(id) => {
            let mut found = by_id(app, tenant, &[id]).await?;
            let found = found.pop().flatten().ok_or(AuditError::Unknown)?;
            (vec![found], None, Some(id), None)
        }
        Whose::Actor(actor, after) => {
            let question = Question {
                after,
                wanted: Wanted {
                    actor: Some(actor.clone()),
                    ..Wanted::default()
                },
                ..Question::default()
            };
            let found = read::entries(app, tenant, question, AT_ONCE).await?;
            (found.entries, found.next, None, Some(actor))
        }
    };
    let has_some = |it: &&Entry| it.contains_key(CLEAR);
    let ids: Vec<EventId> = found.iter().filter(has_some).filter_map(id).collect();
    let entries = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    if entries > 0 {
        let event = Event::AuditErased {
            entry,
            actor,
            entries,
        };
        member.act().note(app, tenant, event).await?;
    }
    stream::iter(ids)
        .map(|id| async move {
            app.store
                .edit(&keys::event(tenant, id), &[], &[CLEAR])
                .await
        })
        .buffer_unordered(ABREAST)
        .try_collect::<()>()
        .await?;
    Ok(Erased { entries, next })
}
