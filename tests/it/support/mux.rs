//! What can go wrong between us and Mux: one fault per call, in the order in which they were given.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};

/// One thing that goes wrong with one call of the API.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// Mux limits us, with its own words.
    Limited,
    /// Mux does it, and fails afterwards.
    DoneAndLost,
    /// Mux refuses for good.
    Refused,
    /// Nothing is wrong with this one.
    Pass,
}

/// The faults that are still to come.
#[derive(Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<VecDeque<Fault>>>, Arc<AtomicBool>);

impl Faults {
    /// The next call of Mux's API meets this.
    pub(crate) fn next(&self, fault: Fault) {
        self.0.lock().unwrap().push_back(fault);
    }

    /// So many calls meet this, one after the other: what is tried again fails again.
    pub(crate) fn times(&self, count: usize, fault: Fault) {
        (0..count).for_each(|_| self.next(fault));
    }

    /// Nothing works until it does again.
    pub(crate) fn out(&self, out: bool) {
        self.1.store(out, Ordering::SeqCst);
    }

    /// A fault that nothing met is a call that the test expected in vain.
    #[track_caller]
    pub(crate) fn check_used(&self) {
        let left = self.0.lock().unwrap();
        assert!(left.is_empty(), "nothing called Mux to meet {left:?}");
    }

    pub(crate) fn before(&self, router: Router) -> Router {
        router.layer(from_fn_with_state(self.clone(), meet))
    }
}

async fn meet(State(faults): State<Faults>, request: Request, next: Next) -> Response {
    let called = request.uri().path().starts_with("/video/v1/");
    if called && faults.1.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let fault = called
        .then(|| faults.0.lock().unwrap().pop_front())
        .flatten();
    match fault {
        None | Some(Fault::Pass) => next.run(request).await,
        Some(Fault::DoneAndLost) => {
            let _ = next.run(request).await;
            StatusCode::BAD_GATEWAY.into_response()
        }
        Some(Fault::Limited) => {
            let body = r#"{"errors":["Too many requests, retry later."]}"#;
            (StatusCode::TOO_MANY_REQUESTS, body).into_response()
        }
        Some(Fault::Refused) => {
            let body = r#"{"error":{"type":"invalid_parameters","messages":["Free plan is limited to 10 assets"]}}"#;
            (StatusCode::BAD_REQUEST, body).into_response()
        }
    }
}
