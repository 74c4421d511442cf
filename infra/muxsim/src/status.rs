//! A status page as Atlassian Statuspage has them, which is what Mux's is made of: the summary at
//! `/api/v2/summary.json` (confluence.status.atlassian.com/api), below `/status`. It says what it is told
//! to, at `/_muxsim/status`: whether the stand-in works is another matter.

use axum::{Json, Router, extract::State, routing::get};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::{
    api::{Authorized, Input, data},
    sim::Sim,
};

/// How things stand, in the page's own words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Indicator {
    #[default]
    None,
    Minor,
    Major,
    Critical,
    Maintenance,
}

impl Indicator {
    const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minor => "minor",
            Self::Major => "major",
            Self::Critical => "critical",
            Self::Maintenance => "maintenance",
        }
    }

    /// What the page says beside the word, and of its components.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::None => ("All Systems Operational", "operational"),
            Self::Minor => ("Minor Service Outage", "degraded_performance"),
            Self::Major => ("Partial System Outage", "partial_outage"),
            Self::Critical => ("Major Service Outage", "major_outage"),
            Self::Maintenance => ("Service Under Maintenance", "under_maintenance"),
        }
    }
}

/// What the page says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    pub indicator: Indicator,
    /// The name of an incident that is not resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
}

pub(crate) fn router() -> Router<Sim> {
    Router::new()
        .route("/status/api/v2/summary.json", get(summary))
        .route("/_muxsim/status", get(shown).put(set).delete(clear))
}

async fn summary(State(sim): State<Sim>) -> Json<Value> {
    let status = sim.status();
    let now = sim.now().truncate_to_second();
    let now = now.format(&Rfc3339).unwrap_or_default();
    let (description, component) = status.indicator.words();
    let indicator = status.indicator.name();
    let names = ["API", "Video Delivery"];
    let components = names.map(|it| json!({"name": it, "status": component, "updated_at": now}));
    let incidents = status.incident.map(|name| {
        json!({"name": name, "status": "investigating", "impact": indicator, "created_at": now})
    });
    Json(json!({
        "page": {"id": "muxsim", "name": "Mux", "url": sim.options().public_url, "updated_at": now},
        "status": {"indicator": indicator, "description": description},
        "components": components,
        "incidents": Vec::from_iter(incidents),
        "scheduled_maintenances": [],
    }))
}

async fn shown(State(sim): State<Sim>, _: Authorized) -> Json<Value> {
    data(&json!(sim.status()))
}

async fn set(State(sim): State<Sim>, _: Authorized, Input(status): Input<Status>) -> Json<Value> {
    sim.set_status(status);
    data(&json!(sim.status()))
}

async fn clear(State(sim): State<Sim>, _: Authorized) -> Json<Value> {
    sim.set_status(Status::default());
    data(&json!(sim.status()))
}
