//! Who acts: a person of a tenant, a guest, somebody with a made-up token.

use axum::{
    Router,
    body::Body,
    http::{Method, Request},
};
use dev::issuer::{Issuer, PEOPLE, Person};
use serde_json::{Value, json};
use shared::address::ClientAddress;
use tower::ServiceExt;

use super::{Answer, ORIGIN, TestApp, answer::text};

/// The variable by which a schedule proves itself, and what it is in tests.
pub(crate) const CRON: (&str, &str) = ("CRON_SECRET", "of-the-schedule");

/// Who sends a request.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    /// Nobody in particular.
    Anonymous,
    /// One of the seeded people.
    Person(&'static str),
    /// A person of Northside Athletics with another role.
    Role(&'static str),
    /// Whoever holds this token.
    Token(String),
}

/// A caller of an app, with verbs.
pub(crate) struct Actor<'a> {
    test: &'a TestApp,
    caller: Caller,
    headers: Vec<(&'static str, String)>,
    address: Option<ClientAddress>,
    router: Router,
}

impl TestApp {
    /// What the schedule is answered that wakes this job. The app must have been given [`CRON`].
    pub(crate) async fn woken(&self, job: &str) -> Answer {
        let bearer = format!("Bearer {}", CRON.1);
        let schedule = self.anonymous().with("authorization", &bearer);
        schedule.get(&format!("/api/cron/{job}")).await
    }

    /// The admin of Northside Athletics.
    pub(crate) fn ada(&self) -> Actor<'_> {
        self.as_caller(Caller::Person("ada"))
    }

    /// A client of Northside Athletics.
    pub(crate) fn ben(&self) -> Actor<'_> {
        self.as_caller(Caller::Person("ben"))
    }

    /// The agency at Harbour Films, which is another tenant.
    pub(crate) fn cora(&self) -> Actor<'_> {
        self.as_caller(Caller::Person("cora"))
    }

    pub(crate) fn anonymous(&self) -> Actor<'_> {
        self.as_caller(Caller::Anonymous)
    }

    pub(crate) fn as_caller(&self, caller: Caller) -> Actor<'_> {
        Actor {
            test: self,
            caller,
            headers: vec![("origin", ORIGIN.to_owned())],
            address: None,
            router: self.router.clone(),
        }
    }

    /// Ada, with a token that names another key.
    pub(crate) fn with_key_id(&self, id: &str) -> Actor<'_> {
        let claims = self.issuer.claims(Self::person("ada"), ORIGIN);
        let token = self.issuer.sign_with(&Issuer::header(id), &claims).unwrap();
        self.as_caller(Caller::Token(token))
    }

    pub(crate) fn person(name: &str) -> &'static Person {
        PEOPLE.iter().find(|person| person.id == name).unwrap()
    }

    /// The session of this moment.
    pub(crate) fn token(&self, caller: &Caller) -> Option<String> {
        match caller {
            Caller::Anonymous => None,
            Caller::Token(token) => Some(token.clone()),
            Caller::Person(name) => Some(self.issuer.token(Self::person(name), ORIGIN).unwrap()),
            Caller::Role(role) => {
                let mut claims = self.issuer.claims(Self::person("ada"), ORIGIN);
                claims["o"]["rol"] = (*role).into();
                Some(self.issuer.sign(&claims).unwrap())
            }
        }
    }
}

impl Actor<'_> {
    /// With another value of a header, or without it when the value is empty.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(it, _)| *it != name);
        if !value.is_empty() {
            self.headers.push((name, value.to_owned()));
        }
        self
    }

    /// By way of this instance of the portal.
    pub(crate) fn by(self, router: &Router) -> Self {
        Self {
            router: router.clone(),
            ..self
        }
    }

    /// From this address, as the host says it.
    pub(crate) fn from(self, address: &str) -> Self {
        Self {
            address: ClientAddress::parse(address),
            ..self
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        if let Some(body) = &body {
            self.test.canaries.note(body);
        }
        let body = body.map(|body| body.to_string());
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = self.test.token(&self.caller) {
            self.test.canaries.note_text(&token);
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let mut request = request
            .body(body.map_or_else(Body::empty, Body::from))
            .unwrap();
        if let Some(address) = self.address {
            request.extensions_mut().insert(address);
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let answer = Answer::read(response).await;
        self.test.canaries.note(&answer.body);
        answer
    }

    /// Asks for an upload; the answer's body.
    pub(crate) async fn upload(&self, title: &str) -> Value {
        self.post("/api/uploads", order(title)).await.created()
    }

    /// A video that is ready, by its id: through the upload, and the webhooks that follow it.
    pub(crate) async fn video(&self, title: &str) -> String {
        let id = text(&self.upload(title).await, "id").to_owned();
        self.test.story(&id).tell_all().await;
        id
    }

    /// A link to a video; the answer's body.
    pub(crate) async fn share(&self, asset: &str, label: &str) -> Value {
        let path = format!("/api/assets/{asset}/shares");
        self.post(&path, json!({"label": label})).await.created()
    }
}

pub(crate) fn order(title: &str) -> Value {
    json!({"title": title, "contentType": "video/mp4", "size": 1_048_576})
}
