//! Closing a month: its report is written down, with its digest in the audit log, and never changes.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write as _},
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use super::{
    error::CostsError, model::Month, money::Money, place::Place, report::Report, rows::UsageRow,
    service, sheet::sheet,
};
use crate::{
    app::Parts,
    events::{Act, Event},
    ids::TenantId,
    store::{Guard, StoreError, Write, keys, keys::Key},
};

/// How long it is known how a month stood on a day: a year and a month.
const SNAPSHOTS: Duration = Duration::days(400);

/// Where the two forms of a closed report are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    period: Month,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    report: Text,
    sheet: Text,
}

/// A text in compressed parts beside its row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Text {
    /// SHA-256 of the text, in hexadecimal.
    digest: String,
    parts: u32,
    name: String,
}

/// A closed report, as it was written.
pub struct Closed {
    pub at: OffsetDateTime,
    /// The report as JSON, to the byte.
    pub report: Vec<u8>,
    /// Its SHA-256, in hexadecimal, as the audit log has it.
    pub digest: String,
    pub sheet: Vec<u8>,
    pub sheet_digest: String,
}

/// How a month stood at the beginning of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub period: Month,
    pub spent: Money,
    pub due: Money,
    pub expected: Option<Money>,
    pub low: Option<Money>,
    pub high: Option<Money>,
}

impl Snapshot {
    fn of(report: &Report) -> Self {
        let forecast = report.forecast.as_ref();
        Self {
            at: report.made_at,
            period: report.period,
            spent: report.spent,
            due: report.due,
            expected: forecast.map(|it| it.expected),
            low: forecast.map(|it| it.low),
            high: forecast.map(|it| it.high),
        }
    }
}

/// A tenant, or everybody, in a key.
fn whose(tenant: Option<TenantId>) -> String {
    tenant.map_or_else(|| "ALL".to_owned(), |it| it.to_string())
}

fn key(tenant: Option<TenantId>, month: Month) -> Key {
    keys::closed_report(&whose(tenant), &month.to_string())
}

/// The report of a month, if it is closed.
pub async fn closed(
    app: &Parts,
    tenant: Option<TenantId>,
    month: Month,
) -> Result<Option<Closed>, CostsError> {
    let key = key(tenant, month);
    let Some(row) = app.store.get::<Row>(&key).await? else {
        return Ok(None);
    };
    Ok(Some(Closed {
        at: row.at,
        report: kept(app, &key, &row.report).await?,
        digest: row.report.digest,
        sheet: kept(app, &key, &row.sheet).await?,
        sheet_digest: row.sheet.digest,
    }))
}

async fn kept(app: &Parts, key: &Key, text: &Text) -> Result<Vec<u8>, CostsError> {
    let bytes = app.store.get_parts(key, text.parts, &text.name).await?;
    let mut plain = Vec::new();
    let read = bytes.map(|it| GzDecoder::new(it.as_slice()).read_to_end(&mut plain));
    let whole = matches!(read, Some(Ok(_))) && digest(&plain) == text.digest;
    whole.then_some(plain).ok_or(CostsError::Unproved)
}

async fn keep(app: &Parts, key: &Key, text: &[u8]) -> Result<Text, CostsError> {
    let bytes = compressed(text).map_err(|error| StoreError::Refused(error.into()))?;
    let (parts, name) = app.store.put_parts(key, &bytes).await?;
    let digest = digest(text);
    Ok(Text {
        digest,
        parts,
        name,
    })
}

fn compressed(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text)?;
    encoder.finish()
}

fn digest(text: &[u8]) -> String {
    hex::encode(Sha256::digest(text))
}

/// Closes a month for everybody and for each tenant that used anything in it. Each is closed once: who
/// comes second finds it done.
pub(super) async fn close(
    app: &Parts,
    act: &Act,
    place: &Place,
    month: Month,
) -> Result<(), CostsError> {
    let rows = service::rows_of(app, None, month).await?;
    for (tenant, its) in scopes(&rows, month) {
        if app.store.get::<Row>(&key(tenant, month)).await?.is_some() {
            continue;
        }
        let report = service::made(app, tenant, month, place, &its).await?;
        let key = key(tenant, month);
        let text = keep(app, &key, &serde_json::to_vec(&report)?).await?;
        let sheet = keep(app, &key, &sheet(&report)?).await?;
        let event = Event::CostReportClosed {
            period: month,
            everybody: tenant.is_none(),
            due: report.due,
            digest: text.digest.clone(),
            sheet: sheet.digest.clone(),
        };
        let row = Row {
            period: month,
            at: app.clock.now(),
            report: text,
            sheet,
        };
        let whose = tenant.unwrap_or_else(|| app.config.operators());
        let written = app.store.commit(vec![
            Write::put(key, &row, Guard::Absent)?,
            act.write_change(app, whose, event, None, Some(&row))?,
        ]);
        match written.await {
            Ok(()) | Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        tracing::info!(period = %month, digest = row.report.digest, "cost report closed");
    }
    Ok(())
}

/// Keeps how the month stands, once a day.
pub(super) async fn snapshot(app: &Parts, place: &Place) -> Result<(), CostsError> {
    let now = app.clock.now();
    let month = Month::of(now.date());
    let rows = service::rows_of(app, None, month).await?;
    for (tenant, its) in scopes(&rows, month) {
        let report = service::made(app, tenant, month, place, &its).await?;
        let key = keys::cost_snapshot(&whose(tenant), now.date()).expiring(now + SNAPSHOTS);
        match app
            .store
            .put(&key, &Snapshot::of(&report), Guard::Absent)
            .await
        {
            Ok(()) | Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// How a month stood at the beginning of a day, for a tenant or for everybody.
pub async fn snapshot_of(
    app: &Parts,
    tenant: Option<TenantId>,
    day: time::Date,
) -> Result<Option<Snapshot>, StoreError> {
    app.store
        .get(&keys::cost_snapshot(&whose(tenant), day))
        .await
}

/// Everybody, and each tenant that used anything in the month, with their rows.
fn scopes(rows: &[UsageRow], month: Month) -> Vec<(Option<TenantId>, Vec<UsageRow>)> {
    let mut tenants: BTreeMap<TenantId, Vec<UsageRow>> = BTreeMap::new();
    for row in rows {
        tenants.entry(row.tenant).or_default().push(row.clone());
    }
    tenants.retain(|_, its| its.iter().any(|row| month.has(row.day)));
    let each = tenants.into_iter().map(|(tenant, its)| (Some(tenant), its));
    [(None, rows.to_vec())].into_iter().chain(each).collect()
}
