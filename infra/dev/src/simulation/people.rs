//! What people want of their videos, and how they go about it: over HTTP, again where no answer came,
//! and not always the wise thing.

use std::collections::BTreeSet;

use axum::http::Method;
use futures::{StreamExt, stream};
use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

use super::{
    truth::{Decisions, Said},
    world::{Answer, World},
};
use crate::issuer::{PEOPLE, Person};

/// A video of a second, and something that is none.
const PLAYS: &[u8] = include_bytes!("../../../muxsim/tests/media/video-only.mp4");
const BROKEN: &[u8] = b"this is no video";

/// How often somebody asks for an upload before giving up.
const ORDERS: u32 = 6;

/// How often somebody asks twice at once.
const IMPATIENCE: f64 = 0.2;

/// What somebody has in mind for a video after it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Nothing,
    Cancel,
    Delete,
    DeleteAtMux,
    Rename,
}

/// One video that somebody wants to upload.
pub(super) struct Clip {
    person: &'static Person,
    title: String,
    /// What will be sent; nothing, if it never is.
    file: Option<&'static [u8]>,
    wish: Wish,
    key: Option<String>,
    orders: u32,
    url: Option<String>,
    sent: bool,
    /// The ids that were answered with 201: the last one is followed.
    pub(super) answered: BTreeSet<String>,
    pub(super) id: Option<String>,
    pub(super) decided: Decisions,
}

impl Clip {
    pub(super) fn draw(number: usize, random: &mut StdRng) -> Self {
        let editors: Vec<&'static Person> = PEOPLE.iter().filter(|it| it.id != "ben").collect();
        let wishes = [
            Wish::Nothing,
            Wish::Nothing,
            Wish::Cancel,
            Wish::Delete,
            Wish::DeleteAtMux,
            Wish::Rename,
        ];
        let files = [Some(PLAYS), Some(PLAYS), Some(PLAYS), Some(BROKEN), None];
        let keyed = random.random_bool(0.6);
        Self {
            person: editors.choose(random).copied().unwrap_or(&PEOPLE[0]),
            title: format!("Video {number}"),
            file: files.choose(random).copied().flatten(),
            wish: wishes.choose(random).copied().unwrap_or(Wish::Nothing),
            key: keyed.then(|| format!("key-{number}")),
            orders: 0,
            url: None,
            sent: false,
            answered: BTreeSet::new(),
            id: None,
            decided: Decisions::default(),
        }
    }

    /// The next thing that its owner does.
    pub(super) async fn act(&mut self, world: &World, random: &mut StdRng) {
        let Some(id) = self.id.clone() else {
            if self.orders < ORDERS {
                self.ask_for_upload(world, random).await;
            }
            return;
        };
        let sends = self.file.is_some() && !self.sent;
        match random.random_range(0..8) {
            0..=3 if sends => self.send(world).await,
            0..=4 => self.follow_wish(world, &id).await,
            5 if self.key.is_some() => self.ask_for_upload(world, random).await,
            _ => self.look(world, &id).await,
        }
    }

    /// Once, or twice at the same time: somebody who has a key may be impatient.
    async fn ask_for_upload(&mut self, world: &World, random: &mut StdRng) {
        self.orders += 1;
        if self.key.is_some() && random.random_bool(IMPATIENCE) {
            // Each goes on only when it is woken: a packet for the one gives the other no turn, and the
            // same seed stays the same history.
            let both = stream::iter([self.order(world), self.order(world)]).buffered(2);
            let answers: Vec<Option<Answer>> = both.collect().await;
            for answer in answers {
                self.is_answered(world, answer);
            }
            return;
        }
        let answer = self.order(world).await;
        self.is_answered(world, answer);
    }

    async fn order(&self, world: &World) -> Option<Answer> {
        let body = json!({"title": self.title, "contentType": "video/mp4", "size": 1_048_576});
        let key = self.key.as_deref();
        let asked = world.ask(self.person, Method::POST, "/api/uploads", key, Some(body));
        asked.await
    }

    fn is_answered(&mut self, world: &World, answer: Option<Answer>) {
        let Some(Answer { status: 201, body }) = answer else {
            return;
        };
        let id = text(&body["id"]);
        if self.id.as_ref().is_some_and(|first| *first != id) {
            let found = format!("{:?} and {id} for one key", self.id);
            world.ground.chronicle.broke("one-key-one-video", found);
        }
        if self.id.is_none() {
            self.decided.titles.push(self.title.clone());
        }
        self.answered.insert(id.clone());
        self.id = Some(id);
        self.learn(&body);
    }

    fn learn(&mut self, body: &Value) {
        if let Some(url) = body["uploadUrl"].as_str() {
            self.url = Some(url.to_owned());
        }
    }

    async fn send(&mut self, world: &World) {
        if let (Some(file), Some(url), false) = (self.file, &self.url, self.sent) {
            self.sent = world.send(url, file).await;
        }
    }

    async fn look(&mut self, world: &World, id: &str) {
        let path = format!("/api/uploads/{id}");
        let answer = world.ask(self.person, Method::GET, &path, None, None).await;
        if let Some(answer) = answer.filter(|it| it.status == 200) {
            self.learn(&answer.body);
        }
    }

    async fn follow_wish(&mut self, world: &World, id: &str) {
        match self.wish {
            Wish::Nothing => {}
            Wish::Cancel => self.cancel(world, id).await,
            Wish::Delete => self.delete(world, id).await,
            Wish::DeleteAtMux => world.delete_at_mux(id).await,
            Wish::Rename => self.rename(world, id).await,
        }
    }

    async fn cancel(&mut self, world: &World, id: &str) {
        self.decided.cancels += 1;
        let path = format!("/api/uploads/{id}");
        let asked = world.ask(self.person, Method::DELETE, &path, None, None);
        let said = match asked.await {
            Some(it) if it.status == 200 && it.body["status"] == "CANCELLED" => Said::Yes,
            Some(it) if it.status < 500 => Said::No,
            Some(_) | None => Said::Perhaps,
        };
        self.decided.cancelled = self.decided.cancelled.max(said);
    }

    async fn delete(&mut self, world: &World, id: &str) {
        let path = format!("/api/assets/{id}");
        let asked = world.ask(self.person, Method::DELETE, &path, None, None);
        let said = match asked.await {
            Some(it) if it.status == 200 => Said::Yes,
            Some(it) if it.status < 500 => Said::No,
            Some(_) | None => Said::Perhaps,
        };
        self.decided.deleted = self.decided.deleted.max(said);
    }

    async fn rename(&mut self, world: &World, id: &str) {
        self.decided.renames += 1;
        let title = format!("{} ({})", self.title, self.decided.renames);
        let path = format!("/api/assets/{id}");
        let body = json!({"title": title});
        let asked = world.ask(self.person, Method::PATCH, &path, None, Some(body));
        match asked.await {
            Some(it) if it.status == 200 => self.decided.titles = vec![title],
            Some(it) if it.status < 500 => {}
            Some(_) | None => self.decided.titles.push(title),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
