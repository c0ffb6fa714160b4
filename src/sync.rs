//! The locks of the hand-over of chunks: std's, or those of loom, which tries every order in
//! which threads can take them (see tests/README.md).

#[cfg(all(test, loom))]
pub(crate) use loom::sync::{Arc, Condvar, Mutex, MutexGuard, atomic};
#[cfg(not(all(test, loom)))]
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, atomic};
