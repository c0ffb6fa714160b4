//! What the tests share: a scripted server, C programs, real servers.

#![allow(dead_code, unreachable_pub, reason = "each test uses its part of the support")]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may wait, and fails where it cannot go on"
)]

pub mod aimock;
pub mod c;
pub mod openai;
pub mod prefix;
pub mod process;
pub mod server;
pub mod splits;
pub mod stage;
pub mod tap;
pub mod tls;

use std::io::Write;
use std::time::Duration;

/// Longer than anything takes on a slow machine; what waits for it fails.
pub const LONG: Duration = Duration::from_secs(180);

/// Says plainly what is not tested here, and why. Where nothing may be skipped, fails.
pub fn skip(what: &str, why: &str) {
    let message = format!("SKIPPED: {what}: {why}");
    assert!(std::env::var_os("TOLMACH_TEST_NO_SKIP").is_none(), "{message}");
    // The handle itself: the test harness swallows what goes through the macros.
    writeln!(std::io::stderr(), "{message}").ok();
}
