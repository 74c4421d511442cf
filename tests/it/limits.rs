//! Limits: exact under any concurrency, per subject, told to whom they concern, and closed when the
//! table is away.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use dev::aws::TABLE;
use futures::future::join_all;
use serde_json::{Value, json};
use shared::limits::{self, LimitError, Rule};
use time::ext::NumericalDuration;
use tower::ServiceExt;

use crate::support::{Answer, Caller, Fault, TestApp, Wishes, actors::order, answer::text};

async fn with(limits: &'static str) -> TestApp {
    TestApp::given(vec![("LIMITS", limits)]).await
}

/// A video with a link: the path that opens it, and the link's id.
async fn link(test: &TestApp) -> (String, String) {
    let id = test.ada().video("Limited").await;
    let share = test.ada().share(&id, "for Sam").await;
    let path = format!("/api/share/{}", text(&share, "token"));
    (path, text(&share, "id").to_owned())
}

/// A token that is well-formed and opens nothing.
const WRONG: &str = "/api/share/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What operators are shown of a rule.
async fn report(test: &TestApp, rule: &str) -> Value {
    let dana = test.as_caller(Caller::Person("dana"));
    let body = dana.get("/api/ops/limits").await.ok();
    let mut limits = body["limits"].as_array().unwrap().iter();
    limits.find(|it| it["rule"] == rule).unwrap().clone()
}

#[tokio::test]
async fn a_slot_that_was_given_back_is_free_at_once() {
    let test = with("password-tries-per-link=enforce:1/600").await;
    let take = async || limits::take(&test.app, Rule::PasswordTriesPerLink, "shr", None).await;
    let right = take().await.unwrap();
    assert!(matches!(take().await, Err(LimitError::Limited { .. })));
    limits::give_back(&test.app, right).await.unwrap();
    let wrong = take().await.unwrap();
    test.clock.advance(10.minutes());
    let next = take().await.unwrap();
    // Long over: it takes nobody's slot away.
    limits::give_back(&test.app, wrong).await.unwrap();
    assert!(take().await.is_err());
    assert_eq!(next.left, 0);
}

#[tokio::test]
async fn many_at_once_take_every_slot_and_no_more() {
    let test = with("opens-per-address=enforce:100/60").await;
    let take = async |_| limits::take(&test.app, Rule::OpensPerAddress, "one", None).await;
    let taken = join_all((0..300).map(take)).await;
    assert_eq!(taken.iter().filter(|it| it.is_ok()).count(), 100);
    test.clock.advance(59.seconds());
    let Err(LimitError::Limited { retry_after, .. }) = take(0).await else {
        panic!("more than the limit");
    };
    assert_eq!(retry_after, 1.seconds());
    test.clock.advance(1.seconds());
    assert_eq!(take(0).await.unwrap().left, 99);
}

/// As `DynamoDB` counts it: names and texts by their bytes, numbers by two digits a byte and one more.
fn size(item: &HashMap<String, AttributeValue>) -> usize {
    let value = |it: &AttributeValue| match (it.as_s(), it.as_n()) {
        (Ok(text), _) => text.len(),
        (_, Ok(number)) => number.len().div_ceil(2) + 1,
        _ => panic!("{it:?}"),
    };
    item.iter().map(|(name, it)| name.len() + value(it)).sum()
}

#[tokio::test]
async fn a_full_item_costs_one_write_unit() {
    let test = TestApp::new().await;
    for (rule, most, tagged) in [
        (Rule::OpensPerAddress, 100, false),
        (Rule::OpensPerLink, 60, true),
        (Rule::UploadsPerUser, 20, false),
    ] {
        for n in 0..most {
            let tag = format!("network {n}");
            let tag = tagged.then_some(tag.as_str());
            limits::take(&test.app, rule, "one", tag).await.unwrap();
        }
    }
    let client = test.clients().dynamodb;
    let items = client.scan().table_name(TABLE).send().await.unwrap();
    let mut sizes: Vec<usize> = items.items().iter().map(size).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [237, 735, 916]);
}

#[tokio::test]
async fn a_window_slides_and_does_not_jump() {
    let test = with("mux-posts=enforce:2/10").await;
    let take = async || limits::take(&test.app, Rule::MuxPosts, "mux", None).await;
    take().await.unwrap();
    test.clock.advance(9.seconds());
    take().await.unwrap();
    test.clock.advance(1.seconds());
    take().await.unwrap(); // the first one is over, the second is not
    assert!(take().await.is_err());
}

#[tokio::test]
async fn tags_are_counted_without_another_write() {
    let test = TestApp::new().await;
    for (tag, tags) in [("a", 1), ("b", 2), ("a", 2), ("c", 3)] {
        let taken = limits::take(&test.app, Rule::OpensPerLink, "shr", Some(tag)).await;
        assert_eq!(taken.unwrap().tags, tags);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_clients_at_once_open_a_hundred_times_a_minute_and_no_more() {
    let test = with("opens-per-link=shadow").await;
    let (path, _) = link(&test).await;
    let client = |_| {
        let (router, path) = (test.router.clone(), path.clone());
        tokio::spawn(async move {
            let mut passed = 0;
            for _ in 0..4 {
                let request = Request::get(&path).body(Body::empty()).unwrap();
                let answer = router.clone().oneshot(request).await.unwrap();
                match answer.status() {
                    StatusCode::OK => passed += 1,
                    StatusCode::TOO_MANY_REQUESTS => {}
                    other => panic!("{other}"),
                }
            }
            passed
        })
    };
    let passed: u32 = join_all((0..64).map(client))
        .await
        .into_iter()
        .map(Result::unwrap)
        .sum();
    assert_eq!(passed, 100);
    test.clock.advance(59.seconds());
    test.anonymous()
        .get(&path)
        .await
        .problem(429, "rate-limited");
    test.clock.advance(1.seconds());
    test.anonymous().get(&path).await.ok();
}

#[tokio::test]
async fn shadow_lets_all_through_and_counts_what_enforcing_refuses() {
    let mut counted = Vec::new();
    for mode in ["enforce", "shadow"] {
        let limits = match mode {
            "enforce" => "opens-per-address=enforce:5/60",
            _ => "opens-per-address=shadow:5/60",
        };
        let test = with(limits).await;
        let (path, _) = link(&test).await;
        let mut passed = 0;
        for pause in [0, 0, 10, 0, 1, 0, 0, 20, 30, 0, 0, 0, 1, 40] {
            test.clock.advance(pause.seconds());
            let answer = test.anonymous().from("203.0.113.7").get(&path).await;
            let told = answer.headers.get("ratelimit").is_some();
            passed += u32::from(answer.status == 200);
            let told_of_it = told
                && answer.headers["ratelimit"]
                    .to_str()
                    .unwrap()
                    .contains("address");
            assert_eq!(told_of_it, mode == "enforce");
        }
        let report = report(&test, "opens-per-address").await;
        let (refused, would_be) = (&report["refused"], &report["wouldBeRefused"]);
        assert_eq!(report["mode"], mode);
        match mode {
            "enforce" => assert_eq!((14 - passed, would_be), (refused_of(refused), &json!(0))),
            _ => assert_eq!((passed, refused), (14, &json!(0))),
        }
        counted.push(refused.as_u64().unwrap() + would_be.as_u64().unwrap());
    }
    assert_eq!(counted[0], counted[1]);
    assert!(counted[0] > 3, "{counted:?}");
}

fn refused_of(count: &Value) -> u32 {
    count.as_u64().unwrap().try_into().unwrap()
}

#[tokio::test]
async fn everybody_has_a_limit_of_their_own_and_those_without_an_address_have_one_together() {
    let test = with("opens-per-address=enforce:1/60").await;
    let (path, _) = link(&test).await;
    for address in [
        "203.0.113.7",
        "203.0.113.8",
        "2001:db8:0:1::1",
        "2001:db8:0:2::1",
    ] {
        test.anonymous().from(address).get(&path).await.ok();
    }
    for address in ["203.0.113.7", "::ffff:203.0.113.8", "2001:db8:0:1:5::9"] {
        let answer = test.anonymous().from(address).get(&path).await;
        answer.problem(429, "rate-limited");
    }
    test.anonymous().get(&path).await.ok();
    let answer = test.anonymous().get(&path).await;
    answer.problem(429, "rate-limited");
}

/// A list of strings with integers as parameters, as strictly as RFC 9651 reads one.
fn structured(value: &str) -> Vec<(String, Vec<(String, i64)>)> {
    let member = |member: &str| {
        let mut parts = member.split(';');
        let name = parts.next().unwrap();
        let name = name.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
        let parameter = |part: &str| {
            let (key, number) = part.split_once('=').unwrap();
            assert!(key.bytes().all(|it| it.is_ascii_lowercase()), "{part}");
            assert!(number.bytes().all(|it| it.is_ascii_digit()), "{part}");
            (key.to_owned(), number.parse().unwrap())
        };
        (name.unwrap().to_owned(), parts.map(parameter).collect())
    };
    value.split(", ").map(member).collect()
}

fn told(answer: &Answer, name: &str) -> Vec<(String, Vec<(String, i64)>)> {
    structured(answer.headers[name].to_str().unwrap())
}

fn of(rule: &str, numbers: [(&str, i64); 2]) -> (String, Vec<(String, i64)>) {
    let numbers = numbers.map(|(name, number)| (name.to_owned(), number));
    (rule.to_owned(), numbers.into())
}

#[tokio::test]
async fn every_answer_of_a_limited_route_says_how_much_is_left() {
    let test =
        with("opens-per-address=enforce:2/60,unknown-tokens-per-address=enforce:9/600").await;
    let (path, _) = link(&test).await;
    let sam = test.anonymous().from("203.0.113.7");
    let opened = sam.get(&path).await;
    let address = of("opens-per-address", [("q", 2), ("w", 60)]);
    let per_link = of("opens-per-link", [("q", 60), ("w", 600)]);
    assert_eq!(
        told(&opened, "ratelimit-policy"),
        [address.clone(), per_link]
    );
    let left = of("opens-per-address", [("r", 1), ("t", 60)]);
    let of_link = of("opens-per-link", [("r", 59), ("t", 600)]);
    assert_eq!(told(&opened, "ratelimit"), [left, of_link]);
    let exposed = opened.headers["access-control-expose-headers"].to_str();
    assert!(exposed.unwrap().contains("ratelimit,ratelimit-policy"));
    test.clock.advance(20.seconds());
    let unknown = sam.get(WRONG).await;
    let guesses = of("unknown-tokens-per-address", [("r", 8), ("t", 600)]);
    let left = of("opens-per-address", [("r", 0), ("t", 40)]);
    assert_eq!(told(&unknown, "ratelimit"), [left.clone(), guesses]);
    unknown.problem(404, "not-found");
    let refused = sam.get(&path).await;
    assert_eq!(told(&refused, "ratelimit-policy"), [address]);
    assert_eq!(told(&refused, "ratelimit"), [left]);
    assert_eq!(refused.retry_after(), Some("40"));
    refused.problem(429, "rate-limited");
    let list = test.ada().get("/api/assets").await;
    assert!(!list.headers.contains_key("ratelimit"), "it is not limited");
}

#[tokio::test]
async fn without_a_table_nothing_is_opened_or_begun_and_health_and_webhooks_answer() {
    let test = TestApp::with(Wishes {
        shaky_table: true,
        ..Wishes::default()
    })
    .await;
    let (path, _) = link(&test).await;
    let story = test.ada().upload("Told meanwhile").await;
    let event = crate::support::Story::new(text(&story, "id"), time::OffsetDateTime::UNIX_EPOCH);
    for all in [false, true] {
        // First only the limits are away: the link and its video could be read.
        test.table.no_limits(!all);
        test.table.down(all);
        let opened = test.anonymous().get(&path).await;
        assert_eq!(opened.retry_after(), Some("1"));
        opened.problem(503, "unavailable");
        let begun = test.ada().post("/api/uploads", order("Not counted")).await;
        begun.problem(503, "unavailable");
        test.anonymous().get("/api/health").await.ok();
        test.webhook(&event.happy()[0]).await.ok();
    }
    assert_eq!(test.count_events("share.opened").await, 0);
    assert_eq!(test.count_events("upload.requested").await, 2);
}

#[tokio::test]
async fn the_21st_upload_of_a_day_is_refused_and_the_next_day_it_passes() {
    let test = TestApp::new().await;
    let keyed = test.ada().with("idempotency-key", "k-1");
    let first = keyed.upload("First").await;
    for n in 2..=20 {
        test.ada().upload(&format!("Video {n}")).await;
    }
    let refused = test.ada().post("/api/uploads", order("One too many")).await;
    assert_eq!(refused.retry_after(), Some("86400"));
    refused.problem(429, "rate-limited");
    assert_eq!(
        keyed.upload("First").await["id"],
        first["id"],
        "a repeat takes none"
    );
    let other_key = test.ada().with("idempotency-key", "k-2");
    let refused = other_key.post("/api/uploads", order("First")).await;
    refused.problem(429, "rate-limited");
    test.cora().upload("Somebody else's").await;
    assert_eq!(test.count_events("upload.requested").await, 21);
    test.clock.advance(24.hours());
    test.ada().upload("The next day").await;
}

#[tokio::test]
async fn an_upload_that_mux_refused_and_one_that_is_repeated_count_for_nothing() {
    let test = with("uploads-per-user=enforce:2/86400").await;
    for _ in 0..3 {
        test.faults.next(Fault::Refused);
        let refused = test.ada().post("/api/uploads", order("Refused")).await;
        refused.problem(502, "video-service-refused");
    }
    let keyed = test.ada().with("idempotency-key", "k-1");
    for _ in 0..3 {
        keyed.upload("Repeated").await;
    }
    // Mux may have made one: it counts.
    test.faults.next(Fault::DoneAndLost);
    let lost = test.ada().post("/api/uploads", order("Lost")).await;
    lost.problem(503, "video-service-busy");
    let refused = test.ada().post("/api/uploads", order("Third")).await;
    refused.problem(429, "rate-limited");
}
