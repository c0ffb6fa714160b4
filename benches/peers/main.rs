//! Tolmach beside its peers, in one run on one machine: benches/README.md.
//!
//!     cargo bench --bench peers                # about a minute
//!     cargo bench --bench peers -- --full      # everything
//!     cargo bench --bench peers -- --install   # fetches and builds the peers that need it

#![allow(
    unreachable_pub,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::panic,
    clippy::exit,
    clippy::indexing_slicing,
    clippy::let_underscore_must_use,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a benchmark prints, and fails where it cannot go on"
)]

mod build;
mod plot;
mod programs;
mod rows;
mod server;
mod serving;
mod statistics;
mod streams;
mod table;

use std::env;
use std::process::exit;

use programs::Programs;
use table::Table;

/// What a run measures.
struct Options {
    full: bool,
    /// How many pairs a ratio is the median of.
    pairs: usize,
    /// Groups of rows to run; empty for all.
    only: Vec<String>,
    /// Where the plot is written.
    plot: Option<String>,
}

const USAGE: &str = "usage: cargo bench --bench peers -- [--full] [--pairs N] [--only GROUP,...] [--plot FILE.svg] | --install";

fn main() {
    let mut options = Options { full: false, pairs: 7, only: Vec::new(), plot: None };
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        match &*arg {
            // What cargo says to every benchmark.
            "--bench" => {}
            "--full" => options.full = true,
            "--pairs" => options.pairs = args.next().and_then(|n| n.parse().ok()).unwrap_or(7),
            "--only" => {
                options.only =
                    args.next().unwrap_or_default().split(',').map(str::to_owned).collect();
            }
            "--plot" => options.plot = args.next(),
            "--install" => {
                programs::install();
                return;
            }
            "serve" => {
                server::run();
                return;
            }
            _ => {
                eprintln!("{USAGE}");
                exit(2);
            }
        }
    }
    let programs = Programs::build(options.full);
    let mut table = Table::default();
    rows::measure(&programs, &options, &mut table);
    table.print(&programs, &options);
    if let Some(path) = &options.plot {
        std::fs::write(path, plot::svg(&table.bars)).unwrap();
        eprintln!("wrote {path}");
    }
}
