//! Runs a router as one Lambda function behind an HTTP API. The only module that names this runtime
//! for requests; jobs are woken by their own adapters.

use axum::{Router, extract::Request};
use lambda_http::{Error, request::RequestContext};

use crate::address::{self, ClientAddress};

/// Serves the router until the platform ends the process.
pub async fn serve(router: Router) -> Result<(), Error> {
    lambda_http::run(address::told_by(router, source)).await
}

/// The gateway says who is at the other end of its connection, beside the request and not among its
/// headers (API Gateway developer guide, payload format 2.0: `requestContext.http.sourceIp`).
fn source(request: &Request) -> Option<ClientAddress> {
    let Some(RequestContext::ApiGatewayV2(context)) = request.extensions().get() else {
        return None;
    };
    ClientAddress::parse(context.http.source_ip.as_deref()?)
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use serde_json::{Value, json};
    use tower::ServiceExt;

    use super::*;

    /// What a function behind this host believes of where an event comes from.
    async fn believed(source: &str, headers: &Value) -> String {
        let event = json!({
            "version": "2.0", "routeKey": "$default", "rawPath": "/", "rawQueryString": "",
            "headers": headers,
            "requestContext": {
                "accountId": "a", "apiId": "a", "domainName": "d", "domainPrefix": "d",
                "requestId": "r", "routeKey": "$default", "stage": "$default",
                "http": {
                    "method": "GET", "path": "/", "protocol": "HTTP/1.1",
                    "sourceIp": source, "userAgent": "test",
                },
                "time": "05/Jan/2026:09:00:00 +0000", "timeEpoch": 1_767_603_600_000_i64,
            },
            "isBase64Encoded": false,
        });
        let request = lambda_http::request::from_str(&event.to_string()).unwrap();
        let say = async |address: Option<ClientAddress>| {
            address.map_or_else(|| "nobody".to_owned(), ClientAddress::client)
        };
        let router = address::told_by(Router::new().fallback(say), super::source);
        let answer = router
            .oneshot(request.map(|_| Body::empty()))
            .await
            .unwrap();
        let body = to_bytes(answer.into_body(), 100).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn no_header_changes_where_a_request_comes_from() {
        for forged in [
            json!({}),
            json!({"x-forwarded-for": "198.51.100.1"}),
            json!({"x-forwarded-for": "198.51.100.1, 198.51.100.2, 203.0.113.7"}),
            json!({"x-real-ip": "198.51.100.1", "forwarded": "for=198.51.100.1"}),
            json!({"x-vercel-forwarded-for": "198.51.100.1", "true-client-ip": "198.51.100.1"}),
            json!({"x-forwarded-for": "garbage'--, ::1", "forwarded": ";;;="}),
        ] {
            assert_eq!(
                believed("203.0.113.7", &forged).await,
                "203.0.113.7",
                "{forged}"
            );
            assert_eq!(believed("", &forged).await, "nobody", "{forged}");
        }
        let six = believed("2001:db8:0:1:2:3:4:5", &json!({})).await;
        assert_eq!(six, "2001:db8:0:1::/64");
    }
}
