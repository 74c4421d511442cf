//! Every error a client can see, as RFC 9457 problem details.
//!
//! A slice's own error stays in the slice; it meets HTTP in one `impl From<SliceError> for Problem`.

use std::{any::Any, borrow::Cow, error::Error, sync::Arc};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// Where problem types are named. `.example` is reserved (RFC 2606): nobody can take it over.
const BASE: &str = "https://motion-mavericks.example/problems";

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $slug:literal, $status:ident, $title:literal;)*) => {
        /// The registry of problem types. Append only: a slug is part of the public API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            /// All of them, in the order of the registry.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Slug, status, title: one row per kind.
            pub const fn row(self) -> (&'static str, StatusCode, &'static str) {
                match self {
                    $(Self::$name => ($slug, StatusCode::$status, $title),)*
                }
            }
        }
    };
}

kinds! {
    /// A fault of ours.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something failed on our side";
    /// Not understood: bad JSON, an unknown field, a missing header.
    InvalidRequest = "invalid-request", BAD_REQUEST, "The request is not valid";
    /// Unknown, or not the caller's to know of.
    NotFound = "not-found", NOT_FOUND, "No such resource";
    /// The path exists, the method does not.
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED, "This method is not allowed here";
    /// Larger than this route reads.
    TooLarge = "too-large", PAYLOAD_TOO_LARGE, "The request body is too large";
    /// Understood, but a value breaks a rule.
    InvalidField = "invalid-field", UNPROCESSABLE_ENTITY, "A field has a value that is not allowed";
    /// No session token, or one that does not hold.
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "Sign in first";
    /// Signed in, but without the right.
    Forbidden = "forbidden", FORBIDDEN, "You may not do this";
    /// The request comes from a page we do not know.
    OriginNotAllowed = "origin-not-allowed", FORBIDDEN, "Requests from this origin are not allowed";
    /// Somebody else was faster; reading again and trying again is safe.
    Conflict = "conflict", CONFLICT, "It changed in the meantime";
    /// The key was used for another request.
    IdempotencyKeyReused = "idempotency-key-reused", UNPROCESSABLE_ENTITY, "This Idempotency-Key belongs to another request";
    /// The first request with this key is still being answered.
    UploadInProgress = "upload-in-progress", CONFLICT, "The first request with this key is still running";
    /// The file has already arrived, or the upload has ended.
    UploadNotCancellable = "upload-not-cancellable", CONFLICT, "The upload can no longer be cancelled";
    /// Mux cannot take another upload right now.
    VideoServiceBusy = "video-service-busy", SERVICE_UNAVAILABLE, "The video service is busy";
    /// Mux refused for a reason that trying again does not cure.
    VideoServiceRefused = "video-service-refused", BAD_GATEWAY, "The video service refused";
    /// The video has no picture to show yet.
    AssetNotReady = "asset-not-ready", CONFLICT, "The video is not ready yet";
    /// The video was deleted.
    AssetDeleted = "asset-deleted", GONE, "The video was deleted";
    /// The link was taken back by its owner.
    ShareRevoked = "share-revoked", FORBIDDEN, "This link has been taken back";
    /// The link's time is over.
    ShareExpired = "share-expired", FORBIDDEN, "This link has expired";
    /// A webhook that does not prove who sent it.
    InvalidSignature = "invalid-signature", UNAUTHORIZED, "The signature does not hold";
    /// A webhook that proves who sent it, and is no event.
    NotAnEvent = "not-an-event", BAD_REQUEST, "The body is not an event";
    /// The table or the queue did not answer.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "The service is not available right now";
    /// A dead letter that is tried again by itself cannot be discarded.
    LetterWaiting = "letter-waiting", CONFLICT, "The dead letter is still being tried";
    /// The link asks for a viewer who is signed in.
    ShareSignInRequired = "share-sign-in-required", UNAUTHORIZED, "Sign in to watch this";
    /// The link asks for its password.
    SharePasswordRequired = "share-password-required", FORBIDDEN, "This link has a password";
    /// Another password.
    SharePasswordWrong = "share-password-wrong", FORBIDDEN, "The password is wrong";
    /// The link asks for a code that is sent by e-mail.
    ShareCodeRequired = "share-code-required", FORBIDDEN, "This link asks for a code";
    /// Another code, or one that is too old or was used.
    ShareCodeWrong = "share-code-wrong", FORBIDDEN, "The code is wrong";
    /// The organisation does not allow such links.
    SharingPolicy = "sharing-policy", UNPROCESSABLE_ENTITY, "Your organisation does not allow this";
    /// Too often in the time that a limit looks at.
    RateLimited = "rate-limited", TOO_MANY_REQUESTS, "Too many requests";
    /// What can wait and may go wrong is refused while an error budget is spent.
    ChangesFrozen = "changes-frozen", LOCKED, "Changes are frozen";
    /// The month's budget of the organisation, or of all together, is spent.
    UploadsPaused = "uploads-paused", FORBIDDEN, "Uploads are paused";
    /// The link cost so much that it was stopped.
    SharePaused = "share-paused", FORBIDDEN, "This link is paused";
    /// A step that an incident does not take from where it stands.
    IncidentState = "incident-state", CONFLICT, "The incident is not there yet, or is beyond that";
}

const FAULT: &str = "try again, or quote the request id to support";

/// A failure on its way out. `detail` is for the client, `cause` only for the log.
#[derive(Debug)]
pub struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    retry_after: Option<u32>,
    cause: Option<Cause>,
}

/// Carried in the response's extensions, so that the request log writes the failure once.
#[derive(Debug, Clone)]
pub struct Cause(pub Arc<dyn Error + Send + Sync>);

impl Problem {
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            retry_after: None,
            cause: None,
        }
    }

    /// A fault of ours: the client learns nothing, the log learns everything.
    pub fn internal(cause: impl Error + Send + Sync + 'static) -> Self {
        Self::new(Kind::Internal, FAULT).because(cause)
    }

    /// The table did not answer: worth trying again, and the log learns why.
    pub fn unavailable(cause: impl Error + Send + Sync + 'static) -> Self {
        Self::new(Kind::Unavailable, "try again in a moment")
            .retry_after(1)
            .because(cause)
    }

    /// What the log should say beside what the client is told.
    #[must_use]
    pub fn because(self, cause: impl Error + Send + Sync + 'static) -> Self {
        Self {
            cause: Some(Cause(Arc::new(cause))),
            ..self
        }
    }

    /// Adds `Retry-After`, in seconds (RFC 9110, section 10.2.3).
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }
}

/// A panic is a bug of ours, and one request's bug must not end its neighbours in the process.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature is the layer's"
)]
pub fn from_panic(panic: Box<dyn Any + Send>) -> Response {
    let what = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = what, "a handler panicked");
    Problem::new(Kind::Internal, FAULT).into_response()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (slug, status, title) = self.kind.row();
        let body = json!({
            "type": format!("{BASE}/{slug}"),
            "title": title,
            "status": status.as_u16(),
            "detail": self.detail,
        });
        let media_type = HeaderValue::from_static("application/problem+json");
        let mut response = (
            status,
            [(header::CONTENT_TYPE, media_type)],
            body.to_string(),
        )
            .into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.kind == Kind::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}
