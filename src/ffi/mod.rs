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
