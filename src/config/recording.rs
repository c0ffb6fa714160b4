//! [`RecordingChoice`]: what is recorded, and what is played.

use std::path::PathBuf;

/// What a client does beside talking to servers, or in the place of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RecordingChoice {
    pub(crate) record: Option<PathBuf>,
    pub(crate) replay: Option<PathBuf>,
    /// Plays with the pauses that there were.
    pub(crate) timing: bool,
}

impl RecordingChoice {
    pub(crate) fn is_used(&self) -> bool {
        self.record.is_some() || self.replay.is_some()
    }
}
