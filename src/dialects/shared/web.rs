//! What the web chats share.

use crate::config::Config;
use crate::error::Result;
use crate::http::Headers;

/// The headers that a web chat's own page sends, and the cookies of the config's.
pub(crate) fn headers(headers: &[(&str, &str)], config: &Config) -> Result<Headers> {
    let mut all = Headers::default();
    for (name, value) in headers {
        all.set(name, value)?;
    }
    if let Some(cookie) = config.option("cookie") {
        all.set("cookie", cookie)?;
    }
    Ok(all)
}
