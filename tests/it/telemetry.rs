//! What is logged, measured and alerted of stands in one playbook, and all of it does.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shared::{alerts::Alert, clock::Clock, metrics::Metric};
use time::ext::NumericalDuration;

use crate::{
    support::{CRON, Story, TestApp, Wishes, actors::order, answer::text},
    tidy::{read, sources},
};

const PLAYBOOK: &str = "docs/playbook/observability/upload-telemetry.md";

#[test]
fn every_field_of_the_log_is_explained_and_no_other() {
    let mut used = BTreeSet::new();
    for (path, source) in sources().filter(|(path, _)| path.starts_with("shared")) {
        let code = source.split("#[cfg(test)]").next().unwrap();
        for arguments in macros(code) {
            let fields = arguments.iter().filter_map(|it| field(it));
            for name in fields {
                let plain = |it: char| it.is_ascii_lowercase() || "._".contains(it);
                assert!(name.chars().all(plain), "{}: {name}", path.display());
                used.insert(name.to_owned());
            }
        }
    }
    assert!(used.len() > 40, "{used:?}");
    let of_every_line = ["timestamp", "level", "target", "message", "span", "name"];
    used.extend(of_every_line.map(str::to_owned));
    assert_eq!(first_columns("## Log fields"), used);
}

#[test]
fn every_metric_is_explained_with_its_unit_and_no_other() {
    let playbook = read(PLAYBOOK);
    let known = Metric::ALL.iter().map(|it| {
        let (name, unit) = it.row();
        assert!(
            playbook.contains(&format!("| `{name}` | {unit} |")),
            "{PLAYBOOK} does not have: | `{name}` | {unit} |"
        );
        name.to_owned()
    });
    let known: BTreeSet<String> = known.collect();
    assert_eq!(first_columns("## Metrics"), known);
}

#[test]
fn every_alert_is_in_the_catalogue() {
    let listed = first_columns("## Alert catalogue");
    for alert in Alert::ALL {
        let name = serde_json::to_value(alert).unwrap();
        let name = name.as_str().unwrap();
        assert!(listed.contains(name), "{PLAYBOOK} does not have {name}");
    }
    for (path, source) in sources().filter(|(path, _)| path.starts_with("shared")) {
        for said in source.split("alert = \"").skip(1) {
            let name = said.split('"').next().unwrap();
            assert!(listed.contains(name), "{}: {name}", path.display());
        }
    }
}

#[tokio::test]
async fn the_line_of_a_request_says_where_it_belongs() {
    let test = TestApp::new().await;
    let answer = test.ada().post("/api/uploads", order("Line")).await;
    let request = answer.headers["x-request-id"].to_str().unwrap().to_owned();
    answer.created();
    let line = test.canaries.line([&request, "request answered"]).unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    let span = &line["span"];
    assert_eq!(text(span, "function"), "uploads");
    assert_eq!(text(span, "http.route"), "/api/uploads");
    assert_eq!(text(span, "http.method"), "POST");
    assert_eq!(text(span, "request.id"), request);
    assert_eq!(text(span, "trace.id").len(), 32);
    assert_eq!(line["http.status"], 201);
    assert!(line["duration_ms"].is_u64());
}

/// Values that no other test has: all of them log into one memory.
#[tokio::test]
async fn an_upload_is_measured_from_the_wish_until_it_can_be_played() {
    let test = TestApp::with(Wishes {
        shaky_table: true,
        variables: vec![CRON],
        ..Wishes::default()
    })
    .await;
    let order = json!({"title": "Measured", "contentType": "video/mp4", "size": 987_654_321});
    let upload = test.ada().post("/api/uploads", order).await.created();
    let story = Story::new(text(&upload, "id"), test.clock.now());
    let [created, .., ready, _] = story.happy();
    test.clock.advance(11_017.milliseconds());
    test.webhook(&created).await.ok();
    test.table.down(true);
    test.webhook(&ready).await.ok();
    test.table.down(false);
    test.clock.advance(7_213.seconds());
    test.woken("dlq-replay").await.ok();
    for measured in [
        r#""UploadBytes":987654321"#,
        r#""WebhookLag":10017,"#,
        r#""LetterAge":7213,"#,
        r#""UploadToReady":7224017,"#,
    ] {
        let line = test.canaries.line([measured, "MotionMavericks"]);
        assert!(line.is_some(), "{measured}");
    }
    let run = test.canaries.line([r#""JobSuccess":1"#, "dlq-replay"]);
    assert!(run.unwrap().contains(r#""Dimensions":[[],["job"]]"#));
}

/// The names in the first column of a table below this heading.
fn first_columns(heading: &str) -> BTreeSet<String> {
    let playbook = read(PLAYBOOK);
    let section = playbook.split(&format!("\n{heading}\n")).nth(1);
    let section = section.unwrap_or_else(|| panic!("{PLAYBOOK} has no {heading}"));
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|it| it.strip_prefix("| `"));
    let names = rows.flat_map(|row| {
        let column = row.split(" |").next().unwrap();
        column.split(", ").map(|it| it.trim_matches('`').to_owned())
    });
    names.collect()
}

/// The arguments of everything that logs in this code.
fn macros(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for level in ["error", "warn", "info", "debug", "trace", "info_span"] {
        for after in code.split(&format!("tracing::{level}!(")).skip(1) {
            let arguments = arguments(after);
            // A metric has fields of its own, and none of the log.
            if !arguments.iter().any(|it| it == "target: TARGET") {
                found.push(arguments);
            }
        }
    }
    found
}

/// What stands between commas, up to the parenthesis that closes.
fn arguments(code: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    let mut all = vec![String::new()];
    for it in code.chars() {
        let outside = !quoted;
        match it {
            '"' if !escaped => quoted = !quoted,
            '(' | '[' | '{' if outside => depth += 1,
            ')' if outside && depth == 0 => break,
            ')' | ']' | '}' if outside => depth -= 1,
            ',' if outside && depth == 0 => {
                all.push(String::new());
                continue;
            }
            _ => {}
        }
        escaped = it == '\\' && !escaped;
        all.last_mut().unwrap().push(it);
    }
    let trimmed = all.iter().map(|it| it.trim().to_owned());
    trimmed.filter(|it| !it.is_empty()).collect()
}

/// The name of a field: `name = value`, or what stands for both.
fn field(argument: &str) -> Option<&str> {
    if argument.starts_with('"') || argument.starts_with("target:") {
        return None;
    }
    let name = argument.split(" = ").next().unwrap_or(argument);
    Some(name.trim_start_matches(['%', '?']))
}
