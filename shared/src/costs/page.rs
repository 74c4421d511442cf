//! The report as a page for people: no script, everything escaped, a table beside the chart.

use std::fmt::{self, Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use super::{
    chart::chart,
    report::{Line, Report},
};

/// How the page looks, in the light and in the dark.
const STYLE: &str = include_str!("report.css");

/// A page, and the policy under which it is shown.
pub struct Page {
    pub html: String,
    /// For `Content-Security-Policy`: nothing but the one style that it has, which is named by its digest
    /// (w3.org/TR/CSP3, 6.7.3.3).
    pub policy: String,
}

/// Writes the page.
pub fn page(report: &Report) -> Result<Page, fmt::Error> {
    let digest = STANDARD.encode(Sha256::digest(STYLE));
    Ok(Page {
        html: html(report)?,
        policy: format!(
            "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'"
        ),
    })
}

fn html(report: &Report) -> Result<String, fmt::Error> {
    let (mut page, period) = (String::new(), report.period);
    let whose = report
        .tenant
        .map_or_else(|| "everybody".to_owned(), |it| it.to_string());
    write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>Costs of {period}</title><style>{STYLE}</style></head><body><main>\
         <h1>Costs of {period}</h1><p>Of {whose}, in US dollars. Made at {}; Mux has said everything \
         until the end of {}.</p>",
        escaped(&report.made_at.to_string()),
        report.complete_until,
    )?;
    for note in &report.notes {
        write!(page, "<p class=\"note\">{}</p>", escaped(&note.text))?;
    }
    summary(&mut page, report)?;
    let text = told(report);
    let chart = chart(
        report,
        &format!("Costs of {period} by day"),
        &escaped(&text),
    )?;
    write!(
        page,
        "<figure>{chart}<figcaption>{}</figcaption></figure>",
        escaped(&text)
    )?;
    days(&mut page, report)?;
    let lines = &report.lines;
    for (caption, lines) in [
        ("By vendor", &lines.vendors),
        ("By unit", &lines.units),
        ("By organisation", &lines.tenants),
        ("By project", &lines.projects),
        ("By video", &lines.assets),
        ("By share link", &lines.shares),
        ("By service of AWS", &lines.services),
    ] {
        if caption == "By service of AWS" && lines.is_empty() {
            continue;
        }
        table(&mut page, caption, lines)?;
    }
    page.push_str("</main></body></html>");
    Ok(page)
}

fn summary(page: &mut String, report: &Report) -> fmt::Result {
    let mut entry =
        |name: &str, value: String| write!(page, "<dt>{name}</dt><dd>{}</dd>", escaped(&value));
    let percent = |it: u64| format!("{}.{:02} %", it / 100, it % 100);
    entry("Spent", report.spent.to_cents())?;
    for it in &report.deductions {
        let what = it.unit.map_or("credit", super::model::Unit::name);
        entry("Deducted", format!("{} ({what})", it.cost.to_cents()))?;
    }
    entry("Due", report.due.to_cents())?;
    if let Some(it) = &report.forecast {
        let (low, high) = (it.low.to_cents(), it.high.to_cents());
        let band = format!(
            "{}, between {low} and {high} (95 %)",
            it.expected.to_cents()
        );
        entry("Expected", band)?;
    }
    if let Some(it) = &report.budget {
        let used = format!("{}, {} of it used", it.budget.to_cents(), percent(it.used));
        entry("Budget", used)?;
    }
    if let Some(it) = report.variance {
        let sign = if it < 0 { "-" } else { "+" };
        let off = format!("{sign}{}", percent(it.unsigned_abs()));
        entry("Players against Mux", off)?;
    }
    if let Some(aws) = &report.aws {
        entry("Cost Explorer", aws.told())?;
        if let Some(until) = aws.billed_until {
            let (cost, days) = (aws.billed.to_cents(), aws.billed_days);
            entry(
                "AWS's own figures",
                format!("{cost}, {days} days until {until}"),
            )?;
        }
        if let Some(it) = aws.variance {
            let sign = if it < 0 { "-" } else { "+" };
            entry(
                "Our count against AWS",
                format!("{sign}{}", percent(it.unsigned_abs())),
            )?;
        }
    }
    // The list has to be around its entries.
    let start = page.find("<dt>").unwrap_or(page.len());
    page.insert_str(start, "<dl>");
    page.push_str("</dl>");
    Ok(())
}

/// The chart in words.
fn told(report: &Report) -> String {
    let mut text = format!("{} spent until now", report.spent.to_cents());
    if let Some(it) = &report.forecast {
        let (low, high) = (it.low.to_cents(), it.high.to_cents());
        let expected = it.expected.to_cents();
        text = format!("{text}; {expected} expected at the end, between {low} and {high}");
    }
    if let Some(it) = &report.budget {
        text = format!("{text}; the budget is {}", it.budget.to_cents());
    }
    format!("{text}.")
}

fn days(page: &mut String, report: &Report) -> fmt::Result {
    page.push_str(
        "<details><summary>The chart as a table</summary><div class=\"scroll\"><table>\
         <caption>By day</caption><thead><tr><th scope=\"col\">Day</th>\
         <th scope=\"col\" class=\"amount\">Cost</th><th scope=\"col\" class=\"amount\">Spent</th>\
         </tr></thead><tbody>",
    );
    for it in &report.days {
        write!(
            page,
            "<tr><th scope=\"row\">{}</th><td class=\"amount\">{}</td><td class=\"amount\">{}</td></tr>",
            it.day, it.cost, it.spent
        )?;
    }
    page.push_str("</tbody></table></div></details>");
    Ok(())
}

fn table(page: &mut String, caption: &str, lines: &[Line]) -> fmt::Result {
    write!(
        page,
        "<div class=\"scroll\"><table><caption>{caption}</caption><thead><tr>\
         <th scope=\"col\">What</th><th scope=\"col\" class=\"amount\">Cost</th></tr></thead><tbody>"
    )?;
    for line in lines {
        let name = match (&line.title, &line.of, line.count) {
            (Some(title), Some(of), _) => format!("{title} ({of})"),
            (_, Some(of), _) => of.clone(),
            (_, None, 0) => "laid to none".to_owned(),
            (_, None, count) => format!("{count} others"),
        };
        write!(
            page,
            "<tr><th scope=\"row\">{}</th><td class=\"amount\">{}</td></tr>",
            escaped(&name),
            line.cost
        )?;
    }
    page.push_str("</tbody></table></div>");
    Ok(())
}

/// Text as it may stand in an element or a quoted attribute.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::{super::sums::facts, *};
    use crate::costs::{prices::Prices, report::report};

    fn shown() -> Page {
        let prices = Prices::built_in().unwrap();
        let mut facts = facts(&prices, 600, 11);
        facts.now = datetime!(2026-01-20 15:00 UTC);
        facts.complete = date!(2026 - 01 - 19);
        facts.used.retain(|it| it.day <= facts.now.date());
        facts.budget = Some("12000000".parse().unwrap());
        let assets: Vec<_> = facts.used.iter().filter_map(|it| it.asset).collect();
        let evil = "</th><script>alert(1)</script> \"'&";
        facts.titles = assets.into_iter().map(|it| (it, evil.to_owned())).collect();
        page(&report(facts).unwrap()).unwrap()
    }

    #[test]
    fn a_title_is_text_and_nothing_else() {
        let html = shown().html;
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt; &quot;&#39;&amp;"));
        assert!(!html.contains("<script"));
        assert!(!html.contains("style="), "no policy would allow it");
    }

    #[test]
    fn the_policy_allows_the_one_style_and_nothing_else() {
        let page = shown();
        let (_, rest) = page.html.split_once("<style>").unwrap();
        let (style, _) = rest.split_once("</style>").unwrap();
        let digest = STANDARD.encode(Sha256::digest(style));
        let allowed = format!("default-src 'none'; style-src 'sha256-{digest}';");
        assert!(page.policy.starts_with(&allowed), "{}", page.policy);
    }

    #[test]
    fn who_does_not_see_the_chart_is_told_it() {
        let html = shown().html;
        for part in [
            "<title id=\"chart-title\">",
            "<desc id=\"chart-text\">",
            "budget is 12000000.00",
            "<dl><dt>Spent",
        ] {
            assert!(html.contains(part), "{part}");
        }
        assert_eq!(html.matches("<polygon").count(), 1);
    }
}
