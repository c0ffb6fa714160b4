//! Gives the unused part of a thread's stack back to the system.
//!
//! Sending a request takes a deep stack: ureq has a frame of more than 12 KiB, and a TLS
//! handshake goes deeper. Afterwards the worker waits for the answer, often for minutes,
//! with a small part of it in use. The pages below that part are never read again, but they
//! stay resident: about a third of the memory of an idle session. `MADV_DONTNEED` frees
//! them at once. When the stack grows into them again the system gives fresh pages, as it
//! did the first time.
//!
//! No safe interface exists for that, and a helper thread for each request, whose stack ends
//! with it, costs more memory and time. Why it is sound:
//!
//! - It is done on the stack of the calling thread alone, and [`crate::thread`] calls it on
//!   the threads that it started itself, never on a host's. Such a thread runs on the stack
//!   that the C library made for it: there are no coroutines here that would run on other
//!   memory.
//! - What is freed lies between the lower end of that stack, as the C library gives it, and
//!   [`MARGIN`] bytes below a local variable of [`give_back`]. The stack grows downwards on
//!   every system that this is compiled for. So all frames that are live lie above: those of
//!   the callers, and those of `give_back()` and of `madvise()`, which are much smaller than
//!   the margin. If the variable is not within the stack's bounds, nothing is done.
//! - Nothing below the live frames is in use. Rust has no references to locals of functions
//!   that have returned. The red zone of a leaf function is a few hundred bytes and within
//!   the margin. Signals are blocked on these threads; a handler of a fault would run before
//!   or after the system call, not during it.
//! - The guard page is not touched: the stack's bounds do not include it. The stack stays
//!   mapped and as large as it was, so that an overflow is still caught.
//! - Where the system refuses (a process that locks its memory), all stays as it was.
//!
//! On Linux alone, for now: elsewhere the meaning of `MADV_DONTNEED` differs.

/// Frees the pages of this thread's stack that are not in use. To be called on a thread of
/// the library's own.
#[cfg(target_os = "linux")]
#[inline(never)]
pub(super) fn give_back() {
    use std::hint::black_box;

    use nix::libc;

    let here = black_box(0_u8);
    let here = (&raw const here).addr();
    let Some((low, high)) = bounds() else { return };
    if !(low..high).contains(&here) {
        return;
    }
    // SAFETY: it only reads a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let Some(page) = usize::try_from(page).ok().filter(|page| page.is_power_of_two()) else {
        return;
    };
    let low = low.next_multiple_of(page);
    let end = here.saturating_sub(MARGIN) & !(page - 1);
    if let Some(length @ 1..) = end.checked_sub(low) {
        let unused = std::ptr::with_exposed_provenance_mut(low);
        // SAFETY: whole pages of this thread's stack, below everything that is in use (see
        // above). A failure changes nothing.
        unsafe { libc::madvise(unused, length, libc::MADV_DONTNEED) };
    }
}

/// More than the frames of [`give_back`] and what it calls, and a red zone.
#[cfg(target_os = "linux")]
const MARGIN: usize = 2048;

/// The lower and the upper end of this thread's stack.
#[cfg(target_os = "linux")]
fn bounds() -> Option<(usize, usize)> {
    use std::mem::MaybeUninit;

    use nix::libc;

    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: it always succeeds.
    let this = unsafe { libc::pthread_self() };
    // SAFETY: the thread runs, and the attributes are a place to write to.
    if unsafe { libc::pthread_getattr_np(this, attributes.as_mut_ptr()) } != 0 {
        return None;
    }
    let (mut low, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: the attributes have been written; the others are places to write to.
    let got =
        unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut low, &raw mut size) };
    // SAFETY: the attributes have been written, and are not used again.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    (got == 0).then(|| (low.addr(), low.addr().saturating_add(size)))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn give_back() {}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::hint::black_box;

    use super::*;

    const DEPTH: usize = 64;

    /// Fills `depth` KiB of the stack and more, and reads them again.
    #[inline(never)]
    fn deep(depth: usize) -> usize {
        let frame = black_box([u8::try_from(depth).unwrap(); 1024]);
        let below = if depth == 0 { 0 } else { deep(depth - 1) };
        below + usize::from(black_box(&frame)[depth])
    }

    /// The resident memory of the mapping that `address` is in, in KiB.
    fn resident(address: usize) -> usize {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        for line in maps.lines() {
            let mut words = line.split_whitespace();
            let first = words.next().unwrap();
            if let Some((low, high)) = first.split_once('-') {
                let number = |digits| usize::from_str_radix(digits, 16);
                if let (Ok(low), Ok(high)) = (number(low), number(high)) {
                    inside = (low..high).contains(&address);
                }
            } else if inside && first == "Rss:" {
                return words.next().unwrap().parse().unwrap();
            }
        }
        panic!("{address:x} is not mapped");
    }

    #[test]
    fn stack_that_was_given_back_is_empty_and_can_be_used_again() {
        let test = || {
            let kept = black_box([7_u8; 10_000]);
            let here = (&raw const kept).addr();
            let sum = deep(DEPTH);
            let before = resident(here);
            give_back();
            let after = resident(here);
            assert!(before - after >= DEPTH / 2, "{before} KiB, then {after} KiB");
            assert_eq!(deep(DEPTH), sum);
            assert!(black_box(&kept).iter().all(|byte| *byte == 7));
        };
        std::thread::Builder::new().stack_size(1 << 20).spawn(test).unwrap().join().unwrap();
    }
}
