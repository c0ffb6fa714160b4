//! What a refused request says about its parameters, in whichever shape the server says it.

use serde_json::Value;

use crate::error::Error;

/// What is read of one error body; a refusal says what is wrong long before that.
const LONGEST: usize = 64 * 1024;

/// Parameters whose names are ordinary words. In a sentence such a word counts only where it is
/// marked as a name: a server may quote the prompt.
const ORDINARY: &[&str] =
    &["n", "user", "store", "metadata", "seed", "strict", "role", "thinking", "reasoning"];

/// A refusal with status 400 or 422. Names are compared without case and underscores, because
/// `max_tokens` is also written `maxTokens`.
#[derive(Default)]
pub(super) struct Refusal {
    text: String,
    /// The parameters that the error names outside of its text, as paths.
    parameters: Vec<String>,
}

impl Refusal {
    pub(super) fn of(error: &Error) -> Refusal {
        let mut refusal = Refusal::default();
        match serde_json::from_slice(error.body().as_bytes()) {
            Ok(body) => refusal.read(&body, true),
            Err(_) => refusal.say(error.body()),
        }
        refusal
    }

    /// Reads the members that speak of the error, and nothing that only repeats the request.
    fn read(&mut self, value: &Value, may_hold_json: bool) {
        match value {
            Value::String(text) => match serde_json::from_slice(text.as_bytes()) {
                // Gateways put the body of another server's error into a string.
                Ok(inner @ Value::Object(_)) if may_hold_json => self.read(&inner, false),
                _ => self.say(text),
            },
            Value::Array(items) => items.iter().for_each(|item| self.read(item, may_hold_json)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    match (&**name, value) {
                        ("param" | "field", Value::String(path)) => self.name(path),
                        ("loc", Value::Array(path)) => {
                            let parts = path.iter().map(|part| match part {
                                Value::String(part) => part.clone(),
                                part => part.to_string(),
                            });
                            self.name(&parts.collect::<Vec<_>>().join("."));
                        }
                        (
                            "error" | "errors" | "message" | "msg" | "detail" | "details" | "title"
                            | "description" | "error_description" | "fieldViolations" | "metadata"
                            | "raw" | "code" | "type" | "base_resp" | "status_msg",
                            value,
                        ) => self.read(value, may_hold_json),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn say(&mut self, text: &str) {
        let room = LONGEST.saturating_sub(self.text.len());
        self.text.extend(plain(text).take(room));
        self.text.push('\n');
    }

    fn name(&mut self, path: &str) {
        let path: String = plain(path).take(LONGEST).collect();
        let path = path.strip_prefix("body.").unwrap_or(&path);
        if !path.is_empty() {
            self.parameters.push(path.to_owned());
        }
    }

    /// Whether it is about a parameter that goes by one of `names`, and stands in one of
    /// `places` of the body. Where the error names its parameter, its text counts only for what
    /// is part of that parameter.
    pub(super) fn is_about(&self, names: &[&str], places: &[&str]) -> bool {
        let mentioned = || names.iter().any(|name| self.mentions(name));
        let roots: Vec<String> = places.iter().map(|place| first_part(&text_of(place))).collect();
        match self.parameters.is_empty() {
            true => mentioned(),
            false => self.parameters.iter().any(|path| {
                let is_named = |name: &&str| {
                    let name = text_of(name);
                    *path == name || parts(path).any(|part| part == name)
                };
                names.iter().any(is_named) || (roots.contains(&first_part(path)) && mentioned())
            }),
        }
    }

    /// Whether the text has one of `words`; true where there are none to look for.
    pub(super) fn says(&self, words: &[&str]) -> bool {
        words.is_empty() || words.iter().any(|word| self.text.contains(&text_of(word)))
    }

    /// Whether the text has `name` as a whole word.
    pub(super) fn mentions(&self, name: &str) -> bool {
        let word = text_of(name);
        let ordinary = ORDINARY.contains(&name);
        self.text.match_indices(&word).any(|(at, _)| {
            let (before, rest) = self.text.split_at(at);
            let after = rest.get(word.len()..).unwrap_or_default();
            let inside =
                before.ends_with(char::is_alphanumeric) || after.starts_with(char::is_alphanumeric);
            !inside && (!ordinary || is_marked(before, after))
        })
    }
}

/// Whether what stands around a word says that it is a name.
fn is_marked(before: &str, after: &str) -> bool {
    const KINDS: &[&str] =
        &["parameter", "argument", "field", "property", "option", "key", "name", "unknown"];
    let quotes = ['"', '\'', '`'];
    let is_quoted = before.ends_with(quotes) && after.starts_with(quotes);
    let is_in_path = before.ends_with('.');
    let (before, after) = (before.trim_end(), after.trim_start());
    let is_kind_before = before.is_empty()
        || before.ends_with(['\n', ':'])
        || KINDS.iter().any(|kind| before.ends_with(kind));
    is_quoted || is_in_path || is_kind_before || KINDS.iter().any(|kind| after.starts_with(kind))
}

/// Lower case, without underscores.
fn plain(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().filter(|c| *c != '_').flat_map(char::to_lowercase)
}

fn text_of(text: &str) -> String {
    plain(text).collect()
}

/// The parts of a path such as `tools[0].function.strict`.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split(['.', '[', ']', '/']).filter(|part| !part.is_empty())
}

fn first_part(path: &str) -> String {
    parts(path).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Details, ErrorKind};

    fn refusal(body: &str) -> Refusal {
        let details = Details { body: body.to_owned(), ..Details::default() };
        Refusal::of(&Error::new(ErrorKind::BadRequest, "no").with_details(details))
    }

    #[test]
    fn parameter_is_found_in_every_shape_of_an_error() {
        let is_about = |body: &str, name| refusal(body).is_about(&[name], &[name]);
        for body in [
            r#"{"error":{"message":"Unsupported parameter","param":"seed"}}"#,
            r#"{"error":{"message":"Unknown field: seed"}}"#,
            r#"{"detail":[{"type":"extra_forbidden","loc":["body","seed"],"msg":"Extra inputs are not permitted"}]}"#,
            r#"{"object":"error","message":"[{'loc': ('body', 'seed'), 'msg': 'Extra inputs are not permitted'}]"}"#,
            r#"{"error":{"message":"Provider returned error","metadata":{"raw":"{\"error\":{\"param\":\"seed\"}}"}}}"#,
            r#"{"error":{"status":"INVALID_ARGUMENT","details":[{"fieldViolations":[{"field":"generation_config.seed"}]}]}}"#,
            r#"{"message":"property 'seed' is unsupported"}"#,
            "the seed parameter is not supported",
        ] {
            assert!(is_about(body, "seed"), "{body}");
            assert!(!is_about(body, "user"), "{body}");
        }
        assert!(is_about(r#"{"message":"maxOutputTokens: no"}"#, "max_output_tokens"));
    }

    #[test]
    fn word_of_a_quoted_prompt_is_no_parameter() {
        let body = r#"{"error":{"message":"'messages': invalid content 'set the \"seed\" and temperature'","param":"messages"}}"#;
        assert!(!refusal(body).is_about(&["seed"], &["seed"]));
        assert!(!refusal(body).is_about(&["temperature"], &["temperature"]));
        let body = r#"{"error":{"message":"the user of the store said n to the metadata"}}"#;
        for name in ["user", "store", "n", "metadata"] {
            assert!(!refusal(body).is_about(&[name], &[name]), "{name}");
        }
        let echo = r#"{"detail":[{"loc":["body","messages"],"msg":"wrong","input":{"seed":1}}]}"#;
        assert!(!refusal(echo).is_about(&["seed"], &["seed"]));
        let inside = r#"{"message":"see temperatures, not max_tokens_per_day"}"#;
        assert!(!refusal(inside).is_about(&["temperature", "max_tokens"], &[]));
    }

    #[test]
    fn text_names_parts_of_the_parameter_that_the_error_names() {
        let body = r#"{"error":{"message":"Unknown name \"additionalProperties\"","param":"tools[0].function.parameters"}}"#;
        assert!(refusal(body).is_about(&["additionalProperties"], &["tools"]));
        assert!(!refusal(body).is_about(&["additionalProperties"], &["response_format"]));
    }
}
