//! The rows of the table: what is run, and what is made of it.

use std::collections::HashMap;

use crate::Options;
use crate::plot::Bar;
use crate::programs::{CJSON, Program, Programs, RAW, SIMDJSON, Sample, TOLMACH};
use crate::statistics::{median, spread};
use crate::streams::{self, BLOCK, DIALECTS, OPENAI};
use crate::table::{Row, Table, at_most};

pub fn measure(programs: &Programs, options: &Options, table: &mut Table) {
    let groups: [(&str, fn(&Run, &mut Table)); 3] =
        [("flood", floods), ("dialects", dialects), ("paced", paced)];
    let run = Run { programs, options };
    for (name, group) in groups {
        if options.only.is_empty() || options.only.iter().any(|only| only == name) {
            eprintln!("\n== {name}");
            group(&run, table);
        }
    }
}

struct Run<'a> {
    programs: &'a Programs,
    options: &'a Options,
}

/// The samples of each program, one for each pair.
type Samples = HashMap<&'static str, Vec<Sample>>;

impl Run<'_> {
    fn url(&self, kind: &str, count: usize) -> String {
        format!("{}/{kind}/{count}/0", self.programs.server.plain)
    }

    /// Runs the programs in turn, once for each pair. A program that fails is left out.
    fn in_turn<'p>(
        &self,
        programs: impl Iterator<Item = &'p Program> + Clone,
        sample: impl Fn(&Program) -> Option<Sample>,
    ) -> Samples {
        let mut samples = Samples::new();
        for round in 0..self.options.pairs {
            eprint!("\r{} of {} ", round + 1, self.options.pairs);
            for program in programs.clone() {
                if round > 0 && !samples.contains_key(program.name) {
                    continue;
                }
                match sample(program) {
                    Some(sample) => samples.entry(program.name).or_default().push(sample),
                    None => drop(samples.remove(program.name)),
                }
            }
        }
        eprintln!();
        samples
    }
}

/// A value of a program's samples, for each pair.
fn values(samples: &Samples, name: &str, value: impl Fn(&Sample) -> f64) -> Vec<f64> {
    samples.get(name).into_iter().flatten().map(value).collect()
}

/// A row for a value of ours and of a peer, if both were measured.
fn compare(
    samples: &Samples,
    what: String,
    peer: &str,
    goal: Option<f64>,
    unit: fn(f64) -> String,
    value: impl Fn(&str, &Sample) -> f64,
) -> Option<Row> {
    let ours = values(samples, TOLMACH, |sample| value(TOLMACH, sample));
    let theirs = values(samples, peer, |sample| value(peer, sample));
    if ours.is_empty() || theirs.is_empty() {
        return None;
    }
    let ratio = spread(ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect());
    Some(Row {
        what,
        ours: unit(median(ours)),
        peer: format!("{peer} {}", unit(median(theirs))),
        ratio: Some(ratio),
        goal: goal.and_then(|goal| at_most(goal, ratio)),
    })
}

fn nanoseconds(value: f64) -> String {
    if value < 10_000.0 { format!("{value:.0} ns") } else { format!("{:.1} µs", value / 1e3) }
}

fn microseconds(value: f64) -> String {
    format!("{:.1} µs", value / 1e3)
}

fn blocks(count: usize) -> usize {
    count.div_ceil(BLOCK) * BLOCK
}

/// The same answer for each program, at full speed: time and CPU per chunk.
fn floods(run: &Run, table: &mut Table) {
    let million = if run.options.full { 1_000_000 } else { 200_000 };
    for (kind, name) in
        [("flood", "flood"), ("split", "flood, an HTTP chunk each"), ("varied", "varied")]
    {
        let stream = streams::stream(OPENAI, kind).unwrap();
        let count = |program: &Program| blocks(million / program.slower);
        let samples = run.in_turn(run.programs.all.iter(), |program| {
            let count = count(program);
            let url = run.url(&format!("{OPENAI}.{kind}"), count);
            let sample = program.sample(&["flood", &url], None)?;
            let (text, all) = (sample.get("text"), stream.text(count) as f64);
            if program.name != RAW && text != all {
                eprintln!("{} read {text} bytes of text instead of {all}", program.name);
                return None;
            }
            Some(sample)
        });
        for (value, word) in [("wall", "wall"), ("cpu", "CPU")] {
            for program in &run.programs.all {
                let goal = match (kind, value, program.name) {
                    ("flood", "wall", SIMDJSON) => Some(1.0),
                    ("flood", "wall", RAW) => Some(2.0),
                    ("flood", "cpu", SIMDJSON) | ("varied", "wall", SIMDJSON) => Some(1.2),
                    ("varied", "cpu", SIMDJSON) => Some(1.5),
                    _ => None,
                };
                let per_chunk = |name: &str, sample: &Sample| {
                    sample.get(value) / count(run.programs.named(name).unwrap()) as f64
                };
                if kind != "split" {
                    let all = values(&samples, program.name, |s| per_chunk(program.name, s));
                    if !all.is_empty() {
                        table.bars.push(Bar {
                            chart: format!("{name}, {word} per chunk"),
                            name: program.name.to_owned(),
                            nanoseconds: median(all),
                        });
                    }
                }
                let what = format!("{name}, {word} per chunk");
                if program.name != TOLMACH {
                    let row = compare(&samples, what, program.name, goal, nanoseconds, per_chunk);
                    row.into_iter().for_each(|row| table.push(row));
                }
            }
        }
    }
}

/// Each dialect beside OpenAI's, by the byte.
fn dialects(run: &Run, table: &mut Table) {
    let count = if run.options.full { 500_000 } else { 100_000 };
    let Some(tolmach) = run.programs.named(TOLMACH) else { return };
    for kind in ["flood", "varied"] {
        let mut samples: Vec<Vec<Sample>> = DIALECTS.iter().map(|_| Vec::new()).collect();
        let streams = DIALECTS.map(|dialect| streams::stream(dialect, kind).unwrap());
        for round in 0..run.options.pairs {
            eprint!("\r{} of {} ", round + 1, run.options.pairs);
            for (at, dialect) in DIALECTS.iter().enumerate() {
                let url = run.url(&format!("{dialect}.{kind}"), count);
                let key = if *dialect == "gigachat" { "access_token=t" } else { "api_key=key" };
                let sample = tolmach.sample(&["flood", &url, dialect, key], None);
                let sample = sample.unwrap_or_else(|| panic!("{dialect} is not read"));
                assert_eq!(sample.get("text"), streams[at].text(count) as f64, "{dialect}");
                samples[at].push(sample);
            }
        }
        eprintln!();
        for (value, word) in [("wall", "wall"), ("cpu", "CPU")] {
            let per_byte = |at: usize| -> Vec<f64> {
                let bytes = streams[at].bytes(count) as f64;
                samples[at].iter().map(|sample| sample.get(value) / bytes).collect()
            };
            for (at, dialect) in DIALECTS.iter().enumerate().skip(1) {
                let (ours, base) = (per_byte(at), per_byte(0));
                let ratio = spread(ours.iter().zip(&base).map(|(a, b)| a / b).collect());
                let unit = |value: f64| format!("{value:.2} ns");
                table.push(Row {
                    what: format!("{dialect} {kind}, {word} per byte"),
                    ours: unit(median(ours)),
                    peer: format!("{OPENAI} {}", unit(median(base))),
                    ratio: Some(ratio),
                    goal: if value == "wall" { at_most(1.5, ratio) } else { None },
                });
            }
        }
    }
}

/// Chunks 1 ms apart: how late each is in hand.
fn paced(run: &Run, table: &mut Table) {
    let count = if run.options.full { 2000 } else { 500 };
    let programs: Vec<&Program> = run
        .programs
        .all
        .iter()
        .filter(|program| program.name != RAW && (run.options.full || program.name != CJSON))
        .collect();
    let url = run.url("paced", count);
    let samples =
        run.in_turn(programs.iter().copied(), |program| program.sample(&["paced", &url], None));
    let each = count as f64;
    let values: [(&str, &str, f64, fn(f64) -> String); 4] = [
        ("p50", "paced, write to chunk in hand, p50", 1.0, microseconds),
        ("p99", "paced, write to chunk in hand, p99", 1.0, microseconds),
        ("cpu", "paced, CPU per chunk", each, microseconds),
        ("switches", "paced, waits per chunk", each, |value| format!("{value:.2}")),
    ];
    for (value, what, divisor, unit) in values {
        for program in &programs {
            if program.name == TOLMACH {
                continue;
            }
            let goal = (value == "p50" && program.name == SIMDJSON).then_some(1.15);
            let row = compare(&samples, what.to_owned(), program.name, goal, unit, |_, sample| {
                sample.get(value) / divisor
            });
            row.into_iter().for_each(|row| table.push(row));
        }
    }
}
