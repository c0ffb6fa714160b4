//! The border: raw pointers become references, panics and errors become statuses.

use std::ffi::{CStr, c_char};

use super::cancellation::Uncancelled;
use super::process::Process;
use super::status::tolmach_status;
use crate::error::{Error, ErrorKind, Result};
use crate::panics;

/// The C program that called, whose promises hold while its call lasts:
///
/// - a pointer is NULL or points to a live object of its type, made by this library
///   where it is opaque, or to `len` readable bytes, to `count` such pointers, or to a NUL-terminated string;
/// - an object is changed or freed by one thread at a time, while no other uses it;
/// - an output points to memory that may be written.
pub(super) struct Caller(Uncancelled);

/// An object that threads of the library work for, and that has locks: a fork leaves the
/// threads behind, and may leave the locks locked.
pub(super) trait Threaded {
    /// The process that made it.
    fn process(&self) -> Process;
}

impl Caller {
    /// # Safety
    /// The promises above hold for every pointer of this call until it returns.
    #[inline]
    pub(super) unsafe fn trusted() -> Caller {
        Caller(Uncancelled::new())
    }

    /// Does `work`; an error, or a panic, goes to `error` as an object where the caller
    /// wants it.
    #[inline]
    pub(super) fn call<E: From<Error>>(
        &self,
        error: *mut *mut E,
        work: impl FnOnce() -> Result<tolmach_status>,
    ) -> tolmach_status {
        panics::keep_quiet();
        match panics::caught(work) {
            Some(Ok(status)) => status,
            failed => self.fail(error, failed.and_then(Result::err)),
        }
    }

    /// What a call that failed returns; without a `failure` it panicked.
    #[cold]
    #[inline(never)]
    fn fail<E: From<Error>>(&self, error: *mut *mut E, failure: Option<Error>) -> tolmach_status {
        let failure = failure.unwrap_or_else(|| {
            Error::new(ErrorKind::Internal, "a bug in tolmach made it panic: report it")
        });
        let status = failure.kind() as tolmach_status;
        if !error.is_null() {
            let object = Box::into_raw(Box::new(E::from(failure)));
            // SAFETY: not NULL, so an output (see the promises above).
            unsafe { error.write(object) };
        }
        status
    }

    /// Does `work` that has no error to give: a panic gives `default`.
    pub(super) fn value<T>(&self, default: T, work: impl FnOnce() -> Option<T>) -> T {
        panics::keep_quiet();
        panics::caught(work).flatten().unwrap_or(default)
    }

    /// The object behind a receiver that other threads may use as well.
    pub(super) fn shared<T>(&self, name: &str, object: *const T) -> Result<&T> {
        // SAFETY: NULL, or a live object (see the promises above).
        unsafe { object.as_ref() }.ok_or_else(|| is_null(name))
    }

    /// An object of threads that this process made. Safe in a signal handler.
    #[inline]
    pub(super) fn own<T: Threaded>(&self, object: *const T) -> Option<&T> {
        // SAFETY: NULL, or a live object (see the promises above).
        unsafe { object.as_ref() }.filter(|object| object.process() == Process::current())
    }

    /// The same as a receiver that has to be there.
    #[inline]
    pub(super) fn threaded<T: Threaded>(&self, name: &str, object: *const T) -> Result<&T> {
        self.own(object).ok_or_else(|| is_not_ours(name, object.is_null()))
    }

    /// The object behind a receiver that is this thread's alone.
    #[allow(clippy::mut_from_ref, reason = "the reference is made of the caller's pointer")]
    pub(super) fn exclusive<T>(&self, name: &str, object: *mut T) -> Result<&mut T> {
        // SAFETY: NULL, or a live object that no other thread uses (see the promises above).
        unsafe { object.as_mut() }.ok_or_else(|| is_null(name))
    }

    /// A place that is written when all went well.
    pub(super) fn place<T>(&self, name: &str, output: *mut T) -> Result<Output<T>> {
        if output.is_null() { Err(is_null(name)) } else { Ok(Output(output)) }
    }

    /// An array of pointers, of at least one.
    pub(super) fn pointers<T>(
        &self,
        name: &str,
        array: *const *const T,
        count: usize,
    ) -> Result<&[*const T]> {
        if array.is_null() {
            return Err(is_null(name));
        }
        if count == 0 || count > isize::MAX.unsigned_abs() / size_of::<*const T>() {
            return Err(Error::new(
                ErrorKind::Argument,
                format!("{name} cannot have {count} entries"),
            ));
        }
        // SAFETY: not NULL, so `count` readable pointers (see the promises above).
        Ok(unsafe { std::slice::from_raw_parts(array, count) })
    }

    /// A place for a pointer; NULL until it is given one.
    #[inline]
    pub(super) fn output<T>(&self, name: &str, output: *mut T, empty: T) -> Result<Output<T>> {
        if output.is_null() {
            return Err(is_null(name));
        }
        let output = Output(output);
        output.write(self, empty);
        Ok(output)
    }

    /// A NUL-terminated string: a name, a key or a URL.
    pub(super) fn string(&self, name: &str, string: *const c_char) -> Result<&str> {
        self.optional_string(name, string)?.ok_or_else(|| is_null(name))
    }

    /// The same, where NULL is a choice.
    pub(super) fn optional_string(
        &self,
        name: &str,
        string: *const c_char,
    ) -> Result<Option<&str>> {
        if string.is_null() {
            return Ok(None);
        }
        // SAFETY: not NULL, so a NUL-terminated string (see the promises above).
        let string = unsafe { CStr::from_ptr(string) };
        utf8(name, string.to_bytes()).map(Some)
    }

    /// Text of a given length, or up to its NUL.
    pub(super) fn text(&self, name: &str, text: *const c_char, len: usize) -> Result<&str> {
        match len {
            usize::MAX => self.string(name, text),
            _ => utf8(name, self.bytes(name, text.cast(), len)?),
        }
    }

    /// Bytes of a given length, which may be 0; NULL is an error whatever the length.
    pub(super) fn bytes(&self, name: &str, bytes: *const u8, len: usize) -> Result<&[u8]> {
        if bytes.is_null() {
            return Err(is_null(name));
        }
        if len > isize::MAX.unsigned_abs() {
            return Err(Error::new(
                ErrorKind::Argument,
                format!("{name} cannot be {len} bytes long"),
            ));
        }
        // SAFETY: not NULL, so `len` readable bytes (see the promises above).
        Ok(unsafe { std::slice::from_raw_parts(bytes, len) })
    }

    /// The same for an object of threads. That of a parent process is left as it is: its
    /// locks may be locked, and its connections are the parent's.
    pub(super) fn free_threaded<T: Threaded>(&self, object: *mut T) {
        if self.own(object.cast_const()).is_some() {
            self.free(object);
        }
    }

    /// Takes an object back and drops it; NULL is none.
    pub(super) fn free<T>(&self, object: *mut T) {
        if object.is_null() {
            return;
        }
        // SAFETY: not NULL, so an object that `Box::into_raw` gave (see the promises above),
        // and nobody uses it any more.
        let object = unsafe { Box::from_raw(object) };
        self.value((), || {
            drop(object);
            None
        });
    }
}

/// A place of the caller's to write to.
pub(super) struct Output<T>(*mut T);

impl<T> Output<T> {
    #[inline]
    pub(super) fn write(&self, _: &Caller, value: T) {
        // SAFETY: checked for NULL when made, and the call still lasts: an output (see the
        // promises of `Caller`).
        unsafe { self.0.write(value) };
    }
}

impl<T> Output<*mut T> {
    /// Gives the caller an object to free.
    pub(super) fn give(&self, caller: &Caller, object: T) {
        self.write(caller, Box::into_raw(Box::new(object)));
    }
}

fn utf8<'t>(name: &str, bytes: &'t [u8]) -> Result<&'t str> {
    std::str::from_utf8(bytes).map_err(|error| {
        Error::new(
            ErrorKind::Argument,
            format!("{name} is not UTF-8: its byte {} is wrong", error.valid_up_to()),
        )
    })
}

#[cold]
#[inline(never)]
fn is_null(name: &str) -> Error {
    Error::new(ErrorKind::Argument, format!("{name} is NULL"))
}

/// An object of threads that is NULL, or of the parent process.
#[cold]
#[inline(never)]
fn is_not_ours(name: &str, null: bool) -> Error {
    if null {
        return is_null(name);
    }
    Error::new(
        ErrorKind::Argument,
        format!(
            "this {name} belongs to the parent process: after fork(), the child makes clients \
             and sessions of its own"
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::{Mutex, mpsc};
    use std::time::Duration;

    use super::*;
    use crate::answer::Answer;
    use crate::attempt::Attempt;
    use crate::dialects::Dialect;
    use crate::model::Model;
    use crate::{Client, Config, Request, Session, host, log, thread};

    /// Set in the process whose standard error is looked at.
    const CHILD: &str = "TOLMACH_TEST_PANICS";

    struct Panicking;

    impl Dialect for Panicking {
        fn run(&self, _: &Request, _: &mut Attempt<'_>, _: &mut Answer<'_>) -> Result<()> {
            panic!("in a session")
        }

        fn models(&self, _: &mut Attempt<'_>) -> Result<Vec<Model>> {
            panic!("in a list of models")
        }
    }

    #[test]
    fn panics_of_the_library_are_logged_and_those_of_the_host_alone_are_printed() {
        if std::env::var_os(CHILD).is_some() {
            return panic_everywhere();
        }
        let test = "ffi::caller::tests::panics_of_the_library_are_logged_and_those_of_the_host_alone_are_printed";
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{printed}");
        for ours in ["at the border", "of a value", "in a job", "in a session", "in a list"] {
            assert!(!printed.contains(ours), "{printed}");
        }
        for theirs in ["of the host", "in a callback"] {
            assert!(printed.contains(theirs), "{printed}");
        }
    }

    fn panic_everywhere() {
        let (tell, told) = mpsc::channel();
        let tell = Mutex::new(tell);
        let sink = move |level: log::Level, _: u64, message: &str| {
            tell.lock().unwrap().send(format!("{level:?} {message}")).unwrap();
        };
        log::set(log::Level::Error as i32, Some(Box::new(sink)));
        let logged = |what: &str| {
            let line = told.recv_timeout(Duration::from_secs(60)).unwrap();
            assert!(line.starts_with("Error panic: ") && line.contains("caller.rs"), "{line}");
            assert!(line.ends_with(what), "{line}");
        };
        // SAFETY: no pointer of these calls is used.
        let caller = unsafe { Caller::trusted() };
        let status = caller.call(std::ptr::null_mut::<*mut Error>(), || panic!("at the border"));
        assert_eq!(status, ErrorKind::Internal as tolmach_status);
        logged("at the border");
        assert_eq!(caller.value(7, || panic!("of a value")), 7);
        logged("of a value");
        thread::spawn("job", || panic!("in a job")).unwrap();
        logged("in a job");
        let config = Config::new("openai").unwrap();
        let client = Client::speaking(&config, Box::new(Panicking)).unwrap();
        assert_eq!(client.models(None).unwrap_err().kind(), ErrorKind::Internal);
        logged("in a list of models");
        let mut session = Session::open(&client, &Request::new(None)).unwrap();
        assert_eq!(session.poll(None).unwrap_err().kind(), ErrorKind::Internal);
        logged("in a session");
        let (over, is_over) = mpsc::channel::<()>();
        thread::spawn("job", move || {
            let _over = over;
            host::theirs(|| panic!("in a callback"))
        })
        .unwrap();
        is_over.recv_timeout(Duration::from_secs(60)).unwrap_err();
        std::thread::spawn(|| panic!("of the host")).join().unwrap_err();
    }
}
