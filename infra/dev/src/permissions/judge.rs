//! Roles against what was used of them: what was denied, and what is allowed for nothing.

use super::{
    policy::{Policies, Resource, Statement, is_like},
    record::Record,
};

/// Actions of services that the local stack does not play, so that nothing can be seen of their use.
const ONLY_DEPLOYED: [(&str, &str); 2] = [
    (
        "secretsmanager:GetSecretValue",
        "a function reads its secrets when it starts; the local stack gives them as variables",
    ),
    (
        "ce:GetCostAndUsage",
        "the bill of AWS itself, which has no stand-in that knows of roles",
    ),
];

/// What is wrong with roles.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// What functions tried and were refused.
    pub(super) denied: Vec<String>,
    /// What roles allow and nothing needs: it was never done, or another right allows it as well.
    pub(super) unused: Vec<String>,
    /// How many rights there are: an action on a resource, for a pattern of keys.
    pub(super) rights: usize,
}

pub(super) fn judge(policies: &Policies, records: &[Record]) -> Verdict {
    let mut verdict = Verdict::default();
    for record in records.iter().filter(|it| !it.allowed) {
        verdict.denied.push(line(
            &record.function,
            &record.action,
            &record.resource,
            record.key.as_deref(),
        ));
    }
    for (function, statements) in &policies.0 {
        let own = records.iter().filter(|it| it.function == *function);
        let own: Vec<&Record> = own.filter(|it| it.allowed).collect();
        let rights = rights(statements);
        verdict.rights += rights.len();
        let alone = |it: &&&Record| rights.iter().filter(|right| right.allows(it)).count() == 1;
        let alone: Vec<&&Record> = own.iter().filter(alone).collect();
        for right in &rights {
            let needed = alone.iter().any(|it| right.allows(it));
            let unused = right.actions.iter().filter(|action| {
                let only_deployed = ONLY_DEPLOYED.iter().any(|(it, _)| it == *action);
                let done = |it: &&Record| it.action == **action && right.statement.is_about_key(it);
                let used = needed && own.iter().any(done);
                !only_deployed && !used
            });
            for action in unused {
                let right = line(function, action, right.resource, right.pattern);
                verdict.unused.push(right);
            }
        }
    }
    verdict
}

/// The smallest part of a role that can be taken away. To read an item by itself or among others is one
/// right: each tells what is in it.
struct Right<'a> {
    statement: &'a Statement,
    actions: Vec<&'a str>,
    resource: &'a Resource,
    pattern: Option<&'a str>,
}

fn rights(statements: &[Statement]) -> Vec<Right<'_>> {
    let mut all = Vec::new();
    for statement in statements {
        let (reads, others): (Vec<&str>, Vec<&str>) = statement
            .actions
            .iter()
            .map(String::as_str)
            .partition(|it| READS.contains(it));
        let groups = [reads]
            .into_iter()
            .chain(others.into_iter().map(|it| vec![it]));
        for actions in groups.filter(|it| !it.is_empty()) {
            for resource in &statement.resources {
                let patterns = match &statement.keys {
                    None => vec![None],
                    Some(keys) => keys.iter().map(|it| Some(it.as_str())).collect(),
                };
                all.extend(patterns.into_iter().map(|pattern| Right {
                    statement,
                    actions: actions.clone(),
                    resource,
                    pattern,
                }));
            }
        }
    }
    all
}

impl Right<'_> {
    fn allows(&self, record: &Record) -> bool {
        let same = self
            .actions
            .iter()
            .any(|it| kind(it) == kind(&record.action));
        same && *self.resource == record.resource && is_key_like(self.pattern, record)
    }
}

impl Statement {
    fn is_about_key(&self, record: &Record) -> bool {
        let like = match &self.keys {
            None => true,
            Some(keys) => keys.iter().any(|it| is_key_like(Some(it), record)),
        };
        like && self.resources.contains(&record.resource)
    }
}

fn is_key_like(pattern: Option<&str>, record: &Record) -> bool {
    match (pattern, &record.key) {
        (None, _) | (_, None) => true,
        (Some(pattern), Some(key)) => is_like(pattern, key),
    }
}

/// The ways to read an item.
const READS: [&str; 2] = ["dynamodb:BatchGetItem", "dynamodb:GetItem"];

fn kind(action: &str) -> &str {
    if READS.contains(&action) {
        READS[0]
    } else {
        action
    }
}

/// One right, or one try, as a line.
pub(super) fn line(function: &str, action: &str, resource: &Resource, key: Option<&str>) -> String {
    let key = key.map(|it| format!(" {it}")).unwrap_or_default();
    format!("{function}: {action} on {resource}{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = r#"
Resources:
  Ops:
    Type: AWS::Serverless::Function
    Metadata: {BuildProperties: {Binary: ops}}
    Properties:
      Policies:
        - Statement:
            - Effect: Allow
              Action: [dynamodb:GetItem, dynamodb:PutItem]
              Resource: {Fn::GetAtt: [Table, Arn]}
              Condition: {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["A#*", "B#*"]}}
            - Effect: Allow
              Action: sqs:SendMessage
              Resource: {Fn::GetAtt: [DeadLetters, Arn]}
            - Effect: Allow
              Action: secretsmanager:GetSecretValue
              Resource: {Ref: Secret}
"#;

    fn used(action: &str, resource: Resource, key: Option<&str>) -> Record {
        Record {
            function: "ops".to_owned(),
            action: action.to_owned(),
            resource,
            key: key.map(str::to_owned),
            allowed: true,
        }
    }

    fn everything() -> Vec<Record> {
        let on_table = |action, key| used(action, Resource::Table, Some(key));
        vec![
            on_table("dynamodb:GetItem", "A#*"),
            on_table("dynamodb:GetItem", "B#*"),
            on_table("dynamodb:PutItem", "A#*"),
            on_table("dynamodb:PutItem", "B#*"),
            used("sqs:SendMessage", Resource::Queue, None),
        ]
    }

    #[test]
    fn a_role_of_which_everything_is_used_is_a_good_one() {
        let policies = Policies::parse(TEMPLATE).unwrap();
        let verdict = judge(&policies, &everything());
        assert_eq!(
            verdict,
            Verdict {
                rights: 6,
                ..Verdict::default()
            }
        );
    }

    #[test]
    fn a_right_that_nothing_used_is_named() {
        let policies = Policies::parse(TEMPLATE).unwrap();
        for (place, named) in [
            (1, "ops: dynamodb:GetItem on table B#*"),
            (3, "ops: dynamodb:PutItem on table B#*"),
            (4, "ops: sqs:SendMessage on queue"),
        ] {
            let mut records = everything();
            records.remove(place);
            assert_eq!(judge(&policies, &records).unused, [named]);
        }
        let mut of_another = everything();
        of_another[4].function = "audit".to_owned();
        assert_eq!(judge(&policies, &of_another).unused.len(), 1);
    }

    #[test]
    fn a_right_that_another_one_allows_as_well_is_named() {
        let wider = TEMPLATE.replace(r#""B#*""#, r#""B#*", "B#1*""#);
        let policies = Policies::parse(&wider).unwrap();
        let verdict = judge(&policies, &everything());
        assert_eq!(
            verdict.unused,
            [
                "ops: dynamodb:GetItem on table B#1*",
                "ops: dynamodb:PutItem on table B#1*"
            ]
        );
    }

    #[test]
    fn a_way_to_read_that_nothing_took_is_named() {
        let two = TEMPLATE.replace(
            "[dynamodb:GetItem",
            "[dynamodb:BatchGetItem, dynamodb:GetItem",
        );
        let policies = Policies::parse(&two).unwrap();
        let unused = judge(&policies, &everything()).unused;
        assert_eq!(
            unused,
            [
                "ops: dynamodb:BatchGetItem on table A#*",
                "ops: dynamodb:BatchGetItem on table B#*"
            ]
        );
        let mut records = everything();
        records[0].action = "dynamodb:BatchGetItem".to_owned();
        assert!(judge(&policies, &records).unused.is_empty());
    }

    #[test]
    fn what_was_denied_is_named() {
        let policies = Policies::parse(TEMPLATE).unwrap();
        let mut records = everything();
        let mut denied = used("dynamodb:PutItem", Resource::Table, Some("C#*"));
        denied.allowed = false;
        records.push(denied);
        let verdict = judge(&policies, &records);
        assert_eq!(verdict.denied, ["ops: dynamodb:PutItem on table C#*"]);
    }
}
