//! Readiness: a level-triggered descriptor and a callback for event loops, and whoever waits
//! for several sessions; faces of one signal that is raised while there is something to poll for.

use std::sync::Arc;

use super::descriptor::Descriptor;
use super::waiter::Waiter;
use crate::host;

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
        host::theirs(&self.call);
    }
}

#[derive(Default)]
pub(crate) struct Signal {
    raised: bool,
    ready: Option<Arc<Ready>>,
    descriptor: Option<Descriptor>,
    waiters: Vec<Arc<Waiter>>,
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
        self.waiters.iter().for_each(|waiter| waiter.wake());
        self.ready.clone()
    }

    pub(crate) fn lower(&mut self) {
        if std::mem::replace(&mut self.raised, false) {
            if let Some(descriptor) = &self.descriptor {
                descriptor.lower();
            }
        }
    }

    #[cfg(all(test, loom))]
    pub(crate) fn is_raised(&self) -> bool {
        self.raised
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

    /// Wakes `waiter` when the signal is raised; at once where it is now.
    pub(super) fn enlist(&mut self, waiter: &Arc<Waiter>) {
        if self.raised {
            waiter.wake();
        }
        self.waiters.push(Arc::clone(waiter));
    }

    pub(super) fn withdraw(&mut self, waiter: &Arc<Waiter>) {
        self.waiters.retain(|known| !Arc::ptr_eq(known, waiter));
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
