//! A portal of several instances that everybody uses all the time, while its secrets change.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::Client;
use axum::Router;
use dev::{
    mail::MailBox,
    rotate::{
        self, Kept, MuxKeys,
        plan::{Fresh, Next},
        secret::{Maker, Secret, Step},
    },
    secrets::SecretStore,
};
use serde_json::{Value, json};
use shared::{clock::Clock, router};
use time::{OffsetDateTime, ext::NumericalDuration, format_description::well_known::Rfc3339};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::support::{
    Actor, CRON, NEXT_TOKEN, TestApp, Wishes, answer::text, events::sign, viewer::status,
};

/// What holds all secrets.
pub(super) const ID: &str = "portal/production";

/// What is in it, and not in the environment.
pub(crate) const NAMES: [&str; 10] = [
    "AUDIT_SIGNING_KEY",
    "CRON_SECRET",
    "GRANT_KEY",
    "MUX_SIGNING_KEY_ID",
    "MUX_SIGNING_PRIVATE_KEY",
    "MUX_TOKEN_ID",
    "MUX_TOKEN_SECRET",
    "MUX_WEBHOOK_SIGNING_SECRET",
    "PSEUDONYM_KEY",
    "SMTP_URL",
];

/// How many instances there are. Each looks at the secrets at a time of its own.
pub(super) const INSTANCES: u8 = 3;

pub(super) const PASSWORD: &str = "long jump";

const EMAIL: &str = "sam@example.com";

/// A portal of several instances that everybody uses all the time.
pub(super) struct Load {
    pub(super) test: TestApp,
    instances: Vec<Router>,
    pub(super) store: SecretStore,
    client: Client,
    /// What Mux signs webhooks with, and what the schedule shows.
    webhook: String,
    cron: String,
    links: BTreeMap<&'static str, Value>,
    /// What was given for the password, and until when it counts.
    session: Option<(Value, OffsetDateTime)>,
    /// What plays, and until when.
    playing: Vec<(String, OffsetDateTime)>,
    boxes: Vec<MailBox>,
    pub(super) requests: u32,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Load {
    pub(super) async fn new() -> Self {
        let shadow = "opens-per-address=shadow,opens-per-link=shadow,uploads-per-user=shadow,\
                      codes-per-email=shadow,mux-posts=shadow";
        let test = TestApp::with(Wishes {
            mail: true,
            variables: vec![CRON, ("LIMITS", shadow)],
            ..Wishes::default()
        })
        .await;
        let (store, stop, mut tasks) = (
            SecretStore::default(),
            CancellationToken::new(),
            JoinSet::new(),
        );
        let kept: BTreeMap<&str, &str> = NAMES.iter().map(|it| (*it, test.variable(it))).collect();
        store.put(ID, &json!(kept).to_string());
        let client = store.serve(listen().await, &stop, &mut tasks).unwrap();
        let mut instances = Vec::new();
        for number in 1..=INSTANCES {
            let app = test.instance_kept(&client, ID, number.into()).await;
            instances.push(router::all(app));
            test.clock.advance(70.seconds());
        }
        let film = test.film("Long jump").await;
        let links = BTreeMap::from([
            ("plain", test.link(&film, json!({})).await),
            (
                "password",
                test.link(&film, json!({"password": PASSWORD})).await,
            ),
            (
                "code",
                test.link(&film, json!({"allowedEmails": [EMAIL]})).await,
            ),
        ]);
        Self {
            webhook: test.variable("MUX_WEBHOOK_SIGNING_SECRET").to_owned(),
            cron: CRON.1.to_owned(),
            boxes: vec![test.mail.clone()],
            test,
            instances,
            store,
            client,
            links,
            session: None,
            playing: Vec::new(),
            requests: 0,
            stop,
            tasks,
        }
    }

    pub(super) fn now(&self) -> OffsetDateTime {
        self.test.clock.now()
    }

    /// Somebody who comes by way of this instance; they are counted in a circle.
    pub(super) fn by<'a>(&'a self, actor: Actor<'a>, instance: usize) -> Actor<'a> {
        actor.by(&self.instances[instance % usize::from(INSTANCES)])
    }

    pub(super) fn viewer(&self, instance: usize, before: Option<&Value>) -> Actor<'_> {
        let grant = before.map_or("", |it| text(it, "grant"));
        let viewer = self.test.anonymous().with("x-share-grant", grant);
        self.by(viewer, instance)
    }

    pub(super) fn path(&self, link: &str, rest: &str) -> String {
        format!("/api/share/{}{rest}", text(&self.links[link], "token"))
    }

    /// Everybody does what they do, at every instance; what begins at one goes on at the next. Nobody may be
    /// refused.
    pub(super) async fn everybody(&mut self) {
        self.players().await;
        for instance in 0..usize::from(INSTANCES) {
            self.uploader(instance).await;
            self.schedule(instance).await;
            self.viewers(instance).await;
            self.requests += 8;
        }
        self.mailed().await;
    }

    /// What was given out plays until the end that was told.
    async fn players(&mut self) {
        let now = self.now();
        self.playing.retain(|(_, until)| now < *until);
        for (url, _) in &self.playing {
            assert_eq!(status(url).await, 200, "at {now}");
        }
    }

    /// Our call of Mux's API, and Mux's webhook about it.
    async fn uploader(&self, instance: usize) {
        let ada = self.by(self.test.ada(), instance);
        let id = text(&ada.upload("Training").await, "id").to_owned();
        let event = crate::support::Story::new(&id, self.now()).upload_event(
            1,
            "video.upload.created",
            "waiting",
        );
        let body = event.to_string();
        let signature = sign(&self.webhook, self.now().unix_timestamp(), &body);
        let next = &self.instances[(instance + 1) % usize::from(INSTANCES)];
        self.test
            .post_webhook_to(next, Some(&signature), body)
            .await
            .ok();
    }

    async fn schedule(&self, instance: usize) {
        let bearer = format!("Bearer {}", self.cron);
        let schedule = self.test.anonymous().with("authorization", &bearer);
        self.by(schedule, instance)
            .get("/api/cron/audit-seal")
            .await
            .ok();
    }

    async fn viewers(&mut self, instance: usize) {
        let plain = self.path("plain", "");
        let opened = self.viewer(instance, None).get(&plain).await.ok();
        let until = OffsetDateTime::parse(text(&opened, "expiresAt"), &Rfc3339).unwrap();
        let url = text(&opened, "playbackUrl").to_owned();
        assert_eq!(status(&url).await, 200);
        self.playing.push((url, until));
        // A session goes on for as long as it lives, wherever it goes.
        let now = self.now();
        if self.session.as_ref().is_none_or(|(_, until)| now >= *until) {
            let shown = json!({"password": PASSWORD});
            let path = self.path("password", "/session");
            let shown = self.viewer(instance, None).post(&path, shown).await.ok();
            self.session = Some((shown, now + 12.hours()));
        }
        let session = self.session.as_ref().map(|(it, _)| it);
        let locked = self.path("password", "");
        self.viewer(instance + 1, session).get(&locked).await.ok();
    }

    /// A code is asked for at one instance, shown to the next one, and what is given for it to the last.
    async fn mailed(&mut self) {
        let first = self.requests as usize / 8;
        let asked = json!({"email": EMAIL});
        let answer = self
            .viewer(first, None)
            .post(&self.path("code", "/code"), asked)
            .await;
        assert_eq!(answer.status, 202);
        let newest = self.boxes.iter().filter_map(|it| it.letters().pop());
        let codes =
            newest.filter_map(|it| Some(it.text.split("Your code: ").nth(1)?[..8].to_owned()));
        let mut shown = None;
        // Which box has the newest letter is not said; a wrong code is no refusal of a right one.
        for code in codes.collect::<Vec<_>>() {
            let key = json!({"email": EMAIL, "code": code});
            let path = self.path("code", "/session");
            let answer = self.viewer(first + 1, None).post(&path, key).await;
            shown = shown.or((answer.status == 200).then_some(answer.body));
        }
        let shown = shown.unwrap();
        self.viewer(first + 2, Some(&shown))
            .get(&self.path("code", ""))
            .await
            .ok();
        self.requests += 3;
    }

    pub(super) async fn kept(&self) -> Kept {
        Kept::read(self.client.clone(), ID).await.unwrap()
    }

    /// Replaces a secret, step by step, each as soon as it may be done.
    pub(super) async fn replace(&mut self, secret: Secret) {
        let mut begun = false;
        loop {
            let kept = self.kept().await;
            match kept.document.next(secret, self.now()) {
                Next::Step(_) if begun && kept.document.progress(secret).is_none() => return,
                Next::Step(step) => {
                    begun = true;
                    let mux =
                        MuxKeys::new(&format!("{}/mux", self.test.url), &kept.document).unwrap();
                    let fresh = match kept.document.progress(secret) {
                        None => Some(self.fresh(secret, &mux).await),
                        Some(_) => None,
                    };
                    let now = self.now();
                    rotate::advance(kept, secret, step, fresh, now, &mux)
                        .await
                        .unwrap();
                    self.for_a_while().await;
                    self.switched(secret, step).await;
                }
                Next::Wait(_, until) => {
                    let ahead = until - self.now();
                    self.test.clock.advance(ahead - 1.seconds());
                    self.everybody().await;
                    self.test.clock.advance(1.seconds());
                }
            }
        }
    }

    /// While it becomes known everywhere.
    async fn for_a_while(&mut self) {
        for _ in 0..4 {
            self.everybody().await;
            self.test.clock.advance(150.seconds());
        }
    }

    /// What others make.
    async fn fresh(&mut self, secret: Secret, mux: &MuxKeys) -> Fresh {
        let told = |id: Option<&str>, value: &str| Fresh {
            id: id.map(str::to_owned),
            value: value.to_owned(),
        };
        match (secret.is_made_by(), secret) {
            (Maker::Us, _) => rotate::generated(secret).unwrap(),
            (Maker::Mux, _) => mux.create().await.unwrap(),
            (Maker::Operator, Secret::MuxToken) => told(Some(NEXT_TOKEN.0), NEXT_TOKEN.1),
            (Maker::Operator, Secret::SmtpUrl) => {
                let (mail, address) =
                    MailBox::listen(listen().await, self.stop.clone(), &mut self.tasks).unwrap();
                self.boxes.push(mail);
                told(None, &format!("smtp://{address}"))
            }
            (Maker::Operator, _) => told(None, "of-the-second-endpoint"),
        }
    }

    /// What somebody does elsewhere, as they are told to.
    async fn switched(&mut self, secret: Secret, step: Step) {
        let text = self.store.current(ID).unwrap();
        let kept: Value = serde_json::from_str(&text).unwrap();
        let first = |name: &str| {
            kept[name]
                .as_str()
                .unwrap()
                .split(',')
                .next()
                .unwrap()
                .to_owned()
        };
        match (secret, step) {
            (Secret::MuxWebhookSigningSecret, Step::Accept) => {
                "of-the-second-endpoint".clone_into(&mut self.webhook);
            }
            (Secret::CronSecret, Step::Use) => self.cron = first("CRON_SECRET"),
            _ => return,
        }
        self.everybody().await;
    }
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}
