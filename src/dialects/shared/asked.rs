//! What a request asks for, in OpenAI's words, for the dialects that have others.

use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind};
use crate::request::Request;

/// A part of a message's content.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part<'m> {
    Text(&'m str),
    Image { source: Source<'m>, detail: Option<&'m str> },
    Audio { data: &'m str, format: &'m str },
    File { source: Source<'m>, name: Option<&'m str> },
    Refusal(&'m str),
    Other(&'m Value),
}

/// Where the bytes of a part are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Source<'m> {
    Data { mime: &'m str, base64: &'m str },
    Url(&'m str),
    Id(&'m str),
}

/// Which tools may be called.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ToolChoice<'m> {
    Auto,
    None,
    Required,
    Function(&'m str),
}

/// A function that the model may call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Function<'m> {
    pub(crate) name: &'m str,
    pub(crate) description: Option<&'m str>,
    pub(crate) parameters: Option<&'m Value>,
    pub(crate) strict: Option<bool>,
    /// The whole `function`.
    pub(crate) fields: &'m Map<String, Value>,
}

/// The parts of a message's content, which is a string or a list of parts.
pub(crate) fn parts(content: &Value) -> Vec<Part<'_>> {
    match content {
        Value::String(text) => vec![Part::Text(text)],
        Value::Array(parts) => parts.iter().map(part).collect(),
        Value::Object(_) => vec![part(content)],
        _ => Vec::new(),
    }
}

fn part(part: &Value) -> Part<'_> {
    let text = |place| part.pointer(place).and_then(Value::as_str);
    let file = || {
        let id = text("/file/file_id").map(Source::Id);
        text("/file/file_data").or(text("/file/file_url")).map(source).or(id)
    };
    let known = match text("/type").unwrap_or("text") {
        "text" => text("/text").map(Part::Text),
        "image_url" => text("/image_url/url")
            .or(text("/image_url"))
            .map(|url| Part::Image { source: source(url), detail: text("/image_url/detail") }),
        "input_audio" => text("/input_audio/data").map(|data| Part::Audio {
            data,
            format: text("/input_audio/format").unwrap_or_default(),
        }),
        "file" => file().map(|source| Part::File { source, name: text("/file/filename") }),
        "refusal" => text("/refusal").map(Part::Refusal),
        _ => None,
    };
    known.unwrap_or(Part::Other(part))
}

/// A URL, whose data are taken apart where it holds them.
fn source(url: &str) -> Source<'_> {
    let data = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    data.map_or(Source::Url(url), |(mime, base64)| Source::Data {
        // Parameters of the type, such as a charset, tell nothing of what is binary.
        mime: mime.split(';').next().unwrap_or_default(),
        base64,
    })
}

/// Which tools `request` lets be called, where it says so in a form that is known.
pub(crate) fn tool_choice(request: &Request) -> Option<ToolChoice<'_>> {
    let choice = request.field("tool_choice")?;
    Some(match choice.as_str() {
        Some("none") => ToolChoice::None,
        Some("required" | "any") => ToolChoice::Required,
        Some("auto") => ToolChoice::Auto,
        Some(_) => return None,
        None => {
            let name = choice.pointer("/function/name").or_else(|| choice.get("name"))?;
            ToolChoice::Function(name.as_str()?)
        }
    })
}

/// The functions that `request` offers.
pub(crate) fn functions(request: &Request) -> Vec<Function<'_>> {
    tools(request).filter_map(function).collect()
}

/// The tools that are no functions: the provider's own, which go as they are.
pub(crate) fn other_tools(request: &Request) -> Vec<&Value> {
    tools(request).filter(|tool| function(tool).is_none()).collect()
}

fn tools(request: &Request) -> impl Iterator<Item = &Value> {
    request.field("tools").and_then(Value::as_array).into_iter().flatten()
}

fn function(tool: &Value) -> Option<Function<'_>> {
    let fields = tool.get("function")?.as_object()?;
    Some(Function {
        name: fields.get("name").and_then(Value::as_str).unwrap_or_default(),
        description: fields.get("description").and_then(Value::as_str),
        parameters: fields.get("parameters").filter(|parameters| !parameters.is_null()),
        strict: fields.get("strict").and_then(Value::as_bool),
        fields,
    })
}

/// How much the model is to reason.
pub(crate) fn effort(request: &Request) -> Option<&str> {
    let nested = || request.field("reasoning")?.get("effort");
    request.field("reasoning_effort").or_else(nested)?.as_str()
}

/// How many tokens the answer may have.
pub(crate) fn max_tokens(request: &Request) -> Option<i64> {
    let most = request.field("max_completion_tokens").or_else(|| request.field("max_tokens"));
    let most = most?;
    // Languages without integers write them as 100.0.
    let whole = most.as_f64().filter(|most| most.fract() == 0.0);
    most.as_i64().or_else(|| format!("{:.0}", whole?).parse().ok())
}

/// The dialect lacks `field`, without which the answer would be another one.
pub(crate) fn unsupported(field: &str, label: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("{label} has no counterpart of {field:?}: leave it out of the request"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn content_is_taken_apart() {
        let content = json!([
            {"type": "text", "text": "a"},
            {"text": "b"},
            {"type": "image_url", "image_url": {"url": "data:image/png;charset=x;base64,AAA=", "detail": "low"}},
            {"type": "image_url", "image_url": "https://h/i.png"},
            {"type": "input_audio", "input_audio": {"data": "AAA=", "format": "wav"}},
            {"type": "file", "file": {"filename": "f.pdf", "file_data": "data:application/pdf;base64,AAA="}},
            {"type": "file", "file": {"file_id": "id"}},
            {"type": "file", "file": {"file_url": "https://h/f.pdf"}},
            {"type": "refusal", "refusal": "no"},
            {"type": "image_url"},
            {"type": "other", "text": "?"},
        ]);
        let data = |mime| Source::Data { mime, base64: "AAA=" };
        assert_eq!(
            parts(&content),
            [
                Part::Text("a"),
                Part::Text("b"),
                Part::Image { source: data("image/png"), detail: Some("low") },
                Part::Image { source: Source::Url("https://h/i.png"), detail: None },
                Part::Audio { data: "AAA=", format: "wav" },
                Part::File { source: data("application/pdf"), name: Some("f.pdf") },
                Part::File { source: Source::Id("id"), name: None },
                Part::File { source: Source::Url("https://h/f.pdf"), name: None },
                Part::Refusal("no"),
                Part::Other(&content[9]),
                Part::Other(&content[10]),
            ]
        );
        assert_eq!(parts(&json!("a")), [Part::Text("a")]);
        assert_eq!(parts(&json!(null)), []);
    }

    fn request(fields: &Value) -> Request {
        Request::from_json(&fields.to_string()).unwrap()
    }

    #[test]
    fn tool_choice_is_read_in_every_form() {
        for (choice, read) in [
            (json!("auto"), Some(ToolChoice::Auto)),
            (json!("none"), Some(ToolChoice::None)),
            (json!("required"), Some(ToolChoice::Required)),
            (json!("any"), Some(ToolChoice::Required)),
            (
                json!({"type": "function", "function": {"name": "f"}}),
                Some(ToolChoice::Function("f")),
            ),
            (json!({"type": "function", "name": "f"}), Some(ToolChoice::Function("f"))),
            (json!({"type": "allowed_tools"}), None),
            (json!("sometimes"), None),
        ] {
            assert_eq!(tool_choice(&request(&json!({"tool_choice": choice}))), read, "{choice}");
        }
    }

    #[test]
    fn functions_are_told_from_other_tools() {
        let parameters = json!({"type": "object"});
        let function =
            json!({"name": "f", "description": "d", "parameters": parameters, "strict": true});
        let other = json!({"type": "web_search"});
        let request = request(&json!({"tools": [
            {"type": "function", "function": function},
            other,
            {"type": "function", "function": {"name": "g", "parameters": null}},
        ]}));
        let [first, second] = functions(&request)[..] else { panic!("two functions") };
        assert_eq!((first.name, first.description, first.strict), ("f", Some("d"), Some(true)));
        assert_eq!((first.parameters, first.fields.len()), (Some(&parameters), 4));
        assert_eq!((second.name, second.parameters, second.strict), ("g", None, None));
        assert_eq!(other_tools(&request), [&other]);
    }

    #[test]
    fn effort_and_the_longest_answer_have_two_names_each() {
        for (fields, read) in [
            (json!({"reasoning_effort": "low", "max_tokens": 1}), (Some("low"), Some(1))),
            (json!({"reasoning": {"effort": "high"}}), (Some("high"), None)),
            (json!({"max_completion_tokens": 2, "max_tokens": 1}), (None, Some(2))),
            (json!({"max_tokens": 100.0}), (None, Some(100))),
            (json!({"max_tokens": 0.5}), (None, None)),
            (json!({}), (None, None)),
        ] {
            let request = request(&fields);
            assert_eq!((effort(&request), max_tokens(&request)), read, "{fields}");
        }
    }
}
