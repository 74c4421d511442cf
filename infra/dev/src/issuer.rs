//! The sign-in service's stand-in: session tokens as Clerk makes them, for anybody of the seeded
//! people, at one click. Nothing here is secret, and nothing here runs in production.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, JwkSet},
};
use muxsim::{Clock, SigningKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

/// How long a session token lives (clerk.com/docs: session tokens).
pub const LIFE: Duration = Duration::minutes(1);

/// Somebody who can sign in.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Person {
    pub id: &'static str,
    pub name: &'static str,
    pub tenant: &'static str,
    pub role: &'static str,
    #[serde(skip)]
    pub organisation: &'static str,
}

/// Whose admins operate the portal.
pub const OPERATORS: &str = "org_mavericks";

/// Three people of two tenants, and one who operates the portal.
pub const PEOPLE: [Person; 4] = [
    Person {
        id: "ada",
        name: "Ada Okafor",
        tenant: "Northside Athletics",
        role: "admin",
        organisation: "org_northside",
    },
    Person {
        id: "ben",
        name: "Ben Castillo",
        tenant: "Northside Athletics",
        role: "client",
        organisation: "org_northside",
    },
    Person {
        id: "cora",
        name: "Cora Lindqvist",
        tenant: "Harbour Films",
        role: "agency",
        organisation: "org_harbour",
    },
    Person {
        id: "dana",
        name: "Dana Whitfield",
        tenant: "Motion Mavericks (operators)",
        role: "admin",
        organisation: OPERATORS,
    },
];

/// Signs session tokens.
#[derive(Clone)]
pub struct Issuer(Arc<Inner>);

struct Inner {
    /// The exact `iss`, without a slash at its end.
    address: String,
    key: EncodingKey,
    key_id: String,
    clock: Clock,
}

impl Issuer {
    pub fn new(address: impl Into<String>, key: &SigningKey, clock: Clock) -> anyhow::Result<Self> {
        let pem = STANDARD.decode(&key.private_key)?;
        Ok(Self(Arc::new(Inner {
            address: address.into(),
            key: EncodingKey::from_rsa_pem(&pem)?,
            key_id: key.id.clone(),
            clock,
        })))
    }

    /// `POST /session`, `GET /people`, and the keys where Clerk has them.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/people", get(async || Json(PEOPLE)))
            .route("/session", post(session))
            .route("/.well-known/jwks.json", get(keys))
            .with_state(self.clone())
    }

    /// A session of a person, begun on a page of this origin: claims version 2.
    pub fn token(&self, person: &Person, origin: &str) -> anyhow::Result<String> {
        self.sign(&self.claims(person, origin))
    }

    /// What a session token says; a test may bend it before it is signed.
    pub fn claims(&self, person: &Person, origin: &str) -> Value {
        let now = self.now();
        json!({
            "v": 2,
            "iss": self.0.address,
            "azp": origin,
            "sub": format!("user_{}", person.id),
            "sid": format!("sess_{}", person.id),
            "sts": "active",
            "iat": now.unix_timestamp(),
            "nbf": now.unix_timestamp() - 10,
            "exp": (now + LIFE).unix_timestamp(),
            "o": {"id": person.organisation, "rol": person.role},
        })
    }

    /// Signs any claims.
    pub fn sign(&self, claims: &Value) -> anyhow::Result<String> {
        self.sign_with(&Self::header(&self.0.key_id), claims)
    }

    /// The header of a session token.
    pub fn header(key_id: &str) -> Header {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(key_id.to_owned());
        header.extras.insert("cat", "cl_B7d4PD111AAA");
        header
    }

    /// Signs any claims under any header.
    pub fn sign_with(&self, header: &Header, claims: &Value) -> anyhow::Result<String> {
        Ok(jsonwebtoken::encode(header, claims, &self.0.key)?)
    }

    fn now(&self) -> OffsetDateTime {
        (self.0.clock)()
    }
}

async fn keys(State(issuer): State<Issuer>) -> Response {
    let Ok(mut jwk) = Jwk::from_encoding_key(&issuer.0.key, Algorithm::RS256) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    jwk.common.key_id = Some(issuer.0.key_id.clone());
    Json(JwkSet { keys: vec![jwk] }).into_response()
}

#[derive(Deserialize)]
struct SessionBody {
    person: String,
}

async fn session(
    State(issuer): State<Issuer>,
    headers: HeaderMap,
    Json(body): Json<SessionBody>,
) -> Response {
    let Some(person) = PEOPLE.iter().find(|person| person.id == body.person) else {
        return (StatusCode::NOT_FOUND, "nobody of that name").into_response();
    };
    let origin = headers.get(header::ORIGIN).and_then(|it| it.to_str().ok());
    let origin = origin.map_or_else(|| own_origin(&headers), str::to_owned);
    let expires_at = (issuer.now() + LIFE).format(&Rfc3339).unwrap_or_default();
    match issuer.token(person, &origin) {
        Ok(token) => Json(json!({"token": token, "expiresAt": expires_at})).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// A page asks its own address without `Origin` now and then: then `Host` says where it is.
fn own_origin(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|it| it.to_str().ok());
    format!("http://{}", host.unwrap_or_default())
}
