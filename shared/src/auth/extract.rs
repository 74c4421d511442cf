//! The extractors that a handler asks for. Having one is the proof of the right.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};

use super::{
    claims::SessionError,
    model::{Member, Role},
};
use crate::{
    app::App,
    ids::{self, UserId},
    problem::{Kind, Problem},
};

/// Somebody who may see the tenant's videos and links.
pub struct Reader(pub Member);

/// Whoever it is: who they are, if they are signed in, in whatever organisation or none. A session
/// token that does not hold is refused.
pub struct SignedIn(pub Option<UserId>);

impl FromRequestParts<App> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Some(token) = token(&parts.headers) else {
            return Ok(Self(None));
        };
        let session = app
            .sessions
            .verify(&token, &app.config, app.clock.now())
            .await?;
        let user = ids::from_external(&app.config.clerk_issuer, &session.user);
        Ok(Self(Some(user)))
    }
}

/// Somebody who may upload, change, share and take back.
pub struct Editor(pub Member);

/// Somebody who runs the workspace.
pub struct Admin(pub Member);

impl FromRequestParts<App> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        allowed(member(parts, app).await?, Role::administers).map(Self)
    }
}

/// Somebody who looks into what was done.
pub struct Auditor(pub Member);

impl FromRequestParts<App> for Auditor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        allowed(member(parts, app).await?, Role::audits).map(Self)
    }
}

/// Somebody who operates the portal: an admin of the one organisation that does.
pub struct Operator(pub Member);

impl FromRequestParts<App> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let member = member(parts, app).await?;
        let organisation = app.config.operators_organisation.as_ref();
        if organisation.is_some() && member.tenant == app.config.operators() {
            return allowed(member, Role::operates).map(Self);
        }
        Err(Problem::new(
            Kind::Forbidden,
            "this is for those who operate the portal",
        ))
    }
}

/// Whether it is somebody who operates the portal. Anybody else is nobody here; a session token that
/// does not hold is nobody's, too, so that health is told whatever the sign-in service does.
pub struct MaybeOperator(pub bool);

impl FromRequestParts<App> for MaybeOperator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if token(&parts.headers).is_none() {
            return Ok(Self(false));
        }
        let operator = Operator::from_request_parts(parts, app).await;
        Ok(Self(operator.is_ok()))
    }
}

impl FromRequestParts<App> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        allowed(member(parts, app).await?, Role::reads).map(Self)
    }
}

impl FromRequestParts<App> for Editor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        allowed(member(parts, app).await?, Role::edits).map(Self)
    }
}

fn allowed(member: Member, right: fn(Role) -> bool) -> Result<Member, Problem> {
    if right(member.role) {
        return Ok(member);
    }
    Err(Problem::new(
        Kind::Forbidden,
        "your role does not allow this",
    ))
}

async fn member(parts: &Parts, app: &App) -> Result<Member, Problem> {
    let token = token(&parts.headers).ok_or(SessionError::Missing)?;
    let session = app
        .sessions
        .verify(&token, &app.config, app.clock.now())
        .await?;
    let issuer = &app.config.clerk_issuer;
    let Some((organisation, role)) = session.organisation else {
        return Err(Problem::new(
            Kind::Forbidden,
            "choose an organisation first",
        ));
    };
    Ok(Member {
        tenant: ids::from_external(issuer, &organisation),
        user: ids::from_external(issuer, &session.user),
        role: role.ok_or(Problem::new(Kind::Forbidden, "your role is not known here"))?,
        request: parts.extensions.get().copied(),
        address: parts.extensions.get().copied(),
    })
}

/// `Authorization: Bearer …` only: a cookie would come along with requests that a foreign page makes.
fn token(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim().to_owned())
        .filter(|token| !token.is_empty())
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Keys(_) => Self::unavailable(error),
            SessionError::Missing => Self::new(Kind::Unauthenticated, "send a session token"),
            SessionError::Malformed(_)
            | SessionError::Signature
            | SessionError::Claim(_)
            | SessionError::UnknownKey => {
                Self::new(Kind::Unauthenticated, "the session token does not hold").because(error)
            }
        }
    }
}
