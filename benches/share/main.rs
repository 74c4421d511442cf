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
    let run = |server: &mut Server, links: &Links| {
        runtime.block_on(async {
            server.open(links, 50).await; // warm
            let each = server.cost(links, links.len()).await;
            let one = server.cost(&links.first(), arguments.renewals).await;
            (each, one)
        })
    };
    // Every viewer has been given something to show when the next token is asked for.
    let mut first = Server::ours(settings, false);
    let links = runtime.block_on(first.grants(&stage.links));
    drop(first);
    let bare = run(&mut Server::ours(settings, true), &links);
    let ours = run(&mut Server::ours(settings, false), &links);
    let peer = run(&mut Server::peer(settings), &links);
    println!("opening share links; processor time for each request, and the median of the answers");
    row("signed anew", ours.0, bare.0, peer.0, 750.0);
    row("remembered for half a minute", ours.1, bare.1, peer.1, 60.0);
}

fn row(name: &str, ours: Cost, table: Cost, peer: Cost, goal: f64) {
    println!(
        "{name}: ours {:.0} µs, of which beside the table {:.0} µs (goal {goal:.0}); median {:.2} ms",
        ours.micros,
        ours.micros - table.micros,
        ours.median.as_secs_f64() * 1e3,
    );
    println!(
        "  @mux/mux-node {:.0} µs, median {:.2} ms; ratio {:.1}",
        peer.micros,
        peer.median.as_secs_f64() * 1e3,
        peer.micros / ours.micros,
    );
}
