//! What watches a deployment: an alarm for every alert of the catalogue, and dashboards of metrics that
//! exist.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use shared::{metrics::Metric, router::Deployable};

use crate::{
    manifests::{resources, template},
    tidy::{read, root},
};

const PLAYBOOK: &str = "docs/playbook/observability/upload-telemetry.md";

/// Who each alert goes to, by its name in the catalogue: `page` or `ticket`.
fn catalogue() -> BTreeMap<String, String> {
    let playbook = read(PLAYBOOK);
    let section = playbook.split("\n## Alert catalogue\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.split("| alert |").nth(1).unwrap().lines().skip(2);
    let mut all = BTreeMap::new();
    for row in rows.filter(|it| it.starts_with("| ")) {
        let columns: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        for name in columns[0].split(", ") {
            let how = columns.last().unwrap();
            all.insert(name.trim_matches('`').to_owned(), (*how).to_owned());
        }
    }
    assert!(all.len() > 30, "{all:?}");
    all
}

#[test]
fn every_alert_of_the_catalogue_has_an_alarm_that_goes_where_it_says() {
    let mut alarmed = BTreeMap::new();
    for (name, alarm) in resources(&template(), "AWS::CloudWatch::Alarm") {
        let action = &alarm["Properties"]["AlarmActions"]["Fn::If"];
        let how = match action[0].as_str() {
            Some("HasAlarmTopic") => "page",
            Some("HasTicketTopic") => "ticket",
            other => panic!("{name} goes to {other:?}"),
        };
        let topic = &action[1][0]["Ref"];
        let same = action[0].as_str().unwrap().strip_prefix("Has");
        assert_eq!(topic.as_str(), same, "{name}");
        let alerts = alarm["Metadata"]["Alerts"].as_array();
        for alert in alerts.unwrap_or_else(|| panic!("{name} names no alert")) {
            let alert = alert.as_str().unwrap().to_owned();
            alarmed.insert(alert, how.to_owned());
        }
    }
    assert_eq!(alarmed, catalogue());
}

/// Conditions of the form `Metric` > 1,800.
#[test]
fn an_alarm_has_the_bound_that_the_catalogue_says() {
    let playbook = read(PLAYBOOK);
    let mut compared = 0;
    for (name, alarm) in resources(&template(), "AWS::CloudWatch::Alarm") {
        let properties = &alarm["Properties"];
        let (Some(metric), Some(alert)) = (
            properties["MetricName"].as_str(),
            alarm["Metadata"]["Alerts"][0].as_str(),
        ) else {
            continue;
        };
        let row = playbook.lines().find(|it| {
            it.starts_with(&format!("| `{alert}`")) && it.contains(&format!("`{metric}` > "))
        });
        let Some(row) = row else { continue };
        let bound = row.split(&format!("`{metric}` > ")).nth(1).unwrap();
        let digits = bound.split(|it: char| !it.is_ascii_digit() && it != ',');
        let digits = digits.map(|it| it.replace(',', "")).next().unwrap();
        let bound: u64 = digits.parse().unwrap();
        if !row.contains(" days |") {
            assert_eq!(properties["Threshold"], bound, "{name}");
            compared += 1;
        }
    }
    assert!(compared > 15, "{compared}");
}

#[test]
fn the_alarm_of_failing_jobs_looks_at_each_of_them() {
    let alarm = &template()["Resources"]["JobFailing"]["Properties"]["Metrics"];
    let metrics = alarm.as_array().unwrap().iter();
    let jobs = metrics.filter_map(|it| {
        let dimension = &it["MetricStat"]["Metric"]["Dimensions"][0];
        Some(dimension["Value"].as_str()?.to_owned())
    });
    let scheduled = Deployable::ALL.into_iter();
    let scheduled = scheduled.filter(|it| it.schedule().is_some());
    let scheduled: BTreeSet<String> = scheduled.map(|it| it.name().to_owned()).collect();
    assert_eq!(jobs.collect::<BTreeSet<_>>(), scheduled);
}

/// Metrics of the code, and those that the template counts in logs.
fn known() -> BTreeSet<String> {
    let code = Metric::ALL.iter().map(|it| it.row().0.to_owned());
    let counted = resources(&template(), "AWS::Logs::MetricFilter").into_values();
    let counted = counted.map(|it| {
        let metric = &it["Properties"]["MetricTransformations"][0];
        assert_eq!(metric["MetricNamespace"], "MotionMavericks");
        metric["MetricName"].as_str().unwrap().to_owned()
    });
    code.chain(counted).collect()
}

/// Every pair of a namespace and a metric in a value, wherever it stands.
fn alarmed_metrics(value: &Value, found: &mut BTreeSet<(String, String)>) {
    if let (Some(namespace), Some(name)) =
        (value["Namespace"].as_str(), value["MetricName"].as_str())
    {
        found.insert((namespace.to_owned(), name.to_owned()));
    }
    let parts = value.as_object().into_iter().flat_map(|it| it.values());
    for part in parts.chain(value.as_array().into_iter().flatten()) {
        alarmed_metrics(part, found);
    }
}

#[test]
fn every_alarm_is_of_a_metric_that_is_measured() {
    let known = known();
    let mut used = BTreeSet::new();
    for (name, alarm) in resources(&template(), "AWS::CloudWatch::Alarm") {
        let mut found = BTreeSet::new();
        alarmed_metrics(&alarm, &mut found);
        assert!(!found.is_empty(), "{name} is of no metric");
        used.extend(found);
    }
    for (namespace, metric) in &used {
        let ours = namespace == "MotionMavericks";
        assert!(
            ours == known.contains(metric) && (ours || namespace.starts_with("AWS/")),
            "nothing measures {namespace} {metric}"
        );
    }
    // What is counted in logs is counted for an alarm.
    let code: BTreeSet<String> = Metric::ALL.iter().map(|it| it.row().0.to_owned()).collect();
    for counted in known.difference(&code) {
        let pair = ("MotionMavericks".to_owned(), counted.clone());
        assert!(used.contains(&pair), "no alarm is of {counted}");
    }
}

/// The alerts that are counted in logs are those that the code logs.
#[test]
fn what_is_counted_in_logs_is_an_alert_of_the_catalogue() {
    let catalogue = catalogue();
    for (name, filter) in resources(&template(), "AWS::Logs::MetricFilter") {
        let pattern = filter["Properties"]["FilterPattern"].as_str().unwrap();
        let alert = pattern.split('"').nth(1).unwrap();
        let begins = alert.trim_end_matches('*');
        let like = |it: &str| it == alert || (begins != alert && it.starts_with(begins));
        assert!(catalogue.keys().any(|it| like(it)), "{name}: {pattern}");
        assert!(pattern.starts_with("{ $.alert = "), "{name}: {pattern}");
    }
}

#[test]
fn dashboards_are_those_of_the_folder_and_show_what_is_measured() {
    let known = known();
    let template = template();
    let deployed = resources(&template, "AWS::CloudWatch::Dashboard").into_values();
    let deployed: BTreeMap<String, String> = deployed
        .map(|it| {
            let name = it["Properties"]["DashboardName"]["Fn::Sub"]
                .as_str()
                .unwrap();
            let body = it["Properties"]["DashboardBody"]["Fn::Sub"]
                .as_str()
                .unwrap();
            let name = name.strip_prefix("${AWS::StackName}-").unwrap();
            (name.to_owned(), body.to_owned())
        })
        .collect();
    let files = std::fs::read_dir(root().join("infra/dashboards")).unwrap();
    let files: BTreeMap<String, String> = files
        .map(|it| {
            let path = it.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    assert_eq!(
        deployed, files,
        "template.yaml repeats infra/dashboards word for word"
    );
    for (name, text) in files {
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        for widget in dashboard["widgets"].as_array().unwrap() {
            let title = &widget["properties"]["title"];
            for metric in widget["properties"]["metrics"].as_array().unwrap() {
                let of_code = metric[0] == "MotionMavericks";
                let measured = metric[1].as_str().is_some_and(|it| known.contains(it));
                let of_aws = metric[0].as_str().is_some_and(|it| it.starts_with("AWS/"));
                let computed = metric[0]["expression"].is_string();
                assert!(
                    (of_code && measured) || of_aws || computed,
                    "{name}, {title}: nothing measures {metric}"
                );
            }
        }
    }
}
