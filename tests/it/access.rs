//! Who may do what: every route against every kind of caller. A route that is not in this table
//! fails the test, so nobody can forget to decide.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};
use shared::router::Deployable;

use crate::support::{Caller, PLENTY, TestApp, actors::order, answer::text};

/// What a caller of this kind is answered: in the order of [`CALLERS`].
struct Row {
    method: Method,
    path: &'static str,
    body: Option<fn() -> Value>,
    expected: [u16; 7],
}

/// Nobody; an agency of another tenant; then a client, compliance, an agency and the admin of the
/// tenant that owns what the path names; last the operator of the portal, whose own tenant is empty.
const CALLERS: [Caller; 7] = [
    Caller::Anonymous,
    Caller::Person("cora"),
    Caller::Role("client"),
    Caller::Role("compliance"),
    Caller::Role("agency"),
    Caller::Person("ada"),
    Caller::Person("dana"),
];

fn row(method: Method, path: &'static str, expected: [u16; 7]) -> Row {
    Row {
        method,
        path,
        body: None,
        expected,
    }
}

fn with(body: fn() -> Value, row: Row) -> Row {
    Row {
        body: Some(body),
        ..row
    }
}

fn table() -> Vec<Row> {
    operators_table()
        .into_iter()
        .chain(peoples_table())
        .collect()
}

fn operators_table() -> Vec<Row> {
    let everybody = [200; 7];
    let nobody = [401; 7];
    let operators = [401, 403, 403, 403, 403, 403, 200];
    let operators_of_none = [401, 403, 403, 403, 403, 403, 404];
    let makers_of_runs = [401, 403, 403, 403, 403, 403, 201];
    let auditors_of_own = [401, 403, 403, 200, 403, 200, 200];
    let auditors_of_none = [401, 403, 403, 404, 403, 404, 404];
    vec![
        row(Method::GET, "/api/health", everybody),
        row(Method::GET, "/api/health/mux-system", everybody),
        row(Method::GET, "/api/ops/alerts", operators),
        row(Method::GET, "/api/slo", operators),
        row(Method::GET, "/api/ops/guardrails", operators),
        with(
            || json!({"of": "all", "rail": "pause-uploads", "reason": "the season"}),
            row(Method::POST, "/api/ops/guardrails/lift", operators_of_none),
        ),
        with(
            || json!({"of": "all", "rail": "pause-uploads"}),
            row(
                Method::POST,
                "/api/ops/guardrails/restore",
                operators_of_none,
            ),
        ),
        row(Method::GET, "/api/ops/freeze", operators),
        with(
            || json!({"reason": "it is the fix", "hours": 1}),
            row(Method::POST, "/api/ops/freeze/lift", operators),
        ),
        row(Method::DELETE, "/api/ops/freeze/lift", operators),
        with(
            || json!({}),
            row(
                Method::POST,
                "/api/debug/verify-mux-playback-ids",
                operators,
            ),
        ),
        row(Method::GET, "/api/debug/mux-assets", operators),
        row(Method::GET, "/api/ops/limits", operators),
        row(Method::GET, "/api/ops/incidents", operators),
        with(
            || json!({"step": "acknowledge"}),
            row(Method::POST, "/api/ops/incidents/{id}", operators_of_none),
        ),
        row(Method::GET, "/api/ops/restores", operators),
        with(
            || json!({"reason": "looked at"}),
            row(Method::POST, "/api/ops/restores/release", operators),
        ),
        with(
            || {
                json!({"table": "restored", "items": 1, "digest": "0".repeat(64), "seconds": 1,
                    "outcome": "restored"})
            },
            row(Method::POST, "/api/ops/restore-drills", makers_of_runs),
        ),
        row(Method::GET, "/api/ops/dead-letters", operators),
        row(Method::GET, "/api/ops/dead-letters/{id}", operators_of_none),
        with(
            || json!({}),
            row(Method::POST, "/api/ops/dead-letters/replay", operators),
        ),
        with(
            || json!({"reason": "looked at"}),
            row(
                Method::POST,
                "/api/ops/dead-letters/{id}/discard",
                operators_of_none,
            ),
        ),
        row(Method::GET, "/api/ops/unmatched-events", operators),
        with(
            || json!({"events": 1, "digest": "0".repeat(64)}),
            row(Method::POST, "/api/ops/replay-runs", makers_of_runs),
        ),
        with(
            || json!({"secret": "guessed", "accepted": 1, "refused": 0}),
            row(Method::POST, "/api/ops/replay-runs/{id}/end", [404; 7]),
        ),
        row(Method::GET, "/api/cron/dlq-replay", nobody),
        row(Method::GET, "/api/cron/reconcile", nobody),
        row(Method::GET, "/api/cron/retire", nobody),
        row(Method::GET, "/api/cron/audit-seal", nobody),
        row(Method::GET, "/api/cron/usage", nobody),
        row(
            Method::GET,
            "/api/cost-report",
            [401, 403, 403, 403, 403, 200, 200],
        ),
        row(Method::GET, "/api/cron/watch", nobody),
        row(Method::GET, "/api/audit", auditors_of_own),
        row(Method::GET, "/api/audit/export", auditors_of_own),
        row(Method::GET, "/api/audit/key", auditors_of_own),
        with(
            || json!({"entry": "evt_01KE6P4YM00000000000000000"}),
            row(Method::POST, "/api/audit/erase", auditors_of_none),
        ),
    ]
}

fn peoples_table() -> Vec<Row> {
    let everybody = [200; 7];
    let nobody = [401; 7];
    let readers = [401, 404, 200, 403, 200, 200, 404];
    let editors = [401, 404, 403, 403, 200, 200, 404];
    let makers_of_foreign = [401, 404, 403, 403, 201, 201, 404];
    // What names nothing of anybody is everybody's own.
    let readers_of_own = [401, 200, 200, 403, 200, 200, 200];
    let makers = [401, 201, 403, 403, 201, 201, 201];
    let admins_of_own = [401, 403, 403, 403, 403, 200, 200];
    let order = || order("Accessed");
    let rename = || json!({"title": "Renamed"});
    let share = || json!({"label": "for somebody"});
    vec![
        with(order, row(Method::POST, "/api/uploads", makers)),
        with(
            order,
            row(Method::POST, "/api/mux/create-video-upload", makers),
        ),
        row(Method::GET, "/api/uploads/{id}", readers),
        row(Method::DELETE, "/api/uploads/{id}", editors),
        row(Method::POST, "/api/webhooks/mux", nobody),
        row(Method::GET, "/api/share/{token}", everybody),
        // The link of this table asks for nothing.
        with(
            || json!({"password": "guessed"}),
            row(Method::POST, "/api/share/{token}/session", [422; 7]),
        ),
        with(
            || json!({"email": "sam@example.com"}),
            row(Method::POST, "/api/share/{token}/code", [422; 7]),
        ),
        // Nobody here has opened the link.
        with(
            || json!({"asset": "ast_00000000000000000000000000", "seconds": 1}),
            row(Method::POST, "/api/share/{token}/watched", [404; 7]),
        ),
        row(Method::GET, "/api/share-policy", readers_of_own),
        with(
            || json!({}),
            row(Method::PATCH, "/api/share-policy", admins_of_own),
        ),
        // What it names is not there, or not the caller's.
        with(
            || json!({"label": "of several", "assets": ["ast_00000000000000000000000000"]}),
            row(
                Method::POST,
                "/api/shares",
                [401, 404, 403, 403, 404, 404, 404],
            ),
        ),
        row(Method::GET, "/api/shares", readers_of_own),
        with(
            || json!({"label": "for somebody else"}),
            row(Method::PATCH, "/api/shares/{id}", editors),
        ),
        row(Method::DELETE, "/api/shares/{id}", editors),
        with(
            || json!({}),
            row(Method::POST, "/api/shares/revoke", admins_of_own),
        ),
        row(Method::GET, "/api/assets", readers_of_own),
        row(Method::GET, "/api/assets/{id}", readers),
        with(rename, row(Method::PATCH, "/api/assets/{id}", editors)),
        row(Method::DELETE, "/api/assets/{id}", editors),
        row(Method::GET, "/api/creative-assets/{id}", readers),
        with(
            rename,
            row(Method::PATCH, "/api/creative-assets/{id}", editors),
        ),
        row(Method::DELETE, "/api/creative-assets/{id}", editors),
        row(Method::GET, "/api/assets/{id}/shares", readers),
        with(
            share,
            row(Method::POST, "/api/assets/{id}/shares", makers_of_foreign),
        ),
        with(
            || json!({}),
            row(Method::POST, "/api/assets/{id}/shares/revoke", editors),
        ),
    ]
}

#[test]
fn every_route_is_in_the_table() {
    let routes = Deployable::ALL.into_iter().flat_map(Deployable::routes);
    let routes: BTreeSet<String> = routes
        .map(|it| format!("{} {}", it.method, it.path))
        .collect();
    let rows = table();
    let listed: BTreeSet<String> = rows
        .iter()
        .map(|it| format!("{} {}", it.method, it.path))
        .collect();
    assert_eq!(listed, routes);
    assert_eq!(listed.len(), rows.len(), "a route stands here twice");
}

#[tokio::test]
async fn everybody_may_do_what_the_table_says_and_nothing_else() {
    let test = TestApp::given(vec![PLENTY]).await;
    for row in table() {
        // Every row has its own video and link, so that no row meets what another one changed.
        let upload = test.ada().upload("Accessed").await;
        let id = text(&upload, "id");
        if !row.path.contains("/uploads/") {
            test.story(id).tell_all().await;
        }
        let share = test.ada().share(id, "for Sam").await;
        let named = match row.path {
            path if path.contains("/shares/{id}") => text(&share, "id"),
            path if path.contains("/dead-letters/{id}") => "dlq_01KE6P4YM00000000000000000",
            path if path.contains("/incidents/{id}") => "inc_01KE6P4YM00000000000000000",
            path if path.contains("/replay-runs/{id}") => "run_01KE6P4YM00000000000000000",
            _ => id,
        };
        let path = row
            .path
            .replace("{id}", named)
            .replace("{token}", text(&share, "token"));
        for (caller, expected) in CALLERS.into_iter().zip(row.expected) {
            let body = row.body.map(|body| body());
            let answer = test
                .as_caller(caller.clone())
                .send(row.method.clone(), &path, body)
                .await;
            assert_eq!(
                answer.status, expected,
                "{} {} as {caller:?}: {}",
                row.method, row.path, answer.body
            );
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_and_not_a_page() {
    let test = TestApp::new().await;
    test.ada()
        .get("/api/nothing")
        .await
        .problem(404, "not-found");
    test.ada()
        .get("/api/assets/not-an-id")
        .await
        .problem(404, "not-found");
    test.ada()
        .post("/api/assets", json!({}))
        .await
        .problem(405, "method-not-allowed");
}
