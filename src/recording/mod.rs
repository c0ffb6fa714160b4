//! Exchanges with servers, written to a file and played back from it without a network.
//!
//! A recording is JSON Lines. The first says what it is; of the others each is a moment of
//! an exchange, `at_ms` milliseconds after its request:
//!
//! ```text
//! {"tolmach_recording":1}
//! {"exchange":1,"at_ms":0,"method":"POST","url":"https://...","body":"{\"model\":..."}
//! {"exchange":1,"at_ms":312,"status":200,"headers":[["content-type","text/event-stream"]]}
//! {"exchange":1,"at_ms":312,"text":"data: ..."}      or "base64" for what is no UTF-8
//! {"exchange":1,"at_ms":640,"end":true}              or "failed":-18,"message":"..."
//! ```
//!
//! Bodies are written as they were before compression. Headers of requests are not written,
//! and no credential is: neither one that is known, nor one that an exchange is there to
//! get. `"end":false` is an end that nothing vouched for. An exchange without an end was left
//! before it: it ends truncated when played. So does what follows a last line that is not
//! whole.

mod format;
mod play;
mod write;

use std::sync::Arc;

use crate::config::RecordingChoice;
use crate::error::Result;
use format::argument;
use play::Player;
use write::Recorder;

pub(crate) use format::Asked;
pub(crate) use play::Playback;
pub(crate) use write::Track;

/// What becomes of the exchanges of a client.
pub(crate) enum Recording {
    Off,
    Writing(Arc<Recorder>),
    Playing(Player),
}

impl Recording {
    /// # Errors
    /// [`ErrorKind::Argument`] when a file cannot be made, or is no recording.
    pub(crate) fn open(choice: &RecordingChoice) -> Result<Recording> {
        match (&choice.record, &choice.replay) {
            (None, None) => Ok(Recording::Off),
            (Some(path), None) => Ok(Recording::Writing(Arc::new(Recorder::create(path)?))),
            (None, Some(path)) => Ok(Recording::Playing(Player::open(path, choice.timing)?)),
            _ => Err(argument("\"record_file\" and \"replay_file\" are not set both".to_owned())),
        }
    }
}
