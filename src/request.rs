//! [`Request`]: what to ask. The OpenAI chat request is the one language of this library;
//! each provider translates it into its own.

use serde_json::{Map, Value, json};

use crate::error::{Error, ErrorKind, Result};
use crate::json;
use crate::kept;
use crate::media;
use crate::memory;
use crate::secret::Secret;

/// The field of a session's reply that says that it is not the whole answer. It is not part
/// of the message.
pub(crate) const INCOMPLETE: &str = "incomplete";

/// A chat request, built piece by piece or taken from JSON.
///
/// Holds any field of OpenAI's chat request and whatever else a provider understands.
#[derive(Clone, Default)]
pub struct Request {
    messages: Vec<Value>,
    /// Every field but `messages`, in the order in which they were set.
    fields: Map<String, Value>,
    /// Keys of the config that have another value for this request. They are never sent.
    options: Vec<(&'static str, Secret)>,
}

impl Request {
    /// An empty request to `model`; `None` asks the config's or the provider's default.
    pub fn new(model: Option<&str>) -> Request {
        let mut request = Request::default();
        if let Some(model) = model.filter(|model| !model.is_empty()) {
            request.fields.insert("model".to_owned(), model.into());
        }
        request
    }

    /// Takes a whole request in OpenAI's chat format.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when `json` is no JSON object, is nested deeper than 127
    /// levels, or has a field of a wrong type.
    pub fn from_json(json: &str) -> Result<Request> {
        let fields = match parse("the request", json)? {
            Value::Object(fields) => fields,
            other => {
                return Err(argument(format!("a request is a JSON object, not {}", kind(&other))));
            }
        };
        let mut request = Request::new(None);
        for (name, value) in fields {
            request.set_value(&name, value)?;
        }
        Ok(request)
    }

    /// Appends a message.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when `role` is not `system`, `developer`, `user` or
    /// `assistant`.
    pub fn message(&mut self, role: &str, text: &str) -> Result<()> {
        self.check_takes_messages()?;
        match role {
            "system" | "developer" | "user" | "assistant" => {}
            "tool" | "function" => {
                return Err(argument(format!(
                    "a message of role {role:?} answers a call: add it as a tool result"
                )));
            }
            _ => {
                return Err(argument(format!(
                    "{role:?} is no role; system, developer, user and assistant are"
                )));
            }
        }
        let text = Value::String(memory::text(text)?);
        let message = [("role".to_owned(), role.into()), ("content".to_owned(), text)];
        self.messages.push(Value::Object(Map::from_iter(message)));
        Ok(())
    }

    /// Attaches an image, audio or PDF to the last user message.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when there is no user message, or the media type is neither
    /// given nor known from the bytes, or cannot be attached.
    pub fn attach(&mut self, bytes: &[u8], mime: Option<&str>) -> Result<()> {
        self.attach_part(media::part(bytes, mime)?)
    }

    /// Attaches what a URL points to, to the last user message. The provider fetches it; for
    /// one that does not, the library does if the config's `fetch_urls` says so.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when there is no user message, or the URL is neither http,
    /// https nor a data URL of an image or audio.
    pub fn attach_url(&mut self, url: &str) -> Result<()> {
        self.attach_part(media::part_of_url(url)?)
    }

    /// Adds an input: the request is then one for embeddings.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when there are messages, or the field "input" was set to
    /// something that is no list of strings.
    pub fn input(&mut self, text: &str) -> Result<()> {
        self.check_takes_inputs()?;
        let text = Value::String(memory::text(text)?);
        match self.fields.get_mut("input") {
            None => {
                self.fields.insert("input".to_owned(), Value::Array(vec![text]));
                Ok(())
            }
            Some(Value::Array(inputs)) if inputs.iter().all(Value::is_string) => {
                memory::push(inputs, text)
            }
            Some(_) => Err(argument("\"input\" was set to something that is no list of strings")),
        }
    }

    /// What is to be embedded: texts, or the numbers of their tokens. `None` where the request
    /// is for no embeddings. A list of objects, or a string, is for the Responses API.
    pub(crate) fn inputs(&self) -> Option<&[Value]> {
        self.fields.get("input").and_then(inputs_of)
    }

    fn check_takes_messages(&self) -> Result<()> {
        match self.inputs() {
            None => Ok(()),
            Some(_) => Err(argument(
                "a request with inputs is for embeddings, and takes no messages: make another one",
            )),
        }
    }

    fn check_takes_inputs(&self) -> Result<()> {
        match self.messages.is_empty() {
            true => Ok(()),
            false => Err(argument(
                "a request with messages is for an answer, and takes no inputs for embeddings: \
                 make another one",
            )),
        }
    }

    /// How many messages it has, or inputs.
    pub fn count(&self) -> usize {
        self.inputs().map_or(self.messages.len(), <[Value]>::len)
    }

    /// Removes the last messages or inputs, so that at most `count` remain: undoes a turn that
    /// failed.
    pub fn truncate(&mut self, count: usize) {
        self.messages.truncate(count);
        if self.inputs().is_none() {
            return;
        }
        match self.fields.get_mut("input") {
            Some(Value::Array(inputs)) if count > 0 => inputs.truncate(count),
            _ => drop(self.fields.shift_remove("input")),
        }
    }

    /// Adds a tool that the model may call; one of the same name is replaced. `schema`: the
    /// JSON schema of its arguments; `None` for a tool without arguments.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when `name` is not one that providers take, `schema` is not a
    /// JSON object, or the field "tools" was set to something that is no array.
    pub fn tool(
        &mut self,
        name: &str,
        description: Option<&str>,
        schema: Option<&str>,
    ) -> Result<()> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
        if name.is_empty() || name.len() > 128 || !name.bytes().all(is_plain) {
            return Err(argument(format!(
                "{name:?} is not the name of a tool: 1 to 128 letters, digits, _, -, . or :"
            )));
        }
        let schema = match schema {
            None => json!({"type": "object", "properties": {}}),
            Some(schema) => match parse("the schema", schema)? {
                Value::Object(schema) => Value::Object(schema),
                other => return Err(wrong_type("schema", "a JSON object", &other)),
            },
        };
        let mut function = Map::new();
        function.insert("name".to_owned(), name.into());
        if let Some(description) = description {
            function.insert("description".to_owned(), Value::String(memory::text(description)?));
        }
        function.insert("parameters".to_owned(), schema);
        let tool = json!({"type": "function", "function": function});
        match self.fields.get_mut("tools") {
            None => {
                self.fields.insert("tools".to_owned(), Value::Array(vec![tool]));
            }
            Some(Value::Array(tools)) => {
                let is_same = |known: &&mut Value| {
                    known.pointer("/function/name").and_then(Value::as_str) == Some(name)
                };
                match tools.iter_mut().find(is_same) {
                    Some(known) => *known = tool,
                    None => memory::push(tools, tool)?,
                }
            }
            Some(other) => return Err(wrong_type("tools", "an array", other)),
        }
        Ok(())
    }

    /// Gives a key of the config, which is an option, another value; `None` takes that back.
    pub(crate) fn set_option(&mut self, key: &'static str, value: Option<&str>) {
        self.options.retain(|(known, _)| *known != key);
        self.options.extend(value.map(|value| (key, Secret::new(value))));
    }

    /// The options and their values, in the order in which they were set.
    pub(crate) fn options(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.options.iter().map(|(key, value)| (*key, value.expose()))
    }

    fn attach_part(&mut self, part: Value) -> Result<()> {
        let message = self.messages.iter_mut().rev().find(|message| role(message) == "user");
        let Some(content) = message.and_then(|message| message.get_mut("content")) else {
            return Err(argument("there is no user message to attach to: add it first"));
        };
        if let Value::String(text) = content {
            *content = json!([{"type": "text", "text": std::mem::take(text)}]);
        }
        let Value::Array(parts) = content else {
            return Err(argument("the last user message has no content to attach to"));
        };
        // Media come before the text, in the order in which they were attached.
        let text =
            parts.iter().position(|part| part.get("type").is_some_and(|kind| kind == "text"));
        parts.insert(text.unwrap_or(parts.len()), part);
        Ok(())
    }

    /// Appends the result of a tool call: `call_id` is the id that came with the call.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when `call_id` is empty.
    pub fn tool_result(&mut self, call_id: &str, text: &str) -> Result<()> {
        self.check_takes_messages()?;
        if call_id.is_empty() {
            return Err(argument("a tool result names the call that it answers"));
        }
        let mut message = Map::new();
        message.insert("role".to_owned(), "tool".into());
        message.insert("tool_call_id".to_owned(), Value::String(memory::text(call_id)?));
        message.insert("content".to_owned(), Value::String(memory::text(text)?));
        self.messages.push(Value::Object(message));
        Ok(())
    }

    /// Appends a message given as JSON: a session's reply, or any other. The `incomplete`
    /// of a reply is left out.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when it is no JSON object with a role.
    pub fn message_json(&mut self, json: &str) -> Result<()> {
        self.check_takes_messages()?;
        self.messages.push(message_of(parse("the message", json)?)?);
        Ok(())
    }

    /// Sets any field of the request: the last writer wins, `null` removes it. The
    /// `incomplete` of messages that are replies is left out.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when `json` is not JSON or of a wrong type for the field.
    pub fn set(&mut self, name: &str, json: &str) -> Result<()> {
        let value = parse(&format!("the value of {name:?}"), json).map_err(|error| {
            match is_bare_word(json.trim()) {
                true => argument(format!("{}; {}", error.message(), quotes_for(json.trim()))),
                false => error,
            }
        })?;
        self.set_value(name, value)
    }

    /// Sets a field of the request to a string, which needs no quotes and no escapes here.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when the field is not one for a string.
    pub fn set_string(&mut self, name: &str, text: &str) -> Result<()> {
        self.set_value(name, Value::String(memory::text(text)?))
    }

    fn set_value(&mut self, name: &str, value: Value) -> Result<()> {
        match (name, value) {
            ("", _) => return Err(argument("a field of the request has a name")),
            ("messages", Value::Array(messages)) => {
                if !messages.is_empty() {
                    self.check_takes_messages()?;
                }
                self.messages = messages.into_iter().map(message_of).collect::<Result<_>>()?;
            }
            ("messages", Value::Null) => self.messages.clear(),
            ("messages", other) => return Err(wrong_type(name, "an array of messages", &other)),
            (_, Value::Null) => {
                self.fields.shift_remove(name);
            }
            ("model", other) if !other.is_string() => {
                return Err(wrong_type(name, "a string", &other));
            }
            ("stream", other) if !other.is_boolean() => {
                return Err(wrong_type(name, "true or false", &other));
            }
            (_, value) => {
                if name == "input" && inputs_of(&value).is_some() {
                    self.check_takes_inputs()?;
                }
                self.fields.insert(name.to_owned(), value);
            }
        }
        Ok(())
    }

    /// The request as it stands, as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::NoMemory`] when there is not enough for it.
    pub fn to_json(&self) -> Result<String> {
        memory::json(&self.copy()?.into_object())
    }

    /// A copy of this request.
    ///
    /// # Errors
    /// [`ErrorKind::NoMemory`] when there is not enough for it.
    pub fn copy(&self) -> Result<Request> {
        let messages = memory::values(&self.messages)?;
        let fields = memory::object(&self.fields)?;
        Ok(Request { messages, fields, options: self.options.clone() })
    }

    fn into_object(self) -> Map<String, Value> {
        let mut object = Map::with_capacity(self.fields.len() + 1);
        if self.inputs().is_none() {
            object.insert("messages".to_owned(), Value::Array(self.messages));
        }
        object.extend(self.fields);
        object
    }

    /// The request in OpenAI's words, for a dialect to make its own of: without what messages
    /// keep for the dialect that they came in.
    pub(crate) fn to_object(&self) -> Result<Map<String, Value>> {
        let mut request = self.copy()?;
        for message in request.messages.iter_mut().filter_map(Value::as_object_mut) {
            message.shift_remove(kept::FIELD);
        }
        Ok(request.into_object())
    }

    /// About how many bytes of text there are in it.
    pub(crate) fn size(&self) -> usize {
        fn size(value: &Value) -> usize {
            match value {
                Value::String(text) => text.len(),
                Value::Array(items) => items.iter().map(size).sum(),
                Value::Object(fields) => fields.values().map(size).sum(),
                _ => 0,
            }
        }
        self.messages.iter().chain(self.fields.values()).map(size).sum()
    }

    pub(crate) fn messages(&self) -> &[Value] {
        &self.messages
    }

    /// Any field but `messages`.
    pub(crate) fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    /// All fields but `messages`, in the order in which they were set.
    pub(crate) fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// The model asked for, if the request names one.
    pub(crate) fn model(&self) -> Option<&str> {
        self.fields.get("model")?.as_str().filter(|model| !model.is_empty())
    }

    /// Whether the answer is to come as it is written, which is the default.
    pub(crate) fn stream(&self) -> bool {
        self.fields.get("stream").and_then(Value::as_bool).unwrap_or(true)
    }
}

fn parse(what: &str, json: &str) -> Result<Value> {
    json::room_to_parse(json.as_bytes())?;
    serde_json::from_slice(json.as_bytes())
        .map_err(|error| argument(format!("{what} is not JSON: {error}")))
}

/// Whether `text` looks like a string that was given without its quotes.
fn is_bare_word(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.:/".contains(c);
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(is_plain)
}

fn quotes_for(word: &str) -> String {
    format!("a JSON string has quotes: \"{word}\", which C source code spells \"\\\"{word}\\\"\"")
}

/// `message` as it is sent: without [`INCOMPLETE`], which servers do not know.
fn message_of(message: Value) -> Result<Value> {
    match message {
        Value::Object(mut fields) if fields.get("role").is_some_and(Value::is_string) => {
            fields.shift_remove(INCOMPLETE);
            let calls = fields.get_mut("tool_calls").and_then(Value::as_array_mut);
            for call in calls.into_iter().flatten() {
                write_out_arguments(call)?;
            }
            Ok(Value::Object(fields))
        }
        Value::Object(_) => Err(argument("every message has a \"role\", which is a string")),
        other => Err(argument(format!("a message is a JSON object, not {}", kind(&other)))),
    }
}

/// The arguments of a call are JSON as text. Some frameworks keep them as the JSON itself.
fn write_out_arguments(call: &mut Value) -> Result<()> {
    match call.pointer_mut("/function/arguments") {
        Some(Value::String(_)) | None => {}
        Some(arguments) => *arguments = Value::String(memory::json(arguments)?),
    }
    Ok(())
}

/// What `value` has to embed, as the field "input".
fn inputs_of(value: &Value) -> Option<&[Value]> {
    let inputs = value.as_array()?;
    let are_items = inputs.iter().any(Value::is_object);
    (!inputs.is_empty() && !are_items).then_some(inputs)
}

fn role(message: &Value) -> &str {
    message.get("role").and_then(Value::as_str).unwrap_or_default()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn wrong_type(name: &str, wanted: &str, found: &Value) -> Error {
    argument(format!("{name:?} is {wanted}, not {}", kind(found)))
}

fn argument(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Argument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachments_come_before_the_text_in_their_order() {
        let mut request = Request::new(Some("m"));
        request.message("user", "What is this?").unwrap();
        request.message("assistant", "Hm.").unwrap();
        request.attach(b"\x89PNG\r\n\x1a\n", None).unwrap();
        request.attach_url("https://example.org/b.png").unwrap();
        let value: Value = serde_json::from_str(&request.to_json().unwrap()).unwrap();
        let parts = value.pointer("/messages/0/content").unwrap();
        assert_eq!(parts[0]["image_url"]["url"], "data:image/png;base64,iVBORw0KGgo=");
        assert_eq!(parts[1]["image_url"]["url"], "https://example.org/b.png");
        assert_eq!(parts[2], json!({"type": "text", "text": "What is this?"}));
    }

    #[test]
    fn audio_in_a_data_url_is_attached_whole() {
        let mut request = Request::new(None);
        request.message("user", "Listen").unwrap();
        request.attach_url("data:audio/mpeg;base64,AAAABBBB").unwrap();
        let part = &request.messages()[0]["content"][0];
        assert_eq!(part["input_audio"], json!({"data": "AAAABBBB", "format": "mp3"}));
    }

    #[test]
    fn mark_of_an_incomplete_reply_is_left_out_however_its_message_comes() {
        let cut = r#"{"role":"assistant","content":"Hel","incomplete":true}"#;
        let messages = format!("[{cut}]");
        let whole = r#"{"messages":[{"role":"assistant","content":"Hel"}]}"#;
        let mut request = Request::new(None);
        request.message_json(cut).unwrap();
        assert_eq!(request.to_json().unwrap(), whole);
        let mut request = Request::new(None);
        request.set("messages", &messages).unwrap();
        assert_eq!(request.to_json().unwrap(), whole);
        let request = Request::from_json(&format!("{{\"messages\":{messages}}}")).unwrap();
        assert_eq!(request.to_json().unwrap(), whole);
    }

    #[test]
    fn what_a_message_keeps_for_its_dialect_is_exported_and_not_sent() {
        let message = r#"{"role":"assistant","content":"Hi","tolmach":{"dialect":"d","items":[]}}"#;
        let mut request = Request::new(None);
        request.message_json(message).unwrap();
        assert_eq!(request.to_json().unwrap(), format!("{{\"messages\":[{message}]}}"));
        let sent = Value::Object(request.to_object().unwrap());
        assert_eq!(sent, json!({"messages": [{"role": "assistant", "content": "Hi"}]}));
    }

    #[test]
    fn arguments_of_calls_are_text_however_they_are_given() {
        let mut request = Request::new(None);
        for arguments in ["\"{\\\"x\\\":1}\"", "{\"x\":1}"] {
            let call = format!("{{\"id\":\"a\",\"function\":{{\"arguments\":{arguments}}}}}");
            let message = format!("{{\"role\":\"assistant\",\"tool_calls\":[{call},7,{{}}]}}");
            request.message_json(&message).unwrap();
        }
        for message in request.messages() {
            assert_eq!(message["tool_calls"][0]["function"]["arguments"], "{\"x\":1}");
        }
    }

    #[test]
    fn messages_stay_as_they_were_when_one_of_the_new_ones_is_wrong() {
        let mut request = Request::new(None);
        request.message("user", "Hi").unwrap();
        let before = request.to_json().unwrap();
        request.set("messages", r#"[{"role":"user","content":"Ho"},{}]"#).unwrap_err();
        assert_eq!(request.to_json().unwrap(), before);
    }

    #[test]
    fn inputs_and_messages_do_not_mix_however_they_are_given() {
        let embeddings = || {
            let mut request = Request::new(None);
            request.input("a").unwrap();
            request
        };
        let changes: [fn(&mut Request) -> Result<()>; 5] = [
            |request| request.message("user", "Hi"),
            |request| request.tool_result("id", "1"),
            |request| request.message_json(r#"{"role":"user","content":"Hi"}"#),
            |request| request.set("messages", r#"[{"role":"user","content":"Hi"}]"#),
            |request| request.attach(b"\x89PNG\r\n\x1a\n", None),
        ];
        for change in changes {
            assert_eq!(change(&mut embeddings()).unwrap_err().kind(), ErrorKind::Argument);
        }
        let mut chat = Request::new(None);
        chat.message("user", "Hi").unwrap();
        let before = chat.to_json().unwrap();
        assert_eq!(chat.input("a").unwrap_err().kind(), ErrorKind::Argument);
        for tokens in ["[\"a\"]", "[1,2]", "[[1],[2,3]]"] {
            assert_eq!(chat.set("input", tokens).unwrap_err().kind(), ErrorKind::Argument);
        }
        assert_eq!(chat.to_json().unwrap(), before);
        for both in [
            r#"{"messages":[{"role":"user","content":"Hi"}],"input":["a"]}"#,
            r#"{"input":["a"],"messages":[{"role":"user","content":"Hi"}]}"#,
        ] {
            assert!(Request::from_json(both).is_err(), "{both}");
        }
        // What the Responses API has under that name is no input.
        chat.set("input", r#"[{"role":"user","content":"Hi"}]"#).unwrap();
        chat.set("input", "\"Hi\"").unwrap();
        assert_eq!(chat.count(), 1);
        assert_eq!(chat.truncate(0), ());
        assert!(chat.input("a").is_err());
    }

    #[test]
    fn inputs_are_copied_counted_cut_and_exported() {
        let mut request =
            Request::from_json(r#"{"messages":[],"model":"e","input":["a"]}"#).unwrap();
        request.input("b").unwrap();
        request.input("").unwrap();
        assert_eq!(request.copy().unwrap().count(), 3);
        request.truncate(2);
        let json = request.to_json().unwrap();
        assert_eq!(json, r#"{"model":"e","input":["a","b"]}"#);
        assert_eq!(Request::from_json(&json).unwrap().count(), 2);
        request.truncate(0);
        assert_eq!(request.to_json().unwrap(), r#"{"messages":[],"model":"e"}"#);
        request.message("user", "Hi").unwrap();
    }

    #[test]
    fn last_writer_wins_and_null_removes() {
        let mut request = Request::from_json("{\"temperature\":1,\"messages\":[]}").unwrap();
        request.set("temperature", "0.5").unwrap();
        request.set("top_k", "3").unwrap();
        request.set("temperature", "null").unwrap();
        assert_eq!(request.to_json().unwrap(), "{\"messages\":[],\"top_k\":3}");
    }

    #[test]
    fn wrong_types_are_named() {
        let mut request = Request::new(None);
        for (name, json, complaint) in [
            ("model", "7", "\"model\" is a string, not a number"),
            ("stream", "\"yes\"", "\"stream\" is true or false, not a string"),
            ("messages", "{}", "\"messages\" is an array of messages, not an object"),
            ("messages", "[1]", "a message is a JSON object, not a number"),
            ("messages", "[{}]", "every message has a \"role\", which is a string"),
        ] {
            assert_eq!(request.set(name, json).unwrap_err().message(), complaint);
        }
        for (json, complaint) in [
            (
                " auto",
                "the value of \"tool_choice\" is not JSON: expected value at line 1 column 2; a JSON \
                 string has quotes: \"auto\", which C source code spells \"\\\"auto\\\"\"",
            ),
            (
                "{auto}",
                "the value of \"tool_choice\" is not JSON: key must be a string at line 1 column 2",
            ),
            (
                "1 2",
                "the value of \"tool_choice\" is not JSON: trailing characters at line 1 column 3",
            ),
        ] {
            assert_eq!(request.set("tool_choice", json).unwrap_err().message(), complaint);
        }
        request.set("tool_choice", "\"auto\"").unwrap();
        let deep = "[".repeat(100_000);
        assert_eq!(request.set("tools", &deep).unwrap_err().kind(), ErrorKind::Argument);
    }
}
