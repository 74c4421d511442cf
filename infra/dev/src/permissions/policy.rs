//! What roles allow, as `template.yaml` says it. What is said in a way that is not understood here is an
//! error, so that nothing is believed to be checked that is not.

use std::{collections::BTreeMap, fmt};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::Access;

/// What an action is done to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) enum Resource {
    Table,
    Index(String),
    Queue,
    /// Something that the local stack does not have, as the template writes it.
    Other(String),
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table => f.write_str("table"),
            Self::Index(name) => write!(f, "index {name}"),
            Self::Queue => f.write_str("queue"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// One statement of a role: each of these actions on each of these resources.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) actions: Vec<String>,
    pub(super) resources: Vec<Resource>,
    /// Which keys it is about, `*` and `?` being wildcards; all of them, where nothing is said.
    pub(super) keys: Option<Vec<String>>,
}

/// The statements of every function.
#[derive(Debug, Default)]
pub(super) struct Policies(pub(super) BTreeMap<String, Vec<Statement>>);

impl Policies {
    pub(super) fn parse(template: &str) -> anyhow::Result<Self> {
        let template: Value = yaml_serde::from_str(template)?;
        let resources = template["Resources"].as_object();
        let resources = resources.context("there are no Resources")?;
        let mut all = BTreeMap::new();
        for (name, resource) in resources {
            if resource["Type"] != "AWS::Serverless::Function" {
                continue;
            }
            let binary = resource["Metadata"]["BuildProperties"]["Binary"].as_str();
            let binary = binary.with_context(|| format!("{name} names no Binary"))?;
            let statements = statements(&resource["Properties"]["Policies"]);
            let statements = statements.with_context(|| format!("the Policies of {name}"))?;
            all.insert(binary.to_owned(), statements);
        }
        Ok(Self(all))
    }

    /// Whether one statement of a function allows all of this.
    pub(super) fn allow(&self, function: &str, access: &Access) -> bool {
        let statements = self.0.get(function).into_iter().flatten();
        statements.into_iter().any(|it| it.allows(access))
    }
}

impl Statement {
    pub(super) fn is_about(&self, action: &str, resource: &Resource) -> bool {
        self.actions.iter().any(|it| it == action) && self.resources.contains(resource)
    }

    /// `ForAllValues`: every key of the request is like one of the patterns.
    fn allows(&self, access: &Access) -> bool {
        let like = |key: &String| match &self.keys {
            None => true,
            Some(patterns) => patterns.iter().any(|it| is_like(it, key)),
        };
        self.is_about(&access.action, &access.resource) && access.keys.iter().all(like)
    }
}

fn statements(policies: &Value) -> anyhow::Result<Vec<Statement>> {
    let documents = policies.as_array().context("are no list")?.iter();
    let all = documents.map(|it| it["Statement"].as_array());
    let all: Option<Vec<_>> = all.collect();
    let all = all.context("have something else than statements")?;
    all.into_iter().flatten().map(statement).collect()
}

fn statement(it: &Value) -> anyhow::Result<Statement> {
    ensure!(it["Effect"] == "Allow", "only Allow is understood: {it}");
    let actions = texts(&it["Action"])?;
    let whole = actions.iter().find(|it| it.contains('*'));
    ensure!(whole.is_none(), "an action with a wildcard: {actions:?}");
    let resources = each(&it["Resource"]).into_iter().map(resource).collect();
    let condition = &it["Condition"];
    let keys = (!condition.is_null())
        .then(|| keys(condition))
        .transpose()?;
    Ok(Statement {
        actions,
        resources,
        keys,
    })
}

/// The patterns of the one condition that is understood.
fn keys(condition: &Value) -> anyhow::Result<Vec<String>> {
    let like = &condition["ForAllValues:StringLike"];
    let only = |it: &Value| it.as_object().is_some_and(|it| it.len() == 1);
    let keys = &like["dynamodb:LeadingKeys"];
    if !only(condition) || !only(like) || keys.is_null() {
        bail!("only ForAllValues:StringLike of dynamodb:LeadingKeys is understood: {condition}");
    }
    texts(keys)
}

fn texts(value: &Value) -> anyhow::Result<Vec<String>> {
    let texts = each(value).into_iter().map(|it| it.as_str());
    let texts: Option<Vec<String>> = texts.map(|it| it.map(str::to_owned)).collect();
    texts.with_context(|| format!("neither a text nor a list of texts: {value}"))
}

/// The values of a list; anything else is one by itself.
fn each(value: &Value) -> Vec<&Value> {
    let list = value.as_array().map(|all| all.iter().collect());
    list.unwrap_or_else(|| vec![value])
}

fn resource(it: &Value) -> Resource {
    let parts = each(&it["Fn::GetAtt"]).into_iter();
    let parts: Vec<&str> = parts.filter_map(Value::as_str).collect();
    let attribute = parts.join(".");
    let index = it["Fn::Sub"].as_str();
    let index = index.and_then(|it| it.strip_prefix("${Table.Arn}/index/"));
    match (attribute.as_str(), index) {
        ("Table.Arn", _) => Resource::Table,
        ("DeadLetters.Arn", _) => Resource::Queue,
        (_, Some(name)) => Resource::Index(name.to_owned()),
        _ => Resource::Other(it.to_string()),
    }
}

/// IAM's `StringLike`: `*` is any text, `?` any character.
pub(super) fn is_like(pattern: &str, text: &str) -> bool {
    let mut rest = text.chars();
    let mut wanted = pattern.chars();
    while let Some(next) = wanted.next() {
        match next {
            '*' => {
                let after = wanted.as_str();
                let mut tail = rest.as_str();
                loop {
                    if is_like(after, tail) {
                        return true;
                    }
                    let mut shorter = tail.chars();
                    if shorter.next().is_none() {
                        return false;
                    }
                    tail = shorter.as_str();
                }
            }
            '?' if rest.next().is_some() => {}
            other if rest.next() == Some(other) => {}
            _ => return false,
        }
    }
    rest.as_str().is_empty()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_pattern_is_like_what_iam_says() {
        for (pattern, text, like) in [
            ("SHARE#*", "SHARE#shr_1", true),
            ("SHARE#*", "SHARES", false),
            ("TENANT#*#EVENTS", "TENANT#ten_1#EVENTS", true),
            ("TENANT#*#EVENTS", "TENANT#ten_1#EVENTS#1", false),
            ("ALERTS", "ALERTS", true),
            ("ALERTS", "ALERTS#1", false),
            ("REFUSALS*", "REFUSALS", true),
            ("A?C", "ABC", true),
            ("A?C", "AC", false),
            ("*", "", true),
        ] {
            assert_eq!(is_like(pattern, text), like, "{pattern} {text}");
        }
    }

    #[test]
    fn one_statement_has_to_allow_every_key_of_a_request() {
        let statement = |key: &str| Statement {
            actions: vec!["dynamodb:BatchGetItem".to_owned()],
            resources: vec![Resource::Table],
            keys: Some(vec![key.to_owned()]),
        };
        let apart = vec![statement("A#*"), statement("B#*")];
        let policies = Policies(BTreeMap::from([("ops".to_owned(), apart)]));
        let access = |keys: &[&str]| Access {
            action: "dynamodb:BatchGetItem".to_owned(),
            resource: Resource::Table,
            keys: keys
                .iter()
                .map(|it| (*it).to_owned())
                .collect::<BTreeSet<_>>(),
        };
        assert!(policies.allow("ops", &access(&["A#1"])));
        assert!(!policies.allow("ops", &access(&["A#1", "B#1"])));
        assert!(!policies.allow("audit", &access(&["A#1"])));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let of = |statement: Value| keys_or_error(&statement);
        let condition = |it: Value| serde_json::json!({"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "*", "Condition": it});
        let keys = serde_json::json!({"dynamodb:LeadingKeys": ["A"]});
        assert!(
            of(condition(
                serde_json::json!({"ForAllValues:StringLike": keys})
            ))
            .is_none()
        );
        for wrong in ["ForAnyValue:StringLike", "StringLike"] {
            let said = of(condition(serde_json::json!({wrong: keys})));
            assert!(said.unwrap().contains(wrong));
        }
        let mut deny = condition(Value::Null);
        deny["Effect"] = "Deny".into();
        assert!(of(deny).unwrap().contains("only Allow"));
        let mut all = condition(Value::Null);
        all["Action"] = "dynamodb:*".into();
        assert!(of(all).unwrap().contains("wildcard"));
    }

    fn keys_or_error(it: &Value) -> Option<String> {
        statement(it).err().map(|it| format!("{it:#}"))
    }
}
