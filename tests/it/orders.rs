//! Events of Mux come in any order and repeatedly. Whatever they do, the video is the same.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use serde_json::Value;
use shared::{assets::Asset, clock::Clock, store::keys};

use crate::support::{PLENTY, Story, TestApp, answer::text};

/// Every permutation of the happy life, each with every one of its events told twice.
#[tokio::test]
async fn every_order_with_every_duplicate_ends_in_the_same_video_and_one_ready_event() {
    let test = &TestApp::given(vec![PLENTY]).await;
    let mut orders = Vec::new();
    for (n, order) in permutations(5).into_iter().enumerate() {
        for doubled in 0..5 {
            // The second copy comes right after the first, at the end, or in between.
            let mut order = order.clone();
            let first = order.iter().position(|&it| it == doubled).unwrap();
            let after = first + 1 + (n + doubled) % (order.len() - first);
            order.insert(after, doubled);
            orders.push(order);
        }
    }
    assert_eq!(orders.len(), 600);
    let ends: Vec<String> = stream::iter(orders)
        .map(|order| async move { tell(test, &order).await })
        .buffer_unordered(8)
        .collect()
        .await;
    let different: BTreeSet<&String> = ends.iter().collect();
    assert_eq!(different.len(), 1, "{different:#?}");
    let ready = test.count_events("asset.ready").await;
    assert_eq!(ready, 600);
}

/// Tells one video's events in this order; what is stored in the end, without what is its own.
async fn tell(test: &TestApp, order: &[usize]) -> String {
    let upload = test.ada().upload("In any order").await;
    let id = text(&upload, "id");
    let story = Story::new(id, test.clock.now());
    let events = story.happy();
    let mut seen = BTreeSet::new();
    for &n in order {
        let outcome = test.webhook(&events[n]).await.ok();
        let expected = if seen.insert(n) {
            "applied"
        } else {
            "duplicate"
        };
        assert_eq!(outcome["outcome"], expected, "{order:?} {n}");
    }
    let stored: Option<Asset> = test
        .app
        .store
        .get(&keys::asset(id.parse().unwrap()))
        .await
        .unwrap();
    let mut stored = serde_json::to_value(stored.unwrap()).unwrap();
    // How often it was written, by which request, and by which answer the upload was begun, is each
    // one's own.
    stored["version"].take();
    stored["trace"].take();
    stored["lifecycle"]["uploads"]
        .as_object_mut()
        .unwrap()
        .retain(|it, _| *it == story.upload);
    anonymous(&stored, &story)
}

fn anonymous(stored: &Value, story: &Story) -> String {
    let tail = story.id.trim_start_matches("ast_");
    stored.to_string().replace(tail, "*")
}

/// All orders of the first `count` numbers.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else {
        return vec![Vec::new()];
    };
    let shorter = permutations(last).into_iter();
    shorter
        .flat_map(|order| {
            (0..=order.len()).map(move |place| {
                let mut order = order.clone();
                order.insert(place, last);
                order
            })
        })
        .collect()
}
