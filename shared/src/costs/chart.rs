//! The budget curve of a report as an SVG: what was spent, what is expected with its band, and the budget.
//!
//! No script and no style: only presentation attributes, which the strictest policy of a page allows.

use std::fmt::{self, Write};

use super::{
    money::Money,
    report::{DayLine, Report},
};

/// The drawing, in its own units.
const WIDTH: i64 = 720;
const HEIGHT: i64 = 300;
const LEFT: i64 = 84;
const RIGHT: i64 = 16;
const TOP: i64 = 16;
const BOTTOM: i64 = 36;

/// Lines at these parts of the height.
const STEPS: i64 = 4;

/// Where amounts and days stand in the drawing.
struct Scale {
    days: i64,
    /// What the top of the drawing stands for.
    most: i64,
}

impl Scale {
    fn of(report: &Report) -> Self {
        let high = report.forecast.as_ref().map(|it| it.high);
        let budget = report.budget.as_ref().map(|it| it.budget);
        let most = [Some(report.spent), high, budget].into_iter().flatten();
        let most = most.max().unwrap_or_default().micros();
        Self {
            days: i64::from(report.period.length()),
            most: round_up(most.max(1_000_000)),
        }
    }

    /// The end of a day; 0 is the beginning of the month.
    fn x(&self, day: i64) -> i64 {
        LEFT + (WIDTH - LEFT - RIGHT) * day / self.days
    }

    fn y(&self, amount: Money) -> i64 {
        let share = i128::from(amount.micros()) * i128::from(HEIGHT - TOP - BOTTOM);
        let up = i64::try_from(share / i128::from(self.most)).unwrap_or(0);
        HEIGHT - BOTTOM - up
    }
}

/// To the next 1, 2 or 5 times a power of ten, so that the lines stand at amounts that people say.
fn round_up(most: i64) -> i64 {
    let mut unit = 1_i64;
    while let Some(next) = unit.checked_mul(10).filter(|next| *next <= most) {
        unit = next;
    }
    let steps = [1, 2, 4, 8, 10].map(|it| unit.saturating_mul(it));
    steps.into_iter().find(|it| *it >= most).unwrap_or(most)
}

/// Draws the report. `name` and `text` are what is read to those who do not see it; escaped already.
pub(super) fn chart(report: &Report, name: &str, text: &str) -> Result<String, fmt::Error> {
    let (scale, mut svg) = (Scale::of(report), String::new());
    write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-labelledby=\"chart-title chart-text\" font-family=\"system-ui, sans-serif\" \
         font-size=\"12\" fill=\"currentColor\"><title id=\"chart-title\">{name}</title>\
         <desc id=\"chart-text\">{text}</desc>"
    )?;
    frame(&mut svg, &scale)?;
    band(&mut svg, &scale, report)?;
    spent(&mut svg, &scale, &report.days)?;
    if let Some(budget) = &report.budget {
        let y = scale.y(budget.budget);
        write!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\" stroke=\"#c2410c\" \
             stroke-width=\"2\" stroke-dasharray=\"8 4\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\">budget {}</text>",
            WIDTH - RIGHT,
            WIDTH - RIGHT,
            if y < TOP + 16 { y + 14 } else { y - 6 },
            budget.budget.to_cents()
        )?;
    }
    svg.push_str("</svg>");
    Ok(svg)
}

fn frame(svg: &mut String, scale: &Scale) -> fmt::Result {
    for step in 0..=STEPS {
        let amount = Money::of_micros(scale.most / STEPS * step);
        let y = scale.y(amount);
        write!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\" stroke=\"currentColor\" \
             stroke-opacity=\"0.2\"/><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 8,
            y + 4,
            amount.to_cents()
        )?;
    }
    for day in (1..=scale.days).step_by(7) {
        let x = scale.x(day);
        let y = HEIGHT - BOTTOM + 18;
        write!(
            svg,
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{day}</text>"
        )?;
    }
    Ok(())
}

/// What is expected, and between what it will be.
fn band(svg: &mut String, scale: &Scale, report: &Report) -> fmt::Result {
    let Some(forecast) = &report.forecast else {
        return Ok(());
    };
    let ahead = || forecast.curve.iter();
    let Some(first) = ahead().next() else {
        return Ok(());
    };
    let before = i64::from(first.day.day()) - 1;
    let start = report
        .days
        .iter()
        .find(|it| i64::from(it.day.day()) == before);
    let start = start.map_or(Money::ZERO, |it| it.spent);
    let point = |day: i64, amount: Money| format!("{},{}", scale.x(day), scale.y(amount));
    let start = point(before, start);
    let points = |of: fn(&super::forecast::Ahead) -> Money| -> Vec<String> {
        ahead()
            .map(|it| point(it.day.day().into(), of(it)))
            .collect()
    };
    let (high, mut low) = (points(|it| it.high), points(|it| it.low));
    low.reverse();
    write!(
        svg,
        "<polygon points=\"{start} {} {}\" fill=\"#2563eb\" fill-opacity=\"0.18\"/>\
         <polyline points=\"{start} {}\" fill=\"none\" stroke=\"#2563eb\" stroke-width=\"2\" \
         stroke-dasharray=\"2 4\"/>",
        high.join(" "),
        low.join(" "),
        points(|it| it.expected).join(" ")
    )
}

fn spent(svg: &mut String, scale: &Scale, days: &[DayLine]) -> fmt::Result {
    let start = format!("{},{}", scale.x(0), scale.y(Money::ZERO));
    let points = days
        .iter()
        .map(|it| format!("{},{}", scale.x(it.day.day().into()), scale.y(it.spent)));
    let points: Vec<String> = [start].into_iter().chain(points).collect();
    write!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#2563eb\" stroke-width=\"3\"/>",
        points.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::round_up;

    #[test]
    fn the_top_is_an_amount_that_divides_well() {
        let tops = [1, 3, 41, 99, 100, 101, 850].map(round_up);
        assert_eq!(tops, [1, 4, 80, 100, 100, 200, 1_000]);
    }
}
