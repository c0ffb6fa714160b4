//! The plot for the README: bars of the time per chunk, a chart for each kind of stream.

use std::fmt::Write;

use crate::programs::{RAW, TOLMACH};

/// A bar: a program's time per chunk in one of the charts.
pub struct Bar {
    pub chart: String,
    pub name: String,
    pub nanoseconds: f64,
}

const WIDTH: usize = 760;
const LEFT: usize = 150;
const ROW: usize = 20;
const HEAD: usize = 34;

/// An SVG image of the charts, one below the other. The scale is logarithmic: the slowest
/// takes hundreds of times the fastest's.
pub fn svg(bars: &[Bar]) -> String {
    let mut charts: Vec<&str> = bars.iter().map(|bar| bar.chart.as_str()).collect();
    charts.dedup();
    let mut body = String::new();
    let mut y = 0;
    for chart in charts {
        let mut bars: Vec<&Bar> = bars.iter().filter(|bar| bar.chart == chart).collect();
        bars.sort_by(|a, b| a.nanoseconds.total_cmp(&b.nanoseconds));
        draw(&mut body, &mut y, chart, &bars);
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" width=\"{WIDTH}\" height=\"{y}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\">\n\
         <title>Time per chunk, Tolmach beside its peers</title>\n\
         <style>\n\
         text {{ fill: #24292f }} .head {{ font-weight: 600 }} .grid {{ stroke: #d0d7de }} .note {{ fill: #57606a; font-size: 11px }}\n\
         .ours {{ fill: #0969da }} .peer {{ fill: #8c959f }} .raw {{ fill: #c4ccd4 }}\n\
         @media (prefers-color-scheme: dark) {{\n\
         text {{ fill: #e6edf3 }} .grid {{ stroke: #30363d }} .note {{ fill: #8b949e }}\n\
         .ours {{ fill: #4493f8 }} .peer {{ fill: #6e7681 }} .raw {{ fill: #484f58 }} }}\n\
         </style>\n{body}</svg>\n"
    )
}

fn draw(svg: &mut String, y: &mut usize, chart: &str, bars: &[&Bar]) {
    let (Some(least), Some(most)) = (bars.first(), bars.last()) else { return };
    // From a power of ten to one.
    let low = least.nanoseconds.log10().floor();
    let high = most.nanoseconds.log10().ceil().max(low + 1.0);
    let room = (WIDTH - LEFT - 90) as f64;
    let at = |value: f64| LEFT as f64 + room * (value.log10() - low) / (high - low);
    let top = *y + HEAD;
    let bottom = top + bars.len() * ROW;
    let _ = writeln!(svg, "<text class=\"head\" x=\"0\" y=\"{}\">{chart}</text>", *y + 16);
    let mut power = low;
    while power <= high {
        let value = 10_f64.powf(power);
        let _ = writeln!(
            svg,
            "<path class=\"grid\" d=\"M{x:.1} {top}V{bottom}\"/><text class=\"note\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            bottom + 13,
            time(value),
            x = at(value)
        );
        power += 1.0;
    }
    for (row, bar) in bars.iter().enumerate() {
        let (y, text) = (top + row * ROW + 3, top + row * ROW + 14);
        let class = match &*bar.name {
            TOLMACH => "ours",
            RAW => "raw",
            _ => "peer",
        };
        let end = at(bar.nanoseconds);
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{text}\" text-anchor=\"end\">{}</text>\
             <rect class=\"{class}\" x=\"{LEFT}\" y=\"{y}\" width=\"{:.1}\" height=\"14\" rx=\"2\"/>\
             <text x=\"{:.1}\" y=\"{text}\">{}</text>",
            LEFT - 8,
            bar.name,
            end - LEFT as f64,
            end + 6.0,
            time(bar.nanoseconds)
        );
    }
    *y = bottom + 30;
}

/// A time with two or three digits.
fn time(nanoseconds: f64) -> String {
    let (value, unit) =
        if nanoseconds < 1000.0 { (nanoseconds, "ns") } else { (nanoseconds / 1e3, "µs") };
    if value < 10.0 && value.fract() != 0.0 {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.0} {unit}")
    }
}
