//! One stand-in per judge: its own folder, the real clock, on loopback, at work in the background.

use muxsim::{Options, Sim, find_ffmpeg};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::AbortOnDropHandle,
};

pub(crate) struct Stand {
    pub(crate) url: String,
    pub(crate) token_id: String,
    pub(crate) token_secret: String,
    _folder: TempDir,
    _stop: DropGuard,
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl Stand {
    /// Without keys, endpoints and rate limit: what a judge needs it makes through the API.
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut options = Options::new(folder.path().to_owned(), &url);
        options.ffmpeg = find_ffmpeg(std::env::var_os("PATH").as_deref());
        let (token_id, token_secret) = (options.token_id.clone(), options.token_secret.clone());
        let sim = Sim::open(options).unwrap();
        let router = sim.router();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let serve = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let work = tokio::spawn(async move { sim.run(stopped).await });
        Self {
            url,
            token_id,
            token_secret,
            _folder: folder,
            _stop: stop.drop_guard(),
            _tasks: [serve, work].map(AbortOnDropHandle::new),
        }
    }
}
