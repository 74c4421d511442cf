//! One list: what is deployed, its routes, its variables and its rights are the same in the code, in
//! `functions/`, in `api/`, in both platforms' manifests and in the README.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use axum::{body::Body, http::Request};
use serde_json::{Map, Value};
use shared::router::Deployable;
use tower::ServiceExt;

use crate::{
    support::{ORIGIN, TestApp},
    tidy::{read, root, variables},
};

/// Variables that `template.yaml` does not set, and why.
const NOT_ON_LAMBDA: [(&str, &str); 11] = [
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "Lambda sets it itself"),
    ("AWS_ROLE_ARN", "a function has its role"),
    ("CLERK_JWKS_URL", "it follows from CLERK_ISSUER"),
    ("CRON_SECRET", "schedules do not speak HTTP there"),
    ("MUX_API_URL", "for stand-ins"),
    ("MUX_IMAGE_URL", "for stand-ins"),
    ("MUX_STATUS_URL", "Mux's own status page"),
    ("MUX_STREAM_URL", "for stand-ins"),
    ("RUST_LOG", "what it is without"),
    ("VERCEL", "this is another platform"),
    ("VERCEL_OIDC_TOKEN", "this is another platform"),
];

/// What SAM would pass over in silence when it is misspelt: the properties that are used here.
const FUNCTION_KEYS: [&str; 9] = [
    "Environment",
    "EventInvokeConfig",
    "Events",
    "LoggingConfig",
    "Layers",
    "MemorySize",
    "Policies",
    "ReservedConcurrentExecutions",
    "Timeout",
];

pub(crate) fn template() -> Value {
    yaml_serde::from_str(&read("template.yaml")).unwrap()
}

pub(crate) fn resources(template: &Value, kind: &str) -> BTreeMap<String, Value> {
    let all = template["Resources"].as_object().unwrap().iter();
    let all = all.filter(|(_, it)| it["Type"] == kind);
    all.map(|(name, it)| (name.clone(), it.clone())).collect()
}

fn functions(template: &Value) -> BTreeMap<String, Value> {
    let all = resources(template, "AWS::Serverless::Function").into_values();
    let named = |it: Value| {
        let binary = &it["Metadata"]["BuildProperties"]["Binary"];
        (binary.as_str().unwrap().to_owned(), it)
    };
    all.map(named).collect()
}

fn names() -> BTreeSet<String> {
    let names = Deployable::ALL.map(|it| it.name().to_owned());
    names.into_iter().collect()
}

#[track_caller]
fn has_only(what: &str, keys: &Value, allowed: &[&str]) {
    let keys = keys.as_object().into_iter().flat_map(Map::keys);
    for key in keys {
        assert!(
            allowed.contains(&key.as_str()),
            "{what}: {key} is none of {allowed:?}"
        );
    }
}

#[test]
fn every_function_stands_everywhere_and_nothing_else_does() {
    let folders = fs::read_dir(root().join("functions")).unwrap();
    let folders = folders.map(|it| it.unwrap().file_name().into_string().unwrap());
    assert_eq!(folders.collect::<BTreeSet<_>>(), names());
    assert_eq!(
        functions(&template()).into_keys().collect::<BTreeSet<_>>(),
        names()
    );

    let boot = read("shared/src/boot.rs");
    let manifest = read("Cargo.toml");
    let paths = manifest.split("path = \"api/").skip(1);
    let mut files: BTreeSet<&str> = paths.map(|it| it.split('"').next().unwrap()).collect();
    for function in Deployable::ALL {
        let begin = format!("pub async fn {}()", function.name().replace('-', "_"));
        assert!(boot.contains(&begin), "boot.rs has no {begin}");
        // The file that Vercel makes a function of calls it, so it is named by its call.
        let calls = format!("shared::boot::{}()", function.name().replace('-', "_"));
        let file = files
            .iter()
            .copied()
            .find(|file| read(&format!("api/{file}")).contains(&calls));
        let file = file.unwrap_or_else(|| panic!("nothing in api/ calls {calls}"));
        files.remove(file);
    }
    assert!(files.is_empty(), "no function: {files:?}");
}

#[test]
fn vercel_wakes_jobs_as_often_as_lambda_does_and_leads_nowhere_else() {
    let vercel: Value = serde_json::from_str(&read("vercel.json")).unwrap();
    let mut crons: BTreeMap<&str, &str> = BTreeMap::new();
    for cron in vercel["crons"].as_array().unwrap() {
        crons.insert(
            cron["path"].as_str().unwrap(),
            cron["schedule"].as_str().unwrap(),
        );
    }
    let scheduled = Deployable::ALL.into_iter().filter_map(|it| {
        let path = format!("/api/cron/{}", it.name());
        Some((path, it.schedule()?))
    });
    for (path, rate) in scheduled {
        let cron = crons.remove(path.as_str());
        let same = match rate {
            "rate(1 minute)" => cron == Some("* * * * *"),
            "rate(5 minutes)" => cron == Some("*/5 * * * *"),
            // Vercel may choose the minute; not the full hour, when everybody's jobs run.
            "rate(1 hour)" => {
                cron.is_some_and(|it| it.ends_with(" * * * *") && !it.starts_with('*'))
            }
            other => panic!("{other}: say here what that is as a cron"),
        };
        assert!(same, "{path}: {rate} and {cron:?}");
    }
    assert!(crons.is_empty(), "no job: {crons:?}");

    let paths: BTreeSet<String> = routes().into_iter().map(|(_, path)| path).collect();
    for rewrite in vercel["rewrites"].as_array().unwrap() {
        let source = rewrite["source"].as_str().unwrap();
        let path = source.replace(":id", "{id}").replace(":token", "{token}");
        let page = !source.starts_with("/api/");
        assert!(
            page || paths.contains(&path),
            "vercel.json: {source} is no route"
        );
    }
    assert_eq!(vercel["regions"], serde_json::json!(["syd1"]));
}

#[test]
fn the_readme_names_every_route_and_no_other() {
    let readme = read("README.md");
    let table = readme.split("\n## What can be asked\n").nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let routes = routes();
    for quoted in table.split('`').skip(1).step_by(2) {
        let Some((method, path)) = quoted.split_once(' ') else {
            continue;
        };
        let path = path.split(['?', ' ']).next().unwrap();
        let route = (method.to_owned(), path.to_owned());
        let known = !path.starts_with('/') || routes.contains(&route);
        assert!(known, "README.md: {quoted} is no route");
    }
    for (method, path) in &routes {
        let named = table.split('`').any(|it| it.contains(path.as_str()));
        assert!(named, "README.md does not name {method} {path}");
    }
}

#[test]
fn variables_are_the_same_in_the_code_in_the_readme_and_on_lambda() {
    // The log reads its own.
    let code = variables().into_iter().chain(["RUST_LOG".to_owned()]);
    let code: BTreeSet<String> = code.collect();
    let readme = read("README.md");
    let section = readme.split("\n## Variables\n").nth(1).unwrap();
    let rows = section.split("\n## ").next().unwrap().lines();
    let rows = rows.filter_map(|it| it.strip_prefix("| `")?.split(" | ").next());
    let rows = rows.flat_map(|it| it.split(", ").map(|it| it.trim_matches('`').to_owned()));
    assert_eq!(rows.collect::<BTreeSet<_>>(), code);

    let template = template();
    let globals = &template["Globals"]["Function"]["Environment"]["Variables"];
    let everywhere: BTreeSet<String> = globals.as_object().unwrap().keys().cloned().collect();
    let secret = template["Parameters"]["Secret"]["Description"]
        .as_str()
        .unwrap();
    for function in functions(&template).into_values() {
        let own = function["Properties"]["Environment"]["Variables"].clone();
        let own = own.as_object().into_iter().flat_map(Map::keys);
        for name in everywhere.iter().chain(own) {
            assert!(code.contains(name), "template.yaml: nothing reads {name}");
            let other = NOT_ON_LAMBDA.iter().find(|(it, _)| it == name);
            assert!(other.is_none(), "template.yaml: {other:?}");
        }
        for name in &code {
            let own = &function["Properties"]["Environment"]["Variables"][name];
            let set = everywhere.contains(name) || !own.is_null() || secret.contains(name.as_str());
            let elsewhere = NOT_ON_LAMBDA.iter().any(|(it, _)| it == name);
            assert!(set || elsewhere, "template.yaml sets no {name}");
        }
    }
}

#[test]
fn nothing_in_a_function_is_misspelt() {
    for (name, function) in functions(&template()) {
        let properties = &function["Properties"];
        has_only(&name, properties, &FUNCTION_KEYS);
        let retried = ["MaximumRetryAttempts", "MaximumEventAgeInSeconds"];
        has_only(&name, &properties["EventInvokeConfig"], &retried);
        for (event, it) in properties["Events"].as_object().unwrap() {
            let what = format!("{name}, {event}");
            has_only(&what, it, &["Type", "Properties"]);
            let properties = &it["Properties"];
            if it["Type"] == "HttpApi" {
                has_only(&what, properties, &["ApiId", "Method", "Path"]);
                assert_eq!(properties["ApiId"]["Ref"], "Api", "{what}");
                continue;
            }
            assert_eq!(it["Type"], "ScheduleV2", "{what}");
            let keys = ["ScheduleExpression", "RetryPolicy", "DeadLetterConfig"];
            has_only(&what, properties, &keys);
            has_only(&what, &properties["RetryPolicy"], &retried);
            let lost = &properties["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0];
            assert_eq!(lost, "MissedRuns", "{what}");
            assert!(
                function["Properties"]["EventInvokeConfig"].is_object(),
                "{what}"
            );
        }
    }
}

/// On Lambda the gateway answers preflights in the place of the router, and replaces its headers.
#[tokio::test]
async fn the_gateway_allows_the_pages_what_the_router_allows() {
    let test = TestApp::new().await;
    let preflight = Request::options("/api/assets")
        .header("origin", ORIGIN)
        .header("access-control-request-method", "GET")
        .body(Body::empty());
    let answer = test.router.clone().oneshot(preflight.unwrap()).await;
    let plain = Request::get("/api/health").header("origin", ORIGIN);
    let plain = plain.body(Body::empty()).unwrap();
    let plain = test.router.clone().oneshot(plain).await.unwrap();
    let mut answered = answer.unwrap().into_parts().0.headers;
    answered.extend(plain.into_parts().0.headers);
    let template = template();
    let gateway = &template["Resources"]["Api"]["Properties"]["DefinitionBody"];
    let gateway = &gateway["x-amazon-apigateway-cors"];
    for (key, header) in [
        ("allowMethods", "access-control-allow-methods"),
        ("allowHeaders", "access-control-allow-headers"),
        ("exposeHeaders", "access-control-expose-headers"),
    ] {
        let router = answered[header].to_str().unwrap().split(',');
        let router: BTreeSet<&str> = router.collect();
        let listed = gateway[key].as_array().unwrap().iter();
        let listed: BTreeSet<&str> = listed.map(|it| it.as_str().unwrap()).collect();
        assert_eq!(listed, router, "{key}");
    }
}

#[test]
fn every_role_names_actions_resources_and_keys() {
    for (name, function) in functions(&template()) {
        for policy in function["Properties"]["Policies"].as_array().unwrap() {
            for statement in policy["Statement"].as_array().unwrap() {
                has_only(
                    &name,
                    statement,
                    &["Effect", "Action", "Resource", "Condition"],
                );
                let said = statement.to_string();
                let of_table = said.contains("dynamodb:");
                assert!(
                    !of_table || said.contains("dynamodb:LeadingKeys"),
                    "{name}: {said} names no keys"
                );
            }
        }
    }
}

#[test]
fn every_function_has_a_log_that_ends() {
    let template = template();
    let logs = resources(&template, "AWS::Logs::LogGroup");
    for (name, function) in functions(&template) {
        let log = function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"].as_str();
        let log = log.unwrap_or_else(|| panic!("{name} has no log group"));
        let days = &logs[log]["Properties"]["RetentionInDays"];
        assert!(days.is_u64(), "{log} is kept for ever");
    }
    assert_eq!(logs.len(), Deployable::ALL.len());
}

#[test]
fn what_is_kept_is_kept_safely() {
    let template = template();
    let table = &template["Resources"]["Table"];
    let properties = &table["Properties"];
    assert_eq!(properties["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(properties["DeletionProtectionEnabled"], true);
    let recovery = &properties["PointInTimeRecoverySpecification"];
    assert_eq!(recovery["PointInTimeRecoveryEnabled"], true);
    assert_eq!(properties["SSESpecification"]["SSEEnabled"], true);
    assert_eq!(
        properties["StreamSpecification"]["StreamViewType"],
        "NEW_IMAGE"
    );
    for kept in [table, &template["Resources"]["DeadLetters"]] {
        assert_eq!(kept["DeletionPolicy"], "Retain");
        assert_eq!(kept["UpdateReplacePolicy"], "Retain");
    }
    for (name, queue) in resources(&template, "AWS::SQS::Queue") {
        assert_eq!(queue["Properties"]["SqsManagedSseEnabled"], true, "{name}");
    }
}

/// S0-072.
#[test]
fn another_region_is_refused() {
    let rule = &template()["Rules"]["Region"];
    assert!(rule["RuleCondition"].is_null(), "it holds always");
    let assertion = &rule["Assertions"][0]["Assert"]["Fn::Equals"];
    assert_eq!(
        assertion,
        &serde_json::json!([{"Ref": "AWS::Region"}, "ap-southeast-2"])
    );
}

#[test]
fn every_environment_is_one_of_the_template_in_the_one_region() {
    let template = template();
    let parameters = template["Parameters"].as_object().unwrap();
    let settings = read("samconfig.toml");
    let environments = settings
        .split("\n[")
        .skip(1)
        .filter(|it| it.contains(".deploy."));
    let mut found = BTreeSet::new();
    for section in environments {
        let name = section.split('.').next().unwrap();
        found.insert(name);
        assert!(section.contains("region = \"ap-southeast-2\""), "{name}");
        let given = section.split("parameter_overrides = [").nth(1).unwrap();
        let given = given.split(']').next().unwrap();
        let given: BTreeMap<&str, &str> = given
            .split('"')
            .skip(1)
            .step_by(2)
            .map(|it| it.split_once('=').unwrap())
            .collect();
        assert_eq!(given["Environment"], name);
        for (parameter, value) in &given {
            let known = &parameters.get(*parameter);
            let known = known.unwrap_or_else(|| panic!("{name}: no parameter {parameter}"));
            let allowed = known["AllowedValues"].as_array();
            let allowed = allowed.is_none_or(|all| all.iter().any(|it| it == value));
            assert!(allowed, "{name}: {parameter} may not be {value}");
        }
        for (parameter, it) in parameters {
            let given = given.contains_key(parameter.as_str()) || !it["Default"].is_null();
            assert!(given, "samconfig.toml: {name} has no {parameter}");
        }
    }
    assert_eq!(found, BTreeSet::from(["dev", "prod", "staging"]));
}

fn routes() -> BTreeSet<(String, String)> {
    let routes = Deployable::ALL.into_iter().flat_map(Deployable::routes);
    routes
        .map(|it| (it.method.to_string(), it.path.to_owned()))
        .collect()
}
