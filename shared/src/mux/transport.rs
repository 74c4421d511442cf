//! Mux's API as it comes over the wire: an address, a token, and answers of a bounded size.

use std::time::Duration;

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use super::error::{MuxError, of_status, of_transport};

const CONNECT: Duration = Duration::from_secs(3);

/// How much of an answer is read, in bytes. An asset is a few thousand; a page has a hundred of them.
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;

/// Speaks to Mux's API with an access token.
pub struct MuxApi {
    http: reqwest::Client,
    base: Url,
    token_id: String,
    token_secret: SecretString,
}

impl MuxApi {
    pub fn new(
        base: Url,
        token_id: String,
        token_secret: SecretString,
    ) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(0) // a frozen Lambda thaws with connections that are long closed
            .redirect(reqwest::redirect::Policy::none()) // an answer of Mux sends our token nowhere
            .build()?;
        Ok(Self {
            http,
            base,
            token_id,
            token_secret,
        })
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
