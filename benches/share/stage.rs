//! What is measured on: a table with a video and its links, and our function over it.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use aws_sdk_dynamodb::types::AttributeValue;
use axum::{Router, body::Body, extract::State, http::Request, routing::get};
use dev::{
    aws::{Aws, TABLE},
    issuer::{Issuer, PEOPLE},
    permissions::Roles,
    settings,
};
use muxsim::SigningKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    address::{self, ClientAddress},
    app::App,
    assets::{self, Asset, Ending, Lifecycle, Stamp},
    boot,
    clock::{Clock, SystemClock},
    config::Config,
    events::{Act, Actor, Event},
    ids::{self, AssetId, IdSource, ShareId, TenantId},
    limits::{self, Rule},
    mux::MuxEvent,
    router::{self, Deployable},
    shares::ShareLink,
    store::{Guard, keys},
};
use time::format_description::well_known::Rfc3339;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// What a server has to be told.
#[derive(Serialize, Deserialize)]
pub(super) struct Settings {
    variables: BTreeMap<String, String>,
    dynamodb: SocketAddr,
    share: ShareId,
    asset: AssetId,
}

impl Settings {
    /// What the peer reads.
    pub(super) fn for_peer(&self) -> String {
        json!({
            "table": TABLE,
            "endpoint": format!("http://{}", self.dynamodb),
            "keyId": self.variables["MUX_SIGNING_KEY_ID"],
            "privateKey": self.variables["MUX_SIGNING_PRIVATE_KEY"],
        })
        .to_string()
    }

    fn app(&self) -> App {
        let aws = Aws {
            dynamodb: self.dynamodb,
            sqs: self.dynamodb,
            queue_url: self.variables["DEAD_LETTER_QUEUE_URL"].clone(),
            roles: Roles::deployed().unwrap(),
        };
        app(&self.variables, &aws)
    }
}

/// Tokens of links, and what their viewers show.
#[derive(Clone)]
pub(super) struct Links(Vec<(String, Option<String>)>);

impl Links {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn at(&self, turn: usize) -> (&str, Option<&str>) {
        let (token, grant) = &self.0[turn % self.0.len()];
        (token, grant.as_deref())
    }

    pub(super) fn first(&self) -> Self {
        Self(self.0[..1].to_vec())
    }

    /// The same links, in so many parts.
    pub(super) fn parts(&self, count: usize) -> impl Iterator<Item = Self> {
        let size = self.0.len() / count;
        self.0.chunks_exact(size).map(|it| Self(it.to_vec()))
    }

    pub(super) fn shown(&self, grants: Vec<String>) -> Self {
        let links = self.0.iter().zip(grants);
        Self(
            links
                .map(|((token, _), it)| (token.clone(), Some(it)))
                .collect(),
        )
    }
}

/// The table, which lives as long as this.
pub(super) struct Stage {
    pub settings: Settings,
    pub links: Links,
    _tasks: JoinSet<()>,
}

impl Stage {
    pub(super) async fn new(count: usize) -> Self {
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let aws = Aws::start(
            None,
            clock,
            listen().await,
            listen().await,
            &stop,
            &mut tasks,
        );
        let aws = aws.await.unwrap();
        let key = SigningKey::generate("bench").unwrap();
        let listener = listen().await;
        let url = format!("http://{}", listener.local_addr().unwrap());
        let variables = settings::variables(&url, &aws, &key);
        let variables = variables
            .into_iter()
            .map(|(name, it)| (name.to_owned(), it));
        let variables: BTreeMap<String, String> = variables.collect();
        let hand: muxsim::Clock = Arc::new(|| SystemClock.now());
        let issuer = Issuer::new(format!("{url}/sign-in"), &key, hand).unwrap();
        let sign_in = Router::new().nest("/sign-in", issuer.router());
        tasks.spawn(async move { axum::serve(listener, sign_in).await.unwrap() });
        let app = app(&variables, &aws);
        let ada = &PEOPLE[0];
        let tenant = ids::from_external(&app.config.clerk_issuer, ada.organisation);
        let asset = video(&app, tenant).await;
        let (router, session) = (router::all(app), issuer.token(ada, &url).unwrap());
        let (mut links, mut share) = (Vec::with_capacity(count), None);
        for number in 0..count {
            let made = link(&router, &session, &url, asset).await;
            let id: ShareId = made["id"].as_str().unwrap().parse().unwrap();
            plays(&aws, id, asset, number).await;
            links.push((made["token"].as_str().unwrap().to_owned(), None));
            share.get_or_insert(id);
        }
        Self {
            settings: Settings {
                variables,
                dynamodb: aws.dynamodb,
                share: share.unwrap(),
                asset,
            },
            links: Links(links),
            _tasks: tasks,
        }
    }
}

fn app(variables: &BTreeMap<String, String>, aws: &Aws) -> App {
    let config = Config::read(|name| variables.get(name).cloned()).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ids = IdSource::new(Arc::clone(&clock), |bytes| rand::fill(bytes));
    boot::assemble(config, clock, ids, aws.clients()).unwrap()
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// A video that is ready.
async fn video(app: &App, tenant: TenantId) -> AssetId {
    let now = app.clock.now();
    let event = json!({
        "type": "video.asset.ready", "id": "event", "created_at": now.format(&Rfc3339).unwrap(),
        "data": {"id": "muxasset", "status": "ready", "duration": 12.0, "aspect_ratio": "16:9",
            "playback_ids": [{"id": "shared", "policy": "signed"}]},
    });
    let event = MuxEvent::parse(event.to_string().as_bytes()).unwrap();
    let mut lifecycle = Lifecycle::default();
    let stamp = Stamp {
        at: event.at,
        by: event.id,
    };
    lifecycle.learn(&stamp, &event.subject);
    let asset = Asset {
        id: app.ids.mint(),
        tenant,
        owner: app.ids.mint(),
        title: "Measured".parse().unwrap(),
        content_type: "video/mp4".parse().unwrap(),
        size: 1,
        created_at: now,
        edited_at: now,
        ending: Ending::None,
        lifecycle,
        closed_by: None,
        at_rest: false,
        trace: None,
        version: 1,
    };
    let row = assets::row(&asset, Guard::Absent).unwrap();
    app.store.commit(vec![row]).await.unwrap();
    asset.id
}

async fn link(router: &Router, session: &str, origin: &str, asset: AssetId) -> Value {
    let request = Request::post(format!("/api/assets/{asset}/shares"))
        .header("authorization", format!("Bearer {session}"))
        .header("origin", origin)
        .header("content-type", "application/json")
        .body(Body::from(r#"{"label": "measured"}"#))
        .unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
    serde_json::from_slice(&body.unwrap()).unwrap()
}

/// Gives a link a playback id of its own, as if it had been opened.
async fn plays(aws: &Aws, share: ShareId, asset: AssetId, number: usize) {
    let text = |it: String| AttributeValue::S(it);
    let playback = AttributeValue::M(
        [
            ("asset".to_owned(), text(asset.to_string())),
            ("mux_asset".to_owned(), text("muxasset".to_owned())),
            (
                "id".to_owned(),
                text(format!("DS00Spx1CV902MCtPj5WknGlR102V5HFkDe{number:06}")),
            ),
        ]
        .into(),
    );
    let update = aws.clients().dynamodb.update_item().table_name(TABLE);
    update
        .key("pk", text(format!("SHARE#{share}")))
        .key("sk", text("LINK".to_owned()))
        .update_expression("SET playbacks = :p")
        .expression_attribute_values(":p", AttributeValue::L(vec![playback]))
        .send()
        .await
        .unwrap();
}

/// Our function, or only what it asks of the table, on any port; says which one.
pub(super) async fn serve(settings: Settings, table_only: bool) {
    let app = settings.app();
    let router = if table_only {
        let state = (app, settings.share, settings.asset);
        Router::new()
            .route("/api/share/{token}", get(only_the_table))
            .with_state(state)
    } else {
        router::of(Deployable::Share, app)
    };
    let router = address::told_by(router, address::peer);
    let listener = listen().await;
    println!("{}", listener.local_addr().unwrap().port());
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).await.unwrap();
}

/// The calls of the table that a renewal makes, and nothing else.
async fn only_the_table(
    State((app, share, asset)): State<(App, ShareId, AssetId)>,
    from: Option<ClientAddress>,
) -> &'static str {
    let (link, video) = (keys::share(share), keys::asset(asset));
    let client = from.unwrap().client();
    let (taken, found) = tokio::join!(
        limits::take(&app, Rule::OpensPerAddress, &client, None),
        app.store.get_both::<ShareLink, Asset>(&link, &video),
    );
    taken.unwrap();
    let tenant = found.unwrap().0.unwrap().tenant;
    let act = Act {
        actor: Actor::Stranger,
        request: None,
        address: from,
    };
    let event = Event::ShareRenewed { share, asset };
    act.note(&app, tenant, event).await.unwrap();
    "done"
}
