//! What players tell: by which link a video was watched, and never how much.

use serde_json::{Value, json};
use time::ext::NumericalDuration;

use super::{DAYS, MONTH, at_mux, film, learnt, money, portal, rows, sum, watch};
use crate::support::{
    TestApp,
    answer::{Answer, text},
};

/// A player tells that it played so many seconds; what it is answered.
async fn tell(test: &TestApp, share: &Value, opened: &Value, seconds: u64) -> Answer {
    let viewer = test
        .anonymous()
        .with("x-share-grant", text(opened, "grant"));
    let path = format!("/api/share/{}/watched", text(share, "token"));
    let body = json!({"asset": opened["assetId"], "seconds": seconds});
    viewer.post(&path, body).await
}

/// What was counted is written and added up.
async fn folded(test: &TestApp) {
    test.clock.advance(61.seconds());
    test.anonymous().get("/api/health").await.ok();
    test.clock.advance(15.seconds());
    test.woken("watch").await.ok();
}

#[tokio::test]
async fn by_which_link_it_was_watched_players_tell_and_how_much_it_was_mux_does() {
    let test = portal().await;
    let (id, first) = film(&test, &test.ada(), "Watched").await;
    let second = test.ada().share(&id, "for Kim").await;
    watch(&test, &first).await;
    watch(&test, &second).await;
    let opened = test.open(&first, None).await.ok();
    test.clock.advance(30.seconds());
    assert_eq!(tell(&test, &first, &opened, 1).await.status, 204);
    folded(&test).await;
    // Mux has not said anything yet.
    let early = test.ada().get(MONTH).await.ok();
    assert_eq!(early["lines"]["shares"][0]["of"], first["id"]);
    assert_eq!(early["notes"][1]["code"], "estimated");
    test.clock.advance(30.hours());
    learnt(&test).await;
    let report = test.ada().get(MONTH).await.ok();
    let delivered = at_mux(&test, DAYS[0]).await;
    assert!(delivered > 1_000_000);
    let told = json!({"players": 1_000_000, "mux": delivered});
    assert_eq!(report["delivered"], told);
    let rows = rows(&test.ada().get(&format!("{MONTH}&format=csv")).await.bytes);
    let minutes = rows.iter().filter(|it| it[4] == "delivered-minutes");
    let by: Vec<(&str, &str)> = minutes
        .map(|it| (it[11].as_str(), it[14].as_str()))
        .collect();
    assert_eq!(by, [("", "no"), (text(&first, "id"), "no")]);
    assert_eq!(sum(&report["lines"]["shares"]), money(&report["spent"]));
}

#[tokio::test]
async fn nobody_is_believed_to_have_played_longer_than_they_were_here() {
    let test = portal().await;
    let (id, share) = film(&test, &test.ada(), "Watched").await;
    watch(&test, &share).await;
    let opened = test.open(&share, None).await.ok();
    test.clock.advance(40.seconds());
    for _ in 0..5 {
        assert_eq!(tell(&test, &share, &opened, 1_000_000).await.status, 204);
    }
    folded(&test).await;
    test.clock.advance(30.hours());
    learnt(&test).await;
    let report = test.ada().get(MONTH).await.ok();
    assert_eq!(report["delivered"]["players"], 40_000_000);
    // Nor who has not opened the link, nor of what it does not lead to.
    let strange = json!({"grant": "made up", "assetId": id});
    tell(&test, &share, &strange, 1)
        .await
        .problem(404, "not-found");
    let mut other = opened.clone();
    other["assetId"] = json!("ast_00000000000000000000000000");
    tell(&test, &share, &other, 1)
        .await
        .problem(404, "not-found");
}
