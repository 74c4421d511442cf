//! The stream of events, for development (`GET /system/v1/webhook-events/stream`, as Mux's own command
//! line reads it): every event from now on, each once, whether or not endpoints take it.

use std::convert::Infallible;

use axum::{
    Router,
    extract::State,
    response::{
        Sse,
        sse::{Event, KeepAlive},
    },
    routing::get,
};
use futures::{Stream, StreamExt, stream};

use super::Authorized;
use crate::{documents::LoggedEvent, error::ApiError, sim::Sim, state::Kind};

pub(super) fn router() -> Router<Sim> {
    Router::new().route("/system/v1/webhook-events/stream", get(follow))
}

async fn follow(
    State(sim): State<Sim>,
    _: Authorized,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let follower = Follower {
        place: sim.state().place()?,
        bell: sim.follow(),
        sim,
    };
    let connected = stream::iter([Event::default().event("connected").data("{}")]);
    let events = stream::unfold(follower, Follower::next).flat_map(stream::iter);
    Ok(Sse::new(connected.chain(events).map(Ok)).keep_alive(KeepAlive::default()))
}

/// One who follows, and how far they are.
struct Follower {
    sim: Sim,
    place: i64,
    bell: tokio::sync::watch::Receiver<()>,
}

impl Follower {
    /// What came since; waits until something has. Nothing is skipped, however slow the reader is.
    async fn next(mut self) -> Option<(Vec<Event>, Self)> {
        loop {
            let new: Vec<(i64, LoggedEvent)> =
                self.sim.state().after(Kind::Event, self.place).ok()?;
            if let Some((place, _)) = new.last() {
                self.place = *place;
                let shown = new
                    .iter()
                    .map(|(_, it)| Event::default().data(it.event.to_string()));
                return Some((shown.collect(), self));
            }
            self.bell.changed().await.ok()?;
        }
    }
}
