//! The local stack plays IAM: every call of the table and the queue is made in the role of the function
//! on whose behalf it is made, as `template.yaml` gives it, and what that role does not allow is refused
//! as AWS refuses it.
//!
//! Owns: whose call it is, what a call needs, what a role allows, and the record of what was used.
//! What nobody does in a role, such as a test that looks into the table, is not judged.

mod call;
pub mod command;
mod http;
mod judge;
mod policy;
mod record;

use std::{
    collections::BTreeMap,
    fmt,
    path::Path,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use anyhow::Context;
use axum::{
    Router,
    extract::{MatchedPath, Request},
    middleware::{Next, from_fn},
};
use serde_json::{Value, json};
use shared::{
    app::App,
    router::{self, Deployable},
};

pub(crate) use self::http::guarded;
use self::{call::Access, policy::Policies, record::Record};

tokio::task_local! {
    /// The function on whose behalf this task works.
    static ROLE: Deployable;
}

/// Works in the role of a function.
pub fn within<T>(function: Deployable, work: impl Future<Output = T>) -> impl Future<Output = T> {
    // What it wraps is large.
    ROLE.scope(function, Box::pin(work))
}

/// All functions in one router, each of them in its own role.
pub fn router(app: App) -> Router {
    let functions = Deployable::ALL
        .into_iter()
        .flat_map(|it| it.routes().into_iter().map(move |route| (route.path, it)));
    let functions: Arc<BTreeMap<&str, Deployable>> = Arc::new(functions.collect());
    router::all(app).layer(from_fn(move |request: Request, next: Next| {
        let path = request.extensions().get::<MatchedPath>();
        let function = path.and_then(|it| functions.get(it.as_str()).copied());
        async move {
            match function {
                Some(function) => within(function, next.run(request)).await,
                None => next.run(request).await,
            }
        }
    }))
}

/// The roles of all functions. Clones share what was denied.
#[derive(Clone, Default)]
pub struct Roles(Arc<Inner>);

#[derive(Default)]
struct Inner {
    policies: Arc<Policies>,
    /// What of it is used is kept beside the build, for `cargo run -p dev -- permissions`.
    recorded: bool,
    denied: Mutex<Vec<Denied>>,
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Roles")
    }
}

/// A call that a role does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    function: &'static str,
    action: String,
    resource: String,
    keys: String,
}

/// As AWS words it, and the keys, which it does not say.
impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            function,
            action,
            resource,
            keys,
        } = self;
        write!(
            f,
            "User: {function} is not authorized to perform: {action} on resource: {resource}{keys} because no identity-based policy allows the {action} action"
        )
    }
}

impl Denied {
    /// The body of the answer, which has the status 400.
    pub(crate) fn body(&self) -> Value {
        let kind = "com.amazon.coral.service#AccessDeniedException";
        json!({"__type": kind, "Message": self.to_string()})
    }
}

impl Roles {
    /// Those of `template.yaml` of this workspace. What is used of them is recorded.
    pub fn deployed() -> anyhow::Result<Self> {
        static POLICIES: LazyLock<Result<Arc<Policies>, String>> = LazyLock::new(|| {
            let read = Policies::read(&template()).map(Arc::new);
            read.map_err(|error| format!("{error:#}"))
        });
        let policies = POLICIES.as_ref().map_err(|it| anyhow::anyhow!("{it}"))?;
        Ok(Self(Arc::new(Inner {
            policies: Arc::clone(policies),
            recorded: true,
            denied: Mutex::default(),
        })))
    }

    /// Those of another template. Nothing is recorded.
    pub fn of(template: &str) -> anyhow::Result<Self> {
        Ok(Self(Arc::new(Inner {
            policies: Arc::new(Policies::parse(template)?),
            ..Inner::default()
        })))
    }

    /// Takes what was denied since the last time: code that goes on without an answer hides it.
    pub fn take_denied(&self) -> Vec<Denied> {
        let mut denied = self.0.denied.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut denied)
    }

    /// Whether the role in which this is called allows a call: the target and the body of its request.
    pub(crate) fn check(&self, target: &str, body: &[u8]) -> Result<(), Denied> {
        let Ok(function) = ROLE.try_with(|it| it.name()) else {
            return Ok(());
        };
        for access in call::accesses(target, body) {
            let allowed = self.0.policies.allow(function, &access);
            if self.0.recorded {
                record::keep(Record::all(function, &access, allowed));
            }
            if !allowed {
                let denied = denied(function, access);
                let mut all = self.0.denied.lock().unwrap_or_else(PoisonError::into_inner);
                all.push(denied.clone());
                return Err(denied);
            }
        }
        Ok(())
    }
}

fn denied(function: &'static str, access: Access) -> Denied {
    let keys: Vec<String> = access.keys.iter().map(|it| call::shape(it)).collect();
    Denied {
        function,
        keys: if keys.is_empty() {
            String::new()
        } else {
            format!(" with the keys {}", keys.join(", "))
        },
        action: access.action,
        resource: access.resource.to_string(),
    }
}

/// Where the template of this workspace is.
fn template() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../template.yaml")
}

impl Policies {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path);
        let text = text.with_context(|| format!("{} cannot be read", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is not understood", path.display()))
    }
}
