//! Options of a request: keys of the config that have another value for one request.

use super::values::argument;
use super::{Config, keys};
use crate::error::Result;
use crate::request::Request;

impl Request {
    /// Gives a key of the config another value for this request alone; `None` takes that back.
    /// "headers" are added to those of the config. Options are not part of the JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`](crate::ErrorKind::Argument) when the key cannot differ between
    /// requests, which lists those that can, or the value is wrong, which says what would be
    /// right.
    pub fn option(&mut self, key: &str, value: Option<&str>) -> Result<()> {
        let key = checked(key, value)?;
        self.set_option(key, value);
        Ok(())
    }
}

impl Config {
    /// What it is for `request`, where that has options of its own.
    pub(crate) fn for_request(&self, request: &Request) -> Result<Option<Config>> {
        let mut own = None;
        for (name, value) in request.options() {
            let own = own.get_or_insert_with(|| self.clone());
            if let Some(key) = keys::common_key(name) {
                key.set(&mut own.settings, self.provider, Some(value))?;
            }
        }
        if let Some(own) = &mut own {
            if own.headers != self.headers {
                let added = std::mem::replace(&mut own.settings.headers, self.headers.clone());
                own.settings.request_headers = added;
            }
        }
        Ok(own)
    }
}

/// Whether a request may have a value of its own for `key`, and whether `value` is right.
///
/// # Errors
/// [`ErrorKind::Argument`](crate::ErrorKind::Argument) otherwise; it says what would be right.
fn checked(key: &str, value: Option<&str>) -> Result<&'static str> {
    let options = || keys::COMMON.iter().filter(|known| known.is_option);
    let Some(known) = options().find(|known| known.name == key) else {
        let names: Vec<&str> = options().map(|known| known.name).collect();
        let why = match keys::common_key(key).is_some() {
            true => "is the same for all requests of a client",
            false => "is not an option of a request",
        };
        let names = names.join(", ");
        return Err(argument(format!("{key:?} {why}; the options of a request are {names}")));
    };
    value.map_or(Ok(()), |value| known.check(value))?;
    Ok(known.name)
}

#[cfg(test)]
mod tests {
    use super::keys;

    #[test]
    fn options_of_a_request_are_documented_with_it() {
        let text = include_str!("../ffi/request.rs");
        let (_, text) = text.split_once("Gives a key of the config another value").unwrap();
        let (text, _) = text.split_once("unsafe").unwrap();
        for key in keys::COMMON.iter().filter(|key| key.is_option) {
            assert!(text.contains(key.name), "{}", key.name);
        }
        assert!(!text.contains("max_event_bytes"));
    }
}
