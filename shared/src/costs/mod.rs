//! What the portal costs: prices, usage, and the report of a month.
//!
//! Owns: money, prices, what was used by whom, the report in its three forms, and the job `usage` that
//! learns what was used. Does not own: what is done about spending.

mod attribution;
mod aws;
mod billed;
mod budgets;
mod cells;
mod chart;
mod closing;
mod collect;
mod decimal;
mod deductions;
mod detail;
mod error;
mod explorer;
mod forecast;
mod http;
mod job;
mod model;
mod money;
mod notes;
mod page;
mod place;
mod platform;
mod prices;
mod report;
mod rows;
mod service;
mod sheet;
#[cfg(test)]
mod sums;

pub use self::{
    attribution::{Part, divide},
    aws::{AwsFacts, AwsPart},
    billed::Asked,
    budgets::Budgets,
    closing::{Closed, Snapshot, closed, snapshot_of},
    deductions::Deduction,
    detail::{Of, Row},
    error::CostsError,
    explorer::{CostTag, Explorer, Question, Refusal, ToldDay},
    forecast::{Ahead, Forecast, forecast},
    http::{DIGEST, routes, schedule_routes},
    job::{Learnt, UsageError, usage},
    model::{Bill, Month, Quality, Tier, Unit, Use, Vendor, iso, last_complete, midnight},
    money::{Money, NotMoney, TooMuch},
    notes::Note,
    page::{Page, page},
    prices::{Price, Prices, PricesError, Wanted},
    report::{
        BudgetUse, Facts, Line, Lines, Report, ReportError, THRESHOLDS, Told, by_day, priced,
        report,
    },
    rows::{Amounts, How, PlayedRow, Source, What, add_played, tell},
    service::report_of,
    sheet::{COLUMNS, sheet},
};
