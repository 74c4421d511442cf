//! What the portal costs: prices, usage, and the report of a month.
//!
//! Owns: money, prices, what was used by whom, the report in its three forms. Does not own: what is
//! done about spending.

mod attribution;
mod chart;
mod deductions;
mod detail;
mod forecast;
mod model;
mod money;
mod notes;
mod page;
mod prices;
mod report;
mod sheet;
#[cfg(test)]
mod sums;

pub use self::{
    attribution::{Part, divide},
    deductions::Deduction,
    detail::{Of, Row},
    forecast::{Ahead, Forecast, forecast},
    model::{Month, Quality, Tier, Unit, Use, Vendor, last_complete},
    money::{Money, NotMoney, TooMuch},
    notes::Note,
    page::{Page, page},
    prices::{Price, Prices, PricesError, Wanted},
    report::{
        BudgetUse, Facts, Line, Lines, Report, ReportError, THRESHOLDS, Told, by_day, priced,
        report,
    },
    sheet::{COLUMNS, sheet},
};
