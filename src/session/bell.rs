//! The bell that tells the interrupter of a cancellation: safe in a signal handler, for
//! ringing it is one `write` to a descriptor.

use once_cell::race::OnceBox;

use super::descriptor::Descriptor;
use crate::error::{Error, ErrorKind, Result};
use crate::process::PerProcess;

static BELL: PerProcess<OnceBox<Descriptor>> = PerProcess::new();

/// Makes the bell, if there is none yet.
///
/// # Errors
/// [`ErrorKind::NoMemory`] when the system gives no descriptor.
pub(super) fn make() -> Result<()> {
    if cfg!(unix) {
        BELL.get().get_or_try_init(|| Descriptor::new().map(Box::new).ok_or_else(full))?;
    }
    Ok(())
}

/// Rings the bell. Safe in a signal handler. Where there is none, on a system without
/// signals, the caller does the work `otherwise`.
pub(super) fn ring(otherwise: impl FnOnce()) {
    match BELL.get().get() {
        Some(bell) => bell.raise(),
        None => otherwise(),
    }
}

/// Waits until the bell rings; false when it cannot be waited for.
pub(super) fn wait() -> bool {
    BELL.get().get().is_some_and(Descriptor::wait)
}

fn full() -> Error {
    Error::new(
        ErrorKind::NoMemory,
        "the process has no file descriptors left: close sessions, or raise its limit (ulimit -n)",
    )
}
