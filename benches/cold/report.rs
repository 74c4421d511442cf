//! What is said of the figures: each beside its goal.

use std::{fs, io, time::Duration};

use super::{
    Arguments, Figures, Pair,
    function::{Function, Start},
    processors::Processors,
    share::Share,
};

/// What shows how far to believe the figures.
pub(crate) fn conditions(
    arguments: &Arguments,
    processors: &Processors,
    share: &Result<Share, io::Error>,
    peer: &Function,
) {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split(' ').take(3).collect();
    println!(
        "cold starts of webhooks-mux: {} of each kind, in turn; medians (95th percentiles)",
        arguments.runs
    );
    println!("peer: {}, @mux/mux-node and AWS SDK v3, bundled", peer.name);
    println!("load of the machine before: {}", load.join(" "));
    if !processors.are_divided() {
        println!("there is one processor only: the table and the functions share it");
    }
    if let Err(error) = share {
        println!("the 128 MB share was not measured: no control group could be made ({error})");
    }
}

/// A line for each figure.
pub(crate) fn table([ours, peer]: &[Function; 2], figures: &Figures) {
    println!(
        "\n{:<36} {:>16} {:>9} {:>18} {:>7} {:>6}",
        "what", "ours", "goal", "peer", "ratio", "goal"
    );
    let whole = &figures.whole;
    time(
        "answered, whole processor",
        whole,
        Some((15.0, 15.0)),
        |it| it.answered,
    );
    time("  until it asks for work", whole, None, |it| it.init);
    if let Some(share) = &figures.share {
        time("answered, 128 MB share", share, Some((40.0, 18.0)), |it| {
            it.answered
        });
        time("  until it asks for work", share, None, |it| it.init);
    }
    let shared = figures.share.as_ref().unwrap_or(whole);
    memory("resident memory", shared, |it| it.resident);
    memory("  at the most", shared, |it| it.most);
    size("function, zipped", ours.zipped, 4.0, peer.zipped);
    size("function", ours.size, 9.0, peer.size);
}

/// `goals`: at most so many milliseconds, and at least so many times as fast as the peer.
fn time(what: &str, pair: &Pair, goals: Option<(f64, f64)>, of: fn(&Start) -> Duration) {
    let millis = |starts: &[Start]| sorted(starts, |it| of(it).as_secs_f64() * 1e3);
    let (ours, peer) = (millis(&pair.ours), millis(&pair.peer));
    let ratio = median(&peer) / median(&ours);
    let (limit, times, verdict) = match goals {
        Some((limit, times)) => (
            format!("≤ {limit:.0} ms"),
            format!("≥ {times:.0}"),
            held(median(&ours) <= limit && ratio >= times),
        ),
        None => (String::new(), String::new(), ""),
    };
    let show = |figures: &[f64]| format!("{:.1} ({:.1}) ms", median(figures), high(figures));
    println!(
        "{what:<36} {:>16} {limit:>9} {:>18} {ratio:>7.1} {times:>6}  {verdict}",
        show(&ours),
        show(&peer)
    );
}

fn memory(what: &str, pair: &Pair, of: fn(&Start) -> u64) {
    let bytes = |starts: &[Start]| sorted(starts, |it| megabytes(of(it)));
    row(
        what,
        median(&bytes(&pair.ours)),
        12.0,
        median(&bytes(&pair.peer)),
    );
}

fn size(what: &str, ours: u64, goal: f64, peer: u64) {
    row(what, megabytes(ours), goal, megabytes(peer));
}

fn row(what: &str, ours: f64, goal: f64, peer: f64) {
    println!(
        "{what:<36} {:>16} {:>9} {:>18} {:>7.1} {:>6}  {}",
        format!("{ours:.2} MB"),
        format!("≤ {goal:.0} MB"),
        format!("{peer:.2} MB"),
        peer / ours,
        "",
        held(ours <= goal)
    );
}

fn held(it: bool) -> &'static str {
    if it { "held" } else { "NOT HELD" }
}

fn sorted(starts: &[Start], of: impl Fn(&Start) -> f64) -> Vec<f64> {
    let mut figures: Vec<f64> = starts.iter().map(of).collect();
    figures.sort_by(f64::total_cmp);
    figures
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

/// The 95th percentile.
fn high(sorted: &[f64]) -> f64 {
    sorted[(sorted.len() * 95).div_ceil(100) - 1]
}

#[expect(clippy::cast_precision_loss, reason = "some millions")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
