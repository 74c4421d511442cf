//! House rules no lint can express.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use aws_sdk_dynamodb::types::KeySchemaElement;
use dev::aws::TABLE;
use serde_json::Value;
use shared::{problem::Kind, router::Deployable};

use crate::support::TestApp;

#[test]
fn adapters_stay_thin_and_files_stay_short() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        let adapter = path.starts_with("api") || path.starts_with("functions");
        let limit = if adapter { 30 } else { 400 };
        assert!(
            lines <= limit,
            "{} has {lines} lines, the limit is {limit}",
            path.display()
        );
        assert!(
            text.starts_with("//!"),
            "{} does not say what it owns",
            path.display()
        );
    }
}

#[test]
fn models_do_no_io() {
    let pure = |path: &Path| path.ends_with("model.rs") || path.ends_with("lifecycle.rs");
    for (path, text) in sources().filter(|(path, _)| pure(path)) {
        for word in ["async fn", "axum", "aws_", "crate::store", "crate::app"] {
            assert!(!text.contains(word), "{} mentions `{word}`", path.display());
        }
    }
}

#[test]
fn every_variable_is_explained_in_the_readme() {
    let readme = read("README.md");
    for name in variables() {
        assert!(
            readme.contains(&format!("`{name}`")),
            "README.md does not explain {name}"
        );
    }
}

#[test]
fn every_problem_is_explained() {
    let page = read("docs/problems.md");
    for kind in Kind::ALL {
        let (slug, status, title) = kind.row();
        let row = format!("| `{slug}` | {} | {title} |", status.as_u16());
        assert!(page.contains(&row), "docs/problems.md does not have: {row}");
    }
    insta::assert_snapshot!(
        Kind::ALL.iter().map(|it| it.row().0).collect::<Vec<_>>().join(" "),
        @"internal invalid-request not-found method-not-allowed too-large invalid-field unauthenticated forbidden origin-not-allowed conflict idempotency-key-reused upload-in-progress upload-not-cancellable video-service-busy video-service-refused asset-not-ready asset-deleted share-revoked share-expired invalid-signature not-an-event unavailable letter-waiting share-sign-in-required share-password-required share-password-wrong share-code-required share-code-wrong sharing-policy rate-limited changes-frozen uploads-paused share-paused incident-state"
    );
}

#[test]
fn every_deployable_is_built_for_both_platforms() {
    let template: Value = yaml_serde::from_str(&read("template.yaml")).unwrap();
    let resources = template["Resources"].as_object().unwrap();
    for deployable in Deployable::ALL {
        let name = deployable.name();
        assert!(
            exists(&format!("functions/{name}/src/main.rs")),
            "no Lambda function {name}"
        );
        let function = resources
            .values()
            .find(|it| it["Metadata"]["BuildProperties"]["Binary"] == name);
        let function = function.unwrap_or_else(|| panic!("template.yaml has no function {name}"));
        let events = function["Properties"]["Events"].as_object().unwrap();
        if let Some(schedule) = deployable.schedule() {
            let [event] = events.values().collect::<Vec<_>>().try_into().unwrap();
            assert_eq!(event["Type"], "ScheduleV2");
            assert_eq!(event["Properties"]["ScheduleExpression"], schedule);
            continue;
        }
        let named: Vec<(&str, &str)> = events
            .values()
            .map(|it| {
                (
                    it["Properties"]["Method"].as_str().unwrap(),
                    it["Properties"]["Path"].as_str().unwrap(),
                )
            })
            .collect();
        for route in deployable.routes() {
            let method = route.method.as_str();
            assert!(
                named.contains(&(method, route.path)),
                "template.yaml: {name} has no {method} {}",
                route.path
            );
        }
        assert_eq!(
            named.len(),
            deployable.routes().len(),
            "template.yaml: {name} has a route too many"
        );
    }
    let functions = resources
        .values()
        .filter(|it| it["Type"] == "AWS::Serverless::Function");
    assert_eq!(functions.count(), Deployable::ALL.len());
}

/// `CatchPanicLayer` answers for a request that panics, and the process serves the next one. cargo-lambda
/// builds with `abort` where a profile says nothing.
#[test]
fn a_panic_unwinds_on_both_platforms() {
    let manifest = read("Cargo.toml");
    let release = manifest.split("[profile.release]").nth(1).unwrap();
    assert!(release.contains("\npanic = \"unwind\""));
}

#[tokio::test]
async fn the_local_table_is_the_one_that_is_deployed() {
    let test = TestApp::new().await;
    let client = test.clients().dynamodb;
    let local = client
        .describe_table()
        .table_name(TABLE)
        .send()
        .await
        .unwrap()
        .table
        .unwrap();
    let template: Value = yaml_serde::from_str(&read("template.yaml")).unwrap();
    let resources = template["Resources"].as_object().unwrap();
    let deployed = resources
        .values()
        .find(|it| it["Type"] == "AWS::DynamoDB::Table")
        .unwrap();
    let deployed = &deployed["Properties"];
    assert_eq!(
        keys_of(local.key_schema()),
        written_keys(&deployed["KeySchema"])
    );
    let local: BTreeSet<String> = local
        .global_secondary_indexes()
        .iter()
        .map(|it| format!("{} {}", it.index_name().unwrap(), keys_of(it.key_schema())))
        .collect();
    let indexes = deployed["GlobalSecondaryIndexes"]
        .as_array()
        .unwrap()
        .iter();
    let indexes: BTreeSet<String> = indexes
        .map(|it| {
            format!(
                "{} {}",
                it["IndexName"].as_str().unwrap(),
                written_keys(&it["KeySchema"])
            )
        })
        .collect();
    assert_eq!(local, indexes);
    assert_eq!(
        deployed["TimeToLiveSpecification"]["AttributeName"],
        "expires"
    );
}

fn keys_of(schema: &[KeySchemaElement]) -> String {
    let parts = schema
        .iter()
        .map(|it| format!("{} {}", it.attribute_name(), it.key_type()));
    parts.collect::<Vec<_>>().join(", ")
}

fn written_keys(schema: &Value) -> String {
    let parts = schema.as_array().unwrap().iter();
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let parts = parts.map(|it| format!("{} {}", text(&it["AttributeName"]), text(&it["KeyType"])));
    parts.collect::<Vec<_>>().join(", ")
}

/// On Vercel a path is a file below `api/`, or a rewrite leads to one.
#[test]
fn every_route_leads_to_its_function_on_vercel() {
    let vercel: Value = serde_json::from_str(&read("vercel.json")).unwrap();
    let rewrites = vercel["rewrites"].as_array().unwrap();
    let crons = vercel["crons"].as_array().unwrap();
    for deployable in Deployable::ALL {
        let woken = |path: &str| crons.iter().any(|it| it["path"] == path);
        let routes = deployable.routes();
        assert_eq!(
            routes.iter().any(|it| woken(it.path)),
            deployable.schedule().is_some(),
            "vercel.json and the schedule of {} disagree",
            deployable.name()
        );
        for route in deployable.routes() {
            let file = format!(
                "{}.rs",
                route
                    .path
                    .trim_start_matches('/')
                    .replace('{', "[")
                    .replace('}', "]")
            );
            let source = route
                .path
                .replace("{id}", ":id")
                .replace("{token}", ":token");
            let rewritten = rewrites.iter().any(|it| it["source"] == source.as_str());
            assert!(
                exists(&file) || rewritten,
                "vercel.json leads nowhere from {}",
                route.path
            );
        }
    }
    for rewrite in rewrites {
        let destination = rewrite["destination"]
            .as_str()
            .unwrap()
            .trim_start_matches('/');
        let file = format!("{destination}.rs");
        assert!(
            exists(&file) || exists(&format!("web/{destination}")),
            "{destination} is no function"
        );
    }
}

/// The names that `config.rs` reads: every text there that looks like a variable.
pub(crate) fn variables() -> Vec<String> {
    let text = read("shared/src/config.rs");
    let code = text.split("#[cfg(test)]").next().unwrap();
    let mut names: Vec<String> = code
        .split('"')
        .skip(1)
        .step_by(2)
        .filter(|it| it.len() > 4 && it.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    assert!(names.len() > 15, "{names:?}");
    names
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn exists(path: &str) -> bool {
    root().join(path).exists()
}

pub(crate) fn sources() -> impl Iterator<Item = (PathBuf, String)> {
    let mut folders: Vec<PathBuf> = [
        "api",
        "audit-verify",
        "benches",
        "functions",
        "infra",
        "shared",
        "tests",
    ]
    .map(|name| root().join(name))
    .into();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                files.push(path);
            }
        }
    }
    files.into_iter().map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        (path.strip_prefix(root()).unwrap().to_path_buf(), text)
    })
}
