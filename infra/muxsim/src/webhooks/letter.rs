//! What one attempt sends, and what comes back.

use std::time::Duration;

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;
use time::OffsetDateTime;

use super::text;
use crate::{documents::Webhook, events::written, faults::Fault, options::Post, sim::Sim};

/// How long one attempt may take (mux.com/docs/core/listen-for-webhooks).
const ATTEMPT: Duration = Duration::from_secs(5);

/// How many attempts there are at the most; how many Mux makes in its 24 hours, it does not publish.
pub(super) const ATTEMPTS_MAX: usize = 40;

/// How far off a wrong time is: twice what Mux's own clients tolerate (muxinc/mux-node-sdk).
const WRONG_BY: i64 = 600;

/// How much of an endpoint's answer an attempt shows, in bytes.
const ANSWER_MAX: usize = 1024;

/// What one attempt sends.
pub(super) struct Letter {
    body: String,
    signature: Option<String>,
    pub(super) faults: Vec<Fault>,
}

impl Letter {
    /// A fresh signature every time: a retry has another body and another time. The time is the
    /// world's, not the stand-in's own, which may have been moved: endpoints compare it with theirs.
    pub(super) fn write(sim: &Sim, webhook: &Webhook, event: &Value) -> Self {
        let mut faults = Vec::new();
        let mut strikes = |fault: Fault| {
            let strikes = sim.dice().strikes(fault);
            if strikes {
                faults.push(fault);
            }
            strikes
        };
        let mut event = event.clone();
        if strikes(Fault::UnknownFields) {
            event["moon_phase"] = json!({"illumination": 0.5, "waxing": [true, null]});
            if let Some(data) = event["data"].as_object_mut() {
                data.insert("moon_phase".to_owned(), "gibbous".into());
            }
        }
        if text(&event["type"]).contains(".track.") && strikes(Fault::BareTrack) {
            event["data"] = Value::Null;
        }
        let body = event.to_string();
        let mut t = (sim.world() + sim.dice().faults().skew()).unix_timestamp();
        if strikes(Fault::StaleTime) {
            t -= WRONG_BY;
        }
        if strikes(Fault::FutureTime) {
            t += WRONG_BY;
        }
        let secret = if strikes(Fault::WrongSecret) {
            "another-secret"
        } else {
            &webhook.secret
        };
        let mut signature = sign(secret, &body, t);
        if strikes(Fault::UppercaseHex) {
            let (start, digest) = signature.rsplit_once('=').unwrap_or_default();
            signature = format!("{start}={}", digest.to_uppercase());
        }
        let signature = (!strikes(Fault::MissingHeader)).then_some(signature);
        Self {
            body,
            signature,
            faults,
        }
    }

    pub(super) async fn post(&self, sim: &Sim, address: &str) -> Answer {
        if let Some(post) = &sim.options().post {
            return self.carry(post, address).await;
        }
        let mut request = sim
            .http()
            .post(address)
            .timeout(ATTEMPT)
            .header(header::CONTENT_TYPE, "application/json")
            .body(self.body.clone());
        if let Some(signature) = &self.signature {
            request = request.header("mux-signature", signature);
        }
        match request.send().await {
            Ok(response) => Answer::read(response).await,
            Err(_) => Answer::default(),
        }
    }

    async fn carry(&self, post: &Post, address: &str) -> Answer {
        let mut request = Request::post(address).header(header::CONTENT_TYPE, "application/json");
        if let Some(signature) = &self.signature {
            request = request.header("mux-signature", signature);
        }
        let Ok(request) = request.body(Body::from(self.body.clone())) else {
            return Answer::default();
        };
        match tokio::time::timeout(ATTEMPT, post(request)).await {
            Ok(Some(response)) => Answer::carried(response).await,
            Ok(None) | Err(_) => Answer::default(),
        }
    }
}

/// What an endpoint said.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) status: Option<u16>,
    headers: Map<String, Value>,
    body: Option<String>,
}

impl Answer {
    async fn carried(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, ANSWER_MAX).await.unwrap_or_default();
        Self::of(parts.status, &parts.headers, &body)
    }

    async fn read(mut response: reqwest::Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        // The status is what counts; of the body, whatever comes.
        while body.len() < ANSWER_MAX
            && let Ok(Some(part)) = response.chunk().await
        {
            body.extend_from_slice(&part);
        }
        body.truncate(ANSWER_MAX);
        Self::of(status, &headers, &body)
    }

    fn of(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let headers = headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.to_string(), value.into())
        });
        Self {
            status: Some(status.as_u16()),
            headers: headers.collect(),
            body: Some(String::from_utf8_lossy(body).into_owned()),
        }
    }

    /// As later attempts show it.
    pub(super) fn shown(self, sim: &Sim, webhook: &Webhook, at: OffsetDateTime) -> Value {
        let mut shown = json!({
            "id": sim.ids().event(),
            "address": webhook.address,
            "created_at": written(at),
            "max_attempts": ATTEMPTS_MAX,
            "response_body": self.body,
            "response_headers": self.headers,
            "webhook_id": webhook.number,
        });
        if let Some(status) = self.status {
            shown["response_status_code"] = status.into();
        }
        shown
    }
}

/// The value of `mux-signature`: `t=<unix seconds>,v1=<hex>` over `t.body` (mux.com/docs/core/verify-webhook-signatures).
pub fn sign(secret: &str, body: &str, t: i64) -> String {
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new(); // HMAC takes keys of any length
    };
    let digest = mac
        .chain_update(format!("{t}.{body}"))
        .finalize()
        .into_bytes();
    format!("t={t},v1={}", hex::encode(digest))
}
