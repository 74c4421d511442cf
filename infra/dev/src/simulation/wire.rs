//! The way from the real SDK to the table and the queue, in process: where a call may be refused,
//! broken, done without an answer, or be the last thing its process does.

use std::{fmt, sync::Arc};

use aws_sdk_dynamodb::config::{HttpClient, IntoShared, RuntimeComponents, http::HttpRequest};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::HttpResponse,
        result::ConnectorError,
    },
    http::StatusCode,
};
use axum::{
    body::{Body, to_bytes},
    extract::Request,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{
    ground::Ground,
    mutant::{self, Mutant},
    table::{self, Answered},
    weather::{Effect, Fate, Service},
};

/// One process's connection to one of the services.
#[derive(Clone)]
pub(super) struct Wire {
    pub(super) service: Service,
    pub(super) ground: Arc<Ground>,
    pub(super) process: u32,
    pub(super) death: CancellationToken,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wire({:?} of process {})", self.service, self.process)
    }
}

impl HttpClient for Wire {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        self.clone().into_shared()
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.clone();
        HttpConnectorFuture::new(async move { wire.carry(&request).await })
    }
}

impl Wire {
    async fn carry(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default();
        let body = request.body().bytes().unwrap_or_default();
        if let Err(denied) = self.ground.roles.check(target, body) {
            self.ground.chronicle.broke("roles", denied.to_string());
            return Ok(of(refusal(400, &denied.body())));
        }
        // Calls of several invocations meet in whatever order the seed wants.
        for _ in 0..self.ground.weather.pauses() {
            tokio::task::yield_now().await;
        }
        let fate = self.ground.weather.fate(self.service, operation);
        self.note(operation, fate);
        match fate {
            Fate::Fair => Ok(of(self.carry_out(operation, target, body).await)),
            Fate::Throttled => Ok(of(throttled(self.service))),
            Fate::Broken => Ok(of(broken())),
            Fate::Collides => Ok(of(collided(body))),
            Fate::Unprocessed => Ok(of(unprocessed(body))),
            Fate::Lost => {
                self.carry_out(operation, target, body).await;
                Err(ConnectorError::io("the connection broke".into()))
            }
            Fate::Hangs(effect) => {
                if effect == Effect::Done {
                    self.carry_out(operation, target, body).await;
                }
                std::future::pending().await
            }
            Fate::Dies(effect) => {
                if effect == Effect::Done {
                    self.carry_out(operation, target, body).await;
                }
                self.death.cancel();
                std::future::pending().await
            }
        }
    }

    fn note(&self, operation: &str, fate: Fate) {
        let chronicle = &self.ground.chronicle;
        chronicle.tell(|| format!("  p{} {operation}: {}", self.process, fate.name()));
        chronicle.count(match self.service {
            Service::Table => "calls of the table",
            Service::Queue => "calls of the queue",
        });
        if fate != Fate::Fair {
            chronicle.count(fate.name());
        }
    }

    async fn carry_out(&self, operation: &str, target: &str, body: &[u8]) -> Answered {
        match self.service {
            Service::Table => self.carry_out_at_table(operation, body),
            Service::Queue => self.carry_out_at_queue(operation, target, body).await,
        }
    }

    fn carry_out_at_table(&self, operation: &str, body: &[u8]) -> Answered {
        let database = &self.ground.database;
        let unguarded = self.ground.mutant.map_or(&[][..], Mutant::unguarded);
        let answered = if unguarded.is_empty() || operation == "Query" {
            table::carry_out(database, operation, body)
        } else {
            table::carry_out(database, operation, &mutant::unguarded(body, unguarded))
        };
        if answered.body.contains("ConditionalCheckFailed") {
            self.ground.chronicle.count("guards that did not hold");
        }
        answered
    }

    async fn carry_out_at_queue(&self, operation: &str, target: &str, body: &[u8]) -> Answered {
        if self.ground.mutant == Some(Mutant::ForgetsQueue) && operation == "SendMessage" {
            let forgotten = json!({"MessageId": "forgotten"}).to_string();
            return Answered {
                status: 200,
                body: forgotten,
            };
        }
        let answered = self.ask_queue(target, body.to_vec()).await;
        if operation == "SendMessage" && answered.status == 200 {
            self.ground.chronicle.count("letters");
        }
        if self.ground.mutant == Some(Mutant::DeletesFirst) && operation == "ReceiveMessage" {
            self.delete_all(body, &answered).await;
        }
        answered
    }

    async fn delete_all(&self, asked: &[u8], received: &Answered) {
        let asked: Value = serde_json::from_slice(asked).unwrap_or_default();
        let received: Value = serde_json::from_str(&received.body).unwrap_or_default();
        for message in received["Messages"].as_array().into_iter().flatten() {
            let delete = json!({
                "QueueUrl": asked["QueueUrl"], "ReceiptHandle": message["ReceiptHandle"],
            });
            let delete = delete.to_string().into_bytes();
            self.ask_queue("AmazonSQS.DeleteMessage", delete).await;
        }
    }

    async fn ask_queue(&self, target: &str, body: Vec<u8>) -> Answered {
        let request = Request::post("/")
            .header("x-amz-target", target)
            .header("host", "queue")
            .body(Body::from(body));
        let Ok(request) = request else {
            return broken();
        };
        let Ok(response) = self.ground.queue.clone().oneshot(request).await;
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), usize::MAX).await;
        Answered {
            status,
            body: String::from_utf8_lossy(&body.unwrap_or_default()).into_owned(),
        }
    }
}

fn of(answered: Answered) -> HttpResponse {
    let status = StatusCode::try_from(answered.status);
    let status = status.unwrap_or_else(|_| StatusCode::from(axum::http::StatusCode::BAD_GATEWAY));
    let mut response = HttpResponse::new(status, answered.body.into());
    let headers = response.headers_mut();
    headers.insert("content-type", "application/x-amz-json-1.0");
    response
}

fn refusal(status: u16, body: &Value) -> Answered {
    Answered {
        status,
        body: body.to_string(),
    }
}

fn throttled(service: Service) -> Answered {
    let kind = match service {
        Service::Table => "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
        Service::Queue => "com.amazonaws.sqs#RequestThrottled",
    };
    refusal(
        400,
        &json!({"__type": kind, "message": "too many requests"}),
    )
}

fn broken() -> Answered {
    let body = json!({"__type": "InternalServerError", "message": "an internal error"});
    refusal(500, &body)
}

/// As the service words it: one reason for each write, in their order.
fn collided(body: &[u8]) -> Answered {
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let writes = asked["TransactItems"].as_array().map_or(1, Vec::len);
    let mut reasons = vec![json!({"Code": "None"}); writes];
    if let Some(last) = reasons.last_mut() {
        *last = json!({"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"});
    }
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons",
        "CancellationReasons": reasons,
    });
    refusal(400, &body)
}

fn unprocessed(body: &[u8]) -> Answered {
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let body = json!({"Responses": {}, "UnprocessedKeys": asked["RequestItems"]});
    refusal(200, &body)
}
