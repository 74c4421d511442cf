//! Sending files: whole, in chunks, broken off, again.

use serde_json::{Value, json};

use crate::support::{Mux, QUANTUM, video_of};

/// Four chunks, the last of them shorter.
const LENGTH: usize = 3 * QUANTUM + 1000;

#[tokio::test]
async fn a_file_may_come_whole() {
    let mux = Mux::new().await;
    let upload = mux.signed_upload().await;
    let answer = mux.put(&upload, &video_of(10 * QUANTUM)).await;
    answer.is(200);
    assert_eq!(answer.text(), "");
    let shown = mux.again(&upload).await;
    assert_eq!(shown["status"], "asset_created");
    assert_eq!(shown["url"], Value::Null);
    let asset = mux.asset_of(&upload).await;
    assert_eq!(asset["status"], "preparing");
    assert_eq!(asset["upload_id"], upload["id"]);
    assert_eq!(mux.sim.process().await.unwrap(), 1);
    assert_eq!(mux.asset_of(&upload).await["status"], "ready");
}

#[tokio::test]
async fn a_file_may_come_in_chunks() {
    let mux = Mux::new().await;
    let upload = mux.signed_upload().await;
    let file = video_of(LENGTH);
    for from in [0, QUANTUM, 2 * QUANTUM] {
        let chunk = &file[from..from + QUANTUM];
        let range = from..=from + QUANTUM - 1;
        let answer = mux.put_range(&upload, range, LENGTH, chunk).await;
        answer.has(from + QUANTUM);
        assert_eq!(mux.again(&upload).await["status"], "waiting");
    }
    let range = 3 * QUANTUM..=LENGTH - 1;
    let answer = mux
        .put_range(&upload, range, LENGTH, &file[3 * QUANTUM..])
        .await;
    answer.is(200);
    assert_eq!(std::fs::read(mux.upload_file(&upload)).unwrap(), file);
    assert_eq!(mux.sim.process().await.unwrap(), 1);
    assert_eq!(mux.asset_of(&upload).await["status"], "ready");
}

#[tokio::test]
async fn a_chunk_is_a_multiple_of_256_kib_unless_it_is_the_last() {
    let mux = Mux::new().await;
    let upload = mux.signed_upload().await;
    for length in [1, QUANTUM - 1, QUANTUM + 1, 2 * QUANTUM - 1] {
        let answer = mux
            .put_range(&upload, 0..=length - 1, LENGTH, &vec![0; length])
            .await;
        answer.is_xml(400, "InvalidChunkSize");
    }
    mux.ask(&upload, LENGTH).await.has(0);
}

#[tokio::test]
async fn a_range_that_cannot_be_is_refused() {
    let mux = Mux::new().await;
    let upload = mux.signed_upload().await;
    for range in [
        "bytes 5-4/10",
        "bytes 0-10/10",
        "bytes 0-9",
        "bytes a-b/c",
        "0-9/10",
        "",
    ] {
        let answer = mux.put_as(&upload, range, &[0; 10]).await;
        answer.is_xml(400, "InvalidContentRange");
    }
    let file = video_of(2 * QUANTUM);
    mux.put_range(&upload, 0..=2 * QUANTUM - 1, LENGTH, &file)
        .await
        .has(2 * QUANTUM);
    let answer = mux.put_range(&upload, 0..=9, 10, &[0; 10]).await;
    answer.is_xml(400, "InvalidContentRange");
    mux.ask(&upload, LENGTH).await.has(2 * QUANTUM);
}

#[tokio::test]
async fn after_a_gap_the_sender_is_told_what_has_arrived() {
    let mux = Mux::new().await;
    let upload = mux.signed_upload().await;
    let total = 64 * QUANTUM;
    // More than the sockets hold: the answer must reach a sender who is still sending.
    let chunk = vec![7; 32 * QUANTUM];
    let range = QUANTUM..=33 * QUANTUM - 1;
    mux.put_range(&upload, range.clone(), total, &chunk)
        .await
        .has(0);
    let first = 0..=QUANTUM / 2 - 1;
    mux.put_range(&upload, first, total, &chunk[..QUANTUM / 2])
        .await
        .is(400);
    mux.put_range(&upload, 0..=QUANTUM - 1, total, &chunk[..QUANTUM])
        .await
        .has(QUANTUM);
    let range = 2 * QUANTUM..=34 * QUANTUM - 1;
    mux.put_range(&upload, range, total, &chunk)
        .await
        .has(QUANTUM);
}

#[tokio::test]
async fn a_refusal_reaches_a_sender_who_listens_only_at_the_end() {
    let mux = Mux::new().await;
    let upload = mux.signed_upload().await;
    let chunk = vec![7; 32 * QUANTUM];
    let too_much = format!("content-range: bytes 0-{}/{LENGTH}\r\n", QUANTUM - 1);
    for headers in ["content-range: none\r\n", &too_much] {
        let answer = mux.put_deaf(&upload, headers, &chunk).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    mux.cancel(&upload).await.is(200);
    let answer = mux.put_deaf(&upload, "", &chunk).await;
    assert!(answer.starts_with("HTTP/1.1 410 "), "{answer}");
}

#[tokio::test]
async fn what_comes_again_changes_nothing() {
    let mux = Mux::new().await;
    let upload = mux.signed_upload().await;
    let file = video_of(LENGTH);
    let two = 0..=2 * QUANTUM - 1;
    mux.put_range(&upload, two.clone(), LENGTH, &file[..2 * QUANTUM])
        .await
        .has(2 * QUANTUM);
    mux.put_range(&upload, two, LENGTH, &file[..2 * QUANTUM])
        .await
        .has(2 * QUANTUM);
    let noise = vec![9; QUANTUM];
    mux.put_range(&upload, 0..=QUANTUM - 1, LENGTH, &noise)
        .await
        .has(2 * QUANTUM);
    let overlap = [noise.as_slice(), &file[2 * QUANTUM..3 * QUANTUM]].concat();
    let range = QUANTUM..=3 * QUANTUM - 1;
    mux.put_range(&upload, range, LENGTH, &overlap)
        .await
        .has(3 * QUANTUM);
    let rest = 3 * QUANTUM - 5..=LENGTH - 1;
    mux.put_range(&upload, rest, LENGTH, &file[3 * QUANTUM - 5..])
        .await
        .is(200);
    assert_eq!(std::fs::read(mux.upload_file(&upload)).unwrap(), file);
}

#[tokio::test]
async fn the_sender_may_ask_what_has_arrived() {
    let mux = Mux::new().await;
    let upload = mux.signed_upload().await;
    let file = video_of(LENGTH);
    mux.ask(&upload, LENGTH).await.has(0);
    mux.put_as(&upload, "bytes */*", b"").await.has(0);
    let range = 0..=2 * QUANTUM - 1;
    mux.put_range(&upload, range, LENGTH, &file[..2 * QUANTUM])
        .await
        .has(2 * QUANTUM);
    mux.ask(&upload, LENGTH).await.has(2 * QUANTUM);
    let rest = 2 * QUANTUM..=LENGTH - 1;
    mux.put_range(&upload, rest, LENGTH, &file[2 * QUANTUM..])
        .await
        .is(200);
    mux.ask(&upload, LENGTH).await.is(200);
}

#[tokio::test]
async fn a_file_that_is_all_there_is_finished_by_asking() {
    let mux = Mux::new().await;
    let upload = mux.signed_upload().await;
    let length = 2 * QUANTUM;
    // As after a crash between the last byte and the asset: all is there, nobody has noticed.
    mux.put_range(&upload, 0..=length - 1, length + 1, &video_of(length))
        .await
        .has(length);
    let mux = mux.reopened().await;
    mux.ask(&upload, length).await.is(200);
    assert_eq!(mux.sim.process().await.unwrap(), 1);
    assert_eq!(mux.asset_of(&upload).await["status"], "ready");
}

#[tokio::test]
async fn what_broke_off_goes_on_from_a_multiple_of_256_kib() {
    let range = format!("content-range: bytes 0-{}/{LENGTH}\r\n", LENGTH - 1);
    for (range, restart) in [(&*range, false), (&*range, true), ("", false)] {
        let mut mux = Mux::new().await;
        let upload = mux.signed_upload().await;
        let file = video_of(LENGTH);
        let sent = &file[..2 * QUANTUM + 77];
        mux.break_off(&upload, range, sent, LENGTH).await;
        if restart {
            mux = mux.reopened().await;
        }
        mux.ask(&upload, LENGTH).await.has(2 * QUANTUM);
        let rest = 2 * QUANTUM..=LENGTH - 1;
        mux.put_range(&upload, rest, LENGTH, &file[2 * QUANTUM..])
            .await
            .is(200);
        assert_eq!(std::fs::read(mux.upload_file(&upload)).unwrap(), file);
    }
}

#[tokio::test]
async fn a_broken_repetition_takes_nothing_back() {
    let mux = Mux::new().await;
    let upload = mux.signed_upload().await;
    let file = video_of(LENGTH);
    let range = 0..=3 * QUANTUM - 1;
    mux.put_range(&upload, range, LENGTH, &file[..3 * QUANTUM])
        .await
        .has(3 * QUANTUM);
    let again = format!("content-range: bytes 0-{}/{LENGTH}\r\n", LENGTH - 1);
    mux.break_off(&upload, &again, &file[..100], LENGTH).await;
    mux.ask(&upload, LENGTH).await.has(3 * QUANTUM);
}

#[tokio::test]
async fn too_much_or_too_little_is_refused_and_costs_nothing() {
    let mux = Mux::new().await;
    let upload = mux.signed_upload().await;
    let file = video_of(LENGTH);
    mux.put_range(&upload, 0..=QUANTUM - 1, LENGTH, &file[..QUANTUM])
        .await
        .has(QUANTUM);
    let second = QUANTUM..=2 * QUANTUM - 1;
    let too_much = &file[QUANTUM..=2 * QUANTUM];
    let answer = mux
        .put_range(&upload, second.clone(), LENGTH, too_much)
        .await;
    answer.is_xml(400, "TooMuchData");
    mux.ask(&upload, LENGTH).await.has(QUANTUM);
    let too_little = &file[QUANTUM..2 * QUANTUM - 1];
    let answer = mux.put_range(&upload, second, LENGTH, too_little).await;
    answer.is_xml(400, "IncompleteBody");
    mux.ask(&upload, LENGTH).await.has(QUANTUM);
    let last = QUANTUM..=LENGTH - 1;
    let answer = mux
        .put_range(&upload, last.clone(), LENGTH, &file[QUANTUM..LENGTH - 1])
        .await;
    answer.is_xml(400, "IncompleteBody");
    assert_eq!(mux.again(&upload).await["status"], "waiting");
    mux.put_range(&upload, last, LENGTH, &file[QUANTUM..])
        .await
        .is(200);
    assert_eq!(std::fs::read(mux.upload_file(&upload)).unwrap(), file);
}

#[tokio::test]
async fn a_sender_may_not_know_yet_how_much_there_is() {
    let mux = Mux::new().await;
    let upload = mux.signed_upload().await;
    let file = video_of(3 * QUANTUM + 100);
    let first = format!("bytes 0-{}/*", 2 * QUANTUM - 1);
    mux.put_as(&upload, &first, &file[..2 * QUANTUM])
        .await
        .has(2 * QUANTUM);
    let odd = format!("bytes {}-{}/*", 2 * QUANTUM, file.len() - 1);
    let answer = mux.put_as(&upload, &odd, &file[2 * QUANTUM..]).await;
    answer.is_xml(400, "InvalidChunkSize");
    let last = mux.put_range(
        &upload,
        2 * QUANTUM..=file.len() - 1,
        file.len(),
        &file[2 * QUANTUM..],
    );
    last.await.is(200);
    mux.sim.process().await.unwrap();
    assert_eq!(mux.asset_of(&upload).await["status"], "ready");
}

#[tokio::test]
async fn what_was_sent_to_an_upload_that_ended_is_not_kept() {
    let mux = Mux::new().await;
    let (cancelled, late, open) = (
        mux.signed_upload().await,
        mux.signed_upload().await,
        mux.upload(&json!({"timeout": 7200})).await,
    );
    for upload in [&cancelled, &late, &open] {
        let file = video_of(2 * QUANTUM);
        mux.put_range(upload, 0..=QUANTUM - 1, file.len(), &file[..QUANTUM])
            .await
            .has(QUANTUM);
    }
    mux.cancel(&cancelled).await.is(200);
    mux.sim
        .advance(time::Duration::seconds(3600))
        .await
        .unwrap();
    mux.sim.process().await.unwrap();
    assert!(!mux.upload_file(&cancelled).exists());
    assert!(!mux.upload_file(&late).exists());
    assert!(mux.upload_file(&open).exists());
}
