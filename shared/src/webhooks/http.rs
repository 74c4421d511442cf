//! The webhook route.

use axum::{extract::State, http::HeaderMap};
use serde::Serialize;

use super::{
    WebhookError,
    model::Outcome,
    service::{self, Incoming},
    tally,
};
use crate::{
    app::App,
    http::{Body, Json},
    ids::RequestId,
    problem::Problem,
    router::Route,
};

/// The largest body that is read, in bytes. Mux's events are a few thousand.
const BODY_LIMIT: usize = 1024 * 1024;

pub fn routes() -> Vec<Route> {
    vec![Route::post("/api/webhooks/mux", receive).reading(BODY_LIMIT)]
}

#[derive(Serialize)]
struct ReceiptBody {
    outcome: Outcome,
}

async fn receive(
    State(app): State<App>,
    request: Option<RequestId>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Json<ReceiptBody>, Problem> {
    let mut signatures = headers.get_all("mux-signature").iter();
    // Two headers could be read as either one.
    let signature = match (signatures.next(), signatures.next()) {
        (Some(only), None) => only.to_str().ok(),
        _ => None,
    };
    let incoming = Incoming {
        signature,
        headers: &headers,
        body: &body,
        request,
    };
    let outcome = service::receive(&app, incoming).await;
    tally::count(&app, &outcome).await;
    match outcome {
        Ok(outcome) => Ok(Json(ReceiptBody { outcome })),
        Err(error) => {
            if let WebhookError::Spoofed(reason) = &error {
                tracing::warn!(spoofed = true, %reason, "webhook refused");
            }
            Err(error.into())
        }
    }
}
