pub use liter_llm_ffi::*;
