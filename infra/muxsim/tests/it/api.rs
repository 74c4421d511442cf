//! The API: who may ask, what uploads look like, what is refused and how.

use reqwest::Method;
use serde_json::{Value, json};
use time::Duration;

use crate::{
    inbox::Inbox,
    support::{Answer, Mux, VIDEO, text},
};

#[tokio::test]
async fn without_the_access_token_nothing_is_told() {
    let mux = Mux::new().await;
    let refusal = json!({"error": {"type": "unauthorized", "messages": ["Unauthorized request"]}});
    let routes = [
        (Method::POST, "/video/v1/uploads"),
        (Method::GET, "/video/v1/uploads"),
        (Method::GET, "/video/v1/uploads/some"),
        (Method::PUT, "/video/v1/uploads/some/cancel"),
        (Method::GET, "/video/v1/assets"),
        (Method::GET, "/video/v1/assets/some"),
        (Method::DELETE, "/video/v1/assets/some"),
        (Method::POST, "/video/v1/assets/some/playback-ids"),
        (Method::GET, "/video/v1/assets/some/playback-ids/some"),
        (Method::DELETE, "/video/v1/assets/some/playback-ids/some"),
        (Method::GET, "/video/v1/playback-ids/some"),
        (Method::GET, "/system/v1/whoami"),
    ];
    for (method, path) in routes {
        let request = || {
            mux.http
                .request(method.clone(), format!("{}{path}", mux.url()))
        };
        for request in [
            request(),
            request().basic_auth("muxsim", Some("wrong")),
            request().basic_auth("wrong", Some("muxsim-secret")),
            request().basic_auth("muxsim", None::<&str>),
            request().bearer_auth("bXV4c2ltOm11eHNpbS1zZWNyZXQ="),
        ] {
            assert_eq!(
                Answer::to(request).await.is(401),
                refusal,
                "{method} {path}"
            );
        }
    }
    assert_eq!(
        mux.get("/video/v1/uploads").await.is(200),
        json!({"data": []})
    );
    mux.get("/system/v1/whoami").await.is(200);
}

#[tokio::test]
async fn an_upload_begins_waiting_with_an_address() {
    let mux = Mux::new().await;
    let body = json!({
        "cors_origin": "https://portal.example",
        "new_asset_settings": {"playback_policies": ["signed"], "passthrough": "ours"},
    });
    let answer = mux.post("/video/v1/uploads", &body).await;
    let mut upload = answer.is(201)["data"].take();
    assert!(answer.header("x-request-id").is_some());
    let url = text(&upload["url"].take()).to_owned();
    let id = text(&upload["id"]).to_owned();
    assert_eq!(
        upload,
        json!({
            "id": id,
            "url": null,
            "timeout": 3600,
            "status": "waiting",
            "cors_origin": "https://portal.example",
            "new_asset_settings": {"playback_policies": ["signed"], "passthrough": "ours"},
        })
    );
    assert!((32..=47).contains(&id.len()) && id.bytes().all(|it| it.is_ascii_alphanumeric()));
    let (path, query) = url.split_once('?').unwrap();
    let storage = "/storage/video-storage-us-east1-uploads/";
    assert_eq!(path, format!("{}{storage}{id}", mux.url()));
    let expires = format!("Expires={}&", mux.clock.unix() + 3600);
    assert!(query.starts_with(&expires), "{query}");
    assert!(
        query.contains("&upload_id=") && !query.contains(&id),
        "{query}"
    );

    let shown = mux.get(&format!("/video/v1/uploads/{id}")).await.is(200);
    upload["url"] = url.into();
    assert_eq!(shown, json!({ "data": upload }));
}

#[tokio::test]
async fn a_timeout_is_between_a_minute_and_a_week() {
    let mux = Mux::new().await;
    for timeout in [60, 604_800] {
        let upload = mux.upload(&json!({"timeout": timeout})).await;
        assert_eq!(upload["timeout"], timeout);
    }
    for timeout in [json!(0), json!(59), json!(604_801), json!(-60), json!("60")] {
        let answer = mux
            .post("/video/v1/uploads", &json!({"timeout": timeout}))
            .await;
        answer.refuses(400, "invalid_parameters");
    }
}

#[tokio::test]
async fn passthrough_has_at_most_255_characters() {
    let mux = Mux::new().await;
    let body = |length| json!({"new_asset_settings": {"passthrough": "é".repeat(length)}});
    mux.post("/video/v1/uploads", &body(255)).await.is(201);
    let answer = mux.post("/video/v1/uploads", &body(256)).await;
    answer.refuses(400, "invalid_parameters");
}

#[tokio::test]
async fn policies_are_shown_as_a_list_however_they_are_written() {
    let mux = Mux::new().await;
    for (settings, policies) in [
        (json!({"playback_policies": ["signed"]}), json!(["signed"])),
        (json!({"playback_policies": "signed"}), json!(["signed"])),
        (
            json!({"playback_policy": ["public", "signed"]}),
            json!(["public", "signed"]),
        ),
        (json!({"playback_policy": "public"}), json!(["public"])),
        (
            json!({"playback_policy": "public", "playback_policies": ["signed"]}),
            json!(["signed"]),
        ),
        (json!({"playback_policies": []}), json!([])),
        (json!({"playback_policies": null}), Value::Null),
        (json!({}), Value::Null),
        (Value::Null, Value::Null),
    ] {
        let upload = mux.upload(&json!({"new_asset_settings": settings})).await;
        let shown = &upload["new_asset_settings"];
        assert_eq!(shown["playback_policies"], policies, "{settings}");
        assert_eq!(shown["playback_policy"], Value::Null, "{settings}");
        mux.put(&upload, VIDEO).await.is(200);
        let asset = mux.asset_of(&upload).await;
        let ids = asset["playback_ids"].as_array().unwrap();
        let made: Value = ids.iter().map(|it| it["policy"].clone()).collect();
        assert_eq!(
            made,
            if policies.is_null() {
                json!([])
            } else {
                policies
            },
            "{settings}"
        );
    }
}

#[tokio::test]
async fn policies_that_could_not_be_played_are_refused() {
    let mux = Mux::new().await;
    for policy in [
        json!("drm"),
        json!(["signed", "drm"]),
        json!("private"),
        json!([1]),
        json!(7),
    ] {
        let body = json!({"new_asset_settings": {"playback_policies": policy}});
        let answer = mux.post("/video/v1/uploads", &body).await;
        answer.refuses(400, "invalid_parameters");
    }
    assert_eq!(
        mux.get("/video/v1/uploads").await.is(200),
        json!({"data": []})
    );
}

#[tokio::test]
async fn a_body_is_json_or_nothing() {
    let mux = Mux::new().await;
    Answer::to(mux.api(Method::POST, "/video/v1/uploads"))
        .await
        .is(201);
    for body in ["{", "[]", "\"text\"", "{\"new_asset_settings\": 1}"] {
        let request = mux.api(Method::POST, "/video/v1/uploads").body(body);
        Answer::to(request).await.refuses(400, "invalid_parameters");
    }
}

#[tokio::test]
async fn uploads_are_listed_newest_first_in_pages() {
    let mux = Mux::new().await;
    let mut all = Vec::new();
    for _ in 0..12 {
        all.insert(0, mux.upload(&json!({})).await);
    }
    for (query, part) in [
        ("", &all[..10]),
        ("?page=1", &all[..10]),
        ("?page=2", &all[10..]),
        ("?limit=5&page=2", &all[5..10]),
        ("?limit=5&page=3", &all[10..]),
        ("?limit=5&page=4", &[]),
        ("?limit=1000", &all[..]),
        ("?page=99999999999999999&limit=100", &[]),
    ] {
        let list = mux.get(&format!("/video/v1/uploads{query}")).await.is(200);
        assert_eq!(list, json!({ "data": part }), "{query}");
    }
    let answer = mux.get("/video/v1/uploads?page=first").await;
    answer.refuses(400, "invalid_parameters");
}

#[tokio::test]
async fn an_upload_is_cancelled_once() {
    let inbox = Inbox::new().await;
    let mux = Mux::telling(&[&inbox]).await;
    let upload = mux.signed_upload().await;
    let cancelled = mux.cancel(&upload).await.is(200)["data"].take();
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(cancelled["id"], upload["id"]);
    assert_eq!(cancelled["url"], Value::Null);
    assert_eq!(mux.again(&upload).await, cancelled);
    let message = mux.cancel(&upload).await.refuses(403, "forbidden");
    assert_eq!(message, "Cancellation no longer possible");
    mux.sim.deliver().await.unwrap();
    assert_eq!(
        inbox.take_kinds(),
        ["video.upload.cancelled", "video.upload.created"]
    );
}

#[tokio::test]
async fn an_upload_that_became_an_asset_is_not_cancelled() {
    let mux = Mux::new().await;
    let upload = mux.signed_upload().await;
    mux.put(&upload, VIDEO).await.is(200);
    mux.cancel(&upload).await.refuses(403, "forbidden");
    assert_eq!(mux.again(&upload).await["status"], "asset_created");
}

#[tokio::test]
async fn an_upload_that_nobody_used_times_out_in_silence() {
    let inbox = Inbox::new().await;
    let mux = Mux::telling(&[&inbox]).await;
    let upload = mux.upload(&json!({"timeout": 60})).await;
    mux.clock.advance(Duration::seconds(59));
    assert_eq!(mux.again(&upload).await["status"], "waiting");
    mux.clock.advance(Duration::seconds(1));
    let shown = mux.again(&upload).await;
    assert_eq!(shown["status"], "timed_out");
    assert_eq!(shown["url"], Value::Null);
    mux.put(&upload, VIDEO).await.is_xml(403, "AccessDenied");
    mux.cancel(&upload).await.refuses(403, "forbidden");
    mux.sim.deliver().await.unwrap();
    assert_eq!(inbox.take_kinds(), ["video.upload.created"]);
}

#[tokio::test]
async fn what_is_unknown_is_not_found() {
    let mux = Mux::new().await;
    let asset = mux.ready("signed").await;
    let playback_ids = format!("/video/v1/assets/{}/playback-ids", text(&asset["id"]));
    for (method, path) in [
        (Method::GET, "/video/v1/uploads/some"),
        (Method::PUT, "/video/v1/uploads/some/cancel"),
        (Method::GET, "/video/v1/assets/some"),
        (Method::DELETE, "/video/v1/assets/some"),
        (Method::GET, "/video/v1/playback-ids/some"),
        (Method::GET, &format!("{playback_ids}/some")),
        (Method::DELETE, &format!("{playback_ids}/some")),
    ] {
        Answer::to(mux.api(method, path))
            .await
            .refuses(404, "not_found");
    }
    let body = json!({"policy": "signed"});
    let answer = mux.post("/video/v1/assets/some/playback-ids", &body).await;
    answer.refuses(404, "not_found");
}

#[tokio::test]
async fn an_address_or_a_method_that_there_is_not_is_not_found_in_words() {
    let mux = Mux::new().await;
    mux.get("/video/v1/live-streams")
        .await
        .refuses(404, "not_found");
    mux.get("/system/v1/nothing/at/all")
        .await
        .refuses(404, "not_found");
    mux.delete("/video/v1/uploads")
        .await
        .refuses(404, "not_found");
}
