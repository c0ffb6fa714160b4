use std::time::Duration;

use super::caller::{Caller, Threaded};
use super::config::tolmach_config;
use super::error::tolmach_error;
use super::process::{self, Process};
use super::provider::tolmach_capabilities;
use super::status::{TOLMACH_OK, tolmach_status};
use super::text::{Text, tolmach_str};
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::memory;
use crate::session::Session;

/// A provider bound to its config, with its open connections. Make one and share it: any
/// number of threads may use it at once. Sessions keep what they need of it alive.
///
/// Functions: tolmach_client_new(), tolmach_client_models(), tolmach_client_cancel_all(),
/// tolmach_client_free().
pub struct tolmach_client {
    pub(super) client: Client,
    process: Process,
}

impl Threaded for tolmach_client {
    fn process(&self) -> Process {
        self.process
    }
}

/// Makes a client of what `config` says now. Touches no network.
///
/// `config`: copied. `out_client`: receives the client to free.
/// Returns: TOLMACH_OK; TOLMACH_E_AUTH when the provider needs a key and there is neither
/// `api_key` nor its environment variable (the message names both); TOLMACH_E_ARGUMENT for
/// NULL, or settings that do not go together or name files that cannot be read;
/// TOLMACH_E_NO_MEMORY when there is not enough for the recording of `replay_file`.
/// Blocks: no (reads certificate files). Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_client_new(
    config: *const tolmach_config,
    out_client: *mut *mut tolmach_client,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let out_client = caller.output("out_client", out_client, std::ptr::null_mut())?;
        let client = Client::new(&caller.shared("config", config)?.config)?;
        process::watch();
        out_client.give(&caller, tolmach_client { client, process: Process::current() });
        Ok(TOLMACH_OK)
    })
}

/// Cancels every session that was opened with this client and is not freed yet, each as
/// tolmach_session_cancel() does: to stop all work at once, before an exit or when a user
/// signs out. Sessions that are opened later are not affected; one that another thread is
/// opening during the call may or may not be. A tolmach_client_models() under way returns
/// TOLMACH_E_CANCELLED. The client stays usable.
///
/// `client`: NULL is none. One of the parent process, after fork(), is left as it is.
/// Blocks: no. Threads: any thread, also during poll, but not in a signal handler: there,
/// call tolmach_session_cancel() for each session. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_client_cancel_all(client: *const tolmach_client) {
    // SAFETY: `client` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.value((), || {
        Session::cancel_all(&caller.own(client)?.client);
        None
    });
}

/// Frees a client. NULL is none. Its sessions and lists live on.
///
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_client_free(client: *mut tolmach_client) {
    // SAFETY: `client` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.free_threaded(client);
}

/// A list of models, as it was when it was asked for.
///
/// Functions: tolmach_models_count(), tolmach_models_get(), tolmach_models_free().
pub struct tolmach_models {
    views: Vec<tolmach_model>,
    _texts: Vec<Text>,
}

/// A model. Belongs to its list, and may grow at its end in later versions.
#[repr(C)]
pub struct tolmach_model {
    /// The name to ask for it by.
    pub id: tolmach_str,
    /// Who made or serves it; empty when not said.
    pub owner: tolmach_str,
    /// The provider's whole entry, as JSON.
    pub json: tolmach_str,
    /// Tokens that fit its context; -1 when not said.
    pub context_length: i64,
    /// What the entry says it can do: TOLMACH_CAN_ bits.
    pub capabilities: tolmach_capabilities,
}

/// Asks for the models there are, and waits for all of the list: a session of
/// tolmach_session_open_models(), polled to its end.
///
/// `timeout_ms`: for all of it, retries included; -1 leaves it to the config.
/// `out_models`: receives the list to free.
/// Returns: TOLMACH_OK; TOLMACH_E_UNSUPPORTED when the provider lists none;
/// TOLMACH_E_TIMEOUT; any error that a session can end with.
/// Blocks: up to the timeout. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_client_models(
    client: *const tolmach_client,
    timeout_ms: i64,
    out_models: *mut *mut tolmach_models,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let out_models = caller.output("out_models", out_models, std::ptr::null_mut())?;
        let client = caller.threaded("client", client)?;
        let models = client.client.models(timeout("timeout_ms", timeout_ms)?)?;
        let mut texts = Vec::new();
        let mut keep = |text: String| {
            let text = Text::of(text)?;
            let view = text.as_str();
            memory::push(&mut texts, text)?;
            Ok(view)
        };
        let mut views = Vec::new();
        for model in models {
            let context_length = model.context_length.and_then(|n| i64::try_from(n).ok());
            let view = tolmach_model {
                id: keep(model.id)?,
                owner: keep(model.owner)?,
                json: keep(model.json)?,
                context_length: context_length.unwrap_or(-1),
                capabilities: model.capabilities.bits(),
            };
            memory::push(&mut views, view)?;
        }
        out_models.give(&caller, tolmach_models { views, _texts: texts });
        Ok(TOLMACH_OK)
    })
}

/// How many models a list has.
///
/// Returns: their number; 0 for NULL.
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_models_count(models: *const tolmach_models) -> usize {
    // SAFETY: `models` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.value(0, || Some(caller.shared("models", models).ok()?.views.len()))
}

/// The model at `index`, counted from 0.
///
/// Returns: the model, which lives as long as the list; NULL past the end.
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_models_get(
    models: *const tolmach_models,
    index: usize,
) -> *const tolmach_model {
    // SAFETY: `models` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.value(std::ptr::null(), || {
        caller.shared("models", models).ok()?.views.get(index).map(std::ptr::from_ref)
    })
}

/// Frees a list of models. NULL is none.
///
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_models_free(models: *mut tolmach_models) {
    // SAFETY: `models` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.free(models);
}

/// Milliseconds of the ABI: -1 is for ever.
#[inline]
pub(super) fn timeout(name: &str, ms: i64) -> Result<Option<Duration>> {
    match u64::try_from(ms) {
        Ok(ms) => Ok(Some(Duration::from_millis(ms))),
        Err(_) if ms == -1 => Ok(None),
        Err(_) => Err(is_no_timeout(name, ms)),
    }
}

#[cold]
#[inline(never)]
fn is_no_timeout(name: &str, ms: i64) -> Error {
    Error::new(
        ErrorKind::Argument,
        format!("{name} is {ms}; it is milliseconds, 0 for no waiting, or -1 for no limit"),
    )
}
