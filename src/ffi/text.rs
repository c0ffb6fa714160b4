use std::ffi::c_char;

use crate::error::Result;
use crate::memory;

/// Text that the library gives out: `len` bytes of UTF-8, then a NUL byte that `len` does
/// not count. `ptr` is not NULL unless the function that returns it says so. The text may
/// contain NUL bytes, so use `len`, not strlen(). The function that returns it says how long it
/// is valid. Never free it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tolmach_str {
    /// The first byte.
    pub ptr: *const c_char,
    /// How many bytes.
    pub len: usize,
}

impl tolmach_str {
    /// There is no such text.
    pub(super) const NONE: tolmach_str = tolmach_str { ptr: std::ptr::null(), len: 0 };

    pub(super) const EMPTY: tolmach_str = tolmach_str { ptr: c"".as_ptr(), len: 0 };

    /// `text`, which is empty or has a NUL byte after its end.
    #[inline]
    pub(super) fn of_terminated(text: &str) -> tolmach_str {
        if text.is_empty() {
            return tolmach_str::EMPTY;
        }
        tolmach_str { ptr: text.as_ptr().cast(), len: text.len() }
    }
}

/// Text that lives in an object of the ABI, and its NUL.
pub(super) struct Text(String);

impl Text {
    /// A copy of `text`, which is short.
    pub(super) fn new(text: &str) -> Text {
        Text([text, "\0"].concat())
    }

    /// `text`, however long.
    pub(super) fn of(mut text: String) -> Result<Text> {
        memory::push_str(&mut text, "\0")?;
        Ok(Text(text))
    }

    pub(super) fn as_str(&self) -> tolmach_str {
        tolmach_str { ptr: self.0.as_ptr().cast(), len: self.0.len().saturating_sub(1) }
    }
}
