//! What the portal itself uses of AWS: counted where it is spent, and in the report as it was charged.

use dev::permissions;
use shared::router::Deployable;
use time::ext::NumericalDuration;

use super::{ALL, dana, film, learnt, rows};
use crate::support::{CRON, PLENTY, TestApp, Wishes, actors::Actor, answer::text};

async fn charged() -> TestApp {
    TestApp::with(Wishes {
        shaky_table: true,
        variables: vec![CRON, PLENTY, ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")],
        ..Wishes::default()
    })
    .await
}

/// Units of AWS in the table for finance: day, unit, quantity. All of it is estimated, and the operators'.
async fn units(operator: &Actor<'_>) -> Vec<[String; 3]> {
    let table = operator.get(&format!("{ALL}&format=csv")).await;
    let operators = operator.get(&ALL.replace("&tenant=all", "")).await.ok();
    let of_aws = rows(&table.bytes).into_iter();
    let of_aws = of_aws.filter(|it| it[3] == "aws" && it[2] == "usage");
    let told = of_aws.map(|it| {
        assert_eq!(it[14], "yes", "{it:?}");
        assert_eq!(it[7], text(&operators, "tenant"), "{it:?}");
        [it[1].clone(), it[4].clone(), it[12].clone()]
    });
    told.collect()
}

fn line(unit: &str, quantity: f64) -> [String; 3] {
    let day = "2026-01-05".to_owned();
    [day, unit.to_owned(), format!("{quantity:.3}")]
}

/// The counts of this process get into their minute, and a day later into the report.
async fn told(test: &TestApp) {
    test.clock.advance(15.minutes());
    // This asks the table nothing but to write down what was counted.
    test.anonymous().get("/api/health").await.ok();
    test.clock.advance(15.hours());
    test.woken("watch").await.ok();
    assert_eq!(learnt(test).await["failed"], 0);
}

#[tokio::test]
async fn the_report_has_the_units_that_the_table_charged_for() {
    let test = charged().await;
    let (ada, cora) = (test.ada(), test.cora());
    let (_, share) = film(&test, &ada, "First").await;
    film(&test, &cora, "Other").await;
    for _ in 0..5 {
        test.open(&share, None).await.ok();
        ada.get("/api/assets").await.ok();
    }
    test.clock.advance(15.minutes());
    let charged = test.table.charged();
    assert!(charged.reads > 20.0 && charged.writes > 50.0, "{charged:?}");
    told(&test).await;
    let units = units(&dana(&test)).await;
    for of_day in [
        line("table-reads", charged.reads),
        line("table-writes", charged.writes),
    ] {
        assert!(units.contains(&of_day), "{of_day:?} {units:?}");
    }
    let report = dana(&test).get(ALL).await.ok();
    let notes = report["notes"].as_array().unwrap();
    let codes: Vec<&str> = notes.iter().map(|it| text(it, "code")).collect();
    assert!(codes.contains(&"estimated"), "{codes:?}");
    let own = ada.get(&ALL.replace("&tenant=all", "")).await.ok();
    let vendors = own["lines"]["vendors"].as_array().unwrap();
    assert!(
        vendors.iter().all(|it| it["of"] != "aws"),
        "nobody pays for others: {vendors:?}"
    );
}

#[tokio::test]
async fn calls_of_functions_and_of_the_queue_are_counted_each_once() {
    let test = charged().await;
    for _ in 0..20 {
        test.anonymous().get("/api/health").await.ok();
    }
    for _ in 0..3 {
        test.woken("dlq-replay").await.ok();
        test.clock.advance(2.minutes());
    }
    told(&test).await;
    let units = units(&dana(&test)).await;
    // Every call is a begun millisecond of half a gigabyte.
    for of_day in [
        line("function-requests", 24.0),
        line("function-gb-seconds", 0.012),
        // Each run receives sixteen times at once, and looks how much there is.
        line("queue-requests", 3.0 * 17.0),
    ] {
        assert!(units.contains(&of_day), "{of_day:?} {units:?}");
    }
}

#[tokio::test]
async fn a_run_that_a_schedule_wakes_is_a_call_of_its_function() {
    let test = charged().await;
    for _ in 0..4 {
        let run = shared::vendors::watch(&test.app);
        permissions::within(Deployable::Watch, run).await.unwrap();
        test.clock.advance(1.minutes());
    }
    told(&test).await;
    let units = units(&dana(&test)).await;
    let runs = line("function-requests", 5.0);
    assert!(units.contains(&runs), "and one request: {units:?}");
}

#[tokio::test]
async fn a_day_that_is_told_again_counts_once_and_what_comes_late_is_added() {
    let test = charged().await;
    test.ada().get("/api/assets").await.ok();
    let late = test.instance(test.clock.clone(), 1);
    let late = permissions::router(late);
    test.anonymous().by(&late).get("/api/health").await.ok();
    test.clock.advance(1.minutes());
    test.table.without(Some("METER#"));
    test.ada().by(&late).upload("Late").await;
    test.table.without(None);
    told(&test).await;
    let first = units(&dana(&test)).await;
    let requests = line("function-requests", 3.0);
    assert!(first.contains(&requests), "{first:?}");
    for _ in 0..3 {
        test.clock.advance(1.hours());
        learnt(&test).await;
    }
    assert_eq!(units(&dana(&test)).await, first, "not told again today");
    // What was counted on the first day is written on the second one.
    test.anonymous().by(&late).get("/api/health").await.ok();
    for _ in 0..2 {
        test.clock.advance(1.days());
        test.woken("watch").await.ok();
        learnt(&test).await;
        let again = units(&dana(&test)).await;
        let requests = line("function-requests", 4.0);
        assert!(again.contains(&requests), "{again:?}");
    }
}

#[tokio::test]
async fn what_is_not_answered_counts_as_it_is_guessed() {
    let test = charged().await;
    test.ada().get("/api/assets").await.ok();
    test.app.store.take_units();
    test.table.down(true);
    test.ada()
        .get("/api/assets")
        .await
        .problem(503, "unavailable");
    let units = test.app.store.take_units();
    // A list of an index is half a unit, and the SDK asks twice.
    assert_eq!((units.read_halves, units.write_halves), (2, 0));
    test.table.down(false);
}
