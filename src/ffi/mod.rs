//! The C ABI: `include/tolmach.h` is generated from these files, section by section.
//!
//! The only place with `unsafe`. An exported function checks its arguments, calls the
//! core and writes its outputs; what a C program promises about its pointers is written
//! in the header, and is taken at its word in one place, [`caller::Caller`].

#![allow(unsafe_code, reason = "a C ABI takes and gives raw pointers")]
#![allow(non_camel_case_types, reason = "the names are those of the header")]
#![allow(dead_code, unreachable_pub, reason = "what is public here is so for C programs")]

// The sections of the header; build.rs has their order.
mod chunk;
mod client;
mod config;
mod error;
mod library;
mod provider;
mod request;
mod session;
mod status;
mod text;

// What they stand on.
mod caller;
mod cancellation;
mod process;
mod stack;

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use std::mem::offset_of;

    use super::chunk::{tolmach_batch, tolmach_chunk, tolmach_usage};
    use super::client::tolmach_model;
    use super::config::tolmach_config_key;
    use super::provider::tolmach_provider;
    use super::session::{tolmach_rate_limit, tolmach_session_info, tolmach_tool_call};
    use super::text::tolmach_str;

    /// The lines of `abi/` that are about a struct, as the Rust compiler lays it out.
    macro_rules! layout {
        ($lines:ident, $name:ident: $($field:ident)*) => {
            $lines.push(format!("size {} {}", stringify!($name), size_of::<$name>()));
            $($lines.push(format!(
                "field {}.{} at {} of ", stringify!($name), stringify!($field), offset_of!($name, $field)
            ));)*
        };
    }

    #[test]
    fn structs_have_the_layout_that_c_programs_see() {
        let mut lines: Vec<String> = Vec::new();
        layout!(lines, tolmach_str: ptr len);
        layout!(lines, tolmach_usage: input output total cached_input reasoning cache_write);
        layout!(lines, tolmach_chunk: kind choice index flags text id name mime bytes bytes_len usage);
        layout!(lines, tolmach_batch: chunks count chunk_size memory);
        layout!(lines, tolmach_tool_call: id name arguments choice index);
        layout!(lines, tolmach_rate_limit: limit remaining reset_ms);
        layout!(
            lines,
            tolmach_session_info: id attempts changed request_id model provider http_status
                connection_reused resolved connected tls_done sent headers first_chunk ended
                longest_gap requests tokens
        );
        layout!(lines, tolmach_model: id owner json context_length capabilities);
        layout!(lines, tolmach_config_key: name default_value choices help kind is_option);
        layout!(
            lines,
            tolmach_provider: name label url base_url default_model api_key_env capabilities
        );
        let recorded = include_str!(concat!("../../abi/", env!("CARGO_PKG_VERSION"), ".txt"));
        let seen = |line: &&str| line.starts_with("size ") || line.starts_with("field ");
        let recorded: Vec<&str> = recorded.lines().filter(seen).collect();
        assert_eq!(recorded.len(), lines.len());
        for line in &lines {
            assert!(recorded.iter().any(|known| known.starts_with(line)), "{line}");
        }
    }
}
