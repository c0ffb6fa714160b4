//! Tolmach: talk to any language model from any language that can call C.
//!
//! A synchronous library without a runtime: a [`Client`] is a provider bound to its
//! [`Config`]; a [`Session`] is one answer on its way, read by a worker thread and polled
//! chunk by chunk. The C ABI over it is `include/tolmach.h`.
//!
//! What lives where, imports running downwards only (`docs/layout.md` says more):
//!
//! - `ffi`: the C ABI, and the only place with `unsafe`
//! - [`session`](Session): the worker, the queue, poll, cancel, readiness, the reply
//! - [`client`](Client): a provider, its transport and caches; retries
//! - `dialects`: how each kind of API is asked and read, a file each
//! - `attempt`: one HTTP attempt, and the parameters that are changed where a server refuses
//!   them; `answer`: what every answer needs, written once
//! - `transport`: HTTP over ureq; `recording`: exchanges written to a file and played from it
//! - [`config`](Config): a row for each key; `catalog`: the providers as data
//! - `wire`: from bytes to events; `json`: reading JSON of every kind; `fault`: errors of
//!   providers; `kept`: what goes back unchanged with the next request
//! - [`request`](Request), [`chunk`](Chunk), [`model`](Model), [`error`](Error): what is asked
//!   and answered; `raw`: requests that the program makes itself; `http`: headers, URLs and HTTP requests
//! - `memory`: buffers that may fail to grow; `secret`: keys, and taking them out of text;
//!   `times`: when a call reached what; `thread`, `process`, `host`, `panics`, `log`: how the library lives in its host
//!
//! A panic in this crate is caught and becomes [`ErrorKind::Internal`]. The first call of
//! the C ABI installs a panic hook that logs such panics instead of printing them, and
//! hands all others to the hook that was there; a Rust program that does not use the C ABI
//! keeps its hook as it is.
//!
//! ```no_run
//! use tolmach::{ChunkKind, Client, Config, Polled, Request, Session};
//!
//! let client = Client::new(&Config::new("openai")?)?;
//! let mut request = Request::new(Some("gpt-5-mini"));
//! request.message("user", "Why is the sky blue?")?;
//! let mut session = Session::open(&client, &request)?;
//! while let Polled::Chunk(chunk) = session.poll(None)? {
//!     if chunk.kind == ChunkKind::Text {
//!         print!("{}", chunk.text);
//!     }
//! }
//! # Ok::<(), tolmach::Error>(())
//! ```

#![deny(unsafe_code)]

#[cfg(not(panic = "unwind"))]
compile_error!("tolmach turns panics into errors and needs panic = \"unwind\"");

mod answer;
mod attempt;
mod cancel_token;
mod capabilities;
mod catalog;
mod chunk;
mod client;
mod config;
mod dialects;
mod error;
mod fault;
mod ffi;
mod host;
mod http;
mod json;
mod kept;
mod log;
mod media;
mod memory;
mod model;
mod panics;
mod process;
mod prompt;
mod raw;
mod recording;
mod request;
mod secret;
mod session;
mod sync;
mod thread;
mod times;
mod transport;
mod wire;

pub use capabilities::Capabilities;
pub use catalog::{Provider, all as providers, find as find_provider};
pub use chunk::{Chunk, ChunkKind, Usage};
pub use client::Client;
pub use config::{Config, KeyInfo, KeyKind};
pub use error::{Error, ErrorKind, Result};
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use json::Quick;
pub use log::{Level, set as set_log};
pub use model::Model;
pub use request::Request;
pub use session::{Control, Polled, Ready, Replies, Session};
