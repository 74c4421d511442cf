//! What opening a share link costs, beside the peer: the same endpoint as a team would write it for
//! Node, with Mux's SDK and the AWS SDK, over the same table, on the same machine, in the same run.
//!
//! Goals, without what the table's client costs: 60 µs of processor time where the address was given
//! to somebody within half a minute, 750 µs where it has to be signed.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench fails by panicking, and prints"
)]

mod server;
mod stage;

use clap::Parser;

use self::{
    server::{Cost, Server},
    stage::{Links, Stage},
};

/// Long enough for a figure, short enough that the machine is the same for everybody in it.
const ROUNDS: usize = 16;

/// Measures opening share links, beside the peer in Node.
#[derive(Parser)]
struct Arguments {
    /// How many links are opened once each
    #[arg(long, default_value_t = 400)]
    links: usize,
    /// How often one link is opened
    #[arg(long, default_value_t = 4_000)]
    renewals: usize,
    /// Answers requests with these settings
    #[arg(long, hide = true)]
    serve: Option<String>,
    /// Does only what the table is asked for
    #[arg(long, hide = true)]
    table_only: bool,
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let arguments = Arguments::parse();
    // One thread, as on Lambda.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    match arguments.serve {
        Some(settings) => {
            let settings = serde_json::from_str(&settings).unwrap();
            runtime.block_on(stage::serve(settings, arguments.table_only));
        }
        None => measure(&arguments),
    }
}

fn measure(arguments: &Arguments) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stage = runtime.block_on(Stage::new(arguments.links));
    let settings = &stage.settings;
    // Every viewer has been given something to show when the next token is asked for.
    let mut first = Server::ours(settings, false);
    let links = runtime.block_on(first.grants(&stage.links));
    drop(first);
    let mut servers = [
        Server::ours(settings, true),
        Server::ours(settings, false),
        Server::peer(settings),
    ];
    let (anew, remembered) = runtime.block_on(async {
        for server in &mut servers {
            server.open(&links.first(), 50).await; // warm
        }
        let each: Vec<Links> = links.parts(ROUNDS).collect();
        let anew = rounds(&mut servers, &each, 1).await;
        let one = vec![links.first(); ROUNDS];
        let remembered = rounds(&mut servers, &one, arguments.renewals / ROUNDS).await;
        (anew, remembered)
    });
    println!("opening share links; processor time for each request, and the time to its answer:");
    println!("medians of {ROUNDS} rounds, in each of which everybody has a turn");
    row("signed anew", &anew, 750.0);
    row("remembered for half a minute", &remembered, 60.0);
}

/// What each round cost the table's calls alone, us, and the peer.
async fn rounds(servers: &mut [Server; 3], links: &[Links], times: usize) -> Vec<[Cost; 3]> {
    let mut rounds = Vec::with_capacity(links.len());
    for links in links {
        let [table, ours, peer] = &mut *servers;
        let count = links.len() * times;
        rounds.push([
            table.cost(links, count).await,
            ours.cost(links, count).await,
            peer.cost(links, count).await,
        ]);
    }
    rounds
}

fn row(name: &str, rounds: &[[Cost; 3]], goal: f64) {
    let median = |of: fn(&[Cost; 3]) -> f64| {
        let mut figures: Vec<f64> = rounds.iter().map(of).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    println!(
        "{name}: ours {:.0} µs, of which beside the table {:.0} µs (goal {goal:.0}); answer {:.2} ms",
        median(|[_, ours, _]| ours.micros),
        median(|[table, ours, _]| ours.micros - table.micros),
        median(|[_, ours, _]| ours.millis),
    );
    println!(
        "  @mux/mux-node {:.0} µs, answer {:.2} ms; ratio {:.1}",
        median(|[.., peer]| peer.micros),
        median(|[.., peer]| peer.millis),
        median(|[_, ours, peer]| peer.micros / ours.micros),
    );
}
