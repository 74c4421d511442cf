//! What a guest may do through a link: parse, call the use case, shape the answer.

use axum::{
    extract::{FromRequestParts, State as Handle},
    http::{HeaderName, Method, StatusCode, request::Parts},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    ShareError,
    gate::Lock,
    open::{self, Asked, Extras},
    token::ShareToken,
    unlock::{self, Key},
    watched::{Telling, watched},
};
use crate::{
    app::App,
    assets::{Asset, Status, Title},
    auth::SignedIn,
    http::{Json, Path, Query},
    ids::AssetId,
    problem::{Kind, Problem},
    router::Route,
    slo::Objective,
};

/// What a viewer shows of what they were given before.
pub const GRANT: HeaderName = HeaderName::from_static("x-share-grant");

pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/share/{token}", open).promising(Objective::Playback),
        Route::post("/api/share/{token}/session", unlock),
        Route::post("/api/share/{token}/code", send_code),
        Route::post("/api/share/{token}/watched", tell_watched),
    ]
}

/// Somebody with a token, wherever they come from, and the grant that came along, if one did. What is
/// not one is as none.
struct Guest(Asked);

impl FromRequestParts<App> for Guest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if parts.method == Method::HEAD {
            // A scanner that looks at addresses is no viewer.
            return Err(Problem::new(Kind::MethodNotAllowed, "ask with GET"));
        }
        let Path(OfToken { token }) = Path::from_request_parts(parts, app).await?;
        let text = parts.headers.get(GRANT).and_then(|it| it.to_str().ok());
        Ok(Self(Asked {
            token,
            asset: None,
            extras: Extras::default(),
            grant: text.map(str::to_owned),
            user: None,
            request: parts.extensions.get().copied(),
            address: parts.extensions.get().copied(),
        }))
    }
}

#[derive(Deserialize)]
struct OfToken {
    token: ShareToken,
}

/// What a viewer gets (S0-078), and what a player needs to go on without a gap.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OpenedBody {
    playback_url: String,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    renew_after: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    link_expires_at: OffsetDateTime,
    asset_id: AssetId,
    title: Title,
    comments_allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    aspect_ratio: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    poster_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storyboard_url: Option<String>,
    /// Where the link leads to more than one video, or if it is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    playlist: Option<Vec<ItemBody>>,
    /// To be sent along as `x-share-grant` when the next token is asked for.
    grant: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemBody {
    asset_id: AssetId,
    title: Title,
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
}

impl ItemBody {
    fn of(asset: Asset, now: OffsetDateTime) -> Self {
        Self {
            asset_id: asset.id,
            ready: asset.status(now) == Status::Ready,
            duration_ms: asset.lifecycle.millis(),
            title: asset.title,
        }
    }
}

/// `?include=poster,storyboard,playlist&asset=ast_…`.
#[derive(Deserialize)]
struct OpenQuery {
    #[serde(default)]
    include: String,
    asset: Option<AssetId>,
}

impl OpenQuery {
    fn extras(&self) -> Result<Extras, ShareError> {
        let mut extras = Extras::default();
        for name in self.include.split(',').filter(|it| !it.is_empty()) {
            match name {
                "poster" => extras.poster = true,
                "storyboard" => extras.storyboard = true,
                "playlist" => extras.playlist = true,
                _ => {
                    return Err(ShareError::Field(
                        "include knows poster, storyboard and playlist",
                    ));
                }
            }
        }
        Ok(extras)
    }
}

async fn open(
    Handle(app): Handle<App>,
    SignedIn(user): SignedIn,
    who: Guest,
    Query(query): Query<OpenQuery>,
) -> Result<Json<OpenedBody>, Problem> {
    let extras = query.extras()?;
    let asked = Asked {
        asset: query.asset,
        extras,
        user,
        ..who.0
    };
    let opened = Box::pin(open::open(&app, asked)).await?;
    let playlist = if extras.playlist {
        let now = app.clock.now();
        let items = open::playlist(&app, &opened.link).await?.into_iter();
        Some(items.map(|it| ItemBody::of(it, now)).collect())
    } else {
        None
    };
    Ok(Json(OpenedBody {
        playback_url: opened.playback.into(),
        expires_at: opened.expires_at,
        renew_after: opened.renew_after,
        link_expires_at: opened.link.expires_at,
        comments_allowed: opened.link.rules.comments,
        asset_id: opened.asset.id,
        aspect_ratio: opened.asset.lifecycle.aspect_ratio().map(str::to_owned),
        title: opened.asset.title,
        poster_url: opened.poster.map(Into::into),
        storyboard_url: opened.storyboard.map(Into::into),
        playlist,
        grant: opened.grant,
    }))
}

/// What a viewer shows: the password, or an address with the code that was sent to it, or both.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyBody {
    password: Option<String>,
    email: Option<String>,
    code: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UnlockedBody {
    grant: String,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    /// What is still to be shown: `password`, `code` or `signIn`.
    #[serde(skip_serializing_if = "Option::is_none")]
    required: Option<&'static str>,
}

async fn unlock(
    Handle(app): Handle<App>,
    Guest(asked): Guest,
    Json(body): Json<KeyBody>,
) -> Result<Json<UnlockedBody>, Problem> {
    let key = Key {
        password: body.password,
        email: body.email.map(|it| it.parse()).transpose()?,
        code: body.code,
    };
    let unlocked = Box::pin(unlock::unlock(&app, &asked, key)).await?;
    Ok(Json(UnlockedBody {
        grant: unlocked.grant,
        expires_at: unlocked.until,
        required: unlocked.lock.map(|lock| match lock {
            Lock::Password => "password",
            Lock::Code => "code",
            Lock::SignIn => "signIn",
        }),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeBody {
    email: String,
}

/// The same answer, whether a code was sent or not.
async fn send_code(
    Handle(app): Handle<App>,
    Guest(asked): Guest,
    Json(body): Json<CodeBody>,
) -> Result<StatusCode, Problem> {
    let email = body.email.parse()?;
    Box::pin(unlock::send_code(&app, &asked, &email)).await?;
    Ok(StatusCode::ACCEPTED)
}

/// How long a viewer's player played since it last told, and whether it gave up.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WatchedBody {
    asset: AssetId,
    seconds: u64,
    #[serde(default)]
    failed: bool,
}

async fn tell_watched(
    Handle(app): Handle<App>,
    Guest(asked): Guest,
    Json(body): Json<WatchedBody>,
) -> Result<StatusCode, Problem> {
    let telling = Telling {
        asset: body.asset,
        seconds: body.seconds,
        failed: body.failed,
    };
    watched(&app, &asked, telling).await?;
    Ok(StatusCode::NO_CONTENT)
}
