use std::ffi::{c_char, c_void};
use std::sync::OnceLock;

use super::caller::Caller;
use super::error::tolmach_error;
use super::status::{TOLMACH_OK, tolmach_status};
use super::text::{Text, tolmach_str};
use crate::error::Result;
use crate::request::Request;

/// What to ask: OpenAI's chat request, which is translated for every provider. A session
/// copies it, so it may be changed or freed afterwards.
///
/// Functions: tolmach_request_new(), tolmach_request_from_json(), tolmach_request_clone(),
/// tolmach_request_message(), tolmach_request_input(), tolmach_request_attach(),
/// tolmach_request_attach_url(),
/// tolmach_request_tool(), tolmach_request_tool_result(), tolmach_request_reply(),
/// tolmach_request_count(), tolmach_request_truncate(), tolmach_request_set(),
/// tolmach_request_set_string(), tolmach_request_option(), tolmach_request_json(),
/// tolmach_request_free().
pub struct tolmach_request {
    pub(super) request: Request,
    json: OnceLock<Text>,
}

impl tolmach_request {
    fn new(request: Request) -> tolmach_request {
        tolmach_request { request, json: OnceLock::new() }
    }

    pub(super) fn change(
        &mut self,
        change: impl FnOnce(&mut Request) -> Result<()>,
    ) -> Result<tolmach_status> {
        change(&mut self.request)?;
        self.json.take();
        Ok(TOLMACH_OK)
    }
}

/// Makes a request without messages.
///
/// `model`: NUL-terminated; NULL asks the config's model, else the provider's default.
/// `out_request`: receives the request to free.
/// Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for bad UTF-8 or a NULL output.
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_request_new(
    model: *const c_char,
    out_request: *mut *mut tolmach_request,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let out_request = caller.output("out_request", out_request, std::ptr::null_mut())?;
        let request = Request::new(caller.optional_string("model", model)?);
        out_request.give(&caller, tolmach_request::new(request));
        Ok(TOLMACH_OK)
    })
}

/// Makes a request of a whole one in OpenAI's chat format.
///
/// `json`, `len`: a JSON object, up to 127 levels deep; `len` in bytes, or
/// TOLMACH_NUL_TERMINATED. `out_request`: receives the request to free.
/// Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL, bad UTF-8, bad JSON (the message says
/// where) or a field of a wrong type; TOLMACH_E_NO_MEMORY.
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_request_from_json(
    json: *const c_char,
    len: usize,
    out_request: *mut *mut tolmach_request,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let out_request = caller.output("out_request", out_request, std::ptr::null_mut())?;
        let request = Request::from_json(caller.text("json", json, len)?)?;
        out_request.give(&caller, tolmach_request::new(request));
        Ok(TOLMACH_OK)
    })
}

/// Makes a copy of a request, with its options. Neither of the two changes the other.
///
/// `out_request`: receives the copy to free.
/// Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL; TOLMACH_E_NO_MEMORY.
/// Blocks: no. Threads: any thread, while none changes `request`. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_request_clone(
    request: *const tolmach_request,
    out_request: *mut *mut tolmach_request,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let out_request = caller.output("out_request", out_request, std::ptr::null_mut())?;
        let copy = caller.shared("request", request)?.request.copy()?;
        out_request.give(&caller, tolmach_request::new(copy));
        Ok(TOLMACH_OK)
    })
}

/// Adds an input, whose embedding is asked for: numbers that stand for its meaning. A request
/// with inputs is for embeddings, and has no messages. tolmach_session_open() asks it of a model
/// that makes embeddings; the session's chunks are one of kind TOLMACH_CHUNK_START, one of kind
/// TOLMACH_CHUNK_EMBEDDING for each input, in the order of the inputs, one of kind
/// TOLMACH_CHUNK_USAGE where the provider counts tokens, and then the end: there is no chunk of
/// kind TOLMACH_CHUNK_FINISH. Fields of the embeddings API, such as "dimensions" and "user", are
/// set with tolmach_request_set(). OpenAI and Azure are asked for "encoding_format" base64, which
/// is smaller; set the field to choose for yourself. Every form comes as the same bytes.
///
/// `text`, `len`: UTF-8, copied; `len` in bytes, or TOLMACH_NUL_TERMINATED.
/// Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL (also with a length of 0), bad UTF-8, or a
/// request that has messages, or whose field "input" was set to something that is no list of
/// strings. On failure the request is as it was. Providers other than "openai" and
/// "openai-responses", and the servers that speak their protocol, are not asked for embeddings
/// yet: there, polls return TOLMACH_E_UNSUPPORTED.
/// Blocks: no. Threads: one thread at a time per request. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_request_input(
    request: *mut tolmach_request,
    text: *const c_char,
    len: usize,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let request = caller.exclusive("request", request)?;
        let text = caller.text("text", text, len)?;
        request.change(|request| request.input(text))
    })
}

/// How many messages a request has; of one for embeddings, how many inputs.
///
/// Returns: their number; 0 for NULL.
/// Blocks: no. Threads: any thread, while none changes it. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_request_count(request: *const tolmach_request) -> usize {
    // SAFETY: `request` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.value(0, || Some(caller.shared("request", request).ok()?.request.count()))
}

/// Removes the last messages, or inputs, so that at most `count` remain. A program that notes
/// tolmach_request_count() before a turn can undo the turn with it.
///
/// `count`: 0 removes all messages; where there are not more than `count`, nothing happens.
/// Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL.
/// Blocks: no. Threads: one thread at a time per request. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_request_truncate(
    request: *mut tolmach_request,
    count: usize,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        caller.exclusive("request", request)?.change(|request| {
            request.truncate(count);
            Ok(())
        })
    })
}

/// Appends a message. A request with inputs (tolmach_request_input()) takes none.
///
/// `role`: "system", "developer", "user" or "assistant". `text`, `len`: UTF-8; `len` in
/// bytes, or TOLMACH_NUL_TERMINATED; may be empty. Both are copied.
/// Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL (also with a length of 0), bad UTF-8 or
/// another role; TOLMACH_E_NO_MEMORY. On failure the request is as it was.
/// Blocks: no. Threads: one thread at a time per request. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_request_message(
    request: *mut tolmach_request,
    role: *const c_char,
    text: *const c_char,
    len: usize,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let request = caller.exclusive("request", request)?;
        let (role, text) = (caller.string("role", role)?, caller.text("text", text, len)?);
        request.change(|request| request.message(role, text))
    })
}

/// Attaches an image, audio or PDF to the last user message.
///
/// `bytes`, `len`: the file, copied. `mime`: its media type, such as "image/png"; NULL
/// where the bytes tell it (JPEG, PNG, GIF, WebP, WAV, MP3, Ogg, FLAC, PDF).
/// Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL, an empty file, a type that is not known
/// or cannot be attached, or when there is no user message; TOLMACH_E_NO_MEMORY. On failure
/// the request is as it was.
/// Blocks: no. Threads: one thread at a time per request. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_request_attach(
    request: *mut tolmach_request,
    bytes: *const c_void,
    len: usize,
    mime: *const c_char,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let request = caller.exclusive("request", request)?;
        let bytes = caller.bytes("bytes", bytes.cast(), len)?;
        let mime = caller.optional_string("mime", mime)?;
        request.change(|request| request.attach(bytes, mime))
    })
}

/// Attaches what a URL points to, to the last user message. The provider fetches it. Where
/// a provider does not ("gigachat"), the library fetches it, but only if the config's
/// fetch_urls is "true", and from public addresses alone unless fetch_private_urls is "true"
/// as well; without fetch_urls the session ends with TOLMACH_E_UNSUPPORTED.
///
/// `url`: NUL-terminated; http, https, or a data URL of an image or audio.
/// Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL, bad UTF-8, another kind of URL, a URL
/// without a host or without data, or when there is no user message; TOLMACH_E_NO_MEMORY. On
/// failure the request is as it was.
/// Blocks: no. Threads: one thread at a time per request. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_request_attach_url(
    request: *mut tolmach_request,
    url: *const c_char,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let request = caller.exclusive("request", request)?;
        let url = caller.string("url", url)?;
        request.change(|request| request.attach_url(url))
    })
}

/// Adds a tool that the model may call. A tool of the same name is replaced.
///
/// `name`: NUL-terminated; 1 to 128 of the letters a to z and A to Z, digits, "_", "-", "." and
/// ":" (most providers take 64, and no "." or ":"). `description`: when and how to use it,
/// NUL-terminated; NULL for none. `schema`, `len`: the JSON schema of its arguments, an
/// object; `len` in bytes, or TOLMACH_NUL_TERMINATED; NULL for a tool without arguments.
/// Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for a NULL request or name, an invalid name, bad UTF-8,
/// a schema that is not a JSON object, or where "tools" was set to something that is not an
/// array; TOLMACH_E_NO_MEMORY. On failure the request is as it was.
/// Blocks: no. Threads: one thread at a time per request. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_request_tool(
    request: *mut tolmach_request,
    name: *const c_char,
    description: *const c_char,
    schema: *const c_char,
    len: usize,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let request = caller.exclusive("request", request)?;
        let name = caller.string("name", name)?;
        let description = caller.optional_string("description", description)?;
        let schema = match schema.is_null() {
            true => None,
            false => Some(caller.text("schema", schema, len)?),
        };
        request.change(|request| request.tool(name, description, schema))
    })
}

/// Appends the result of a tool call.
///
/// `call_id`: the id that came with the call. `text`, `len`: the result, as text or JSON;
/// `len` in bytes, or TOLMACH_NUL_TERMINATED; may be empty.
/// Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL (also with a length of 0), bad UTF-8 or
/// an empty id; TOLMACH_E_NO_MEMORY. On failure the request is as it was.
/// Blocks: no. Threads: one thread at a time per request. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_request_tool_result(
    request: *mut tolmach_request,
    call_id: *const c_char,
    text: *const c_char,
    len: usize,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let request = caller.exclusive("request", request)?;
        let call_id = caller.string("call_id", call_id)?;
        let text = caller.text("text", text, len)?;
        request.change(|request| request.tool_result(call_id, text))
    })
}

/// Sets any field of the request: "temperature" to "0.2", "tools" to a list. The last
/// writer wins; the value null removes the field.
///
/// `name`: NUL-terminated. `json`, `len`: the value as JSON, where a string has its quotes:
/// "\"auto\""; `len` in bytes, or TOLMACH_NUL_TERMINATED.
/// Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL, bad UTF-8, bad JSON, or a wrong type
/// of "messages", "model" or "stream"; TOLMACH_E_NO_MEMORY. On failure the request is as it was.
/// Blocks: no. Threads: one thread at a time per request. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_request_set(
    request: *mut tolmach_request,
    name: *const c_char,
    json: *const c_char,
    len: usize,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let request = caller.exclusive("request", request)?;
        let (name, json) = (caller.string("name", name)?, caller.text("json", json, len)?);
        request.change(|request| request.set(name, json))
    })
}

/// Sets a field of the request to a string, without quotes and escapes: "tool_choice" to
/// "auto", "reasoning_effort" to "low". The last writer wins.
///
/// `name`: NUL-terminated. `text`, `len`: UTF-8; `len` in bytes, or TOLMACH_NUL_TERMINATED;
/// may be empty.
/// Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL (also with a length of 0), bad UTF-8, an
/// empty name, or a field that is not a string ("messages", "stream");
/// TOLMACH_E_NO_MEMORY. On failure the request is as it was.
/// Blocks: no. Threads: one thread at a time per request. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_request_set_string(
    request: *mut tolmach_request,
    name: *const c_char,
    text: *const c_char,
    len: usize,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let request = caller.exclusive("request", request)?;
        let (name, text) = (caller.string("name", name)?, caller.text("text", text, len)?);
        request.change(|request| request.set_string(name, text))
    })
}

/// Gives a key of the config another value for this request alone. It is never sent to the
/// provider, and is not part of tolmach_request_json().
///
/// `key`: connect_timeout_ms, first_byte_timeout_ms, idle_timeout_ms, total_timeout_ms,
/// max_retries, headers (added to those of the config), max_reply_bytes, queue_bytes,
/// raw_chunks, retry_chunks or estimate_usage; the other keys are the same for all requests of a client.
/// `value`: as for tolmach_config_set(); NULL takes the key back to the config's value. Both
/// are NUL-terminated and copied.
/// Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL, bad UTF-8, another key (the message lists
/// these) or a wrong value (the message says what is right). On failure the request is as it
/// was.
/// Blocks: no. Threads: one thread at a time per request. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_request_option(
    request: *mut tolmach_request,
    key: *const c_char,
    value: *const c_char,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let request = caller.exclusive("request", request)?;
        let key = caller.string("key", key)?;
        let value = caller.optional_string("value", value)?;
        request.change(|request| request.option(key, value))
    })
}

/// The request as it stands, in OpenAI's chat format.
///
/// Returns: JSON, valid until the request next changes or is freed; empty for NULL, and
/// where there is no memory for it.
/// Blocks: no. Threads: any thread, while none changes it. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_request_json(request: *const tolmach_request) -> tolmach_str {
    // SAFETY: `request` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.value(tolmach_str::EMPTY, || {
        let request = caller.shared("request", request).ok()?;
        if request.json.get().is_none() {
            // Another thread may be first: then this copy is dropped.
            request.json.set(Text::of(request.request.to_json().ok()?).ok()?).ok();
        }
        request.json.get().map(Text::as_str)
    })
}

/// Frees a request. NULL is none. Sessions opened with it live on.
///
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_request_free(request: *mut tolmach_request) {
    // SAFETY: `request` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.free(request);
}
