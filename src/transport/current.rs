//! The call that a thread is about: nothing else gets through ureq to its connections.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use super::pipe::SharedPipe;
use crate::cancel_token::CancelToken;
use crate::error::{Error, ErrorKind, Result};
use crate::http::Headers;

/// The header lines of an answer, and where its body comes from if there is one.
type Begun = (Headers, Option<SharedPipe>);

thread_local! {
    static TOKEN: RefCell<Option<Arc<CancelToken>>> = const { RefCell::new(None) };
    static DIALLED: Cell<bool> = const { Cell::new(false) };
    /// Whether any of the request has left this machine, as far as is known.
    static SENT: Cell<bool> = const { Cell::new(false) };
    /// How much of the request is written at once.
    static OUTPUT_SIZE: Cell<usize> = const { Cell::new(4096) };
    /// The header lines of the answer, and where its body comes from.
    static ANSWER: RefCell<Option<Begun>> = const { RefCell::new(None) };
}

/// While it lives, connections that this thread makes or takes up obey one token.
pub(super) struct Current(());

impl Current {
    /// The request which is about to be sent is written `output_size` bytes at a time.
    pub(super) fn enter(token: &Arc<CancelToken>, output_size: usize) -> Current {
        TOKEN.set(Some(Arc::clone(token)));
        DIALLED.set(false);
        SENT.set(false);
        OUTPUT_SIZE.set(output_size);
        Current(())
    }

    /// Whether what was sent since went over a connection from the pool.
    pub(super) fn used_kept_connection(&self) -> bool {
        !DIALLED.get()
    }

    /// Whether anything was sent since.
    pub(super) fn has_sent(&self) -> bool {
        SENT.get()
    }

    /// The header lines of the answer whose head has come, and where its body comes from.
    pub(super) fn answer(&self) -> Begun {
        ANSWER.take().unwrap_or_default()
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        TOKEN.set(None);
        ANSWER.set(None);
    }
}

/// The token of the call at hand.
pub(super) fn token() -> Result<Arc<CancelToken>> {
    TOKEN
        .with_borrow(Option::clone)
        .ok_or_else(|| Error::new(ErrorKind::Internal, "a connection is used outside of a call"))
}

/// A connection is being made.
pub(super) fn set_dialled() {
    DIALLED.set(true);
}

/// Something of the request was sent; or nothing of it yet.
pub(super) fn set_sent(sent: bool) {
    SENT.set(sent);
}

/// How much of the request is written at once.
pub(super) fn output_size() -> usize {
    OUTPUT_SIZE.get()
}

/// The head of the answer has come; `body`: where its body comes from.
pub(super) fn set_answer(headers: Headers, body: Option<SharedPipe>) {
    ANSWER.set(Some((headers, body)));
}
