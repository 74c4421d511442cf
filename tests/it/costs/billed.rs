//! AWS's own figures: on days that Cost Explorer has told of they stand in the place of what we counted.

use dev::cost_explorer::Refusing;
use serde_json::{Value, json};
use shared::costs::Money;
use time::{Date, ext::NumericalDuration, macros::date};

use super::{ALL, MONTH, dana, learnt, money, rows, sum};
use crate::support::{CRON, PLENTY, TestApp, Wishes, answer::text};

const TAG: (&str, &str) = ("COST_EXPLORER_TAG", "Application=portal");

const FIFTH: Date = date!(2026 - 01 - 05);
const SIXTH: Date = date!(2026 - 01 - 06);

/// A portal that asks Cost Explorer.
async fn asking() -> TestApp {
    with(vec![CRON, PLENTY, TAG], true).await
}

async fn with(variables: Vec<(&'static str, &'static str)>, cost_explorer: bool) -> TestApp {
    TestApp::with(Wishes {
        cost_explorer,
        variables,
        ..Wishes::default()
    })
    .await
}

/// A day on which the portal was used; it ends at nine in the morning of the next one.
async fn a_day(test: &TestApp) {
    for _ in 0..10 {
        test.ada().get("/api/assets").await.ok();
    }
    test.clock.advance(15.minutes());
    test.anonymous().get("/api/health").await.ok();
    test.clock.advance(23.hours() + 45.minutes());
    test.woken("watch").await.ok();
    assert_eq!(learnt(test).await["failed"], 0);
}

/// Rows of AWS in the table for finance: day, unit, service, cost and whether it is estimated.
async fn lines(test: &TestApp) -> Vec<[String; 5]> {
    let table = dana(test).get(&format!("{ALL}&format=csv")).await;
    let of_aws = rows(&table.bytes).into_iter();
    let of_aws = of_aws.filter(|it| it[3] == "aws" && it[2] == "usage");
    of_aws
        .map(|it| [1, 4, 15, 13, 14].map(|column: usize| it[column].clone()))
        .collect()
}

fn line(day: Date, service: &str, cost: &str) -> [String; 5] {
    [&day.to_string(), "billed", service, cost, "no"].map(str::to_owned)
}

async fn report(test: &TestApp) -> Value {
    dana(test).get(ALL).await.ok()
}

fn note(report: &Value) -> (&str, &str) {
    let notes = report["notes"].as_array().unwrap();
    let is_aws = |it: &&Value| text(it, "code").starts_with("cost-explorer");
    let note = notes.iter().find(is_aws).unwrap();
    (text(note, "code"), text(note, "text"))
}

#[tokio::test]
async fn days_that_aws_told_of_have_its_figures_and_the_others_ours() {
    let test = asking().await;
    test.cost_explorer.bill(FIFTH, "AWS Lambda", "0.1234567891");
    test.cost_explorer
        .bill(FIFTH, "Amazon DynamoDB", "1.0000005");
    test.cost_explorer.bill(FIFTH, "AWS Support", "-0.25");
    test.cost_explorer.preliminary_from(Some(FIFTH));
    a_day(&test).await;
    let estimated = report(&test).await;
    assert_eq!(estimated["aws"]["billedDays"], 0, "a day too early");
    let ours = lines(&test).await;
    assert!(
        !ours.is_empty() && ours.iter().all(|it| it[4] == "yes"),
        "{ours:?}"
    );
    a_day(&test).await;
    let told = lines(&test).await;
    let (fifth, sixth): (Vec<_>, Vec<_>) = told.into_iter().partition(|it| it[0] == "2026-01-05");
    assert_eq!(
        fifth,
        [
            line(FIFTH, "AWS Lambda", "0.123457"),
            line(FIFTH, "AWS Support", "-0.250000"),
            line(FIFTH, "Amazon DynamoDB", "1.000000"),
        ]
    );
    assert!(
        !sixth.is_empty() && sixth.iter().all(|it| it[4] == "yes"),
        "{sixth:?}"
    );
    let all = report(&test).await;
    for list in [
        "vendors", "units", "tenants", "projects", "assets", "shares", "services",
    ] {
        assert_eq!(sum(&all["lines"][list]), money(&all["spent"]), "{list}");
    }
    let others = Money::sum(sixth.iter().map(|it| it[3].parse().unwrap())).unwrap();
    let aws = all["lines"]["vendors"].as_array().unwrap();
    let aws = aws.iter().find(|it| it["of"] == "aws").unwrap();
    let billed: Money = "0.873457".parse().unwrap();
    assert_eq!(money(&aws["cost"]), billed.plus(others).unwrap());
    let part = &all["aws"];
    assert_eq!(money(&part["billed"]), billed);
    let counted = Money::sum(ours.iter().map(|it| it[3].parse().unwrap())).unwrap();
    assert_eq!(money(&part["counted"]), counted);
    let off = (counted.micros() - billed.micros()) * 10_000 / billed.micros();
    assert_eq!(part["variance"], off);
    assert_eq!(
        json!([
            part["state"],
            part["billedDays"],
            part["billedUntil"],
            part["preliminary"]
        ]),
        json!(["answered", 1, "2026-01-05", true])
    );
    assert_eq!(note(&all).0, "cost-explorer-answered");
}

#[tokio::test]
async fn it_is_asked_once_a_day_for_all_open_days_and_corrects_what_aws_corrects() {
    let test = asking().await;
    test.cost_explorer.bill(FIFTH, "AWS Lambda", "1");
    for _ in 0..3 {
        a_day(&test).await;
    }
    assert_eq!(lines(&test).await[0], line(FIFTH, "AWS Lambda", "1.000000"));
    test.cost_explorer.bill(FIFTH, "AWS Lambda", "0.5");
    test.cost_explorer.bill(SIXTH, "AWS Lambda", "0.25");
    for _ in 0..5 {
        test.clock.advance(1.hours());
        learnt(&test).await;
    }
    assert_eq!(lines(&test).await[0], line(FIFTH, "AWS Lambda", "1.000000"));
    a_day(&test).await;
    let told = lines(&test).await;
    assert!(
        told.contains(&line(FIFTH, "AWS Lambda", "0.500000")),
        "{told:?}"
    );
    assert!(
        told.contains(&line(SIXTH, "AWS Lambda", "0.250000")),
        "{told:?}"
    );
    let asked = test.cost_explorer.asked();
    let periods: Vec<&Value> = asked.iter().map(|it| &it["TimePeriod"]).collect();
    let until = |end: &str| json!({"Start": "2026-01-01", "End": end});
    let ends = ["2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08"];
    assert_eq!(json!(periods), json!(ends.map(until)));
    let tag = json!({"Tags": {"Key": "Application", "Values": ["portal"]}});
    assert!(asked.iter().all(|it| it["Filter"] == tag), "{asked:?}");
}

#[tokio::test]
async fn an_answer_on_many_pages_is_one() {
    let test = asking().await;
    test.cost_explorer.bill(FIFTH, "AWS Lambda", "1");
    test.cost_explorer
        .bill(date!(2026 - 01 - 01), "AWS Lambda", "2");
    test.cost_explorer.page(2);
    a_day(&test).await;
    a_day(&test).await;
    assert_eq!(report(&test).await["aws"]["billed"], "3.000000");
    assert_eq!(test.cost_explorer.asked().len(), 2 + 3);
}

#[tokio::test]
async fn who_is_refused_says_so_and_keeps_what_was_told_and_tries_it_the_next_day() {
    for (how, why) in [
        (Refusing::AccessDenied, "denied"),
        (Refusing::Throttling, "throttled"),
        (Refusing::NoData, "refused"),
        (Refusing::Broken, "refused"),
    ] {
        let test = asking().await;
        test.cost_explorer.refuse(Some(how));
        for _ in 0..2 {
            a_day(&test).await;
            test.clock.advance(1.hours());
            assert_eq!(learnt(&test).await["failed"], 0);
        }
        assert_eq!(test.cost_explorer.asked().len(), 2, "{how:?}: no storm");
        let refused = report(&test).await;
        assert_eq!(refused["aws"]["state"], "refused");
        assert_eq!(refused["aws"]["why"], why);
        assert_eq!(note(&refused).0, "cost-explorer-refused");
        assert!(lines(&test).await.iter().all(|it| it[4] == "yes"));
        test.cost_explorer.refuse(None);
        test.cost_explorer.bill(FIFTH, "AWS Lambda", "1");
        a_day(&test).await;
        test.cost_explorer.refuse(Some(how));
        a_day(&test).await;
        let later = report(&test).await;
        assert_eq!(later["aws"]["billed"], "1.000000");
        assert!(text(&later["aws"], "asOf").starts_with("2026-01-08T"));
        let (_, said) = note(&later);
        assert!(
            said.starts_with("Cost Explorer: as of 2026-01-08; refused on 2026-01-09: "),
            "{said}"
        );
    }
}

#[tokio::test]
async fn what_is_no_amount_of_dollars_changes_nothing() {
    for (amount, unit) in [("NaN", "USD"), ("", "USD"), ("1,5", "USD"), ("1", "EUR")] {
        let test = asking().await;
        test.cost_explorer.bill(FIFTH, "AWS Lambda", "1");
        test.cost_explorer
            .bill_in(FIFTH, "AWS Support", amount, unit);
        a_day(&test).await;
        a_day(&test).await;
        let all = report(&test).await;
        assert_eq!(all["aws"]["why"], "malformed", "{amount} {unit}");
        assert_eq!(all["aws"]["billedDays"], 0);
    }
    let test = asking().await;
    test.cost_explorer.bill(FIFTH, "AWS Lambda", "1E-7");
    test.cost_explorer.bill(FIFTH, "AWS Support", "2.5e1");
    a_day(&test).await;
    a_day(&test).await;
    assert_eq!(report(&test).await["aws"]["billed"], "25.000000");
}

#[tokio::test]
async fn a_tag_that_is_not_activated_is_told_of() {
    let test = asking().await;
    a_day(&test).await;
    let all = report(&test).await;
    assert_eq!(all["aws"]["why"], "empty");
    assert!(note(&all).1.contains("is it activated"), "{}", note(&all).1);
}

#[tokio::test]
async fn without_a_tag_nobody_asks() {
    let test = with(vec![CRON, PLENTY], true).await;
    a_day(&test).await;
    assert_eq!(test.cost_explorer.asked().len(), 0);
    let all = report(&test).await;
    assert_eq!(all["aws"]["state"], "not-asked");
    assert_eq!(note(&all).0, "cost-explorer-not-asked");
}

#[tokio::test]
async fn a_function_that_cannot_ask_is_refused() {
    let test = with(vec![CRON, PLENTY, TAG], false).await;
    a_day(&test).await;
    assert_eq!(report(&test).await["aws"]["why"], "no-credentials");
}

#[tokio::test]
async fn only_who_pays_sees_what_aws_charges() {
    let test = asking().await;
    test.cost_explorer.bill(FIFTH, "AWS Lambda", "7");
    a_day(&test).await;
    a_day(&test).await;
    let operators = dana(&test).get(MONTH).await.ok();
    assert_eq!(operators["aws"]["billed"], "7.000000");
    let ada = test.ada().get(MONTH).await;
    let shown = String::from_utf8(ada.bytes).unwrap();
    assert!(
        !shown.contains("AWS Lambda") && !shown.contains("\"aws\""),
        "{shown}"
    );
}

#[tokio::test]
async fn the_page_and_the_closed_month_have_them() {
    let test = asking().await;
    test.cost_explorer.bill(FIFTH, "=Lambda<b>", "7");
    for _ in 0..2 {
        a_day(&test).await;
    }
    let page = dana(&test).get(&format!("{ALL}&format=html")).await;
    let html = String::from_utf8(page.bytes).unwrap();
    for part in [
        "By service of AWS",
        "=Lambda&lt;b&gt;",
        "<dt>Cost Explorer</dt><dd>as of 2026-01-07</dd>",
        "<dt>AWS&#39;s own figures",
        "<dt>Our count against AWS</dt><dd>-",
    ] {
        assert!(
            html.contains(part) || html.contains(&part.replace("&#39;", "'")),
            "{part}: {html}"
        );
    }
    let told = lines(&test).await;
    assert!(
        told.contains(&line(FIFTH, "'=Lambda<b>", "7.000000")),
        "no formula: {told:?}"
    );
    test.clock.advance(28.days());
    assert_eq!(learnt(&test).await["closed"], 1);
    let closed = report(&test).await;
    assert_eq!(closed["aws"]["billed"], "7.000000");
    let page = dana(&test).get(&format!("{ALL}&format=html")).await;
    let html = String::from_utf8(page.bytes).unwrap();
    assert!(html.contains("By service of AWS"), "{html}");
    test.cost_explorer.bill(FIFTH, "=Lambda<b>", "8");
    a_day(&test).await;
    assert_eq!(report(&test).await, closed);
    let last = test.cost_explorer.asked().pop().unwrap();
    assert_eq!(
        last["TimePeriod"]["Start"], "2026-02-01",
        "what is closed is not asked"
    );
}

#[tokio::test]
async fn who_dies_while_asking_has_asked() {
    let test = asking().await;
    test.cost_explorer
        .bill(date!(2026 - 01 - 01), "AWS Lambda", "1");
    let was_asked = async {
        while test.cost_explorer.asked().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = was_asked => {} // and no further
        _ = Box::pin(shared::costs::usage(&test.app)) => panic!("it ended before it was asked"),
    }
    test.clock.advance(1.hours());
    learnt(&test).await;
    assert_eq!(test.cost_explorer.asked().len(), 1);
    let all = report(&test).await;
    assert_eq!(all["aws"]["why"], "no-answer");
}
