//! For tests: whether moulds are used, and how often they were.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Of all answers to requests with one config.
#[derive(Clone, Default)]
pub struct Quick(Arc<(AtomicBool, AtomicU64)>);

impl Quick {
    /// From now on, events that are like one before them are parsed all the same.
    pub fn turn_off(&self) {
        self.0.0.store(true, Ordering::SeqCst);
    }

    /// How many events were not parsed.
    pub fn hits(&self) -> u64 {
        self.0.1.load(Ordering::SeqCst)
    }

    /// Whether an event that fits a mould is not parsed, which counts as a hit.
    pub(crate) fn is_used(&self) -> bool {
        let is_used = !self.0.0.load(Ordering::SeqCst);
        self.0.1.fetch_add(u64::from(is_used), Ordering::SeqCst);
        is_used
    }
}
