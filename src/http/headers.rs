//! Header lines: ordered, compared without case, checked when set.

use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result};

/// Header lines that say how a message is sent, which is the library's business.
const OWN: [&str; 10] = [
    "Connection",
    "Content-Length",
    "Expect",
    "HTTP2-Settings",
    "Keep-Alive",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
];

/// Names and values; these may be credentials, and are wiped when they are dropped.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Headers(Vec<(String, Zeroizing<String>)>);

impl Headers {
    /// Sets a header, in the place of one of the same name in any case.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for an invalid name, one that the library alone sets,
    /// and a value with a line break or another control character, which could smuggle in
    /// a header or a request. The message names the header; the value may be a secret.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(Error::new(
                ErrorKind::Argument,
                format!("{name:?} is no name of a header"),
            ));
        }
        if value.chars().any(|c| c.is_control() && c != '\t') {
            return Err(Error::new(
                ErrorKind::Argument,
                format!("the value of the header {name:?} has a line break or control character"),
            ));
        }
        if OWN.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            return Err(Error::new(
                ErrorKind::Argument,
                format!("the header {name:?} is the library's own and cannot be set"),
            ));
        }
        let wants_ascii = ["Authorization", "Host"];
        if wants_ascii.iter().any(|known| known.eq_ignore_ascii_case(name)) && !value.is_ascii() {
            return Err(Error::new(
                ErrorKind::Argument,
                format!("the value of the header {name:?} has a character that is not ASCII"),
            ));
        }
        self.put(name, value);
        Ok(())
    }

    /// Sets a header that is known to be right: a constant of the code.
    pub(crate) fn put(&mut self, name: &str, value: &str) {
        match self.0.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, known)) => *known = Zeroizing::new(value.to_owned()),
            None => self.push(name, value),
        }
    }

    /// Removes a header of that name, in any case.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// Adds a line as it came.
    pub(crate) fn push(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), Zeroizing::new(value.to_owned())));
    }

    /// The first value of that name, in any case.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::wiping::is_wiped;

    #[test]
    fn values_are_wiped_when_they_are_dropped() {
        let mut headers = Headers::default();
        headers.set("Authorization", "a key").unwrap();
        headers.0.iter().for_each(|(_, value)| is_wiped(value));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn nothing_of_a_replaced_or_dropped_value_is_in_memory() {
        use crate::secret::wiping::memory::{address_of, holds, text_of};

        let mut headers = Headers::default();
        headers.set("Authorization", &text_of('F')).unwrap();
        let first = address_of(headers.get("authorization").unwrap());
        assert!(holds('F', first));
        headers.set("authorization", &text_of('G')).unwrap();
        assert!(!holds('F', first));
        let second = address_of(headers.get("authorization").unwrap());
        assert!(holds('G', second));
        drop(headers);
        assert!(!holds('G', second));
    }

    #[test]
    fn names_compare_without_case_and_the_last_writer_wins() {
        let mut headers = Headers::default();
        headers.set("Accept", "a").unwrap();
        headers.set("X-B", "b").unwrap();
        headers.set("accept", "c").unwrap();
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("Accept", "c"), ("X-B", "b")]);
        assert_eq!(headers.get("x-b"), Some("b"));
    }

    #[test]
    fn line_breaks_and_bad_names_are_refused() {
        let mut headers = Headers::default();
        for (name, value) in [("A", "b\r\nC: d"), ("A", "b\n"), ("A", "\0"), ("A b", ""), ("", "")]
        {
            assert_eq!(headers.set(name, value).unwrap_err().kind(), ErrorKind::Argument);
        }
        headers.set("A", "tab\tand ümlaut").unwrap();
    }

    #[test]
    fn headers_of_the_library_are_refused_in_any_case() {
        let mut headers = Headers::default();
        for name in OWN.iter().flat_map(|name| [name.to_string(), name.to_lowercase()]) {
            let error = headers.set(&name, "x").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Argument);
            assert!(error.message().contains(&name), "{error}");
        }
        for name in ["Authorization", "host"] {
            assert_eq!(headers.set(name, "Ключ").unwrap_err().kind(), ErrorKind::Argument);
            headers.set(name, "ascii").unwrap();
        }
    }
}
