//! Reading JSON that providers send without ever failing on what was not expected.
//!
//! [`lenient`] has types that take whatever stands in their place, [`repair`] mends what
//! is nearly JSON, [`limits`] says how much of it is read, [`value`] looks into what was
//! read, and [`mould`] reads again what is like something read before.

pub(crate) mod halves;
mod lenient;
mod limits;
pub(crate) mod mould;
#[cfg(any(test, fuzzing))]
mod quick;
mod repair;
mod value;

pub(crate) use lenient::{Content, Int, List, Maybe, Text, TextOrJson};
pub(crate) use limits::{check_depth, check_size, is_too_deep, room_to_parse};
#[cfg(any(test, fuzzing))]
pub use quick::Quick;
pub(crate) use repair::repair;
pub(crate) use value::{items, text};
