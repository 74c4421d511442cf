//! Every function acts in its role of `template.yaml`: here, what happens to one that tries more.
//! That no other test does, each of them checks when it ends.

use dev::permissions::{self, Roles};
use serde_json::json;
use shared::{boot, clock::Clock, router::Deployable};
use time::{Duration, ext::NumericalDuration};

use crate::{
    support::{Story, TestApp, Wishes, actors::order, answer::text},
    tidy::read,
};

/// With roles that differ from those of the template in this.
async fn with_roles(from: &str, to: &str) -> TestApp {
    let template = read("template.yaml");
    assert!(template.contains(from), "template.yaml has no {from}");
    let roles = Roles::of(&template.replace(from, to)).unwrap();
    TestApp::with(Wishes {
        shaky_table: true,
        roles: Some(roles),
        ..Wishes::default()
    })
    .await
}

fn denied(test: &TestApp) -> Vec<String> {
    let denied = test.roles().take_denied();
    denied.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_function_whose_role_lacks_an_action_is_denied_it() {
    let test = with_roles("Action: sqs:SendMessage", "Action: sqs:ReceiveMessage").await;
    let upload = test.ada().upload("Denied").await;
    let event = &Story::new(text(&upload, "id"), test.clock.now()).happy()[0];
    test.table.down(true);
    test.webhook(event).await.problem(500, "internal");
    assert_eq!(
        denied(&test),
        [
            "User: webhooks-mux is not authorized to perform: sqs:SendMessage on resource: queue \
          because no identity-based policy allows the sqs:SendMessage action"
        ]
    );
}

#[tokio::test]
async fn a_function_whose_role_names_other_keys_is_denied_its_own() {
    let test = with_roles("LIMIT#*", "LIMITS#*").await;
    let _ = test.ada().post("/api/uploads", order("Denied")).await;
    let all = denied(&test);
    let first = "User: uploads is not authorized to perform: dynamodb:UpdateItem on resource: table \
                 with the keys LIMIT#";
    assert!(all.iter().any(|it| it.starts_with(first)), "{all:?}");
}

#[tokio::test]
async fn what_nobody_does_in_a_role_is_not_judged() {
    let test = with_roles("dynamodb:GetItem", "dynamodb:DescribeTable").await;
    let asset = "ast_01KE6P4YM00000000000000000".parse().unwrap();
    let key = shared::store::keys::asset(asset);
    let found: Option<serde_json::Value> = test.app.store.get(&key).await.unwrap();
    assert_eq!((found, denied(&test)), (None, Vec::new()));
}

#[tokio::test]
async fn what_a_function_does_before_its_first_request_is_allowed() {
    let test = TestApp::new().await;
    for function in Deployable::ALL {
        // On Lambda, schedules wake jobs without a router.
        if function.schedule().is_none() {
            permissions::within(function, boot::warm(&test.app)).await;
        }
    }
    assert_eq!(denied(&test), Vec::<String>::new());
}

/// What is known of a vendor is noted by whoever calls it, and who cannot note it goes on alone: no answer
/// tells of a right that is missing.
#[tokio::test]
async fn whoever_calls_mux_may_note_how_it_is() {
    use Deployable::{Assets, Ops, Reconcile, Retire, Share, Shares, Uploads, Usage};
    for function in [
        Uploads, Share, Shares, Assets, Ops, Reconcile, Retire, Usage,
    ] {
        let test = TestApp::new().await;
        let ask = async || {
            let mux = test.app.mux(Duration::seconds(60), "a test");
            let asked = permissions::within(function, mux.list_assets(None)).await;
            assert_eq!(denied(&test), Vec::<String>::new());
            asked.is_ok()
        };
        test.faults.out(true);
        for _ in 0..6 {
            assert!(!ask().await);
        }
        test.faults.out(false);
        let mut answered = 0;
        for _ in 0..10 {
            test.clock.advance(2.minutes());
            answered += u32::from(ask().await);
        }
        let name = function.name();
        assert!(answered > 5, "{name}: the breaker closes");
        for told in ["breaker.opened", "breaker.closed"] {
            assert!(test.count_events(told).await > 0, "{name}: {told}");
        }
    }
}

#[test]
fn a_role_that_is_not_understood_is_refused() {
    let template = read("template.yaml");
    let any = template.replace("ForAllValues:StringLike", "ForAnyValue:StringLike");
    let error = Roles::of(&any).unwrap_err();
    assert!(format!("{error:#}").contains("only ForAllValues:StringLike"));
    assert!(Roles::of(&json!({}).to_string()).is_err());
}
