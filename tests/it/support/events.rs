//! Mux's events as they really look, signed as Mux signs them, sent to the real route.

use axum::{Router, body::Body, http::Request};
use dev::{aws::TABLE, settings::MUX_WEBHOOK_SECRET};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use shared::clock::Clock;
use time::OffsetDateTime;
use tower::ServiceExt;

use super::{Answer, TestApp, answer::text};

/// The events of one video's life, with ids of its own.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) id: String,
    pub(crate) upload: String,
    pub(crate) asset: String,
    pub(crate) playback: String,
    start: OffsetDateTime,
}

/// A story told to an app.
pub(crate) struct Told<'a>(&'a TestApp, Story);

impl Story {
    /// Of our asset with this id, beginning now.
    pub(crate) fn new(id: &str, start: OffsetDateTime) -> Self {
        let tail = id.trim_start_matches("ast_");
        Self {
            id: id.to_owned(),
            upload: format!("upload{tail}"),
            asset: format!("asset{tail}"),
            playback: format!("playback{tail}"),
            start,
        }
    }

    /// `upload.created, upload.asset_created, asset.created, asset.ready, asset.updated`.
    pub(crate) fn happy(&self) -> [Value; 5] {
        [
            self.upload_event(1, "video.upload.created", "waiting"),
            self.upload_event(2, "video.upload.asset_created", "asset_created"),
            self.asset_event(3, "video.asset.created", "preparing"),
            self.asset_event(4, "video.asset.ready", "ready"),
            self.asset_event(5, "video.asset.updated", "ready"),
        ]
    }

    /// An event about the upload, at this second of the story.
    pub(crate) fn upload_event(&self, second: i64, kind: &str, status: &str) -> Value {
        let mut data = json!({
            "id": self.upload,
            "status": status,
            "timeout": 43200,
            "cors_origin": super::ORIGIN,
            "new_asset_settings": {
                "playback_policies": ["signed"],
                "passthrough": self.id,
                "meta": {"external_id": self.id},
            },
        });
        match status {
            "waiting" => data["url"] = format!("https://storage.example/{}", self.upload).into(),
            "asset_created" => data["asset_id"] = self.asset.clone().into(),
            "errored" => {
                data["asset_id"] = self.asset.clone().into();
                data["error"] = json!({"type": "invalid_input", "message": "not a video"});
            }
            _ => {}
        }
        self.event(second, kind, "upload", &self.upload, &data)
    }

    /// An event about the asset, at this second of the story.
    pub(crate) fn asset_event(&self, second: i64, kind: &str, status: &str) -> Value {
        let mut data = json!({
            "id": self.asset,
            "status": status,
            "created_at": self.start.unix_timestamp(),
            "upload_id": self.upload,
            "passthrough": self.id,
            "meta": {"external_id": self.id},
            "playback_ids": [{"id": self.playback, "policy": "signed"}],
            "mp4_support": "none",
            "master_access": "none",
        });
        if status == "ready" {
            data["duration"] = 12.5.into();
            data["aspect_ratio"] = "16:9".into();
        }
        if status == "errored" {
            data["errors"] = json!({"type": "invalid_input", "messages": ["not a video"]});
        }
        self.event(second, kind, "asset", &self.asset, &data)
    }

    fn event(&self, second: i64, kind: &str, object: &str, id: &str, data: &Value) -> Value {
        let at = self.start + time::Duration::seconds(second);
        let format = time::format_description::well_known::Rfc3339;
        json!({
            "type": kind,
            "id": format!("event-{second}-{kind}-{}", self.id),
            "created_at": at.format(&format).unwrap(),
            "object": {"type": object, "id": id},
            "environment": {"name": "Development", "id": "test"},
            "data": data,
            "request_id": null, "accessor": null, "accessor_source": null, "attempts": [],
        })
    }
}

impl Told<'_> {
    /// The whole happy story, in order.
    pub(crate) async fn tell_all(&self) {
        for event in self.1.happy() {
            self.0.webhook(&event).await.ok();
        }
    }
}

impl TestApp {
    pub(crate) fn story(&self, id: &str) -> Told<'_> {
        Told(self, Story::new(id, self.clock.now()))
    }

    /// Sends an event, signed now with the right secret.
    pub(crate) async fn webhook(&self, event: &Value) -> Answer {
        self.canaries.note(event);
        let body = event.to_string();
        let signature = sign(MUX_WEBHOOK_SECRET, self.clock.now().unix_timestamp(), &body);
        self.post_webhook(Some(&signature), body).await
    }

    /// Sends any body with any signature.
    pub(crate) async fn post_webhook(
        &self,
        signature: Option<&str>,
        body: impl Into<Body>,
    ) -> Answer {
        self.post_webhook_to(&self.router, signature, body).await
    }

    /// The same by way of an instance of the portal.
    pub(crate) async fn post_webhook_to(
        &self,
        router: &Router,
        signature: Option<&str>,
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::post("/api/webhooks/mux");
        if let Some(signature) = signature {
            request = request.header("mux-signature", signature);
        }
        let request = request.body(body.into()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        Answer::read(response).await
    }

    /// The types of all domain events that name this, oldest first. Without `asset.updated`: how often
    /// something is learnt that changes no status depends on the order in which Mux tells it. The tests
    /// of the audit log look at those.
    pub(crate) async fn events_of(&self, id: &str) -> Vec<String> {
        let client = self.clients().dynamodb;
        let mut found = Vec::new();
        let mut pages = client
            .scan()
            .table_name(TABLE)
            .filter_expression("begins_with(sk, :evt)")
            .expression_attribute_values(
                ":evt",
                aws_sdk_dynamodb::types::AttributeValue::S("evt_".to_owned()),
            )
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            for item in page.unwrap().items() {
                if format!("{:?}", item["data"]).contains(id) {
                    found.push((
                        item["sk"].as_s().unwrap().clone(),
                        item["type"].as_s().unwrap().clone(),
                    ));
                }
            }
        }
        found.sort();
        let kinds = found.into_iter().map(|(_, kind)| kind);
        kinds.filter(|it| it != "asset.updated").collect()
    }

    /// What the domain events of a type say, oldest first.
    pub(crate) async fn event_data(&self, kind: &str) -> Vec<Value> {
        let mut events = self.events(kind).await;
        events.iter_mut().map(|it| it["data"].take()).collect()
    }

    /// The one domain event of a type.
    pub(crate) async fn event(&self, kind: &str) -> Value {
        let [event] = self.events(kind).await.try_into().unwrap();
        event
    }

    async fn events(&self, kind: &str) -> Vec<Value> {
        let client = self.clients().dynamodb;
        let (mut found, mut pages) = (
            Vec::new(),
            client
                .scan()
                .table_name(TABLE)
                .filter_expression("#type = :kind")
                .expression_attribute_names("#type", "type")
                .expression_attribute_values(
                    ":kind",
                    aws_sdk_dynamodb::types::AttributeValue::S(kind.to_owned()),
                )
                .into_paginator()
                .send(),
        );
        while let Some(page) = pages.next().await {
            for item in page.unwrap().items.unwrap_or_default() {
                let event: Value = serde_dynamo::from_item(item).unwrap();
                found.push((text(&event, "id").to_owned(), event));
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found.into_iter().map(|(_, event)| event).collect()
    }

    /// The bodies of the dead letters that wait in the queue.
    pub(crate) async fn dead_letters(&self) -> Vec<Value> {
        let call = self.clients().sqs.receive_message();
        let messages = call
            .queue_url(&self.aws.queue_url)
            .max_number_of_messages(10)
            .send()
            .await
            .unwrap();
        let bodies = messages.messages().iter().map(|it| it.body().unwrap());
        bodies
            .map(|body| serde_json::from_str(body).unwrap())
            .collect()
    }
}

/// `t=<seconds>,v1=<hex>` over `t.body`.
pub(crate) fn sign(secret: &str, t: i64, body: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    let digest = mac
        .chain_update(format!("{t}.{body}"))
        .finalize()
        .into_bytes();
    format!("t={t},v1={}", hex::encode(digest))
}

impl TestApp {
    /// How many domain events of this type there are.
    pub(crate) async fn count_events(&self, kind: &str) -> usize {
        let client = self.clients().dynamodb;
        let mut pages = client
            .scan()
            .table_name(TABLE)
            .filter_expression("begins_with(sk, :evt) AND #type = :kind")
            .expression_attribute_names("#type", "type")
            .expression_attribute_values(
                ":evt",
                aws_sdk_dynamodb::types::AttributeValue::S("evt_".to_owned()),
            )
            .expression_attribute_values(
                ":kind",
                aws_sdk_dynamodb::types::AttributeValue::S(kind.to_owned()),
            )
            .into_paginator()
            .send();
        let mut count = 0;
        while let Some(page) = pages.next().await {
            count += page.unwrap().items().len();
        }
        count
    }
}
