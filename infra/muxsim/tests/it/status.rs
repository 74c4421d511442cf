//! The status page says what it is told to.

use muxsim::{Indicator, Status};
use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Mux};

#[tokio::test]
async fn the_page_says_what_it_is_told_to_and_nothing_is_wrong_to_begin_with() {
    let mux = Mux::new().await;
    let page = "/status/api/v2/summary.json";
    let calm = mux.get(page).await.is(200);
    assert_eq!(
        calm["status"],
        json!({"indicator": "none", "description": "All Systems Operational"})
    );
    assert_eq!(calm["incidents"], json!([]));
    mux.sim.set_status(Status {
        indicator: Indicator::Major,
        incident: Some("Uploads fail".to_owned()),
    });
    let out = mux.get(page).await.is(200);
    assert_eq!(out["status"]["indicator"], "major");
    assert_eq!(out["components"][0]["status"], "partial_outage");
    assert_eq!(out["incidents"][0]["name"], "Uploads fail");
    let told = mux.get("/_muxsim/status").await.is(200);
    assert_eq!(
        told["data"],
        json!({"indicator": "major", "incident": "Uploads fail"})
    );
    let body = json!({"indicator": "critical"});
    let put = mux.api(Method::PUT, "/_muxsim/status").json(&body);
    Answer::to(put).await.is(200);
    let out = mux.get(page).await.is(200);
    assert_eq!(out["status"]["indicator"], "critical");
    mux.delete("/_muxsim/status").await.is(200);
    assert_eq!(mux.get(page).await.is(200)["status"], calm["status"]);
}
