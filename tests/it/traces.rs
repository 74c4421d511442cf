//! One upload is one trace: from the browser through Mux's webhooks to the opening of a link; and no
//! collector, however bad, is in anybody's way.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use serde_json::Value;
use shared::{clock::Clock, traces::AfterAnswer};
use time::ext::NumericalDuration;
use tokio::sync::mpsc;
use tower::ServiceExt;

use crate::support::{
    CRON, Story, TestApp,
    actors::order,
    answer::{Answer, text},
    collector::{Collector, Mood, Seen},
    viewer::clip,
};

const OF_UPLOAD: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const OF_VIEWER: &str = "0af7651916cd43dd8448eb211c80319c";

const UPLOAD: &str = "POST /api/uploads";
const WEBHOOK: &str = "POST /api/webhooks/mux";
const OPEN: &str = "GET /api/share/{token}";

/// A call as our own page makes it.
async fn uploaded(test: &TestApp) -> Value {
    let page = test
        .ada()
        .with(
            "traceparent",
            &format!("00-{OF_UPLOAD}-00f067aa0ba902b7-01"),
        )
        .with("tracestate", "portal=1767603599000");
    page.post("/api/uploads", order("Traced")).await.created()
}

async fn opened(test: &TestApp, share: &Value) -> Answer {
    let page = test
        .anonymous()
        .with(
            "traceparent",
            &format!("00-{OF_VIEWER}-b7ad6b7169203331-01"),
        )
        .with("tracestate", "portal=1767603599500");
    let path = format!("/api/share/{}", text(share, "token"));
    page.get(&path).await
}

/// The spans of a trace with this name.
fn named<'a>(seen: &'a [Seen], trace: &str, name: &str) -> Vec<&'a Seen> {
    let named = seen.iter().filter(|it| it.span.name == name);
    named.filter(|it| it.trace() == trace).collect()
}

#[tokio::test]
async fn one_upload_is_one_trace_from_the_browser_to_the_opening_of_its_link() {
    let collector = Collector::new(Mood::Takes).await;
    let test = collector.app(&[]).await;
    let upload = uploaded(&test).await;
    assert_eq!(test.send_file(&upload, clip()).await["status"], "READY");
    let id = text(&upload, "id");
    let share = test.ada().share(id, "for Sam").await;
    opened(&test, &share).await.ok();
    let seen = collector.seen_with(&test, &[UPLOAD, WEBHOOK, OPEN]).await;
    let trace: Vec<&Seen> = seen.iter().filter(|it| it.trace() == OF_UPLOAD).collect();

    let services = |name| {
        let mut services: Vec<&str> = named(&seen, OF_UPLOAD, name)
            .iter()
            .map(|it| it.service.as_str())
            .collect();
        services.sort_unstable();
        services.dedup();
        services
    };
    assert_eq!(services(UPLOAD), ["browser", "uploads"]);
    assert_eq!(services(WEBHOOK), ["webhooks-mux"]);
    assert_eq!(services(OPEN), ["browser", "share"]);
    assert_eq!(services("Mux create-upload"), ["uploads"]);
    assert!(named(&seen, OF_UPLOAD, WEBHOOK).len() >= 3, "{trace:#?}");
    assert_eq!(named(&seen, OF_VIEWER, OPEN).len(), 0);

    // It is one tree: it begins with the browser's call, and every other span is below another one.
    let roots: Vec<&&Seen> = trace.iter().filter(|it| it.parent().is_empty()).collect();
    let [root] = roots[..] else {
        panic!("{roots:#?}");
    };
    assert_eq!(
        (root.service.as_str(), root.id().as_str()),
        ("browser", "00f067aa0ba902b7")
    );
    let mut ids: Vec<String> = trace.iter().map(|it| it.id()).collect();
    for below in trace.iter().filter(|it| !it.parent().is_empty()) {
        assert!(ids.contains(&below.parent()), "{below:#?} hangs in the air");
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), trace.len(), "each span is told once");

    // The browser said when it began, and ids lead from here to the log.
    let second = root.span.end_time_unix_nano - root.span.start_time_unix_nano;
    assert!(second >= 1_000_000_000, "{second}");
    let of_share = |it: &&&Seen| it.attribute("share.id") == Some(text(&share, "id"));
    assert_eq!(trace.iter().filter(of_share).count(), 1);
    assert!(
        trace
            .iter()
            .any(|it| it.service == "webhooks-mux" && it.attribute("asset.id") == Some(id))
    );
    let line = test.canaries.line([OF_UPLOAD, "webhooks-mux"]).unwrap();
    assert_eq!(line.matches("trace.id").count(), 1, "{line}");
}

#[tokio::test]
async fn who_goes_on_watching_adds_nothing_to_the_trace_of_the_video() {
    let collector = Collector::new(Mood::Takes).await;
    let test = collector.app(&[]).await;
    let upload = uploaded(&test).await;
    test.send_file(&upload, clip()).await;
    let share = test.ada().share(text(&upload, "id"), "for Sam").await;
    let first = opened(&test, &share).await.ok();
    test.open(&share, Some(&first)).await.ok();
    let after = collector.seen().len();
    test.anonymous().get("/api/health").await.ok();
    let seen = collector.seen_with(&test, &[OPEN, "GET /api/health"]).await;
    assert!(seen.len() >= after);
    let opens = named(&seen, OF_UPLOAD, OPEN);
    assert_eq!(opens.iter().filter(|it| it.service == "share").count(), 1);
}

#[tokio::test]
async fn a_video_of_yesterday_has_a_link_to_its_trace_and_no_more_spans_in_it() {
    let collector = Collector::new(Mood::Takes).await;
    let test = collector.app(&[]).await;
    let upload = uploaded(&test).await;
    test.send_file(&upload, clip()).await;
    let share = test.ada().share(text(&upload, "id"), "for Sam").await;
    test.clock.advance(25.hours());
    opened(&test, &share).await.ok();
    let seen = collector.seen_with(&test, &[OPEN]).await;
    assert_eq!(named(&seen, OF_UPLOAD, OPEN).len(), 0);
    let open = named(&seen, OF_VIEWER, OPEN);
    let open = open.iter().find(|it| it.service == "share").unwrap();
    assert_eq!(open.links(), [OF_UPLOAD]);
}

#[tokio::test]
async fn a_dead_letter_is_dealt_with_in_the_trace_of_its_video() {
    let collector = Collector::new(Mood::Takes).await;
    let test = collector.app(&[CRON]).await;
    let upload = uploaded(&test).await;
    let story = Story::new(text(&upload, "id"), test.clock.now());
    test.table.down(true);
    let missed = test.webhook(&story.happy()[3]).await;
    assert_eq!(missed.ok()["outcome"], "queued");
    test.table.down(false);
    assert_eq!(test.woken("dlq-replay").await.ok()["pass"]["settled"], 1);
    let seen = collector.seen_with(&test, &[WEBHOOK, "dead letter"]).await;
    let webhook = seen.iter().find(|it| it.span.name == WEBHOOK).unwrap();
    assert!(webhook.failed(), "{webhook:#?}");
    let letter = named(&seen, OF_UPLOAD, "dead letter");
    let [letter] = letter[..] else {
        panic!("{seen:#?}");
    };
    assert_eq!(letter.service, "dlq-replay");
    assert!(letter.attribute("letter.id").unwrap().starts_with("dlq_"));
    assert_eq!(letter.links(), [webhook.trace()], "where it failed");
}

#[tokio::test]
async fn of_traces_that_are_not_sent_what_failed_is() {
    let collector = Collector::new(Mood::Takes).await;
    let test = collector.app(&[("OTEL_TRACES_SAMPLER_ARG", "0")]).await;
    uploaded(&test).await;
    test.table.down(true);
    let failed = test.ada().post("/api/uploads", order("Failed")).await;
    assert!(failed.status.is_server_error());
    let seen = collector.seen_with(&test, &[UPLOAD]).await;
    assert_eq!(named(&seen, OF_UPLOAD, UPLOAD).len(), 0);
    assert!(seen.iter().all(|it| it.span.name != "Mux create-upload"));
    let upload = seen.iter().find(|it| it.span.name == UPLOAD).unwrap();
    assert!(upload.failed());
    assert!(
        seen.iter()
            .any(|it| it.span.name.starts_with("DynamoDB.") && it.failed())
    );
}

#[tokio::test]
async fn a_collector_that_hangs_or_refuses_is_left_alone_and_nobody_notices() {
    for mood in [Mood::Hangs, Mood::Says(StatusCode::INTERNAL_SERVER_ERROR)] {
        let collector = Collector::new(mood).await;
        let test = collector.app(&[]).await;
        for title in ["First", "Second", "Third"] {
            test.ada().upload(title).await;
        }
        assert_eq!(collector.calls(), 1, "{mood:?}: half a minute is not over");
    }
}

#[tokio::test]
async fn where_a_host_works_after_the_answer_nobody_waits_for_the_collector() {
    let collector = Collector::new(Mood::Takes).await;
    let test = collector.app(&[]).await;
    let (later, mut left) = mpsc::unbounded_channel();
    let after = AfterAnswer(Arc::new(move |work| later.send(work).unwrap()));
    let request = Request::get("/api/health").extension(after);
    let request = request.body(Body::empty()).unwrap();
    let answer = test.router.clone().oneshot(request).await.unwrap();
    Answer::read(answer).await.ok();
    assert_eq!(collector.calls(), 0);
    left.recv().await.unwrap().await;
    collector.seen_with(&test, &["GET /api/health"]).await;
}

#[tokio::test]
async fn settings_that_make_no_sense_and_a_collector_that_is_away_stop_nothing() {
    for address in ["no address", "http://127.0.0.1:9", "ftp://127.0.0.1"] {
        let test = TestApp::given(vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", address),
            ("OTEL_EXPORTER_OTLP_HEADERS", "no header"),
            ("OTEL_TRACES_SAMPLER_ARG", "most of them"),
        ])
        .await;
        test.ada().upload("All the same").await;
    }
}

#[tokio::test]
async fn a_context_that_is_not_well_formed_is_no_reason_to_refuse() {
    let test = TestApp::new().await;
    let long = "0".repeat(2_000);
    for parent in ["00-0-0-0", "x", long.as_str()] {
        let page = test.ada().with("traceparent", parent);
        let page = page.with("tracestate", ",=,portal=,");
        page.post("/api/uploads", order("Odd")).await.created();
    }
}
