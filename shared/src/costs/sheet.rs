//! The report as a table for finance: RFC 4180, in UTF-8 with a byte order mark, without which a spreadsheet
//! guesses the encoding. What the columns mean is in the playbook `cost/cost-monitoring-and-alerting.md`.

use csv::{Terminator, WriterBuilder};

use super::{detail::Row, model::Unit, report::Report};

/// The columns. New ones go to the end: somebody's template counts them.
pub const COLUMNS: [&str; 16] = [
    "period",
    "day",
    "entry",
    "vendor",
    "unit",
    "quality",
    "resolution_tier",
    "tenant",
    "project",
    "asset",
    "asset_title",
    "share_link",
    "quantity",
    "cost_usd",
    "estimated",
    "service",
];

/// What a spreadsheet takes for a formula at the beginning of a cell
/// (owasp.org/www-community/attacks/CSV_Injection).
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Writes the table. Its costs add up to what is due.
pub fn sheet(report: &Report) -> Result<Vec<u8>, csv::Error> {
    let mut bytes = BYTE_ORDER_MARK.to_vec();
    let mut builder = WriterBuilder::new();
    let mut table = builder.terminator(Terminator::CRLF).from_writer(&mut bytes);
    table.write_record(COLUMNS)?;
    let period = report.period.to_string();
    for row in &report.rows {
        let of = &row.of;
        table.write_record([
            period.as_str(),
            &text(of.day.as_ref()),
            "usage",
            of.unit.vendor().name(),
            of.unit.name(),
            of.quality.map_or("", |it| it.name()),
            of.tier.map_or("", |it| it.name()),
            &of.tenant.to_string(),
            &text(of.project.as_ref()),
            &text(of.asset.as_ref()),
            &harmless(row.title.as_deref().unwrap_or_default()),
            &text(of.share.as_ref()),
            &quantity(row),
            &row.cost.to_string(),
            if of.estimated { "yes" } else { "no" },
            &harmless(of.service.as_deref().unwrap_or_default()),
        ])?;
    }
    for deduction in &report.deductions {
        let entry = deduction.unit.map_or("credit", |_| "allowance");
        let unit = deduction.unit.map_or("", Unit::name);
        let (vendor, cost) = (deduction.vendor.name(), deduction.cost.to_string());
        let mut record = [""; COLUMNS.len()];
        (record[0], record[2], record[3], record[4]) = (&period, entry, vendor, unit);
        (record[13], record[14]) = (&cost, "no");
        table.write_record(record)?;
    }
    table.flush()?;
    drop(table);
    Ok(bytes)
}

/// What AWS charges has no quantity here.
fn quantity(row: &Row) -> String {
    match row.of.service {
        Some(_) => String::new(),
        None => row.of.unit.spell(row.amount),
    }
}

fn text(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

/// Free text that no spreadsheet computes: with an apostrophe before it, where it might.
fn harmless(text: &str) -> String {
    if text.starts_with(FORMULA) {
        return format!("'{text}");
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::{super::sums::facts, *};
    use crate::costs::{money::Money, prices::Prices, report::report};

    fn records(bytes: &[u8]) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(bytes);
        let records = reader.records().map(|it| it.unwrap());
        records
            .map(|it| it.iter().map(str::to_owned).collect())
            .collect()
    }

    #[test]
    fn a_spreadsheet_reads_the_sum_that_is_due() {
        let prices = Prices::built_in().unwrap();
        let mut facts = facts(&prices, 300, 3);
        facts.tenant = None;
        let report = report(facts).unwrap();
        assert!(!report.deductions.is_empty());
        let records = records(&sheet(&report).unwrap());
        assert_eq!(records[0], COLUMNS);
        let costs = records[1..]
            .iter()
            .map(|it| it[13].parse::<Money>().unwrap());
        assert_eq!(Money::sum(costs).unwrap(), report.due);
        assert_eq!(
            records.len(),
            1 + report.rows.len() + report.deductions.len()
        );
    }

    #[test]
    fn no_title_is_a_formula() {
        let prices = Prices::built_in().unwrap();
        let mut facts = facts(&prices, 40, 5);
        let evil = [
            "=HYPERLINK(\"http://evil\")",
            "+1",
            "-1",
            "@SUM(A1)",
            "\tx",
            "plain, \"quoted\"\nwith a line",
        ];
        let assets: Vec<_> = facts.used.iter().filter_map(|it| it.asset).collect();
        for (number, asset) in assets.into_iter().enumerate() {
            let title = evil[number % evil.len()].to_owned();
            facts.titles.insert(asset, title);
        }
        let bytes = sheet(&report(facts).unwrap()).unwrap();
        let titles: Vec<String> = records(&bytes)[1..]
            .iter()
            .map(|it| it[10].clone())
            .collect();
        assert!(titles.iter().any(|it| it.starts_with("'=HYPERLINK")));
        assert!(
            titles.iter().any(|it| it == evil[5]),
            "what is harmless stays as it is"
        );
        assert!(
            titles.iter().all(|it| !it.starts_with(FORMULA)),
            "{titles:?}"
        );
    }
}
