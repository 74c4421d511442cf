//! Mux's own clients, unmodified, judge the stand-in: its Node SDK, its Python SDK, and in a browser
//! its uploader and the player that its own player is made of. The scripts are in `../../judges`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod clients;
mod stand;

use std::time::Duration;

use self::clients::Bench;

/// How long one script may take. They take seconds, but two of them wait for `ffmpeg`.
const PATIENCE: Duration = Duration::from_mins(3);

#[tokio::test]
#[ignore = "needs node and npm; run with: cargo test -p muxsim --test judges -- --ignored"]
async fn the_node_sdk_uploads_and_breaks_off_and_goes_on() {
    node_sdk("uploads").await;
}

#[tokio::test]
#[ignore = "needs node and npm; run with: cargo test -p muxsim --test judges -- --ignored"]
async fn the_node_sdk_keeps_assets() {
    node_sdk("assets").await;
}

#[tokio::test]
#[ignore = "needs node and npm; run with: cargo test -p muxsim --test judges -- --ignored"]
async fn the_node_sdk_adds_tracks_renditions_and_masters() {
    node_sdk("extras").await;
}

#[tokio::test]
#[ignore = "needs node and npm; run with: cargo test -p muxsim --test judges -- --ignored"]
async fn the_node_sdk_signs_what_viewers_fetch() {
    node_sdk("signing").await;
}

#[tokio::test]
#[ignore = "needs node and npm; run with: cargo test -p muxsim --test judges -- --ignored"]
async fn the_node_sdk_restricts_who_plays() {
    node_sdk("restrictions").await;
}

#[tokio::test]
#[ignore = "needs node and npm; run with: cargo test -p muxsim --test judges -- --ignored"]
async fn the_node_sdk_verifies_webhooks() {
    node_sdk("webhooks").await;
}

#[tokio::test]
#[ignore = "needs node and npm; run with: cargo test -p muxsim --test judges -- --ignored"]
async fn the_node_sdk_reads_the_bill() {
    node_sdk("usage").await;
}

#[tokio::test]
#[ignore = "needs node and npm; run with: cargo test -p muxsim --test judges -- --ignored"]
async fn the_node_sdk_knows_every_refusal() {
    node_sdk("errors").await;
}

async fn node_sdk(chapter: &str) {
    let bench = Bench::new();
    let folder = bench.npm_packages().await;
    let mut node = bench.program(
        "node",
        "install Node.js 20 or newer from https://nodejs.org",
    );
    node.current_dir(folder).args(["sdk.mjs", chapter]);
    bench.judge(node, PATIENCE).await;
}

#[tokio::test]
#[ignore = "needs python3 with venv; run with: cargo test -p muxsim --test judges -- --ignored"]
async fn the_python_sdk_takes_a_video_from_upload_to_deletion() {
    let bench = Bench::new();
    let mut python = bench.python().await;
    python.current_dir(clients::SCRIPTS).arg("upload.py");
    bench.judge(python, PATIENCE).await;
}

#[tokio::test]
#[ignore = "needs node, npm and Chromium; run with: cargo test -p muxsim --test judges -- --ignored"]
async fn a_browser_uploads_and_plays() {
    let bench = Bench::new();
    let chromium = bench.chromium();
    let folder = bench.npm_packages().await;
    let mut node = bench.program(
        "node",
        "install Node.js 20 or newer from https://nodejs.org",
    );
    node.current_dir(folder).arg("browser.mjs");
    node.env("CHROMIUM", chromium);
    bench.judge(node, PATIENCE).await;
}
