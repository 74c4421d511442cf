//! Taking a slot, and giving it back.

use time::{Duration, OffsetDateTime};

use super::{
    LimitError,
    error::seconds,
    model::{Limit, Mode, Rule},
    refusals,
    slots::{self, View},
    told::{self, Standing},
};
use crate::{
    app::Parts,
    ids::{ShareId, UserId},
    store::{Later, Place, Reads, StoreError, keys, keys::Key},
    telemetry,
};

/// How long an item stays after its last slot is free again. Tidying has no hurry.
const SLACK: Duration = Duration::hours(1);

/// What passed, and how the subject stands then.
#[derive(Debug)]
pub struct Allowance {
    pub rule: Rule,
    /// How often more, right now.
    pub left: u16,
    /// When there will be one more.
    pub reset: Duration,
    /// Different tags in this window, this one's among them.
    pub tags: u32,
    /// It would have been refused, were the rule enforced.
    pub shadowed: bool,
    pub(super) held: Option<Box<Held>>,
}

/// A slot that was taken. It names a subject, so it has no `Debug` of its own.
#[derive(Clone)]
pub(super) struct Held {
    key: Key,
    place: String,
    mark: String,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.place)
    }
}

/// Counts once more against a rule, if there is room. At most `limit` pass in any window, however many
/// ask at once; what is refused is not counted; and while there is room nobody is refused.
///
/// One write for what passes at the first try, one more for each slot that turned out to be taken.
pub async fn take(
    app: &Parts,
    rule: Rule,
    subject: &str,
    tag: Option<&str>,
) -> Result<Allowance, LimitError> {
    let asked = Asked::new(app, rule, subject);
    let attempt = asked.attempt(app, tag).await?;
    asked.answer(app, attempt).await
}

/// How often a subject passed within the window that ends now, and how often it may. Takes nothing.
pub fn used<'a>(
    app: &Parts,
    reads: &mut Reads,
    rule: Rule,
    subject: &str,
) -> Later<'a, (u16, u16)> {
    let asked = Asked::new(app, rule, subject);
    reads.marks(asked.key).map(move |marks| {
        let free = View::of(&marks, asked.limit, asked.now).free.len();
        let most = asked.limit.most;
        let used = most.saturating_sub(u16::try_from(free).unwrap_or(most));
        (used, most)
    })
}

/// Undoes a `take` that turned out not to count.
pub async fn give_back(app: &Parts, allowance: Allowance) -> Result<(), LimitError> {
    let Some(held) = allowance.held else {
        return Ok(());
    };
    let Held { key, place, mark } = *held;
    match app.store.leave(&key, &place, &mark).await {
        // In the latter case its time is over, and somebody else has the slot.
        Ok(()) | Err(StoreError::Conflict { .. }) => Ok(()),
        Err(error) => {
            let chain = telemetry::chain(&error);
            tracing::warn!(error = chain, "a slot was not given back");
            Err(error.into())
        }
    }
}

/// One subject of one rule at one moment.
pub(super) struct Asked {
    pub rule: Rule,
    pub limit: Limit,
    pub now: OffsetDateTime,
    /// The subject, under its other name.
    pub pseudonym: String,
    /// What operators are shown of it: an id of ours says nothing about anybody, all else is hidden.
    pub shown: String,
    pub key: Key,
}

/// What became of it.
pub(super) struct Attempt {
    pub view: View,
    pub held: Option<Box<Held>>,
}

impl Asked {
    pub(super) fn new(app: &Parts, rule: Rule, subject: &str) -> Self {
        let (limit, now) = (app.config.limits.of(rule), app.clock.now());
        let pseudonym = app.keys().pseudonyms.hide(subject);
        let key = keys::limit(rule.name(), &pseudonym).expiring(now + limit.window() + SLACK);
        let id = subject.parse::<ShareId>().is_ok() || subject.parse::<UserId>().is_ok();
        let shown = if id { subject } else { &pseudonym }.to_owned();
        Self {
            rule,
            limit,
            now,
            pseudonym,
            shown,
            key,
        }
    }

    pub(super) async fn attempt(
        &self,
        app: &Parts,
        tag: Option<&str>,
    ) -> Result<Attempt, StoreError> {
        let tag = tag.map(|it| app.keys().pseudonyms.hide(it));
        let mark = slots::mark(self.now, tag.as_deref());
        let stale = slots::stale(self.now, self.limit);
        let mut slot = u16::try_from(app.ids.pick(self.limit.most.into())).unwrap_or_default();
        // Every further try lost a slot to somebody who passed, and there are only so many slots.
        for _ in 0..self.limit.most {
            let place = slots::place(slot);
            match app.store.take(&self.key, &place, &mark, &stale).await? {
                Place::Taken(marks) => {
                    let view = View::of(&marks, self.limit, self.now);
                    let key = self.key.clone();
                    let held = Some(Box::new(Held { key, place, mark }));
                    return Ok(Attempt { view, held });
                }
                Place::Occupied(marks) => {
                    let view = View::of(&marks, self.limit, self.now);
                    let Some(free) = view.free.get(app.ids.pick(view.free.len())) else {
                        return Ok(Attempt { view, held: None });
                    };
                    slot = *free;
                }
            }
        }
        let view = View {
            free: Vec::new(),
            wait: None,
            tags: 0,
            noted: true,
        };
        Ok(Attempt { view, held: None })
    }

    /// Tells whoever is concerned, and decides.
    pub(super) async fn answer(
        &self,
        app: &Parts,
        attempt: Attempt,
    ) -> Result<Allowance, LimitError> {
        let Attempt { view, held } = attempt;
        let wait = i64::try_from(view.wait.unwrap_or(1)).unwrap_or(i64::MAX);
        let wait = Duration::milliseconds(wait);
        let left = u16::try_from(view.free.len()).unwrap_or(u16::MAX);
        told::tell(Standing {
            rule: self.rule,
            limit: self.limit,
            left,
            reset: seconds(wait),
        });
        let refused = held.is_none();
        if refused {
            if self.rule.is_told() {
                let (limit, subject) = (self.rule.name(), self.shown.as_str());
                tracing::warn!(limit, subject, mode = ?self.limit.mode, "a limit is reached");
            }
            refusals::count(app, self).await;
        }
        if refused && self.limit.mode == Mode::Enforce {
            return Err(LimitError::Limited {
                rule: self.rule,
                retry_after: wait,
            });
        }
        Ok(Allowance {
            rule: self.rule,
            left,
            reset: wait,
            tags: view.tags,
            shadowed: refused,
            held,
        })
    }
}
