//! [`Limits`]: how long a call may take.

use std::time::Duration;

/// The deadlines of a call; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Limits {
    /// Resolving, connecting, proxy and TLS handshake together.
    pub(crate) connect: Option<Duration>,
    /// From the request's being sent to the first chunk.
    pub(crate) first_byte: Option<Duration>,
    /// Between chunks.
    pub(crate) idle: Option<Duration>,
    /// Everything, retries and their waits included.
    pub(crate) total: Option<Duration>,
}
