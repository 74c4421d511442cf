//! One history: people, Mux, schedules and faults in an order that the seed draws, and then quiet.

use anyhow::Context;
use axum::{body::Body, extract::Request, http::Method};
use futures::{FutureExt, StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};
use muxsim::{Fault, Faults};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::json;
use shared::{dlq, reconcile, router::Deployable};
use time::Duration;
use tower::ServiceExt;

use super::{invariants, people::Clip, portal::Role, table, weather::Service, world::World};
use crate::{aws::QUEUE, issuer::PEOPLE, permissions};

/// How many videos and steps a history has.
const CLIPS: std::ops::RangeInclusive<usize> = 1..=4;
const STEPS: std::ops::RangeInclusive<usize> = 20..=60;

/// How much time one step lets pass at the most, in seconds.
const LEAP: f64 = 1_200.0;

/// How often the table stays away until letters are given up, and for how many runs.
const SIEGE: f64 = 0.2;
const SIEGE_RUNS: u32 = 14;

/// How long it may take until nothing is left to do: an upload lives twelve hours, Mux sends an event
/// for a day.
const QUIET: Duration = Duration::hours(26);

/// Runs a day apart until two comparisons have ended: the first run only begins to count the days.
const COMPARISONS: u32 = 3;

/// What Mux does wrong, and how often it may.
const MUX_FAULTS: [(Fault, &[f64]); 14] = [
    (Fault::Duplicate, &[0.0, 0.1, 0.4]),
    (Fault::Reorder, &[0.0, 0.2, 0.5]),
    (Fault::Drop, &[0.0, 0.1, 0.4]),
    (Fault::Delay, &[0.0, 0.1, 0.3]),
    (Fault::UnknownFields, &[0.0, 0.1]),
    (Fault::UnknownType, &[0.0, 0.1]),
    (Fault::WrongSecret, &[0.0, 0.0, 0.1]),
    (Fault::StaleTime, &[0.0, 0.0, 0.1]),
    (Fault::FutureTime, &[0.0, 0.0, 0.1]),
    (Fault::MissingHeader, &[0.0, 0.0, 0.1]),
    (Fault::TooManyRequests, &[0.0, 0.1, 0.3]),
    (Fault::ServerError, &[0.0, 0.1, 0.3]),
    (Fault::Slow, &[0.0, 0.0, 0.05]),
    (Fault::LostResponse, &[0.0, 0.1, 0.3]),
];

/// Lives one history to its end, or to the first invariant that does not hold.
pub(super) async fn live(world: &World, seed: u64) -> anyhow::Result<()> {
    let mut random = StdRng::seed_from_u64(seed);
    let count = random.random_range(CLIPS);
    let mut clips: Vec<Clip> = (0..count).map(|it| Clip::draw(it, &mut random)).collect();
    change(world, &mut random);
    for _ in 0..random.random_range(STEPS) {
        // On the heap: a step holds everything that may happen in it.
        Box::pin(step(world, &mut clips, &mut random)).await?;
        if !world.ground.chronicle.is_whole() {
            return Ok(());
        }
    }
    let mishaps = world.sim.mishaps()?;
    for mishap in mishaps {
        world.ground.chronicle.count(mishap.fault.name());
    }
    let rested = settle(world).await? && operate(world).await? && compare(world).await?;
    if rested && world.ground.chronicle.is_whole() {
        invariants::check(world, &clips).await;
    }
    Ok(())
}

async fn step(world: &World, clips: &mut [Clip], random: &mut StdRng) -> anyhow::Result<()> {
    let which = random.random_range(0..clips.len());
    let clip = &mut clips[which];
    match random.random_range(0..100) {
        0..36 => clip.act(world, random).await,
        36..43 => process(world).await?,
        43..60 => deliver(world).await?,
        60..71 => advance(world, leap(random)),
        71..77 => replay(world, Role::Job).await?,
        77..82 => reconcile(world, Role::Job).await?,
        82..85 => {
            let other = reconcile(world, Role::Web);
            together(vec![
                replay(world, Role::Job).boxed_local(),
                other.boxed_local(),
            ])
            .await?;
        }
        85..87 => {
            let other = replay(world, Role::Web);
            together(vec![
                replay(world, Role::Job).boxed_local(),
                other.boxed_local(),
            ])
            .await?;
        }
        87..89 => {
            let other = reconcile(world, Role::Job);
            together(vec![deliver(world).boxed_local(), other.boxed_local()]).await?;
        }
        89..91 => {
            let act = clip.act(world, random).map(Ok);
            together(vec![deliver(world).boxed_local(), act.boxed_local()]).await?;
        }
        91..92 => all_at_once(world, clips, random).await?,
        92..97 => turn(world, random),
        97..98 => junk(world).await?,
        98..99 if random.random_bool(SIEGE) => siege(world).await?,
        _ => change(world, random),
    }
    Ok(())
}

/// Everybody acts while Mux delivers.
async fn all_at_once(world: &World, clips: &mut [Clip], random: &mut StdRng) -> anyhow::Result<()> {
    let acts = clips.iter_mut().map(|clip| {
        let mut own = StdRng::seed_from_u64(random.random());
        let act = async move {
            clip.act(world, &mut own).await;
            Ok(())
        };
        act.boxed_local()
    });
    let mut all = vec![deliver(world).boxed_local()];
    all.extend(acts);
    together(all).await
}

/// All at the same time. Each goes on only when it is woken: a packet that comes for one gives the
/// others no turn, so the same seed is the same history.
async fn together(all: Vec<LocalBoxFuture<'_, anyhow::Result<()>>>) -> anyhow::Result<()> {
    let done: Vec<_> = all
        .into_iter()
        .collect::<FuturesUnordered<_>>()
        .collect()
        .await;
    done.into_iter().collect()
}

/// Somebody puts into the queue what is no letter.
async fn junk(world: &World) -> anyhow::Result<()> {
    let url = format!("http://queue/0/{QUEUE}");
    let message = json!({"QueueUrl": url, "MessageBody": "junk"});
    let request = Request::post("/")
        .header("x-amz-target", "AmazonSQS.SendMessage")
        .body(Body::from(message.to_string()))?;
    let Ok(response) = world.ground.queue.clone().oneshot(request).await;
    let chronicle = &world.ground.chronicle;
    chronicle.count("junk in the queue");
    chronicle.tell(|| format!("junk in the queue: {}", response.status()));
    Ok(())
}

/// The table is down for hours while letters come and are tried, until some are tried no more.
async fn siege(world: &World) -> anyhow::Result<()> {
    world.ground.chronicle.count("sieges");
    if !world.ground.weather.turn(Service::Table) {
        world.ground.weather.turn(Service::Table);
    }
    for _ in 0..SIEGE_RUNS {
        deliver(world).await?;
        replay(world, Role::Job).await?;
        advance(world, Duration::minutes(17));
    }
    world.ground.weather.turn(Service::Table);
    Ok(())
}

/// From a second to twenty minutes, the short ones more often.
fn leap(random: &mut StdRng) -> Duration {
    Duration::seconds_f64(LEAP.powf(random.random_range(0.0..1.0)).floor())
}

fn advance(world: &World, by: Duration) {
    world.ground.clock.advance(by);
    world.ground.chronicle.tell(|| format!("{by} pass"));
}

fn turn(world: &World, random: &mut StdRng) {
    let (table, queue) = (&[Service::Table][..], &[Service::Queue][..]);
    let which = [table, queue, &[Service::Table, Service::Queue]];
    for service in which.choose(random).copied().unwrap_or(table) {
        let chronicle = &world.ground.chronicle;
        let down = world.ground.weather.turn(*service);
        if down {
            chronicle.count("outages");
        }
        chronicle.tell(|| format!("outage of the {service:?}: {down}"));
    }
}

fn change(world: &World, random: &mut StdRng) {
    let told = world.ground.weather.change();
    let mut faults = Faults::seeded(random.random());
    for (fault, rates) in MUX_FAULTS {
        let rate = rates.choose(random).copied().unwrap_or(0.0);
        faults = faults.with(fault, rate);
    }
    world.sim.set_faults(faults);
    world
        .ground
        .chronicle
        .tell(|| format!("weather changes: {told}"));
}

async fn process(world: &World) -> anyhow::Result<()> {
    let done = world.sim.process().await?;
    world
        .ground
        .chronicle
        .tell(|| format!("mux made {done} videos"));
    Ok(())
}

async fn deliver(world: &World) -> anyhow::Result<()> {
    world.sim.deliver().await?;
    Ok(())
}

async fn replay(world: &World, role: Role) -> anyhow::Result<()> {
    let process = world.portal.process(role)?;
    let done = world
        .portal
        .within(
            &process,
            permissions::within(Deployable::DlqReplay, dlq::replay(&process.app)),
        )
        .await;
    world.ground.chronicle.count("replay runs");
    world
        .ground
        .chronicle
        .tell(|| format!("replay by p{}: {done:?}", process.number));
    Ok(())
}

async fn reconcile(world: &World, role: Role) -> anyhow::Result<()> {
    let process = world.portal.process(role)?;
    let work = reconcile::reconcile(&process.app);
    let work = permissions::within(Deployable::Reconcile, work);
    let done = world.portal.within(&process, work).await;
    world.ground.chronicle.count("reconcile runs");
    world
        .ground
        .chronicle
        .tell(|| format!("reconcile by p{}: {done:?}", process.number));
    Ok(())
}

/// Nothing goes wrong any more; everything that is under way ends. Whether it did in time.
async fn settle(world: &World) -> anyhow::Result<bool> {
    let ground = &world.ground;
    ground.chronicle.tell(|| "quiet".to_owned());
    ground.weather.calm();
    world.sim.set_faults(Faults::default());
    let mut waited = Duration::ZERO;
    loop {
        process(world).await?;
        deliver(world).await?;
        if !ground.sqs.bodies(QUEUE).is_empty() {
            replay(world, Role::Job).await?;
        }
        if !open(world).is_empty() {
            reconcile(world, Role::Job).await?;
        }
        let (open, letters) = (open(world), ground.sqs.bodies(QUEUE).len());
        let pending = world.sim.pending()?;
        if open.is_empty() && letters == 0 && pending == 0 {
            return Ok(true);
        }
        if waited > QUIET {
            let found = format!("open: {open:?}, letters: {letters}, webhooks: {pending}");
            ground.chronicle.broke("comes-to-rest", found);
            return Ok(false);
        }
        if !ground.chronicle.is_whole() {
            return Ok(false);
        }
        let by = pause(waited);
        advance(world, by);
        waited += by;
    }
}

/// An operator has everything replayed that was parked: first as a rehearsal, which has to say what
/// then happens, item by item. What never was an event stays.
async fn operate(world: &World) -> anyhow::Result<bool> {
    let path = "/api/ops/dead-letters/replay";
    let operator = PEOPLE.iter().find(|it| it.id == "dana");
    let operator = operator.context("nobody operates the portal")?;
    let ask = async |dry_run: bool| {
        let body = json!({"limit": 100, "dryRun": dry_run});
        let asked = world.ask(operator, Method::POST, path, None, Some(body));
        let answer = asked.await.filter(|it| it.status == 200);
        answer.map(|it| it.body["items"].clone())
    };
    let (said, done) = (ask(true).await, ask(false).await);
    if said.is_none() || said != done {
        let found = format!("said: {said:?}; done: {done:?}");
        world.ground.chronicle.broke("rehearsed", found);
    }
    settle(world).await
}

/// Days pass, until what vanished at Mux without a word was missing in two comparisons.
async fn compare(world: &World) -> anyhow::Result<bool> {
    for _ in 0..COMPARISONS {
        advance(world, Duration::hours(25));
        reconcile(world, Role::Job).await?;
    }
    settle(world).await
}

/// First as schedules do it, then in strides: what is left then waits for an hour that is far away.
fn pause(waited: Duration) -> Duration {
    if waited < Duration::minutes(10) {
        return Duration::minutes(2);
    }
    if waited < Duration::hours(2) {
        return Duration::minutes(20);
    }
    Duration::hours(3)
}

/// The videos that something is still expected of.
fn open(world: &World) -> Vec<String> {
    let rows = table::listed_in(&world.ground.database, "gsi2", "OPEN");
    rows.iter().map(|it| it["id"].to_string()).collect()
}
