pub use aimux_ffi::*;
