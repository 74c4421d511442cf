//! A server of files, for what Mux fetches itself.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

type Files = Arc<BTreeMap<&'static str, Vec<u8>>>;

/// Serves these files by name; `moved-{name}` leads to `{name}`.
pub(crate) struct Origin {
    base: String,
    _server: AbortOnDropHandle<()>,
}

impl Origin {
    pub(crate) async fn of(files: &[(&'static str, &[u8])]) -> Self {
        let files: BTreeMap<_, _> = files
            .iter()
            .map(|(name, file)| (*name, file.to_vec()))
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/{name}", get(serve))
            .with_state(Arc::new(files));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            base,
            _server: AbortOnDropHandle::new(server),
        }
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.base)
    }
}

async fn serve(State(files): State<Files>, Path(name): Path<String>) -> Response {
    if let Some(name) = name.strip_prefix("moved-") {
        return Redirect::to(&format!("/{name}")).into_response();
    }
    match files.get(name.as_str()) {
        Some(file) => file.clone().into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
