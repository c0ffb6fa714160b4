//! [`Control`]: what other threads, and signal handlers, may do to a session.

use std::sync::Arc;

use super::bell;
use super::queue::Queue;
use super::readiness::Ready;
use crate::cancel_token::CancelToken;

/// What may be done to a session from any thread, at any time.
#[derive(Clone)]
pub struct Control {
    pub(super) queue: Arc<Queue>,
    pub(super) token: Arc<CancelToken>,
}

impl Control {
    /// Ends the session at once: its socket is closed, its poll returns, now and later.
    /// A signal handler may call it: it takes no lock and allocates nothing.
    pub fn cancel(&self) {
        self.token.set_cancelled();
        bell::ring(|| {
            if let Some(ready) = self.end() {
                ready.call();
            }
        });
    }

    /// What a cancellation does, for who may take locks. Returns the callback to be called.
    pub(super) fn end(&self) -> Option<Arc<Ready>> {
        self.token.cancel();
        self.queue.cancel()
    }

    /// A descriptor that is readable exactly while a poll would not be pending; `None`
    /// where the system has no such thing. It stays the session's: never read or close it.
    pub fn fd(&self) -> Option<i32> {
        self.queue.fd()
    }

    /// Calls `ready` whenever polls stop being pending; at once where they are not now.
    pub fn on_ready(&self, ready: Option<Ready>) {
        self.queue.on_ready(ready.map(Arc::new));
    }
}
