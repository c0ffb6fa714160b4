//! `pthread_cancel()`: it waits until a call of this library is over.

pub(super) use state::Uncancelled;

// Android has no pthread_cancel().
#[cfg(all(unix, not(target_os = "android")))]
mod state {
    use std::ffi::c_int;

    unsafe extern "C" {
        fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
    }

    const PTHREAD_CANCEL_DISABLE: c_int = if cfg!(target_vendor = "apple") { 0 } else { 1 };

    /// While it lives, a cancellation of this thread waits: it would unwind through the
    /// library, which ends the process.
    pub(in super::super) struct Uncancelled {
        before: c_int,
    }

    impl Uncancelled {
        #[inline]
        pub(in super::super) fn new() -> Uncancelled {
            let mut before = 0;
            // SAFETY: `before` is a place to write to.
            unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &raw mut before) };
            Uncancelled { before }
        }
    }

    impl Drop for Uncancelled {
        #[inline]
        fn drop(&mut self) {
            let mut disabled = 0;
            // SAFETY: `disabled` is a place to write to.
            unsafe { pthread_setcancelstate(self.before, &raw mut disabled) };
        }
    }
}

#[cfg(not(all(unix, not(target_os = "android"))))]
mod state {
    pub(in super::super) struct Uncancelled;

    impl Uncancelled {
        pub(in super::super) fn new() -> Uncancelled {
            Uncancelled
        }
    }
}
