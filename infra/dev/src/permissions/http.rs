//! Stands before the SDK's connections: what a role does not allow is answered here and goes no further.

use aws_sdk_dynamodb::config::{
    HttpClient, IntoShared, RuntimeComponents, SharedHttpClient, http::HttpRequest,
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::HttpResponse,
    },
    http::StatusCode,
};

use super::Roles;

/// A client for the SDK that acts in these roles. The SDK makes its calls in the task of its caller, so
/// whose call it is, is known here.
pub(crate) fn guarded(roles: Roles) -> SharedHttpClient {
    let tls = Provider::Rustls(CryptoMode::AwsLc);
    let inner = Builder::new().tls_provider(tls).build_https();
    Guarded { inner, roles }.into_shared()
}

#[derive(Debug)]
struct Guarded {
    inner: SharedHttpClient,
    roles: Roles,
}

impl HttpClient for Guarded {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        let roles = self.roles.clone();
        GuardedConnector { inner, roles }.into_shared()
    }
}

#[derive(Debug)]
struct GuardedConnector {
    inner: SharedHttpConnector,
    roles: Roles,
}

impl HttpConnector for GuardedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let body = request.body().bytes().unwrap_or_default();
        match self.roles.check(target, body) {
            Ok(()) => self.inner.call(request),
            Err(denied) => HttpConnectorFuture::ready(Ok(answer(denied.body().to_string()))),
        }
    }
}

fn answer(body: String) -> HttpResponse {
    let status = StatusCode::from(axum::http::StatusCode::BAD_REQUEST);
    let mut response = HttpResponse::new(status, body.into());
    let headers = response.headers_mut();
    headers.insert("content-type", "application/x-amz-json-1.0");
    response
}
