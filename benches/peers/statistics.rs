//! Medians and quartiles.

/// The quartiles of some numbers.
#[derive(Clone, Copy)]
pub struct Spread {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

pub fn spread(mut numbers: Vec<f64>) -> Spread {
    numbers.sort_by(f64::total_cmp);
    Spread {
        low: quantile(&numbers, 0.25),
        median: quantile(&numbers, 0.5),
        high: quantile(&numbers, 0.75),
    }
}

pub fn median(numbers: Vec<f64>) -> f64 {
    spread(numbers).median
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a position within the numbers"
)]
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let position = share * last as f64;
    let (below, rest) = (position as usize, position.fract());
    let above = sorted[(below + 1).min(last)];
    sorted[below] * (1.0 - rest) + above * rest
}
