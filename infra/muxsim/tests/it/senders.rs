//! Who may send a file: one at a time, with the address, from the named origin.

use reqwest::{Body, header};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{
    inbox::Inbox,
    support::{Answer, Mux, VIDEO, text},
};

/// A PUT of the whole file that goes on for as long as the sender says.
struct Slow {
    pieces: mpsc::Sender<Vec<u8>>,
    answer: tokio::task::JoinHandle<Answer>,
}

impl Slow {
    /// Returns when the first piece is being received.
    async fn begin(mux: &Mux, upload: &Value) -> Self {
        let (pieces, rest) = mpsc::channel(1);
        let stream = futures::stream::unfold(rest, async |mut rest: mpsc::Receiver<Vec<u8>>| {
            let piece = rest.recv().await?;
            Some((Ok::<_, std::io::Error>(piece), rest))
        });
        let request = mux.http.put(text(&upload["url"]));
        let request = request.body(Body::wrap_stream(stream));
        let answer = tokio::spawn(Answer::to(request));
        pieces.send(VIDEO[..1000].to_vec()).await.unwrap();
        let file = mux.upload_file(upload);
        while std::fs::metadata(&file).map_or(0, |it| it.len()) < 1000 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        Self { pieces, answer }
    }

    async fn end(self) -> Answer {
        self.pieces.send(VIDEO[1000..].to_vec()).await.unwrap();
        drop(self.pieces);
        self.answer.await.unwrap()
    }
}

#[tokio::test]
async fn of_two_senders_the_second_is_told_to_come_back() {
    let mux = Mux::new().await;
    let upload = mux.signed_upload().await;
    let slow = Slow::begin(&mux, &upload).await;
    mux.put(&upload, VIDEO).await.is_xml(503, "UploadBusy");
    mux.put_range(&upload, 0..=9, 10, &[0; 10])
        .await
        .is_xml(503, "UploadBusy");
    // Another upload has a sender of its own.
    mux.put(&mux.signed_upload().await, VIDEO).await.is(200);
    slow.end().await.is(200);
    mux.put(&upload, b"something else").await.is(200);
    assert_eq!(std::fs::read(mux.upload_file(&upload)).unwrap(), VIDEO);
    assert_eq!(mux.sim.process().await.unwrap(), 2);
    assert_eq!(mux.asset_of(&upload).await["status"], "ready");
}

#[tokio::test]
async fn a_file_that_arrives_after_the_cancellation_is_no_asset() {
    let inbox = Inbox::new().await;
    let mux = Mux::telling(&[&inbox]).await;
    let upload = mux.signed_upload().await;
    let slow = Slow::begin(&mux, &upload).await;
    mux.cancel(&upload).await.is(200);
    slow.end().await.is(200);
    assert_eq!(mux.again(&upload).await["status"], "cancelled");
    assert_eq!(
        mux.get("/video/v1/assets").await.is(200),
        json!({"data": [], "next_cursor": null})
    );
    mux.put(&upload, VIDEO).await.is_xml(410, "UploadCancelled");
    mux.ask(&upload, VIDEO.len())
        .await
        .is_xml(410, "UploadCancelled");
    mux.sim.deliver().await.unwrap();
    assert_eq!(
        inbox.take_kinds(),
        ["video.upload.cancelled", "video.upload.created"]
    );
}

#[tokio::test]
async fn only_the_address_itself_takes_a_file() {
    let mux = Mux::new().await;
    let upload = mux.signed_upload().await;
    let url = text(&upload["url"]);
    let other = mux.signed_upload().await;
    let (_, others) = text(&other["url"]).split_once('?').unwrap();
    let (bare, query) = url.split_once('?').unwrap();
    let sign = url.find("&Signature=").unwrap() + "&Signature=".len();
    let swapped = if url.as_bytes()[sign + 30] == b'A' {
        "B"
    } else {
        "A"
    };
    let mut tampered = url.to_owned();
    tampered.replace_range(sign + 30..=sign + 30, swapped);
    for address in [
        bare,
        &tampered,
        &format!("{bare}?{others}"),
        &url.replace("&Signature=", "&signature="),
        &format!(
            "{}/storage/video-storage-us-east1-uploads/some?{query}",
            mux.url()
        ),
        &format!(
            "{}/storage/video-storage-us-east1-uploads/..%2Fsome?{query}",
            mux.url()
        ),
    ] {
        let answer = Answer::to(mux.http.put(address).body(VIDEO)).await;
        answer.is_xml(403, "AccessDenied");
    }
    assert_eq!(std::fs::read_dir(mux.file("uploads")).unwrap().count(), 0);
    assert!(!mux.file("some").exists());
    for request in [mux.http.get(url), mux.http.post(url), mux.http.delete(url)] {
        Answer::to(request).await.is(405);
    }
    assert_eq!(mux.again(&upload).await["status"], "waiting");
}

#[tokio::test]
async fn a_browser_may_send_from_exactly_the_named_origin() {
    let mux = Mux::new().await;
    let named = "https://portal.example";
    let allowed = async |cors: Value, origin: &str| {
        let upload = mux.upload(&json!({ "cors_origin": cors })).await;
        let url = text(&upload["url"]);
        let preflight = mux.http.request(reqwest::Method::OPTIONS, url);
        let preflight = Answer::to(preflight.header(header::ORIGIN, origin)).await;
        preflight.is(200);
        let put = mux
            .http
            .put(url)
            .header(header::ORIGIN, origin)
            .body("no video");
        let put = Answer::to(put).await;
        put.is(200);
        let [before, after] = [preflight, put].map(|it| {
            let origin = it.header("access-control-allow-origin").map(str::to_owned);
            let methods = it.header("access-control-allow-methods").is_some();
            assert_eq!(methods, origin.is_some());
            let exposed = it
                .header("access-control-expose-headers")
                .unwrap_or_default();
            assert!(!exposed.contains("Range"), "{exposed}");
            origin
        });
        assert_eq!(before, after);
        after
    };
    assert_eq!(allowed(named.into(), named).await.as_deref(), Some(named));
    assert_eq!(allowed("*".into(), named).await.as_deref(), Some(named));
    for origin in [
        "https://portal.example.evil.example",
        "https://other.example",
        "http://portal.example",
        "https://portal.example:8443",
        "https://PORTAL.example",
        "null",
    ] {
        assert_eq!(allowed(named.into(), origin).await, None, "{origin}");
    }
    assert_eq!(allowed(Value::Null, named).await, None);
    assert_eq!(allowed("".into(), named).await, None);
}

#[tokio::test]
async fn a_browser_sees_the_range_only_if_it_is_switched_on() {
    let mux = Mux::with(|options| options.expose_range = true).await;
    let origin = "https://portal.example";
    let upload = mux.upload(&json!({ "cors_origin": origin })).await;
    let request = mux
        .http
        .put(text(&upload["url"]))
        .header(header::ORIGIN, origin);
    let request = request.header(header::CONTENT_RANGE, "bytes */10");
    let answer = Answer::to(request).await;
    answer.has(0);
    let exposed = answer.header("access-control-expose-headers").unwrap();
    assert!(exposed.split(", ").any(|it| it == "Range"), "{exposed}");
}
