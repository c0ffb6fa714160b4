//! Which process this is, and [`PerProcess`]: static state that survives `fork()`.

use std::sync::atomic::{AtomicU32, Ordering};

use once_cell::race::OnceBox;

/// How many forks lie between the process that loaded the library and this one, where the
/// system tells of them.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// To be called in the child of a fork: it takes no lock.
pub(crate) fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// The number of forks so far. Costs no system call.
#[inline]
pub(crate) fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// This process. A child can have the number of its parent, in a namespace of its own; and
/// not every fork is told.
fn this() -> (u32, u32) {
    (std::process::id(), forks())
}

/// A static value of which every process has its own.
///
/// Threads do not survive a fork, and a lock that one of them held stays locked in the
/// child. So a child process starts with a new value and never looks into its parent's.
/// No lock is held while a value is made: two threads may make one each, and one is kept.
pub(crate) struct PerProcess<T: 'static>(OnceBox<Own<T>>);

struct Own<T: 'static> {
    process: (u32, u32),
    value: T,
    /// That of the process's children.
    child: OnceBox<Own<T>>,
}

impl<T: Default> PerProcess<T> {
    pub(crate) const fn new() -> PerProcess<T> {
        PerProcess(OnceBox::new())
    }

    /// The value of this process.
    pub(crate) fn get(&'static self) -> &'static T {
        let mut own = self.0.get_or_init(Own::new);
        while let Some(child) = own.child.get() {
            own = child;
        }
        if own.process != this() {
            own = own.child.get_or_init(Own::new);
        }
        &own.value
    }
}

impl<T: Default> Own<T> {
    fn new() -> Box<Own<T>> {
        Box::new(Own { process: this(), value: T::default(), child: OnceBox::new() })
    }
}
