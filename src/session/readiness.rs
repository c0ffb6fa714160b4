//! Readiness for event loops: a level-triggered descriptor and a callback, two faces of
//! one signal that is raised while there is something to poll for.

use std::sync::Arc;

/// What a program wants to be called on readiness.
pub struct Ready {
    call: Box<dyn Fn() + Send + Sync>,
}

impl Ready {
    /// `call` may run on any thread, must return soon and may not panic. It is dropped
    /// after its last run.
    pub fn new(call: impl Fn() + Send + Sync + 'static) -> Ready {
        Ready { call: Box::new(call) }
    }

    pub(crate) fn call(&self) {
        (self.call)();
    }
}

#[derive(Default)]
pub(crate) struct Signal {
    raised: bool,
    ready: Option<Arc<Ready>>,
    descriptor: Option<Descriptor>,
}

impl Signal {
    /// Raises the signal. On the way up the callback is returned, to be called unlocked.
    pub(crate) fn raise(&mut self) -> Option<Arc<Ready>> {
        if std::mem::replace(&mut self.raised, true) {
            return None;
        }
        if let Some(descriptor) = &self.descriptor {
            descriptor.raise();
        }
        self.ready.clone()
    }

    pub(crate) fn lower(&mut self) {
        if std::mem::replace(&mut self.raised, false) {
            if let Some(descriptor) = &self.descriptor {
                descriptor.lower();
            }
        }
    }

    /// The descriptor, made on the first call.
    pub(crate) fn fd(&mut self) -> Option<i32> {
        if self.descriptor.is_none() {
            let descriptor = Descriptor::new()?;
            if self.raised {
                descriptor.raise();
            }
            self.descriptor = Some(descriptor);
        }
        self.descriptor.as_ref().map(Descriptor::number)
    }

    /// Replaces the callback. Returns the new one where it is to be called now, and the
    /// former one.
    pub(crate) fn watch(
        &mut self,
        ready: Option<Arc<Ready>>,
    ) -> (Option<Arc<Ready>>, Option<Arc<Ready>>) {
        let replaced = std::mem::replace(&mut self.ready, ready);
        (self.ready.clone().filter(|_| self.raised), replaced)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod descriptor {
    use std::os::fd::{AsFd, AsRawFd};

    use nix::sys::eventfd::{EfdFlags, EventFd};

    /// An eventfd: readable while its count is above 0.
    pub(super) struct Descriptor(EventFd);

    impl Descriptor {
        pub(super) fn new() -> Option<Descriptor> {
            let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
            EventFd::from_value_and_flags(0, flags).ok().map(Descriptor)
        }

        /// Neither call can fail: the count goes between 0 and 1.
        pub(super) fn raise(&self) {
            self.0.write(1).ok();
        }

        pub(super) fn lower(&self) {
            self.0.read().ok();
        }

        pub(super) fn number(&self) -> i32 {
            self.0.as_fd().as_raw_fd()
        }
    }
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
mod descriptor {
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    /// A pair of sockets: readable while a byte is in it.
    pub(super) struct Descriptor {
        reader: UnixStream,
        writer: UnixStream,
    }

    impl Descriptor {
        pub(super) fn new() -> Option<Descriptor> {
            let (reader, writer) = UnixStream::pair().ok()?;
            reader.set_nonblocking(true).ok()?;
            writer.set_nonblocking(true).ok()?;
            Some(Descriptor { reader, writer })
        }

        pub(super) fn raise(&self) {
            (&self.writer).write(&[1]).ok();
        }

        pub(super) fn lower(&self) {
            (&self.reader).read(&mut [0; 8]).ok();
        }

        pub(super) fn number(&self) -> i32 {
            self.reader.as_raw_fd()
        }
    }
}

#[cfg(not(unix))]
mod descriptor {
    /// No descriptor that an event loop could wait for: the callback serves instead.
    pub(super) struct Descriptor;

    impl Descriptor {
        pub(super) fn new() -> Option<Descriptor> {
            None
        }

        pub(super) fn raise(&self) {}

        pub(super) fn lower(&self) {}

        pub(super) fn number(&self) -> i32 {
            -1
        }
    }
}

use descriptor::Descriptor;
