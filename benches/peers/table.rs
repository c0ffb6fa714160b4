//! The table of a run.

use crate::Options;
use crate::plot::Bar;
use crate::programs::Programs;
use crate::statistics::Spread;

/// A line of the table.
pub struct Row {
    pub what: String,
    pub ours: String,
    /// The peer and its value; empty for a row without one.
    pub peer: String,
    /// Our value over the peer's.
    pub ratio: Option<Spread>,
    pub goal: Option<Goal>,
}

/// What is to be reached.
pub struct Goal {
    pub words: String,
    pub reached: bool,
}

/// At most so many times the peer's value.
pub fn at_most(limit: f64, ratio: Spread) -> Option<Goal> {
    Some(Goal { words: format!("≤ {limit} x"), reached: ratio.median <= limit })
}

#[derive(Default)]
pub struct Table {
    rows: Vec<Row>,
    /// What the plot shows.
    pub bars: Vec<Bar>,
}

impl Table {
    pub fn push(&mut self, row: Row) {
        eprintln!("{}", line(&cells(&row)));
        self.rows.push(row);
    }

    pub fn print(&self, programs: &Programs, options: &Options) {
        println!(
            "Ratio: ours over the peer's, the median of {} pairs, with the quartiles.\n",
            options.pairs
        );
        let heads = ["what", "Tolmach", "peer", "ratio", "goal", "reached"].map(str::to_owned);
        println!("{}", line(&heads));
        println!("{}", line(&heads.map(|_| "---".to_owned())));
        for row in &self.rows {
            println!("{}", line(&cells(row)));
        }
        println!();
        for program in &programs.all {
            if let Err(why) = &program.call {
                println!("missing: {} ({why})", program.name);
            }
        }
        if !options.full {
            println!("not measured without --full: the peers of --install");
        }
    }
}

fn cells(row: &Row) -> [String; 6] {
    let ratio = row
        .ratio
        .map(|ratio| format!("{:.2} x ({:.2} to {:.2})", ratio.median, ratio.low, ratio.high));
    let goal = row.goal.as_ref();
    [
        row.what.clone(),
        row.ours.clone(),
        row.peer.clone(),
        ratio.unwrap_or_default(),
        goal.map(|goal| goal.words.clone()).unwrap_or_default(),
        goal.map(|goal| if goal.reached { "yes" } else { "no" }.to_owned()).unwrap_or_default(),
    ]
}

fn line(cells: &[String; 6]) -> String {
    format!("| {} |", cells.join(" | "))
}
