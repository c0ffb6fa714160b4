//! A descriptor that is readable while it is raised: what event loops wait for.

/// Does `work` and leaves `errno` as it was: a signal handler has to.
#[cfg(unix)]
fn keeping_errno<T>(work: impl FnOnce() -> T) -> T {
    let errno = nix::errno::Errno::last_raw();
    let done = work();
    nix::errno::Errno::set_raw(errno);
    done
}

/// Waits until `descriptor` is readable; false when it cannot be waited for: the program
/// has closed it.
#[cfg(unix)]
fn raised(descriptor: std::os::fd::BorrowedFd<'_>) -> bool {
    use std::time::Duration;

    use nix::errno::Errno;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    /// How long to wait where the system has no memory for a wait.
    const MOMENT: Duration = Duration::from_millis(10);

    loop {
        let mut awaited = [PollFd::new(descriptor, PollFlags::POLLIN)];
        match poll(&mut awaited, PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            Err(_) => std::thread::park_timeout(MOMENT),
            Ok(_) => {
                let [awaited] = awaited;
                return awaited.revents().is_some_and(|is| is == PollFlags::POLLIN);
            }
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::os::fd::{AsFd, AsRawFd};

    use nix::sys::eventfd::{EfdFlags, EventFd};

    /// An eventfd: readable while its count is above 0.
    pub(in crate::session) struct Descriptor(EventFd);

    impl Descriptor {
        pub(in crate::session) fn new() -> Option<Descriptor> {
            let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
            EventFd::from_value_and_flags(0, flags).ok().map(Descriptor)
        }

        /// Safe in a signal handler. It cannot fail but for a count that is raised anyway.
        pub(in crate::session) fn raise(&self) {
            super::keeping_errno(|| self.0.write(1).ok());
        }

        pub(in crate::session) fn lower(&self) {
            self.0.read().ok();
        }

        /// Waits until it is raised, and lowers it; see [`super::raised`].
        pub(in crate::session) fn wait(&self) -> bool {
            let raised = super::raised(self.0.as_fd());
            self.lower();
            raised
        }

        pub(in crate::session) fn number(&self) -> i32 {
            self.0.as_fd().as_raw_fd()
        }
    }

    #[cfg(test)]
    mod tests {
        use nix::errno::Errno;

        use super::*;

        #[test]
        fn raising_in_a_signal_handler_leaves_errno_as_it_was() {
            let descriptor = Descriptor::new().unwrap();
            // No more can be added: the next write fails.
            descriptor.0.write(u64::MAX - 1).unwrap();
            Errno::set_raw(77);
            descriptor.raise();
            assert_eq!(Errno::last_raw(), 77);
        }
    }
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
mod system {
    use std::io::{Read, Write};
    use std::os::fd::{AsFd, AsRawFd};
    use std::os::unix::net::UnixStream;

    /// A pair of sockets: readable while a byte is in it.
    pub(in crate::session) struct Descriptor {
        reader: UnixStream,
        writer: UnixStream,
    }

    impl Descriptor {
        pub(in crate::session) fn new() -> Option<Descriptor> {
            let (reader, writer) = UnixStream::pair().ok()?;
            reader.set_nonblocking(true).ok()?;
            writer.set_nonblocking(true).ok()?;
            Some(Descriptor { reader, writer })
        }

        /// Safe in a signal handler. It cannot fail but for a pair that is raised anyway.
        pub(in crate::session) fn raise(&self) {
            super::keeping_errno(|| (&self.writer).write(&[1]).ok());
        }

        pub(in crate::session) fn lower(&self) {
            (&self.reader).read(&mut [0; 8]).ok();
        }

        /// Waits until it is raised, and lowers it; see [`super::raised`].
        pub(in crate::session) fn wait(&self) -> bool {
            let raised = super::raised(self.reader.as_fd());
            self.lower();
            raised
        }

        pub(in crate::session) fn number(&self) -> i32 {
            self.reader.as_raw_fd()
        }
    }
}

#[cfg(not(unix))]
mod system {
    /// No descriptor that an event loop could wait for: the callback serves instead.
    pub(in crate::session) struct Descriptor;

    impl Descriptor {
        pub(in crate::session) fn new() -> Option<Descriptor> {
            None
        }

        pub(in crate::session) fn raise(&self) {}

        pub(in crate::session) fn lower(&self) {}

        pub(in crate::session) fn wait(&self) -> bool {
            false
        }

        pub(in crate::session) fn number(&self) -> i32 {
            -1
        }
    }
}

pub(super) use system::Descriptor;
