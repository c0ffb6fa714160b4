//! The rows of the table: what is run, and what is made of it.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::Options;
use crate::build::{Sample, sample};
use crate::plot::Bar;
use crate::programs::{CJSON, Program, Programs, RAW, SIMDJSON, TOLMACH};
use crate::statistics::{median, spread};
use crate::streams::{self, BLOCK, DIALECTS, OPENAI};
use crate::table::{Goal, Row, Table, at_most};

pub fn measure(programs: &Programs, options: &Options, table: &mut Table) {
    let run = Run { programs, options };
    for (name, group) in GROUPS {
        if options.only.is_empty() || options.only.iter().any(|only| only == name) {
            let start = Instant::now();
            eprintln!("\n== {name}");
            group(&run, table);
            eprintln!("({:.0} s)", start.elapsed().as_secs_f64());
        }
    }
}

type Group = fn(&Run, &mut Table);

const GROUPS: [(&str, Group); 8] = [
    ("flood", floods),
    ("dialects", dialects),
    ("allocations", allocations),
    ("paced", paced),
    ("many", many),
    ("start", start),
    ("cancel", cancel),
    ("size", size),
];

/// How a value is written.
type Unit = fn(f64) -> String;

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
    unit: Unit,
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

/// A row for a value of ours alone, and the most that it should be.
fn absolute(what: &str, values: Vec<f64>, unit: Unit, most: Option<f64>) -> Row {
    let value = median(values);
    Row {
        what: what.to_owned(),
        ours: unit(value),
        peer: String::new(),
        ratio: None,
        goal: most
            .map(|most| Goal { words: format!("≤ {}", unit(most)), reached: value <= most }),
    }
}

fn nanoseconds(value: f64) -> String {
    if value < 10_000.0 { format!("{value:.0} ns") } else { format!("{:.1} µs", value / 1e3) }
}

fn microseconds(value: f64) -> String {
    format!("{:.1} µs", value / 1e3)
}

fn plain(value: f64) -> String {
    format!("{value:.2}")
}

fn kibibytes(value: f64) -> String {
    format!("{value:.0} KiB")
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
    let columns: [(&str, &str, f64, Unit); 4] = [
        ("p50", "paced, write to chunk in hand, p50", 1.0, microseconds),
        ("p99", "paced, write to chunk in hand, p99", 1.0, microseconds),
        ("cpu", "paced, CPU per chunk", each, microseconds),
        ("switches", "paced, waits per chunk", each, plain),
    ];
    for (value, what, divisor, unit) in columns {
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
    for (what, caller) in [("caller", true), ("worker", false)] {
        let waits = values(&samples, TOLMACH, |sample| {
            let caller_waits = sample.get("caller");
            if caller {
                caller_waits / each
            } else {
                (sample.get("switches") - caller_waits) / each
            }
        });
        let what = format!("paced, waits per chunk of the {what}");
        // What opens and ends the session is no chunk's.
        let row = absolute(&what, waits, plain, Some(1.05));
        table
            .push(Row { goal: row.goal.map(|goal| Goal { words: "1".to_owned(), ..goal }), ..row });
    }
}

/// Allocations per chunk: what twice the chunks take more, by the chunk.
fn allocations(run: &Run, table: &mut Table) {
    let shim = run.programs.target.join("allocations.so");
    let Some(tolmach) = run.programs.named(TOLMACH) else { return };
    let count = 20_000;
    let difference = |program: &Program, stream: &str, more: &[&str]| -> Option<f64> {
        let total = |count: usize| -> Option<f64> {
            let url = run.url(stream, count);
            let args: Vec<&str> = ["flood", &url].into_iter().chain(more.iter().copied()).collect();
            Some(program.sample(&args, Some(&shim))?.get("allocations"))
        };
        Some((total(2 * count)? - total(count)?) / count as f64)
    };
    for kind in ["flood", "varied"] {
        for dialect in DIALECTS {
            let key = if dialect == "gigachat" { "access_token=t" } else { "api_key=key" };
            let stream = format!("{dialect}.{kind}");
            let ours = difference(tolmach, &stream, &[dialect, key]).unwrap_or(f64::NAN);
            // Buffers still grow now and then; 0 is fewer than one in a thousand chunks.
            let goal = Goal { words: "0".to_owned(), reached: ours < 0.001 };
            let peer = run.programs.named(SIMDJSON).filter(|_| dialect == OPENAI);
            let peer = peer.and_then(|peer| difference(peer, &stream, &[]));
            table.push(Row {
                what: format!("allocations per chunk, {dialect} {kind}"),
                ours: format!("{ours:.3}"),
                peer: peer.map(|peer| format!("{SIMDJSON} {peer:.3}")).unwrap_or_default(),
                ratio: None,
                goal: Some(goal),
            });
        }
    }
}

/// Many sessions at once: what an idle one holds, and the CPU of streams of 50 chunks a second.
fn many(run: &Run, table: &mut Table) {
    let sessions = if run.options.full { 1000 } else { 200 };
    let sessions_text = sessions.to_string();
    let server = &run.programs.server;
    let certificate = format!("ca_file={}", run.programs.target.join("certificate.pem").display());
    let program = run.programs.target.join("many");
    let ours = |mode: &str, url: &str| -> Option<Sample> {
        let mut command = Command::new(&program);
        command.args([mode, url, &sessions_text, "api_key=key", &certificate]);
        sample(&mut command).map_err(|error| eprintln!("many {mode} {url}: {error}")).ok()
    };
    let idle_pairs = if run.options.full { run.options.pairs } else { 3 };
    for (word, address, most) in [("plain", &server.plain, 40.0), ("TLS", &server.tls, 60.0)] {
        let url = format!("{address}/idle/1/0");
        let samples: Vec<Sample> = (0..idle_pairs).filter_map(|_| ours("idle", &url)).collect();
        let all = |name: &str| samples.iter().map(|sample| sample.get(name)).collect();
        let what = |name: &str| format!("idle session of {sessions}, {word}, {name}");
        let mut memory = absolute(&what("memory"), all("memory"), kibibytes, Some(most));
        let peer = run.programs.named(SIMDJSON).filter(|_| word == "plain");
        if let Some(peer) = peer.and_then(|peer| peer.sample(&["idle", &url, &sessions_text], None))
        {
            memory.peer = format!("{SIMDJSON} {}", kibibytes(peer.get("memory")));
        }
        table.push(memory);
        table.push(absolute(&what("threads"), all("threads"), plain, None));
        table.push(absolute(&what("descriptors"), all("descriptors"), plain, None));
    }
    let events = if run.options.full { 250 } else { 50 };
    let url = run.url("rate", events);
    let programs = run.programs.all.iter().filter(|p| p.name == TOLMACH || p.name == SIMDJSON);
    let samples = run.in_turn(programs, |program| match program.name {
        TOLMACH => ours("rate", &url),
        _ => program.sample(&["rate", &url, &sessions_text], None),
    });
    let each = (events * sessions) as f64;
    let what = |name: &str| format!("{sessions} sessions of 50 chunks a second, {name}");
    let columns: [(&str, &str, f64, Unit); 2] =
        [("cpu", "CPU per chunk", each, microseconds), ("p50", "p50", 1.0, microseconds)];
    for (value, name, divisor, unit) in columns {
        let row = compare(&samples, what(name), SIMDJSON, None, unit, |_, sample| {
            sample.get(value) / divisor
        });
        row.into_iter().for_each(|row| table.push(row));
    }
}

/// From loading the library to the request at the server.
fn start(run: &Run, table: &mut Table) {
    let libraries = [
        (TOLMACH, "tolmach", run.programs.target.join("lib/libtolmach.so")),
        ("libcurl", "libcurl", "libcurl.so.4".into()),
    ];
    let url = run.url("stamp", 1);
    let mut samples = Samples::new();
    // Cheap, so that there are more of them.
    for _ in 0..3 * run.options.pairs {
        for (name, word, library) in &libraries {
            let mut command = Command::new(run.programs.target.join("start"));
            command.arg(word).arg(library).arg(&url);
            match sample(&mut command) {
                Ok(sample) => samples.entry(name).or_default().push(sample),
                Err(error) => eprintln!("start {word}: {error}"),
            }
        }
    }
    for (value, what, goal) in [
        ("first", "start, dlopen to request at the server", Some(1.5)),
        ("second", "start, a second session on the open connection", None),
    ] {
        let row = compare(&samples, what.to_owned(), "libcurl", goal, microseconds, |_, sample| {
            sample.get(value)
        });
        row.into_iter().for_each(|row| table.push(row));
    }
}

/// From cancel to poll's return, and to the end at the server.
fn cancel(run: &Run, table: &mut Table) {
    let count = if run.options.full { 500 } else { 100 };
    let url = format!("{}/idle/1", run.programs.server.plain);
    let mut command = Command::new(run.programs.target.join("cancel"));
    command.args([&url, &count.to_string()]);
    let sample = match sample(&mut command) {
        Ok(sample) => sample,
        Err(error) => return eprintln!("cancel: {error}"),
    };
    for (value, what, most) in [
        ("poll50", "cancel to poll's return, p50", None),
        ("poll99", "cancel to poll's return, p99", Some(2e6)),
        ("gone50", "cancel to the server's seeing the end, p50", None),
        ("gone99", "cancel to the server's seeing the end, p99", None),
    ] {
        table.push(absolute(what, vec![sample.get(value)], microseconds, most));
    }
}

/// The shared library's size, and what it exports.
fn size(run: &Run, table: &mut Table) {
    let library = run.programs.target.join("lib/libtolmach.so");
    let mebibytes: Unit = |bytes| format!("{:.2} MiB", bytes / f64::from(1 << 20));
    let bytes = |path: &Path| fs::metadata(path).map(|data| data.len() as f64).ok();
    let mut row = absolute(
        "size of the shared library",
        bytes(&library).into_iter().collect(),
        mebibytes,
        Some(2.4 * f64::from(1 << 20)),
    );
    let built = run.programs.target.join("build/release");
    let peers: Vec<String> =
        [("aimux-ffi", "libpeer_aimux_ffi.so"), ("liter-llm-ffi", "libpeer_liter_llm_ffi.so")]
            .into_iter()
            .filter_map(|(name, file)| {
                Some(format!("{name} {}", mebibytes(bytes(&built.join(file))?)))
            })
            .collect();
    row.peer = peers.join(", ");
    table.push(row);

    let header = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/include/tolmach.h"));
    let mut declared = declared(&header.unwrap());
    let symbols = Command::new("nm").args(["-D", "--defined-only"]).arg(&library).output();
    let Ok(symbols) = symbols else { return eprintln!("nm is missing: no row for the symbols") };
    let symbols = String::from_utf8_lossy(&symbols.stdout).into_owned();
    let mut exported: Vec<&str> =
        symbols.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    declared.sort_unstable();
    exported.sort_unstable();
    table.push(Row {
        what: "exported symbols".to_owned(),
        ours: exported.len().to_string(),
        peer: String::new(),
        ratio: None,
        goal: Some(Goal {
            words: format!("the header's {}", declared.len()),
            reached: exported == declared,
        }),
    });
}

/// The functions that the header declares.
fn declared(header: &str) -> Vec<String> {
    let words: Vec<&str> = header.split_whitespace().collect();
    let mut functions = Vec::new();
    for (at, _) in words.iter().enumerate().filter(|(_, word)| **word == "TOLMACH_API") {
        let name = words[at..].iter().find_map(|word| word.split_once('('));
        functions.extend(name.map(|(name, _)| name.trim_start_matches('*').to_owned()));
    }
    functions.retain(|name| name.starts_with("tolmach_"));
    functions
}
