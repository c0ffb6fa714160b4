//! The list of models, for who waits for all of it: a session that is polled to its end.

use std::time::Duration;

use super::{Polled, Session};
use crate::cancel_token::CancelToken;
use crate::chunk::ChunkKind;
use crate::client::{Call, Client};
use crate::config::Limits;
use crate::error::Result;
use crate::memory;
use crate::model::Model;

impl Client {
    /// The models there are, in the provider's order. Blocks up to `timeout`.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) when the provider lists none;
    /// any that a session can end with.
    pub fn models(&self, timeout: Option<Duration>) -> Result<Vec<Model>> {
        let limits = self.config().limits;
        let token = match timeout {
            Some(total) => {
                CancelToken::limited(Limits { total: Some(total), ..limits }, "timeout_ms")
            }
            None => CancelToken::new(limits),
        };
        let mut session = Session::begin(self, Call::Models, None, token)?;
        let mut models = Vec::new();
        loop {
            match session.poll(None)? {
                Polled::Chunk(chunk) if chunk.kind == ChunkKind::Model => {
                    memory::push(&mut models, Model::of_chunk(&chunk)?)?;
                }
                Polled::Chunk(_) | Polled::Pending => {}
                Polled::End => return Ok(models),
            }
        }
    }
}
