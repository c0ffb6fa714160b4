//! Calls of the C ABI in any order, with any arguments that a C program may pass.
#![no_main]

use std::ffi::{CStr, CString, c_char, c_void};
use std::fs;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use tolmach_fuzz::{Answer, file};

/// An opaque object of the library's.
#[repr(C)]
struct Object(u8);
type Handle = *mut Object;

#[repr(C)]
struct Str {
    ptr: *const c_char,
    len: usize,
}

unsafe extern "C" {
    fn tolmach_status_name(status: i32) -> *const c_char;
    fn tolmach_error_status(error: Handle) -> i32;
    fn tolmach_error_message(error: Handle) -> Str;
    fn tolmach_error_body(error: Handle) -> Str;
    fn tolmach_error_free(error: Handle);
    fn tolmach_config_new(provider: *const c_char, out: *mut Handle, error: *mut Handle) -> i32;
    fn tolmach_config_set(
        config: Handle,
        key: *const c_char,
        value: *const c_char,
        error: *mut Handle,
    ) -> i32;
    fn tolmach_config_free(config: Handle);
    fn tolmach_client_new(config: Handle, out: *mut Handle, error: *mut Handle) -> i32;
    fn tolmach_client_models(
        client: Handle,
        timeout: i64,
        out: *mut Handle,
        error: *mut Handle,
    ) -> i32;
    fn tolmach_client_free(client: Handle);
    fn tolmach_models_count(models: Handle) -> usize;
    fn tolmach_models_get(models: Handle, index: usize) -> *const c_void;
    fn tolmach_models_free(models: Handle);
    fn tolmach_request_new(model: *const c_char, out: *mut Handle, error: *mut Handle) -> i32;
    fn tolmach_request_from_json(
        json: *const u8,
        len: usize,
        out: *mut Handle,
        error: *mut Handle,
    ) -> i32;
    fn tolmach_request_message(
        request: Handle,
        role: *const c_char,
        text: *const u8,
        len: usize,
        error: *mut Handle,
    ) -> i32;
    fn tolmach_request_attach(
        request: Handle,
        bytes: *const u8,
        len: usize,
        mime: *const c_char,
        error: *mut Handle,
    ) -> i32;
    fn tolmach_request_attach_url(request: Handle, url: *const c_char, error: *mut Handle) -> i32;
    fn tolmach_request_tool_result(
        request: Handle,
        id: *const c_char,
        text: *const u8,
        len: usize,
        error: *mut Handle,
    ) -> i32;
    fn tolmach_request_set(
        request: Handle,
        name: *const c_char,
        json: *const u8,
        len: usize,
        error: *mut Handle,
    ) -> i32;
    fn tolmach_request_json(request: Handle) -> Str;
    fn tolmach_request_reply(request: Handle, session: Handle, error: *mut Handle) -> i32;
    fn tolmach_request_free(request: Handle);
    fn tolmach_session_open(
        client: Handle,
        request: Handle,
        out: *mut Handle,
        error: *mut Handle,
    ) -> i32;
    fn tolmach_session_poll(
        session: Handle,
        timeout: i64,
        out: *mut *const c_void,
        error: *mut Handle,
    ) -> i32;
    fn tolmach_session_cancel(session: Handle);
    fn tolmach_session_fd(session: Handle) -> i32;
    fn tolmach_session_on_ready(
        session: Handle,
        ready: Option<extern "C" fn(*mut c_void)>,
        user: *mut c_void,
        release: Option<extern "C" fn(*mut c_void)>,
        error: *mut Handle,
    ) -> i32;
    fn tolmach_session_reply(session: Handle) -> Str;
    fn tolmach_session_free(session: Handle);
}

const OK: i32 = 0;
const E_INTERNAL: i32 = -21;

/// How many objects of a kind there are at once; a place may be empty, which is NULL.
const PLACES: usize = 3;

#[derive(Default)]
struct Kind([Option<usize>; PLACES]);

impl Kind {
    fn get(&self, place: u8) -> Handle {
        self.0[usize::from(place) % PLACES].map_or(null_mut(), |handle| handle as Handle)
    }

    /// Puts an object in a place; the one that was there.
    fn put(&mut self, place: u8, object: Handle) -> Handle {
        let place = &mut self.0[usize::from(place) % PLACES];
        let old = place.take().map_or(null_mut(), |handle| handle as Handle);
        *place = (!object.is_null()).then_some(object as usize);
        old
    }
}

/// The input, taken from its front; at its end all is 0.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((byte, rest)) => {
                self.0 = rest;
                *byte
            }
            None => 0,
        }
    }

    fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()).min(self.0.len());
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        bytes
    }

    /// One of `usual`, or any text, or NULL.
    fn name(&mut self, usual: &[&str]) -> Option<CString> {
        match self.byte() {
            255 => None,
            254 => {
                let text = self.bytes().split(|byte| *byte == 0).next().unwrap_or_default();
                Some(CString::new(text).unwrap())
            }
            which => Some(CString::new(usual[usize::from(which) % usual.len()]).unwrap()),
        }
    }
}

fn pointer(name: &Option<CString>) -> *const c_char {
    name.as_deref().map_or(null(), CStr::as_ptr)
}

/// Callbacks that were taken and are not released yet.
static HELD: AtomicI64 = AtomicI64::new(0);

extern "C" fn ready(_: *mut c_void) {
    assert!(HELD.load(Ordering::SeqCst) > 0);
}

extern "C" fn release(_: *mut c_void) {
    HELD.fetch_sub(1, Ordering::SeqCst);
}

fn touch(text: Str) {
    assert!(!text.ptr.is_null());
    // SAFETY: the header promises so many bytes, and a NUL behind them.
    let bytes = unsafe { std::slice::from_raw_parts(text.ptr.cast::<u8>(), text.len + 1) };
    assert_eq!(bytes.last(), Some(&0));
    std::str::from_utf8(bytes).expect("text is UTF-8");
}

/// What every failed call gives: a status that its error has too, and that is no bug.
fn take(status: i32, error: Handle) {
    assert_ne!(status, E_INTERNAL);
    assert_eq!(status < 0, !error.is_null());
    // SAFETY: the error is this function's own.
    unsafe {
        if !error.is_null() {
            assert_eq!(tolmach_error_status(error), status);
        }
        touch(tolmach_error_message(error));
        touch(tolmach_error_body(error));
        assert!(!tolmach_status_name(status).is_null());
        tolmach_error_free(error);
    }
}

const PROVIDERS: &[&str] = &["openai", "gigachat", "ai365vip", "amigochat", "aichats", "none"];
const KEYS: &[&str] = &[
    "api_key",
    "base_url",
    "model",
    "headers",
    "raw_chunks",
    "queue_bytes",
    "max_retries",
    "total_timeout_ms",
    "max_event_bytes",
    "estimate_usage",
    "think_tags",
    "access_token",
    "user_agent",
    "proxy",
    "ca_pem",
    "tls_pins",
    "replay_timing",
    "model_aliases",
    "cookie",
];
const VALUES: &[&str] = &[
    "",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "1024",
    "99999999999",
    "https://host/v1",
    "x",
    "{}",
    "{\"X-A\":\"b\"}",
    "direct",
    "socks5://a:b@127.0.0.1:1",
];
const ROLES: &[&str] = &["user", "system", "assistant", "developer", "tool", ""];
const FIELDS: &[&str] = &["messages", "model", "stream", "tools", "n", "temperature", "prompt"];
const TYPES: &[&str] = &["image/png", "audio/wav", "application/pdf", "text/plain", ""];

/// Answers enough of every kind, some of them broken.
fn recording() -> String {
    let answer = |place, content_type, status, body: &'static str| Answer {
        method: "POST",
        place,
        status,
        content_type,
        body: body.as_bytes(),
    };
    let chat = "/v1/chat/completions";
    let events = "text/event-stream";
    let whole = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi \u{1f600}\"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n";
    let models = Answer {
        method: "GET",
        place: "/v1/models",
        ..answer("", "application/json", 200, "{\"data\":[{\"id\":\"m\"}]}")
    };
    let answers = [
        answer(chat, events, 200, whole),
        answer(chat, events, 200, &whole[..70]),
        answer(chat, "application/json", 429, "{\"error\":{\"message\":\"slow\"}}"),
        answer(chat, "text/html", 200, "<html>"),
        answer("/api/chat", "text/plain", 200, "Hi"),
        answer("/chat/send2/", events, 200, "data: Hi\n"),
        answer(
            "/v1/images/generations",
            "application/json",
            200,
            "{\"data\":[{\"b64_json\":\"aGk=\"}]}",
        ),
        models,
    ];
    let mut text = String::new();
    for (answer, number) in answers.iter().cycle().take(24).zip(1..) {
        let own =
            answer.recording(3).replace("\"exchange\":1,", &format!("\"exchange\":{number},"));
        let lines = own.split_once('\n').map_or("", |(_, lines)| lines);
        text += if number == 1 { &own } else { lines };
    }
    text
}

#[derive(Default)]
struct Objects {
    configs: Kind,
    clients: Kind,
    requests: Kind,
    sessions: Kind,
    models: Kind,
    /// Threads that are cancelling sessions.
    cancelling: Vec<JoinHandle<()>>,
}

impl Objects {
    /// Before a session is freed, nobody else uses it.
    fn settle(&mut self) {
        self.cancelling.drain(..).for_each(|thread| thread.join().unwrap());
    }
}

/// One call of `objects`, as the input says.
///
/// # Safety
/// `objects` holds live objects, each in one place.
unsafe fn call(objects: &mut Objects, input: &mut Input) {
    let (which, a, b) = (input.byte() % 24, input.byte(), input.byte());
    let (mut error, mut made) = (null_mut(), null_mut());
    let error_out: *mut Handle = &mut error;
    unsafe {
        let status = match which {
            0 | 1 => {
                let status =
                    tolmach_config_new(pointer(&input.name(PROVIDERS)), &mut made, error_out);
                if status == OK {
                    let replay = CString::new(file().to_str().unwrap()).unwrap();
                    tolmach_config_set(made, c"replay_file".as_ptr(), replay.as_ptr(), null_mut());
                    tolmach_config_set(made, c"proxy".as_ptr(), c"direct".as_ptr(), null_mut());
                }
                tolmach_config_free(objects.configs.put(a, made));
                status
            }
            2 => {
                let (key, value) = (input.name(KEYS), input.name(VALUES));
                let is_file = key.as_deref().is_some_and(|key| key.to_bytes().ends_with(b"_file"));
                if is_file {
                    OK
                } else {
                    tolmach_config_set(
                        objects.configs.get(a),
                        pointer(&key),
                        pointer(&value),
                        error_out,
                    )
                }
            }
            3 | 4 => {
                let status = tolmach_client_new(objects.configs.get(a), &mut made, error_out);
                tolmach_client_free(objects.clients.put(b, made));
                status
            }
            5 => {
                let model = input.name(&["m", "gpt-image-1", ""]);
                let status = tolmach_request_new(pointer(&model), &mut made, error_out);
                tolmach_request_free(objects.requests.put(a, made));
                status
            }
            6 => {
                let json = input.bytes();
                let status =
                    tolmach_request_from_json(json.as_ptr(), json.len(), &mut made, error_out);
                tolmach_request_free(objects.requests.put(a, made));
                status
            }
            7 => {
                let (role, text) = (input.name(ROLES), input.bytes());
                tolmach_request_message(
                    objects.requests.get(a),
                    pointer(&role),
                    text.as_ptr(),
                    text.len(),
                    error_out,
                )
            }
            8 => {
                let (mime, bytes) = (input.name(TYPES), input.bytes());
                tolmach_request_attach(
                    objects.requests.get(a),
                    bytes.as_ptr(),
                    bytes.len(),
                    pointer(&mime),
                    error_out,
                )
            }
            9 => tolmach_request_attach_url(
                objects.requests.get(a),
                pointer(&input.name(&["https://a/b.png", "data:image/png;base64,aGk=", "x"])),
                error_out,
            ),
            10 => {
                let (id, text) = (input.name(&["c", ""]), input.bytes());
                tolmach_request_tool_result(
                    objects.requests.get(a),
                    pointer(&id),
                    text.as_ptr(),
                    text.len(),
                    error_out,
                )
            }
            11 => {
                let (name, json) = (input.name(FIELDS), input.bytes());
                tolmach_request_set(
                    objects.requests.get(a),
                    pointer(&name),
                    json.as_ptr(),
                    json.len(),
                    error_out,
                )
            }
            12 => {
                touch(tolmach_request_json(objects.requests.get(a)));
                OK
            }
            13 => {
                tolmach_request_reply(objects.requests.get(a), objects.sessions.get(b), error_out)
            }
            14 | 15 => {
                let (client, request) = (objects.clients.get(a), objects.requests.get(b));
                objects.settle();
                let status = tolmach_session_open(client, request, &mut made, error_out);
                tolmach_session_free(objects.sessions.put(input.byte(), made));
                status
            }
            16 | 17 => {
                let mut chunk = null();
                let timeout = [-1, 0, 1, -2][usize::from(b) % 4];
                let status =
                    tolmach_session_poll(objects.sessions.get(a), timeout, &mut chunk, error_out);
                assert_eq!(status == OK, !chunk.is_null());
                status
            }
            18 => {
                let session = objects.sessions.get(a) as usize;
                // SAFETY: the session lives until the thread has been waited for.
                let cancel = move || tolmach_session_cancel(session as Handle);
                match b & 1 {
                    0 => cancel(),
                    _ => objects.cancelling.push(thread::spawn(cancel)),
                }
                OK
            }
            19 => {
                let session = objects.sessions.get(a);
                assert_eq!(tolmach_session_fd(session) < 0, session.is_null());
                OK
            }
            20 => {
                let session = objects.sessions.get(a);
                if b & 1 == 1 {
                    tolmach_session_on_ready(session, None, null_mut(), None, error_out)
                } else {
                    HELD.fetch_add(1, Ordering::SeqCst);
                    let status = tolmach_session_on_ready(
                        session,
                        Some(ready),
                        null_mut(),
                        Some(release),
                        error_out,
                    );
                    if status != OK {
                        HELD.fetch_sub(1, Ordering::SeqCst);
                    }
                    status
                }
            }
            21 => {
                touch(tolmach_session_reply(objects.sessions.get(a)));
                OK
            }
            22 => {
                let status = tolmach_client_models(
                    objects.clients.get(a),
                    [-1, 1000][usize::from(b) % 2],
                    &mut made,
                    error_out,
                );
                for index in 0..=tolmach_models_count(made) {
                    tolmach_models_get(made, index);
                }
                tolmach_models_free(objects.models.put(b, made));
                status
            }
            _ => {
                objects.settle();
                match b % 5 {
                    0 => tolmach_config_free(objects.configs.put(a, null_mut())),
                    1 => tolmach_client_free(objects.clients.put(a, null_mut())),
                    2 => tolmach_request_free(objects.requests.put(a, null_mut())),
                    3 => tolmach_session_free(objects.sessions.put(a, null_mut())),
                    _ => tolmach_models_free(objects.models.put(a, null_mut())),
                }
                OK
            }
        };
        take(status, error);
    }
}

fuzz_target!(
    init: fs::write(file(), recording()).unwrap(),
    |data: &[u8]| {
        let mut objects = Objects::default();
        let mut input = Input(data);
        while !input.0.is_empty() {
            // SAFETY: the objects live until they are freed, below or by a call.
            unsafe { call(&mut objects, &mut input) };
        }
        objects.settle();
        for place in 0..PLACES as u8 {
            // SAFETY: whatever is left is alive, and is freed once.
            unsafe {
                tolmach_config_free(objects.configs.put(place, null_mut()));
                tolmach_client_free(objects.clients.put(place, null_mut()));
                tolmach_request_free(objects.requests.put(place, null_mut()));
                tolmach_session_free(objects.sessions.put(place, null_mut()));
                tolmach_models_free(objects.models.put(place, null_mut()));
            }
        }
        let start = Instant::now();
        while HELD.load(Ordering::SeqCst) > 0 {
            assert!(start.elapsed() < Duration::from_secs(10), "a callback was not released");
            thread::yield_now();
        }
    }
);
