//! A table that fails in the ways in which the real one does and the embedded one cannot.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use reqwest::Client;
use serde_json::Value;
use tokio::net::TcpListener;

/// One thing that goes wrong with one transaction.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TableFault {
    /// Another transaction was at work on the same item.
    Collision,
    /// It was done, and the answer was lost.
    DoneAndLost,
}

/// What the table charged for, in units.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Charged {
    pub(crate) reads: f64,
    pub(crate) writes: f64,
}

/// Stands before the table.
#[derive(Clone, Default)]
pub(crate) struct ShakyTable(Arc<Inner>);

#[derive(Default)]
struct Inner {
    faults: Mutex<VecDeque<TableFault>>,
    down: AtomicBool,
    never: Mutex<Option<String>>,
    without: Mutex<Option<String>>,
    lost: Mutex<Option<String>>,
    dying: Mutex<Option<u32>>,
    noted: Mutex<(String, u32)>,
    calls: Mutex<BTreeMap<String, u32>>,
    charged: Mutex<Charged>,
    http: Client,
}

impl ShakyTable {
    /// The next transaction meets this.
    pub(crate) fn next(&self, fault: TableFault) {
        self.0.faults.lock().unwrap().push_back(fault);
    }

    /// Nothing works until it does again.
    pub(crate) fn down(&self, down: bool) {
        self.0.down.store(down, Ordering::SeqCst);
    }

    /// What it was asked since the last time somebody looked, by operation.
    pub(crate) fn calls(&self) -> BTreeMap<String, u32> {
        std::mem::take(&mut *self.0.calls.lock().unwrap())
    }

    /// What all calls until now were charged.
    pub(crate) fn charged(&self) -> Charged {
        *self.0.charged.lock().unwrap()
    }

    /// A write whose guard did not hold is charged as one that did, two units in a transaction; only its
    /// answer does not say it.
    fn charge(&self, operation: &str, answer: &Bytes) {
        let answer: Value = serde_json::from_slice(answer).unwrap();
        let kind = answer["__type"].as_str().unwrap_or_default();
        let told = &answer["ConsumedCapacity"];
        let units: f64 = if let Some(tables) = told.as_array() {
            tables.iter().map(units).sum()
        } else if !told.is_null() {
            units(told)
        } else if kind.ends_with("#ConditionalCheckFailedException") {
            1.0
        } else {
            let writes = answer["CancellationReasons"].as_array().unwrap();
            writes.iter().map(|_| 2.0).sum()
        };
        let mut charged = self.0.charged.lock().unwrap();
        match operation {
            "GetItem" | "BatchGetItem" | "Query" => charged.reads += units,
            _ => charged.writes += units,
        }
    }

    /// From now on counts the calls that name this.
    pub(crate) fn note(&self, named: &str) {
        *self.0.noted.lock().unwrap() = (named.to_owned(), 0);
    }

    /// How many there were.
    pub(crate) fn noted(&self) -> u32 {
        self.0.noted.lock().unwrap().1
    }

    /// So many calls are done and no more, as if their process died.
    pub(crate) fn dies_after(&self, calls: u32) {
        *self.0.dying.lock().unwrap() = Some(calls);
    }

    /// Whoever died is there again.
    pub(crate) fn revive(&self) {
        *self.0.dying.lock().unwrap() = None;
    }

    /// Every call that names this is done, and its answer is lost.
    pub(crate) fn loses(&self, named: Option<&str>) {
        *self.0.lost.lock().unwrap() = named.map(str::to_owned);
    }

    /// Nothing can be counted against a limit until it can again.
    pub(crate) fn no_limits(&self, none: bool) {
        self.without(none.then_some("LIMIT#"));
    }

    /// No call works that names this.
    pub(crate) fn without(&self, named: Option<&str>) {
        *self.0.without.lock().unwrap() = named.map(str::to_owned);
    }

    /// No transaction works that names this.
    pub(crate) fn never(&self, named: Option<&str>) {
        *self.0.never.lock().unwrap() = named.map(str::to_owned);
    }

    /// Whether the process of this call is dead.
    fn is_dead(&self) -> bool {
        let mut dying = self.0.dying.lock().unwrap();
        let Some(left) = dying.as_mut() else {
            return false;
        };
        let dead = *left == 0;
        *left = left.saturating_sub(1);
        dead
    }

    /// Listens before the table at this address.
    pub(crate) async fn before(&self, table: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = (self.clone(), format!("http://{table}/"));
        let router = Router::new().fallback(meet).with_state(state);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        address
    }
}

async fn meet(
    State((shaky, table)): State<(ShakyTable, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = headers["x-amz-target"].to_str().unwrap();
    let operation = target.rsplit('.').next().unwrap().to_owned();
    {
        let mut calls = shaky.0.calls.lock().unwrap();
        *calls.entry(operation.clone()).or_default() += 1;
    }
    let named = |it: &str| String::from_utf8_lossy(&body).contains(it);
    {
        let mut noted = shaky.0.noted.lock().unwrap();
        noted.1 += u32::from(!noted.0.is_empty() && named(&noted.0));
    }
    if shaky.is_dead() || shaky.0.down.load(Ordering::SeqCst) {
        return lost();
    }
    let without = shaky.0.without.lock().unwrap().clone();
    if without.is_some_and(|it| String::from_utf8_lossy(&body).contains(&it)) {
        return lost();
    }
    let lost_after = shaky.0.lost.lock().unwrap().as_deref().is_some_and(named);
    let transaction = target.ends_with(".TransactWriteItems");
    let never = shaky.0.never.lock().unwrap().clone();
    if never.is_some_and(|it| transaction && String::from_utf8_lossy(&body).contains(&it)) {
        return lost();
    }
    let fault = transaction.then(|| shaky.0.faults.lock().unwrap().pop_front());
    if let Some(Some(TableFault::Collision)) = fault {
        return collided();
    }
    let mut request = shaky.0.http.post(table).body(body);
    for name in [
        "x-amz-target",
        "content-type",
        "authorization",
        "x-amz-date",
    ] {
        request = request.header(name, &headers[name]);
    }
    let answer = request.send().await.unwrap();
    if lost_after || matches!(fault, Some(Some(TableFault::DoneAndLost))) {
        return lost();
    }
    let status = answer.status();
    let kind = (header::CONTENT_TYPE, "application/x-amz-json-1.0");
    let answer = answer.bytes().await.unwrap();
    shaky.charge(&operation, &answer);
    (status, [kind], answer).into_response()
}

fn units(told: &Value) -> f64 {
    told["CapacityUnits"].as_f64().unwrap()
}

fn lost() -> Response {
    let body =
        r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"lost"}"#;
    (StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
}

fn collided() -> Response {
    let body = r#"{
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons [None, TransactionConflict]",
        "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"}]
    }"#;
    (StatusCode::BAD_REQUEST, body).into_response()
}
