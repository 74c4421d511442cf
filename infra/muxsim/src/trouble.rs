//! The faults of the API: refused, broken, late, or done without an answer.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::stream;

use crate::{
    error::ApiError,
    faults::{self, Fault},
    limits,
    sim::Sim,
};

/// Lets a fault strike a call, before or after it is done.
pub(crate) async fn strike(State(sim): State<Sim>, request: Request, next: Next) -> Response {
    let call = format!("{} {}", request.method(), request.uri().path());
    let strikes = |fault: Fault| faults::strikes(&sim, fault, &call);
    if strikes(Fault::TooManyRequests) {
        return limits::too_many();
    }
    if strikes(Fault::ServerError) {
        return ApiError::internal().into_response();
    }
    let response = next.run(request).await;
    if strikes(Fault::Slow) {
        let pause = sim.dice().faults().pause_seconds;
        tokio::time::sleep(Duration::from_secs(pause.into())).await;
    }
    if strikes(Fault::LostResponse) {
        return lost();
    }
    response
}

/// A body that breaks before its first byte takes the connection with it.
fn lost() -> Response {
    let broken = stream::iter([Err::<Vec<u8>, _>(std::io::Error::other("lost on purpose"))]);
    Body::from_stream(broken).into_response()
}
