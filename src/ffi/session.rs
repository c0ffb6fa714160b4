use std::ffi::{c_char, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use super::caller::{Caller, Threaded};
use super::chunk::{MOST_CHUNKS, View, Views, tolmach_batch, tolmach_chunk};
use super::client::{timeout, tolmach_client};
use super::error::tolmach_error;
use super::library::{User, tolmach_release_fn};
use super::process::Process;
use super::request::tolmach_request;
use super::status::{TOLMACH_END, TOLMACH_OK, TOLMACH_PENDING, tolmach_status};
use super::text::{Text, tolmach_str};
use crate::attempt::{Facts, Rate};
use crate::error::{Error, ErrorKind, Result};
use crate::memory;
use crate::session::{Control, Ready, Replies, Session, Step, WholeCall};
use crate::times::Stage;

/// One answer on its way, and the worker thread behind it.
///
/// Functions: tolmach_session_open(), tolmach_session_open_models(), tolmach_session_open_raw(),
/// tolmach_session_poll(), tolmach_session_poll_many(), tolmach_sessions_wait(),
/// tolmach_session_cancel(), tolmach_session_fd(), tolmach_session_on_ready(),
/// tolmach_session_reply(), tolmach_session_text(), tolmach_session_tool_call_count(),
/// tolmach_session_tool_call_get(), tolmach_session_info_get(), tolmach_session_header(),
/// tolmach_session_free().
pub struct tolmach_session {
    control: Control,
    replies: Replies,
    poll: Mutex<Poll>,
    id: u64,
    facts: Facts,
    texts: Texts,
    process: Process,
}

impl tolmach_session {
    fn of(session: Session) -> tolmach_session {
        tolmach_session {
            control: session.control().clone(),
            replies: session.replies().clone(),
            id: session.id(),
            facts: session.facts().clone(),
            poll: Mutex::new(Poll { session, view: View::new(), views: Views::new() }),
            texts: Texts::default(),
            process: Process::current(),
        }
    }
}

impl Threaded for tolmach_session {
    fn process(&self) -> Process {
        self.process
    }
}

/// What was given out until the next poll.
#[derive(Default)]
struct Texts {
    given: Mutex<Given>,
    /// There is something in `given`. Without it a poll takes no lock.
    any: AtomicBool,
}

#[derive(Default)]
struct Given {
    reply: Option<Text>,
    info: Option<Box<Info>>,
    calls: Option<Calls>,
    /// Values of headers, by their names in lower case.
    headers: Vec<(String, Text)>,
}

impl Texts {
    /// Lets `work` look for what was given, or add it.
    fn with<T>(&self, work: impl FnOnce(&mut Given) -> T) -> T {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        self.any.store(true, Ordering::Release);
        work(&mut given)
    }

    /// A poll ends what was given before it.
    #[inline]
    fn clear(&self) {
        if self.any.load(Ordering::Acquire) {
            self.take_back();
        }
    }

    #[cold]
    #[inline(never)]
    fn take_back(&self) {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        self.any.store(false, Ordering::Release);
        *given = Given::default();
    }
}

/// What belongs to whoever polls.
struct Poll {
    session: Session,
    view: View,
    views: Views,
}

// SAFETY: the views point into the session beside them, which moves with them.
unsafe impl Send for Poll {}

/// Opens a session: asks `request` of `client`. Returns at once: resolving, connecting and
/// sending happen on the worker, and what fails there is what polls return.
///
/// `client`, `request`: may be freed at once. `out_session`: receives the session to free.
/// Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL; TOLMACH_E_NO_MEMORY when there is not
/// enough to copy the request, or the system gives no thread or file descriptor.
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_session_open(
    client: *const tolmach_client,
    request: *const tolmach_request,
    out_session: *mut *mut tolmach_session,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let out_session = caller.output("out_session", out_session, std::ptr::null_mut())?;
        let client = caller.threaded("client", client)?;
        let session = Session::open(&client.client, &caller.shared("request", request)?.request)?;
        out_session.give(&caller, tolmach_session::of(session));
        Ok(TOLMACH_OK)
    })
}

/// Opens a session that lists the models there are: a chunk of kind TOLMACH_CHUNK_MODEL for
/// each, in the provider's order, and then the end. It is a session as any other: it is polled,
/// cancelled, waited for, retried, recorded and freed as one, and the config's deadlines hold
/// for it. The library never lists models by itself. The client remembers which of them make
/// images, and asks them for one from then on. tolmach_client_models() is the same for a program
/// that wants to wait for all of the list.
///
/// `client`: may be freed at once. `out_session`: receives the session to free; NULL on failure.
/// Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL; TOLMACH_E_NO_MEMORY when the system gives
/// no thread or file descriptor. Polls return TOLMACH_E_UNSUPPORTED when the provider lists no
/// models, and any other error that a session can end with.
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_session_open_models(
    client: *const tolmach_client,
    out_session: *mut *mut tolmach_session,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let out_session = caller.output("out_session", out_session, std::ptr::null_mut())?;
        let session = Session::open_models(&caller.threaded("client", client)?.client)?;
        out_session.give(&caller, tolmach_session::of(session));
        Ok(TOLMACH_OK)
    })
}

/// Opens a session that makes an HTTP request of your own, with the client's credentials: for
/// what this library has no function for, such as files, batches, token counts, moderation and
/// audio. The body of the response comes as it arrives, in chunks of kind TOLMACH_CHUNK_BODY, and
/// then the end; an empty body has no chunk. Nothing of it is decoded but compression that its
/// headers name. The status of the response is an error unless it is 2xx, as it is for any
/// session; tolmach_error_body() has the body then. Redirects are not followed: they are errors.
///
/// The request goes to the host of the config's base_url alone. It has the client's credentials,
/// and the config's headers; deadlines, proxy, TLS and recording are those of the client. It is
/// tried again as often as max_retries says, for what can heal and before the first chunk, and a
/// POST or PATCH may then be done twice: set max_retries to 0 where that must not be. There is no
/// limit to the size of a response: nothing of it is kept, and it is read no faster than it is
/// polled (queue_bytes). tolmach_session_reply() is empty.
///
/// `method`: "GET", "POST", "PUT", "PATCH" or "DELETE". `path`: below base_url, such as
/// "/files?limit=10"; it begins with one "/", has no parts "." and "..", no "#", no "\", and
/// nothing that has to be percent-encoded. `content_type`: of the body; NULL for
/// "application/json". `body`, `len`: copied; `len` in bytes, or TOLMACH_NUL_TERMINATED; NULL
/// with a length of 0 for none; "GET" and "DELETE" have none. `out_session`: receives the session
/// to free; NULL on failure. The client may be freed at once.
/// Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL, bad UTF-8, another method, a wrong path or
/// content type, or a body where there is none; TOLMACH_E_NO_MEMORY when there is not enough to
/// copy the body, or the system gives no thread or file descriptor. Polls return
/// TOLMACH_E_UNSUPPORTED for "ai365vip", "amigochat" and "aichats", which have no such API.
/// Blocks: no. Threads: any thread. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_session_open_raw(
    client: *const tolmach_client,
    method: *const c_char,
    path: *const c_char,
    content_type: *const c_char,
    body: *const c_void,
    len: usize,
    out_session: *mut *mut tolmach_session,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let out_session = caller.output("out_session", out_session, std::ptr::null_mut())?;
        let client = caller.threaded("client", client)?;
        let method = caller.string("method", method)?;
        let path = caller.string("path", path)?;
        let content_type = caller.optional_string("content_type", content_type)?;
        let body = match (body.is_null(), len) {
            (true, 0) => &[],
            (_, usize::MAX) => caller.string("body", body.cast())?.as_bytes(),
            _ => caller.bytes("body", body.cast(), len)?,
        };
        let session = Session::open_raw(&client.client, method, path, content_type, body)?;
        out_session.give(&caller, tolmach_session::of(session));
        Ok(TOLMACH_OK)
    })
}

/// Gives the next chunk.
///
/// `timeout_ms`: how long to wait for it; 0 does not wait, -1 waits for ever (which ends:
/// the config's deadlines see to it). `out_chunk`: receives the chunk, which is valid until
/// the next poll or free of this session; NULL with every other outcome.
/// Returns: TOLMACH_OK with a chunk; TOLMACH_PENDING when there is none in time;
/// TOLMACH_END for ever after the last chunk; TOLMACH_E_CANCELLED at once and for ever
/// after tolmach_session_cancel(); TOLMACH_E_BUSY while another thread is inside;
/// TOLMACH_E_ARGUMENT for NULL or a timeout below -1. Any other error ends the session and
/// is repeated by later polls; TOLMACH_E_TRUNCATED when the answer stopped before its end.
/// Blocks: up to the timeout. Threads: one thread at a time per session. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_session_poll(
    session: *mut tolmach_session,
    timeout_ms: i64,
    out_chunk: *mut *const tolmach_chunk,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let out_chunk = caller.output("out_chunk", out_chunk, std::ptr::null())?;
        let timeout = timeout("timeout_ms", timeout_ms)?;
        let handle = caller.threaded("session", session.cast_const())?;
        let mut poll = handle.enter()?;
        let step = poll.session.advance(timeout, 1)?;
        if matches!(step, Step::Chunk) {
            let Poll { session, view, .. } = &mut *poll;
            out_chunk.write(&caller, view.show(session.plain(), || session.chunk()));
        }
        Ok(status_of(step))
    })
}

/// Gives the next chunks, as tolmach_session_poll() called again and again: all that have
/// arrived, but at most 256. Meant for bindings, where each call of a C function costs more
/// than a chunk. Both functions may be used on one session.
///
/// `timeout_ms`: how long to wait for the first of them; 0 does not wait, -1 waits for ever.
/// `out_batch`: receives the chunks, which are valid until the next poll or free of this
/// session; NULL with every other outcome than TOLMACH_OK.
/// Returns: as tolmach_session_poll(), with at least one chunk for TOLMACH_OK; also
/// TOLMACH_E_NO_MEMORY where there is no memory for the array: no chunk is lost then, and a
/// later poll goes on. If the session itself has ended with that error, later polls repeat it.
/// Blocks: up to the timeout. Threads: one thread at a time per session. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_session_poll_many(
    session: *mut tolmach_session,
    timeout_ms: i64,
    out_batch: *mut *const tolmach_batch,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let out_batch = caller.output("out_batch", out_batch, std::ptr::null())?;
        let timeout = timeout("timeout_ms", timeout_ms)?;
        let handle = caller.threaded("session", session.cast_const())?;
        let mut poll = handle.enter()?;
        poll.views.reserve()?;
        let step = poll.session.advance(timeout, MOST_CHUNKS)?;
        if matches!(step, Step::Chunk) {
            let Poll { session, views, .. } = &mut *poll;
            let (batch, polled) = session.chunks();
            out_batch.write(&caller, views.show(batch, polled));
        }
        Ok(status_of(step))
    })
}

impl tolmach_session {
    /// Begins a poll, which ends what was given out before it.
    #[inline]
    fn enter(&self) -> Result<MutexGuard<'_, Poll>> {
        let poll = match self.poll.try_lock() {
            Ok(poll) => poll,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(busy()),
        };
        self.texts.clear();
        Ok(poll)
    }
}

/// What a poll returns that did not fail.
#[inline]
fn status_of(step: Step) -> tolmach_status {
    match step {
        Step::Chunk => TOLMACH_OK,
        Step::Pending => TOLMACH_PENDING,
        Step::End => TOLMACH_END,
    }
}

#[cold]
#[inline(never)]
fn busy() -> Error {
    Error::new(ErrorKind::Busy, "another thread is polling this session")
}

/// Waits until one of several sessions has something to poll for: the first for which
/// tolmach_session_poll() would not return TOLMACH_PENDING. A session that has ended or was
/// cancelled is always ready: replace it by NULL when you have seen its end. If several
/// are ready, the function returns the one that it returned the longest ago, or never, so
/// that each is reached even if you poll only once after each call; among equals, the one
/// with the lowest index. It needs no file descriptors and works on every system. A call takes
/// time in proportion to `count`: with many hundreds of sessions, tolmach_session_fd() and
/// tolmach_session_on_ready() are cheaper. All three can be used together.
///
/// `sessions`: `count` pointers; NULL entries are skipped. Do not free a session during the
/// call. `timeout_ms`: how long to wait; 0 does not wait, -1 waits without limit. `out_index`:
/// receives the index of the ready session with TOLMACH_OK; unchanged otherwise.
/// Returns: TOLMACH_OK; TOLMACH_PENDING if none is ready in time; TOLMACH_E_ARGUMENT if
/// `sessions` or `out_index` is NULL, if there is no session (`count` is 0, or all entries are
/// NULL), for a timeout below -1, and for a session of the parent process after fork();
/// TOLMACH_E_NO_MEMORY.
/// Blocks: up to the timeout; tolmach_session_cancel() of one of the sessions ends the wait.
/// Threads: any thread, also during poll; several threads may wait for the same sessions.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_sessions_wait(
    sessions: *const *const tolmach_session,
    count: usize,
    timeout_ms: i64,
    out_index: *mut usize,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let out_index = caller.place("out_index", out_index)?;
        let timeout = timeout("timeout_ms", timeout_ms)?;
        let sessions = caller.pointers("sessions", sessions, count)?;
        let mut controls = Vec::new();
        memory::reserve(&mut controls, sessions.len())?;
        for &session in sessions {
            controls.push(if session.is_null() {
                None
            } else {
                Some(caller.threaded("session", session)?.control.clone())
            });
        }
        if controls.iter().all(Option::is_none) {
            let message = "sessions has no session: at least one entry must not be NULL";
            return Err(Error::new(ErrorKind::Argument, message));
        }
        match Control::wait_for_any(&controls, timeout) {
            Some(index) => {
                out_index.write(&caller, index);
                Ok(TOLMACH_OK)
            }
            None => Ok(TOLMACH_PENDING),
        }
    })
}

/// Ends a session at once: closes its socket, and lets every poll of it, now and later,
/// return TOLMACH_E_CANCELLED, unless it has already returned TOLMACH_END or an error.
///
/// `session`: not yet freed. NULL is none.
/// Blocks: no. Threads: any thread, also during poll, at any time before free; also in a
/// signal handler (on Unix it takes no lock, allocates nothing and keeps `errno`). Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_session_cancel(session: *const tolmach_session) {
    // SAFETY: `session` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    // Nothing more: a signal handler may be the caller. What else calls go through has
    // thread-local state, whose first use on a thread allocates.
    if let Some(session) = caller.own(session) {
        session.control.cancel();
    }
}

/// A descriptor for event loops (poll, epoll, kqueue, ...): readable exactly while
/// tolmach_session_poll() with timeout 0 would not say TOLMACH_PENDING. It is the
/// session's: never read or close it, and stop watching it before the session is freed.
///
/// Returns: the descriptor, the same each time; -1 where the system has no such thing
/// (Windows), or has no more, or for NULL.
/// Blocks: no. Threads: any thread, also during poll. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_session_fd(session: *const tolmach_session) -> i32 {
    // SAFETY: `session` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.value(-1, || caller.threaded("session", session).ok()?.control.fd())
}

/// Is told that a session has something to poll for. It may be called on any thread; it must
/// return soon, and may call tolmach_session_cancel() and nothing else of that session. It may
/// still be running when tolmach_session_on_ready() with NULL, or tolmach_session_free(),
/// returns. If yours calls tolmach_session_cancel(), remove it and wait for `release` before
/// you free the session.
pub type tolmach_ready_fn = Option<unsafe extern "C" fn(user: *mut c_void)>;

/// Registers `ready`. It is called each time the session becomes ready to poll: when polls
/// stop returning TOLMACH_PENDING. If the session is ready now, `ready` is called before this
/// function returns. Several events may give one call, and there may be one call too many:
/// poll with timeout 0 until TOLMACH_PENDING.
///
/// `ready`: replaces the one before; NULL removes it. `release`, if not NULL, is called
/// once with `user` after the last call of `ready`: on removal, replacement or free of the
/// session, perhaps on another thread, perhaps a moment after these return.
/// Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL, and then `release` is not called.
/// Blocks: no. Threads: any thread, also during poll. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_session_on_ready(
    session: *mut tolmach_session,
    ready: tolmach_ready_fn,
    user: *mut c_void,
    release: tolmach_release_fn,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let handle = caller.threaded("session", session.cast_const())?;
        let user = User { pointer: user, release };
        let ready = ready.map(|ready| {
            Ready::new(move || {
                // SAFETY: the header lets `ready` be called with its `user` from any thread.
                unsafe { ready(user.pointer()) };
            })
        });
        handle.control.on_ready(ready);
        Ok(TOLMACH_OK)
    })
}

/// What has been polled so far, put together: the assistant's message as JSON, ready to be
/// sent back. tolmach_request_reply() appends it to a request. After a cancel or an error it
/// is what arrived before; tool calls whose arguments did not arrive whole are left out.
///
/// An answer longer than the config's `max_reply_bytes` is delivered whole, but the reply
/// ends there: its text is cut, a tool call that was cut is left out, and it has the field
/// "incomplete": true. A request leaves that field out of its messages, however they are
/// set; where you send the JSON yourself, remove it.
///
/// Returns: JSON, valid until the next poll or free of this session; empty (length 0) while
/// there is no text, refusal, audio or tool call to send back, for NULL, and where there is
/// no memory for it.
/// Blocks: no. Threads: any thread, while none polls. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_session_reply(session: *const tolmach_session) -> tolmach_str {
    // SAFETY: `session` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.value(tolmach_str::EMPTY, || {
        let handle = caller.threaded("session", session).ok()?;
        let given = handle.texts.with(|given| given.reply.as_ref().map(Text::as_str));
        given.or_else(|| {
            // Without a lock: a line of the log may come of it, and ask for the same.
            let reply = Text::of(handle.replies.to_json().ok()?).ok()?;
            handle.texts.with(|given| Some(given.reply.get_or_insert(reply).as_str()))
        })
    })
}

/// Appends what `session` has answered so far, the assistant's message with its tool
/// calls: the next turn of a conversation. What is appended is tolmach_session_reply(), so
/// that the request can always be sent: where that is empty, as after an error before the
/// first text, nothing is appended, and the request is as it was. Providers want a result
/// (tolmach_request_tool_result()) for each tool call before the next message.
///
/// Returns: TOLMACH_OK, also when there was nothing to append; TOLMACH_E_ARGUMENT for NULL;
/// TOLMACH_E_NO_MEMORY.
/// Blocks: no. Threads: one thread at a time per request; the session may be in use.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_request_reply(
    request: *mut tolmach_request,
    session: *const tolmach_session,
    error: *mut *mut tolmach_error,
) -> tolmach_status {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.call(error, || {
        let request = caller.exclusive("request", request)?;
        let reply = caller.threaded("session", session)?.replies.to_json()?;
        if reply.is_empty() {
            return Ok(TOLMACH_OK);
        }
        request.change(|request| request.message_json(&reply))
    })
}

/// The text of the answer that has been polled so far, put together: that of choice 0.
///
/// An answer longer than the config's `max_reply_bytes` is cut here, as in the reply.
///
/// Returns: the text, valid until the next poll or free of this session, also where the session
/// ended with an error; empty (length 0) while there is none, for NULL, and where there is no
/// memory for it.
/// Blocks: no. Threads: any thread, while none polls. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_session_text(session: *const tolmach_session) -> tolmach_str {
    // SAFETY: `session` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.value(tolmach_str::EMPTY, || {
        let handle = caller.threaded("session", session).ok()?;
        handle.replies.text(tolmach_str::of_terminated).ok()
    })
}

/// A tool call of an answer. Belongs to the session: it and all it points to are valid until the
/// next poll or free of that session. May grow at its end in later versions.
#[repr(C)]
pub struct tolmach_tool_call {
    /// Its id: that of the result, see tolmach_request_tool_result().
    pub id: tolmach_str,
    /// The tool.
    pub name: tolmach_str,
    /// The arguments, as complete JSON; "{}" where the model gave none.
    pub arguments: tolmach_str,
    /// Which of n answers it belongs to: 0 in this version, which keeps those of choice 0.
    pub choice: i32,
    /// Which tool call of the answer it is: the index of its chunks.
    pub index: i32,
}

impl tolmach_tool_call {
    fn of(call: &WholeCall<'_>) -> tolmach_tool_call {
        let arguments = match call.arguments {
            "" => tolmach_str { ptr: c"{}".as_ptr(), len: 2 },
            given => tolmach_str::of_terminated(given),
        };
        tolmach_tool_call {
            id: tolmach_str::of_terminated(call.id),
            name: tolmach_str::of_terminated(call.name),
            arguments,
            choice: 0,
            index: call.index,
        }
    }
}

/// The tool calls that were asked for.
struct Calls(Vec<tolmach_tool_call>);

// SAFETY: the strings point into the reply, whose texts are for any thread.
unsafe impl Send for Calls {}

impl tolmach_session {
    /// Lets `work` see the tool calls that are whole.
    fn calls<T>(&self, work: impl FnOnce(&[tolmach_tool_call]) -> T) -> Result<T> {
        if !self.texts.with(|given| given.calls.is_some()) {
            // Without a lock: see tolmach_session_reply().
            let calls = Calls(self.replies.calls(|call| tolmach_tool_call::of(&call))?);
            self.texts.with(|given| {
                given.calls.get_or_insert(calls);
            });
        }
        Ok(self.texts.with(|given| work(given.calls.as_ref().map_or(&[], |calls| &calls.0))))
    }
}

/// How many complete tool calls have been polled so far, of choice 0. A call is complete when the
/// answer has finished. While it is still coming, after a cancel and after an error, it is complete
/// where its arguments are a whole JSON object. Others are not counted; nor is a call that the
/// config's `max_reply_bytes` cut, or that came after it.
///
/// Returns: how many; 0 for NULL, and where there is no memory for them.
/// Blocks: no. Threads: any thread, while none polls. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_session_tool_call_count(session: *const tolmach_session) -> usize {
    // SAFETY: `session` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.value(0, || {
        caller.threaded("session", session).ok()?.calls(<[tolmach_tool_call]>::len).ok()
    })
}

/// A complete tool call. They are in the order in which they began; while the answer is coming, one
/// that began earlier may still become complete, so that the numbers of others change.
///
/// `i`: below tolmach_session_tool_call_count().
/// Returns: the call, valid until the next poll or free of this session; NULL when there is none of
/// that number, for NULL, and where there is no memory for it.
/// Blocks: no. Threads: any thread, while none polls. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_session_tool_call_get(
    session: *const tolmach_session,
    i: usize,
) -> *const tolmach_tool_call {
    // SAFETY: `session` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.value(std::ptr::null(), || {
        let handle = caller.threaded("session", session).ok()?;
        handle.calls(|calls| calls.get(i).map(std::ptr::from_ref)).ok()?
    })
}

/// A rate limit, as the provider told it with its latest response; -1 where it did not.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tolmach_rate_limit {
    /// How many requests or tokens are allowed in a period. How long that is, providers do not say.
    pub limit: i64,
    /// How many of them are left.
    pub remaining: i64,
    /// In how many milliseconds the period ends, counted from the arrival of the response.
    pub reset_ms: i64,
}

impl tolmach_rate_limit {
    fn of(rate: Rate) -> tolmach_rate_limit {
        let Rate { limit, remaining, reset_ms } = rate;
        let [limit, remaining, reset_ms] =
            [limit, remaining, reset_ms].map(|number| number.unwrap_or(-1));
        tolmach_rate_limit { limit, remaining, reset_ms }
    }
}

/// What is known of a session beside its answer. May grow at its end in later versions.
///
/// Except for `id`, `changed` and `model`, all of it is of the latest attempt. An attempt may take several
/// requests, as where the provider wants a token first: then it is of the latest of them. Files that
/// are fetched in addition to the answer do not count.
///
/// The times are microseconds since the session was opened; -1 where it has not come to that, or
/// skipped it. A request over a connection that was there before has no `resolved`, `connected` and
/// `tls_done`; one that is answered from a recording has no `sent` either.
#[repr(C)]
pub struct tolmach_session_info {
    /// The number of the session, unique in the process: they count from 1. The lines of the log
    /// name sessions by it, see tolmach_log_set().
    pub id: u64,
    /// How often the request was tried so far: 0 before the first try, more than 1 after retries.
    pub attempts: i64,
    /// The parameters of the request that were changed to suit the provider: a JSON list of
    /// objects with the strings "field" and "change"; "[]" when there are none.
    pub changed: tolmach_str,
    /// The provider's id of the latest request, for its support; empty where it gave none.
    pub request_id: tolmach_str,
    /// The model that answers, as the chunk of kind TOLMACH_CHUNK_START named it; empty before.
    pub model: tolmach_str,
    /// The provider: its name in tolmach_provider_find().
    pub provider: tolmach_str,
    /// The status of the latest response, such as 200 or 429; 0 before it.
    pub http_status: i32,
    /// 1 if the request went over a connection that an earlier one had left open, otherwise 0.
    pub connection_reused: i32,
    /// When the address of the server was known, or of the proxy.
    pub resolved: i64,
    /// When there was a connection to the server, through the proxy if there is one.
    pub connected: i64,
    /// When that connection was encrypted.
    pub tls_done: i64,
    /// When the request had been sent.
    pub sent: i64,
    /// When the headers of the response had arrived.
    pub headers: i64,
    /// When the first chunk could be polled; mostly that is TOLMACH_CHUNK_START, which comes with
    /// the first event of the answer.
    pub first_chunk: i64,
    /// When the answer was complete, or failed. After a cancel it may be -1 for a moment.
    pub ended: i64,
    /// The longest time between two arrivals of data of the answer, after its headers: a duration
    /// in microseconds, not a time since open. -1 before the second arrival.
    pub longest_gap: i64,
    /// The limit on requests. Headers of the families `x-ratelimit-...`,
    /// `anthropic-ratelimit-...`, `ratelimit-...` and `RateLimit` are read.
    pub requests: tolmach_rate_limit,
    /// The limit on tokens.
    pub tokens: tolmach_rate_limit,
}

/// What tolmach_session_info points to.
struct Info {
    view: tolmach_session_info,
    _texts: [Text; 4],
}

// SAFETY: the view points into the texts beside it, which move with it.
unsafe impl Send for Info {}

impl Info {
    fn of(id: u64, facts: &Facts) -> Result<Info> {
        let told = facts.told()?;
        let texts = [
            Text::of(told.changed)?,
            Text::of(told.request_id)?,
            Text::of(told.model)?,
            Text::new(told.provider),
        ];
        let [changed, request_id, model, provider] = texts.each_ref().map(Text::as_str);
        let reached = told.reached;
        let at = |stage| microseconds(reached.at(stage));
        let view = tolmach_session_info {
            id,
            attempts: told.attempts,
            changed,
            request_id,
            model,
            provider,
            http_status: told.http_status.into(),
            connection_reused: reached.reused_connection().into(),
            resolved: at(Stage::Resolved),
            connected: at(Stage::Connected),
            tls_done: at(Stage::TlsDone),
            sent: at(Stage::Sent),
            headers: at(Stage::Headers),
            first_chunk: at(Stage::FirstChunk),
            ended: at(Stage::Ended),
            longest_gap: microseconds(reached.longest_gap),
            requests: tolmach_rate_limit::of(told.rates.requests),
            tokens: tolmach_rate_limit::of(told.rates.tokens),
        };
        Ok(Info { view, _texts: texts })
    }
}

/// -1 for none.
fn microseconds(time: Option<Duration>) -> i64 {
    time.map_or(-1, |time| i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
}

/// What is known of a session beside its answer: which parameters of the request were changed,
/// the provider's id of the request, its rate limits, when it got how far, and more. It can be
/// asked for at any time, also after an error. Complete once the session has ended.
///
/// Returns: the information as it is now, valid until the next poll or free of this session: until
/// then it stays the same. NULL for NULL, and where there is no memory for it.
/// Blocks: no. Threads: any thread, while none polls. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_session_info_get(
    session: *const tolmach_session,
) -> *const tolmach_session_info {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.value(std::ptr::null(), || {
        let handle = caller.threaded("session", session).ok()?;
        handle.texts.with(|given| {
            if given.info.is_none() {
                given.info = Some(Box::new(Info::of(handle.id, &handle.facts).ok()?));
            }
            given.info.as_ref().map(|info| std::ptr::from_ref(&info.view))
        })
    })
}

/// A header of the latest response, as tolmach_session_info_get() means it: also of one that was
/// an error. Headers that are credentials, such as Set-Cookie, are never given, and keys of yours
/// that the server repeats are replaced by "[redacted]".
///
/// `name`: in upper or lower case.
/// Returns: its value, those of several lines joined by ", ", valid until the next poll or free of
/// this session: until then it stays the same. `ptr` is NULL when there is no such header, before
/// the headers have arrived, for NULL, and where there is no memory for it.
/// Blocks: no. Threads: any thread, while none polls. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_session_header(
    session: *const tolmach_session,
    name: *const c_char,
) -> tolmach_str {
    // SAFETY: the pointers keep the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.value(tolmach_str::NONE, || {
        let handle = caller.threaded("session", session).ok()?;
        let name = caller.string("name", name).ok()?.to_ascii_lowercase();
        handle.texts.with(|given| {
            if let Some((_, value)) = given.headers.iter().find(|(known, _)| *known == name) {
                return Some(value.as_str());
            }
            let value = Text::of(handle.facts.header(&name)?).ok()?;
            let shown = value.as_str();
            given.headers.push((name, value));
            Some(shown)
        })
    })
}

/// Frees a session, and cancels it where it still runs. NULL is none.
///
/// Blocks: no. Threads: any thread, once no other uses it. Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tolmach_session_free(session: *mut tolmach_session) {
    // SAFETY: `session` keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    caller.free_threaded(session);
}
