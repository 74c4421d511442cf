//! The HTTP surface: which deployable answers what. Every route is listed here, once, by its slice.

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    handler::Handler,
    http::{HeaderName, HeaderValue, Method, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::Response,
    routing::{MethodRouter, on},
};
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{AllowOrigin, CorsLayer},
    set_header::SetResponseHeaderLayer,
};

use crate::{
    alerts,
    app::App,
    assets, audit, costs, dlq, federation, guardrails, health,
    http::BODY_LIMIT,
    incidents, limits, meter,
    problem::{self, Kind, Problem},
    reconcile, restores, secrets, shares,
    slo::{self, Objective},
    telemetry::{self, Answering},
    traces, uploads, vendors, webhooks,
};

/// One route: what the access table of the tests lists, and what the router is built of.
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    /// What an answer of it keeps or breaks.
    pub promised: Option<Objective>,
    handler: MethodRouter<App>,
}

impl Route {
    pub fn get<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new(Method::GET, path, handler)
    }

    pub fn post<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new(Method::POST, path, handler)
    }

    pub fn patch<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new(Method::PATCH, path, handler)
    }

    pub fn delete<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new(Method::DELETE, path, handler)
    }

    fn new<H: Handler<T, App>, T: 'static>(method: Method, path: &'static str, handler: H) -> Self {
        let handler = match method {
            Method::GET => on(axum::routing::MethodFilter::GET, handler),
            Method::POST => on(axum::routing::MethodFilter::POST, handler),
            Method::PATCH => on(axum::routing::MethodFilter::PATCH, handler),
            _ => on(axum::routing::MethodFilter::DELETE, handler),
        };
        Self {
            method,
            path,
            promised: None,
            handler,
        }
    }

    /// The same route, whose answers keep or break this promise. It holds for every method of its path.
    #[must_use]
    pub fn promising(self, objective: Objective) -> Self {
        Self {
            promised: Some(objective),
            ..self
        }
    }

    /// The same route, reading bodies up to this many bytes.
    #[must_use]
    pub fn reading(self, limit: usize) -> Self {
        let handler = self.handler.layer(DefaultBodyLimit::max(limit));
        Self { handler, ..self }
    }
}

/// One route group = one binary = one log group = one role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deployable {
    Uploads,
    WebhooksMux,
    Share,
    Shares,
    Assets,
    Ops,
    DlqReplay,
    Reconcile,
    Retire,
    Audit,
    AuditSeal,
    CostReport,
    Usage,
    Watch,
}

impl Deployable {
    pub const ALL: [Self; 14] = [
        Self::Uploads,
        Self::WebhooksMux,
        Self::Share,
        Self::Shares,
        Self::Assets,
        Self::Ops,
        Self::DlqReplay,
        Self::Reconcile,
        Self::Retire,
        Self::Audit,
        Self::AuditSeal,
        Self::CostReport,
        Self::Usage,
        Self::Watch,
    ];

    /// The name of its folder in `functions/`, of its binary and its log group.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uploads => "uploads",
            Self::WebhooksMux => "webhooks-mux",
            Self::Share => "share",
            Self::Shares => "shares",
            Self::Assets => "assets",
            Self::Ops => "ops",
            Self::DlqReplay => "dlq-replay",
            Self::Reconcile => "reconcile",
            Self::Retire => "retire",
            Self::Audit => "audit",
            Self::AuditSeal => "audit-seal",
            Self::CostReport => "cost-report",
            Self::Usage => "usage",
            Self::Watch => "watch",
        }
    }

    /// When a schedule wakes it, in the words of EventBridge Scheduler. Where schedules speak HTTP it has
    /// a route, too.
    pub const fn schedule(self) -> Option<&'static str> {
        match self {
            Self::DlqReplay | Self::Retire | Self::Watch => Some("rate(1 minute)"),
            Self::Reconcile | Self::AuditSeal => Some("rate(5 minutes)"),
            Self::Usage => Some("rate(1 hour)"),
            Self::Uploads
            | Self::WebhooksMux
            | Self::Share
            | Self::Shares
            | Self::Assets
            | Self::Ops
            | Self::Audit
            | Self::CostReport => None,
        }
    }

    /// What it answers. Inlined, so that where the deployable is a constant nothing of the others is left.
    #[expect(
        clippy::inline_always,
        reason = "the size of every binary depends on it"
    )]
    #[inline(always)]
    pub fn routes(self) -> Vec<Route> {
        match self {
            Self::Uploads => uploads::routes(),
            Self::WebhooksMux => webhooks::routes(),
            Self::Share => shares::guest_routes(),
            Self::Shares => shares::tenant_routes(),
            Self::Assets => [assets::routes(), shares::asset_routes()]
                .into_iter()
                .flatten()
                .collect(),
            Self::Ops => [
                health::routes(),
                alerts::routes(),
                slo::routes(),
                guardrails::routes(),
                limits::routes(),
                dlq::operators_routes(),
                webhooks::operators_routes(),
                reconcile::operators_routes(),
                assets::operators_routes(),
                incidents::routes(),
                restores::routes(),
            ]
            .into_iter()
            .flatten()
            .collect(),
            Self::DlqReplay => dlq::routes(),
            Self::Reconcile => reconcile::routes(),
            Self::Retire => shares::retire_routes(),
            Self::Audit => audit::routes(),
            Self::AuditSeal => audit::schedule_routes(),
            Self::CostReport => costs::routes(),
            Self::Usage => costs::schedule_routes(),
            Self::Watch => vendors::routes(),
        }
    }
}

impl Deployable {
    /// What is to be known of an answer of it. Nobody waits for a job, and for a report or a page of the
    /// audit log somebody waits gladly.
    fn answering(self, promised: Option<Objective>) -> Answering {
        Answering {
            function: self.name(),
            promised,
            timed: matches!(
                self,
                Self::Uploads | Self::WebhooksMux | Self::Share | Self::Shares | Self::Assets
            ),
        }
    }
}

/// The router of one deployable, by its place in [`Deployable::ALL`]: a constant, so that its binary holds
/// the code of its own routes and no other.
pub fn only<const DEPLOYABLE: usize>(app: App) -> Router {
    let deployable = const { Deployable::ALL[DEPLOYABLE] };
    let routes = deployable.routes().into_iter();
    build(routes.map(|route| (deployable, route)).collect(), app)
}

/// The router of one deployable, for the local stack and the benches.
pub fn of(deployable: Deployable, app: App) -> Router {
    let routes = deployable.routes().into_iter();
    build(routes.map(|route| (deployable, route)).collect(), app)
}

/// All of them in one, for the local stack and the tests.
pub fn all(app: App) -> Router {
    let routes = Deployable::ALL.into_iter();
    let routes = routes.flat_map(|it| it.routes().into_iter().map(move |route| (it, route)));
    build(routes.collect(), app)
}

fn build(routes: Vec<(Deployable, Route)>, app: App) -> Router {
    let functions = routes
        .iter()
        .map(|(it, route)| (route.path, it.answering(route.promised)));
    let observed = telemetry::Observed::new(app.clone(), functions);
    // The first is the outermost. One after the other, each would be boxed on its own, and cloned for
    // each request.
    let layers = ServiceBuilder::new()
        .layer(from_fn_with_state(app.clone(), around))
        .layer(from_fn_with_state(observed, telemetry::observe))
        .layer(header_layer(header::REFERRER_POLICY, "no-referrer"))
        .layer(header_layer(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header_layer(header::CACHE_CONTROL, "no-store"))
        .layer(cors(&app))
        .layer(from_fn(limits::headers))
        .layer(CatchPanicLayer::custom(problem::from_panic))
        .layer(DefaultBodyLimit::max(BODY_LIMIT));
    routes
        .into_iter()
        .fold(Router::new(), |router, (_, route)| {
            router.route(route.path, route.handler)
        })
        .fallback(async || Problem::new(Kind::NotFound, "there is nothing at this address"))
        .method_not_allowed_fallback(async || {
            Problem::new(Kind::MethodNotAllowed, "see the documentation for what is")
        })
        .layer(layers)
        .with_state(app)
}

/// What comes before a request and after it, and is no part of it.
async fn around(State(app): State<App>, mut request: Request, next: Next) -> Response {
    federation::hear(&app, &mut request);
    secrets::renew(&app).await;
    meter::flushing(&app, request, next).await
}

/// Answers are one person's: no cache keeps them, no browser guesses their type, no address of a
/// link leaves with a request for something else.
fn header_layer(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// Pages of the allowed origins may call; they authenticate with a header, never with a cookie of ours.
fn cors(app: &App) -> CorsLayer {
    let origins = app.config.allowed_origins.iter();
    let origins = origins.filter_map(|origin| HeaderValue::from_str(origin.as_str()).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_NONE_MATCH,
            HeaderName::from_static("idempotency-key"),
            shares::GRANT,
            traces::PARENT,
            traces::BROWSER,
        ])
        .expose_headers([
            header::RETRY_AFTER,
            header::ETAG,
            limits::LEFT,
            limits::POLICY,
            HeaderName::from_static(audit::NEXT_PAGE),
            HeaderName::from_static("x-request-id"),
        ])
        .max_age(std::time::Duration::from_mins(10))
}
