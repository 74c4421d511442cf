//! What limits the opening of share links, and what in it looks like abuse: one link in many hands, one
//! address with many wrong tokens. Here and not in the slice of links, which only asks.

use super::{
    Allowance, LimitError,
    model::Rule,
    service::{self, Asked},
    slots::{self, NOTED},
};
use crate::{
    address::ClientAddress,
    app::Parts,
    events::{Act, Actor, Event},
    ids::{RequestId, ShareId, TenantId},
    metrics::{self, Metric},
    store::{Place, StoreError},
    telemetry,
};

/// A link that is opened from more networks than this in one window is in many hands.
const NETWORKS: u32 = 8;

/// Who is behind no known address is nobody in particular: all of them share what one may.
const UNKNOWN: &str = "unknown";

/// One more link opened from this address. Asked before anything is revealed.
pub async fn open_from(
    app: &Parts,
    address: Option<ClientAddress>,
) -> Result<Allowance, LimitError> {
    service::take(app, Rule::OpensPerAddress, &subject(address), None).await
}

/// One link opened once more.
pub async fn open_link(
    app: &Parts,
    act: &Act,
    tenant: TenantId,
    share: ShareId,
    address: Option<ClientAddress>,
) -> Result<Allowance, LimitError> {
    let asked = Asked::new(app, Rule::OpensPerLink, &share.to_string());
    let network = address.map(ClientAddress::network);
    let attempt = asked.attempt(app, network.as_deref()).await?;
    let networks = attempt.view.tags;
    if networks > NETWORKS && !attempt.view.noted {
        let spread = Event::LinkSpread { share, networks };
        note(app, &asked, act, tenant, ("link-spread", spread)).await;
    }
    asked.answer(app, attempt).await
}

/// One more token from this address that opens nothing. Beyond the limit, it is not said of any
/// token whether it would.
pub async fn unknown_token(
    app: &Parts,
    address: Option<ClientAddress>,
    request: Option<RequestId>,
) -> Result<Allowance, LimitError> {
    let asked = Asked::new(app, Rule::UnknownTokensPerAddress, &subject(address));
    let attempt = asked.attempt(app, None).await?;
    if attempt.held.is_none() && !attempt.view.noted {
        let act = Act {
            actor: Actor::Stranger,
            request,
            address,
        };
        let tries = asked.limit.most.into();
        let guessing = Event::TokenGuessing { tries };
        let operators = app.config.operators();
        note(app, &asked, &act, operators, ("token-guessing", guessing)).await;
    }
    asked.answer(app, attempt).await
}

/// Whether one more refusal of this link is worth an event. What is not known is not written.
pub async fn notes_refusal(app: &Parts, share: ShareId) -> bool {
    let taken = service::take(app, Rule::RefusalNotesPerLink, &share.to_string(), None).await;
    match taken {
        Ok(_) => true,
        Err(LimitError::Limited { .. }) => false,
        Err(error @ LimitError::Store(_)) => {
            let error = telemetry::chain(&error);
            tracing::error!(share.id = %share, error, "a refusal could not be noted");
            false
        }
    }
}

fn subject(address: Option<ClientAddress>) -> String {
    address.map_or_else(|| UNKNOWN.to_owned(), ClientAddress::client)
}

/// The alert that the log names, and the event.
type Anomaly = (&'static str, Event);

/// Writes an anomaly down, once in a window, whoever sees it first. Nobody's request fails for it.
async fn note(app: &Parts, asked: &Asked, act: &Act, tenant: TenantId, (alert, event): Anomaly) {
    let noted = async {
        let mark = slots::mark(asked.now, None);
        let stale = slots::stale(asked.now, asked.limit);
        let place = app.store.take(&asked.key, NOTED, &mark, &stale).await?;
        let Place::Taken(_) = place else {
            return Ok(());
        };
        let written = act.note(app, tenant, event).await;
        if let Err(error) = written {
            // The next request notes it.
            app.store.leave(&asked.key, NOTED, &mark).await?;
            return Err(error);
        }
        let subject = asked.shown.as_str();
        tracing::error!(alert, subject, "alert raised");
        metrics::emit(asked.now, Metric::AbuseNoted, 1);
        Ok::<_, StoreError>(())
    };
    if let Err(error) = noted.await {
        let error = telemetry::chain(&error);
        tracing::error!(error, "an anomaly could not be noted");
    }
}
