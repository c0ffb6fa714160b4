//! [`PerProcess`]: static state that survives `fork()`.

use once_cell::race::OnceBox;

/// A static value of which every process has its own.
///
/// Threads do not survive a fork, and a lock that one of them held stays locked in the
/// child. So a child process starts with a new value and never looks into its parent's.
/// No lock is held while a value is made: two threads may make one each, and one is kept.
pub(crate) struct PerProcess<T: 'static>(OnceBox<Own<T>>);

struct Own<T: 'static> {
    process: u32,
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
        if own.process != std::process::id() {
            own = own.child.get_or_init(Own::new);
        }
        &own.value
    }
}

impl<T: Default> Own<T> {
    fn new() -> Box<Own<T>> {
        let process = std::process::id();
        Box::new(Own { process, value: T::default(), child: OnceBox::new() })
    }
}
