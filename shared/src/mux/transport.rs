//! Mux's API as it comes over the wire: an address, a token, and answers of a bounded size.

use std::time::Duration;

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use super::error::{MuxError, of_status, of_transport};
use crate::outgoing::Outgoing;

const CONNECT: Duration = Duration::from_secs(3);

/// How much of an answer is read, in bytes. An asset is a few thousand; a page has a hundred of them.
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;

/// Speaks to Mux's API with an access token.
pub struct MuxApi {
    http: Outgoing,
    base: Url,
    token_id: String,
    token_secret: SecretString,
}

impl MuxApi {
    pub fn new(base: Url, token_id: String, token_secret: SecretString) -> Self {
        Self {
            http: Outgoing::new(|it| it.connect_timeout(CONNECT)),
            base,
            token_id,
            token_secret,
        }
    }

    /// Makes what the first call would otherwise have to wait for.
    pub fn prepare(&self) -> Result<(), reqwest::Error> {
        self.http.client().map(|_| ())
    }

    /// One call, once. The answer, if Mux says that it was done.
    pub(super) async fn send(
        &self,
        limit: Duration,
        method: &Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Vec<u8>, MuxError> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| MuxError::Malformed)?
            .pop_if_empty()
            .extend(["video", "v1"].iter().chain(path));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self
            .http
            .client()
            .map_err(of_transport)?
            .request(method.clone(), url)
            .timeout(limit)
            .basic_auth(&self.token_id, Some(self.token_secret.expose_secret()));
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut response = request.send().await.map_err(of_transport)?;
        let status = response.status();
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(of_transport)? {
            if answer.len() + chunk.len() > ANSWER_LIMIT {
                return Err(MuxError::Uncertain("an endless answer", None));
            }
            answer.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return Ok(answer);
        }
        Err(of_status(status, &answer))
    }
}
