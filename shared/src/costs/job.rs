//! The job that learns what was used, every hour: asks Mux what it delivered and what it keeps, notes once
//! a day what the portal itself used and how the month stands, and closes months.

use serde::Serialize;
use time::Duration;

use super::{
    billed::{self, Asked},
    closing,
    collect::Collecting,
    error::CostsError,
    place::Place,
    platform, service,
};
use crate::{
    alerts,
    app::Parts,
    events::Act,
    guardrails,
    ids::RunId,
    jobs::{self, Job},
    store::{Guard, StoreError, keys},
    telemetry,
};

/// How long one run works. Vercel lets a function run for a minute, and a call may be under way.
const BUDGET: Duration = Duration::seconds(30);

/// How long a run may take before another one may begin.
const LEASE: Duration = Duration::minutes(2);

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Learnt {
    /// Days that Mux was asked about.
    pub days: u32,
    /// Months that were closed.
    pub closed: u32,
    /// What was not done: the next run tries it again.
    pub failed: u32,
}

/// A run did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    #[error("what was used or the lease could not be read or written")]
    Store(#[from] StoreError),
}

/// Learns what was used. `None`: another run is at it.
pub async fn usage(app: &Parts) -> Result<Option<Learnt>, UsageError> {
    let work = async |id| Box::pin(run(app, id)).await;
    let done = jobs::alone(app, Job::Usage, LEASE, work).await;
    Box::pin(alerts::watch(app, Job::Usage)).await;
    done
}

async fn run(app: &Parts, id: RunId) -> Result<Learnt, UsageError> {
    let mut round = Round {
        collecting: Collecting {
            app,
            until: app.clock.now() + BUDGET,
        },
        place: service::place(app).await?,
        did: Learnt::default(),
    };
    round.delivered().await?;
    round.kept().await?;
    round.platform().await?;
    round.billed().await?;
    round.snapshot().await?;
    let act = Act::of_job(Job::Usage.name(), id);
    round.close(&act).await?;
    round.guard(&act).await;
    let did = round.did;
    tracing::info!(
        job = Job::Usage.name(),
        days = did.days,
        closed = did.closed,
        failed = did.failed,
        "usage learnt"
    );
    Ok(did)
}

struct Round<'a> {
    collecting: Collecting<'a>,
    place: Place,
    did: Learnt,
}

impl Round<'_> {
    /// Asks about days, the oldest first. A day that fails keeps those after it from being settled, and
    /// nothing else.
    async fn delivered(&mut self) -> Result<(), StoreError> {
        let now = self.collecting.app.clock.now();
        let windows = self.place.windows(now);
        let again = self.place.settled.is_some();
        let mut whole = true;
        for window in windows {
            if !self.collecting.may_go_on() {
                whole = false;
                break;
            }
            if let Err(error) = self.collecting.delivered(window).await {
                self.fail(&error);
                whole = false;
                break;
            }
            self.did.days += 1;
            if window.is_whole() && self.place.settled.is_none_or(|it| it < window.day) {
                self.place.settled = Some(window.day);
                self.save().await?;
            }
        }
        if whole && again {
            self.place.asked_again = Some(now.date());
        }
        self.save().await
    }

    async fn kept(&mut self) -> Result<(), StoreError> {
        if !self.collecting.may_go_on() {
            return Ok(());
        }
        let mut place = self.place.clone();
        if let Err(error) = self.collecting.kept(&mut place).await {
            self.fail(&error);
        }
        self.place = place;
        self.save().await
    }

    /// What the portal used on days that are over, in time for the snapshot and before a month is closed.
    async fn platform(&mut self) -> Result<(), StoreError> {
        let today = Some(self.collecting.app.clock.now().date());
        if self.place.platform == today {
            return Ok(());
        }
        platform::told(self.collecting.app, &self.place).await?;
        self.place.platform = today;
        self.save().await
    }

    /// What AWS itself says, once a day whatever comes of it: a request costs a cent. That AWS tells nothing
    /// is no failure of the job: the report stays with what was counted, and says so.
    async fn billed(&mut self) -> Result<(), StoreError> {
        let app = self.collecting.app;
        let now = app.clock.now();
        let Some(tag) = &app.config.cost_tag else {
            return Ok(());
        };
        let before = self.place.asked;
        if before.is_of(now.date()) || !self.collecting.may_go_on() {
            return Ok(());
        }
        let Some(question) = billed::question(tag, &self.place, now) else {
            return Ok(());
        };
        // First, so that nobody asks again who does not know what came of it.
        self.place.asked = before.asking(now);
        self.save().await?;
        self.place.asked = billed::learn(app, before, question).await?;
        if let Asked::Refused { why, .. } = self.place.asked {
            tracing::warn!(reason = %why, "cost explorer told nothing, costs of aws are estimated");
        }
        self.save().await
    }

    async fn snapshot(&mut self) -> Result<(), StoreError> {
        let app = self.collecting.app;
        let today = Some(app.clock.now().date());
        if self.place.snapshot == today || !self.collecting.may_go_on() {
            return Ok(());
        }
        match closing::snapshot(app, &self.place).await {
            Ok(()) => self.place.snapshot = today,
            Err(error) => self.fail(&error),
        }
        self.save().await
    }

    async fn close(&mut self, act: &Act) -> Result<(), StoreError> {
        let app = self.collecting.app;
        for month in self.place.closing(app.clock.now()) {
            let done: Result<(), CostsError> = closing::close(app, act, &self.place, month).await;
            if let Err(error) = done {
                self.fail(&error);
                break;
            }
            self.place.closed = Some(month);
            self.did.closed += 1;
            self.save().await?;
        }
        Ok(())
    }

    /// What was learnt may be more than a budget allows.
    async fn guard(&mut self, act: &Act) {
        if let Err(error) = Box::pin(guardrails::look(self.collecting.app, act)).await {
            self.fail(&error);
        }
    }

    fn fail(&mut self, error: &(dyn std::error::Error + 'static)) {
        self.did.failed += 1;
        tracing::warn!(error = telemetry::chain(error), "not all usage was learnt");
    }

    /// Writes how far usage is known, if that is further than before.
    async fn save(&mut self) -> Result<(), StoreError> {
        let app = self.collecting.app;
        let key = keys::usage_place();
        let guard = match self.place.version {
            0 => Guard::Absent,
            version => Guard::Version(version),
        };
        self.place.version += 1;
        app.store.put(&key, &self.place, guard).await
    }
}
