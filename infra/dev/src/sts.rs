//! A stand-in of AWS STS: it exchanges tokens of a platform for credentials (`AssumeRoleWithWebIdentity`), in
//! XML as AWS does. It checks no signature of a token: how it answers is said beforehand.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use shared::clock::Clock;
use time::format_description::well_known::Rfc3339;
use tokio::sync::watch;
use url::form_urlencoded;

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answering {
    /// With credentials that live so long.
    Giving(Duration),
    /// The token is over.
    Expired,
    /// The trust policy of the role does not allow it.
    Denied,
    /// 200, with something else in it.
    Nonsense,
}

/// What it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub role_arn: String,
    pub role_session_name: String,
    pub web_identity_token: String,
}

/// The stand-in. Cheap to clone: all clones are one.
#[derive(Clone)]
pub struct Sts(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    state: Mutex<(Answering, Vec<Asked>)>,
    /// While this is true nobody is answered.
    held: watch::Sender<bool>,
}

impl Sts {
    /// Gives credentials for an hour, by this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            clock,
            state: Mutex::new((Answering::Giving(Duration::from_hours(1)), Vec::new())),
            held: watch::Sender::new(false),
        }))
    }

    pub fn answer(&self, how: Answering) {
        self.state().0 = how;
    }

    /// Keeps everybody waiting, until it does no more.
    pub fn hold(&self, held: bool) {
        self.0.held.send_replace(held);
    }

    /// Every exchange that was asked for, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.state().1.clone()
    }

    pub fn router(&self) -> Router {
        Router::new().fallback(exchange).with_state(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, (Answering, Vec<Asked>)> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn exchange(State(it): State<Sts>, headers: HeaderMap, body: String) -> Response {
    let fields: BTreeMap<String, String> = form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect();
    let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
    // Who has credentials needs no exchange, and a signature of nobody is refused.
    let action = field("Action");
    if action != "AssumeRoleWithWebIdentity" || headers.contains_key(header::AUTHORIZATION) {
        return refusal("InvalidAction", "");
    }
    let token = field("WebIdentityToken");
    let asked = Asked {
        role_arn: field("RoleArn"),
        role_session_name: field("RoleSessionName"),
        web_identity_token: token.clone(),
    };
    let answering = {
        let mut state = it.state();
        state.1.push(asked);
        state.0
    };
    let mut held = it.0.held.subscribe();
    let _ = held.wait_for(|held| !held).await;
    match answering {
        Answering::Giving(lasting) => given(it.0.clock.now() + lasting),
        // The real one quotes claims of the token; this one all of it, so that a test finds it.
        Answering::Expired => refusal("ExpiredTokenException", &token),
        Answering::Denied => refusal("AccessDenied", &token),
        Answering::Nonsense => "<nothing/>".into_response(),
    }
}

fn refusal(code: &str, message: &str) -> Response {
    let status = match code {
        "AccessDenied" => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_REQUEST,
    };
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
         <Code>{code}</Code><Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    );
    (status, [(header::CONTENT_TYPE, "text/xml")], body).into_response()
}

fn given(ends: time::OffsetDateTime) -> Response {
    let Ok(ends) = ends.replace_nanosecond(0).unwrap_or(ends).format(&Rfc3339) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let body = format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIALOCAL</AccessKeyId>\
         <SecretAccessKey>local-secret</SecretAccessKey><SessionToken>local-session</SessionToken>\
         <Expiration>{ends}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
         <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>"
    );
    ([(header::CONTENT_TYPE, "text/xml")], body).into_response()
}
