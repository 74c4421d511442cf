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
