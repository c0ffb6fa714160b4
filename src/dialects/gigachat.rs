//! GigaChat, by Sber: OAuth in front of a protocol much like OpenAI's of the days of
//! functions, and its second version with named events.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use crossbeam_channel::{Receiver, TryRecvError, bounded};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::shared::chat::ChatReader;
use super::{Dialect, Flow, Reader, read};
use crate::answer::Answer;
use crate::answer::usage::usage_of;
use crate::attempt::{Attempt, Response};
use crate::config::{Config, Trust};
use crate::error::{Error, ErrorKind, Result};
use crate::media;
use crate::memory;
use crate::model::Model;
use crate::process::PerProcess;
use crate::prompt::{role_of, text_of};
use crate::request::Request;
use crate::secret::Secret;
use crate::transport::{self, Headers, HttpRequest};
use crate::wire::Event;

const AUTH_URL: &str = "https://ngw.devices.sberbank.ru:9443/api/v2/oauth";

/// A token is renewed this long before its end.
const EARLY: Duration = Duration::from_secs(60);

pub(super) struct GigaChat {
    config: Config,
    /// Below the base URL, of the version asked for.
    base: String,
    second: bool,
    access: Access,
}

/// How a request proves whose it is.
enum Access {
    /// A token of the program's own.
    Given(Secret),
    /// Tokens that are fetched and renewed.
    Fetched { account: Account, tokens: Arc<Tokens> },
}

/// What a token is fetched with.
#[derive(Clone)]
struct Account {
    url: String,
    /// The whole `Authorization`.
    authorization: Secret,
    /// `None` for the way by user and password, which knows no scope.
    scope: Option<String>,
    /// A token that came over a connection that one client would not trust is not for it.
    trust: Box<Trust>,
}

impl GigaChat {
    pub(super) fn new(config: &Config) -> Result<GigaChat> {
        let second = config.option("api_version") == Some("v2");
        let (place, query) = transport::cut_query(&config.base_url);
        let base = match place.strip_suffix("/v1") {
            Some(origin) if second => format!("{origin}/v2{query}"),
            _ => config.base_url.clone(),
        };
        Ok(GigaChat { config: config.clone(), base, second, access: Access::new(config)? })
    }

    /// Sends with a token; where it is refused, once more with a new one.
    fn send(
        &self,
        attempt: &mut Attempt<'_>,
        make: impl Fn(Headers) -> Result<HttpRequest>,
    ) -> Result<Response> {
        let mut refused: Option<Secret> = None;
        loop {
            let (token, fresh) = self.access.token(refused.as_ref(), attempt)?;
            attempt.hide(&token);
            let mut headers = Headers::default();
            headers.set("Authorization", &format!("Bearer {}", token.expose()))?;
            match attempt.send(make(headers)?) {
                Err(error) if error.http_status() == Some(401) && !fresh && refused.is_none() => {
                    refused = Some(token);
                }
                outcome => return outcome,
            }
        }
    }

    fn post(
        &self,
        path: &str,
        stream: bool,
        body: &Value,
        attempt: &mut Attempt<'_>,
    ) -> Result<Response> {
        let url = transport::join(&self.base, path);
        self.send(attempt, |mut headers| {
            headers.put("Content-Type", "application/json");
            headers.put("Accept", if stream { "text/event-stream" } else { "application/json" });
            if stream {
                headers.put("Cache-Control", "no-store");
            }
            HttpRequest::post_json(&url, headers, body)
        })
    }

    fn chat(
        &self,
        model: &str,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let body = self.body(model, request, attempt)?;
        let body = Value::Object(body);
        let response = self.post("/chat/completions", request.stream(), &body, attempt)?;
        let mut reader = ChatReader::showing_files();
        read(response, &mut reader, attempt, answer)?;
        self.show(&reader.files(), attempt, answer)?;
        answer.finish()
    }

    /// The second version of the contract.
    fn chat_second(
        &self,
        model: &str,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let first = self.body(model, request, attempt)?;
        let body = second_body(&first, request);
        let response = self.post("/chat/completions", request.stream(), &body, attempt)?;
        let mut reader = Second::default();
        read(response, &mut reader, attempt, answer)?;
        self.show(&reader.files, attempt, answer)?;
        answer.finish()
    }

    /// Fetches and delivers the images that the answer shows, one by one.
    fn show(
        &self,
        files: &[String],
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        for id in files {
            // What there is already does not wait for the next download.
            answer.flush()?;
            let bytes = self.download(id, attempt)?;
            answer.image(0, &bytes, "");
        }
        Ok(())
    }

    /// A file that the answer shows: an image that the model made.
    fn download(&self, id: &str, attempt: &mut Attempt<'_>) -> Result<Vec<u8>> {
        let id = utf8_percent_encode(id, NON_ALPHANUMERIC).to_string().replace("%2D", "-");
        let url = self.config.url(&format!("/files/{id}/content"));
        let response = self.send(attempt, |mut headers| {
            headers.put("Accept", "application/jpg");
            Ok(HttpRequest::get(&url, headers))
        })?;
        attempt.bytes(response)
    }

    /// Uploads what a part of a message carries; its id.
    fn upload(&self, part: &Value, attempt: &mut Attempt<'_>) -> Result<Option<String>> {
        let url = part.pointer("/image_url/url").or_else(|| part.get("image_url"));
        let url = url.or_else(|| part.pointer("/file/file_data"));
        let bytes = match (url.and_then(Value::as_str), part.pointer("/input_audio/data")) {
            (Some(url), _) => match media::decode_data_url(url)? {
                Some(bytes) => bytes,
                None if url.starts_with("data:") => return Err(not_base64()),
                None => attempt.fetch_attached(url)?,
            },
            (None, Some(Value::String(data))) => {
                media::decode_base64(data)?.ok_or_else(not_base64)?
            }
            _ => return Ok(None),
        };
        let mime = media::sniff(&bytes).unwrap_or("application/octet-stream");
        let name = format!("file.{}", mime.rsplit('/').next().unwrap_or_default());
        let boundary = Uuid::new_v4().simple().to_string();
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\ngeneral\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: {mime}\r\n\r\n"
        );
        let end = format!("\r\n--{boundary}--\r\n");
        let mut body = Vec::new();
        for part in [head.as_bytes(), &bytes, end.as_bytes()] {
            memory::append(&mut body, part)?;
        }
        let url = self.config.url("/files");
        let response = self.send(attempt, |mut headers| {
            headers.put("Accept", "application/json");
            headers.put("Content-Type", &format!("multipart/form-data; boundary={boundary}"));
            Ok(HttpRequest::post(&url, headers, memory::bytes(&body)?))
        })?;
        let answer = attempt.aside(response)?;
        match answer.get("id").and_then(Value::as_str) {
            Some(id) => Ok(Some(id.to_owned())),
            None => Err(attempt.protocol_error("took a file and gave no id for it")),
        }
    }

    /// The request in GigaChat's words .
    fn body(
        &self,
        model: &str,
        request: &Request,
        attempt: &mut Attempt<'_>,
    ) -> Result<Map<String, Value>> {
        /// What GigaChat does not know.
        const UNKNOWN: &[&str] = &[
            "tools",
            "tool_choice",
            "parallel_tool_calls",
            "seed",
            "logit_bias",
            "frequency_penalty",
            "presence_penalty",
            "user",
            "stream_options",
            "stop",
            "max_completion_tokens",
        ];
        let messages = self.messages(request.messages(), attempt)?;
        let mut body = Map::new();
        body.insert("model".to_owned(), model.into());
        body.insert("messages".to_owned(), Value::Array(messages));
        for (name, value) in request.to_object()? {
            if !UNKNOWN.contains(&&*name) && name != "model" && name != "messages" {
                body.insert(name, value);
            }
        }
        if request.stream() {
            body.insert("stream".to_owned(), true.into());
        } else {
            body.shift_remove("stream");
        }
        if let Some(most) = request.field("max_completion_tokens") {
            body.entry("max_tokens").or_insert(most.clone());
        }
        // 0 is out of its range; this is what means the same.
        if body.get("temperature").and_then(Value::as_f64) == Some(0.0) {
            body.shift_remove("temperature");
            body.insert("top_p".to_owned(), 0.into());
        }
        if let Some(schema) =
            request.field("response_format").and_then(|format| format.get("json_schema"))
        {
            let mut format = Map::new();
            format.insert("type".to_owned(), "json_schema".into());
            for name in ["schema", "strict"] {
                format.extend(schema.get(name).map(|value| (name.to_owned(), value.clone())));
            }
            body.insert("response_format".to_owned(), Value::Object(format));
        }
        let tools = request.field("tools").and_then(Value::as_array).into_iter().flatten();
        let functions: Vec<Value> =
            tools.filter_map(|tool| tool.get("function").cloned()).collect();
        if !functions.is_empty() {
            body.entry("functions").or_insert(Value::Array(functions));
        }
        match request.field("tool_choice") {
            Some(Value::String(choice)) => {
                let choice = if choice == "none" { "none" } else { "auto" };
                body.entry("function_call").or_insert(choice.into());
            }
            Some(choice) => {
                if let Some(name) = choice.pointer("/function/name") {
                    body.entry("function_call").or_insert(json!({"name": name}));
                }
            }
            None => {}
        }
        Ok(body)
    }

    fn messages(&self, messages: &[Value], attempt: &mut Attempt<'_>) -> Result<Vec<Value>> {
        let mut mapped: Vec<Value> = Vec::new();
        let mut system: Option<Value> = None;
        let mut answered: Vec<&str> = Vec::new();
        for (message, next) in messages.iter().zip(1..) {
            let mut content = json!(content_of(message));
            let role = match role_of(message) {
                "system" | "developer" if system.is_none() => {
                    system = Some(json!({"role": "system", "content": content}));
                    continue;
                }
                "assistant" => {
                    let calls: Vec<&Value> = message
                        .get("tool_calls")
                        .and_then(Value::as_array)
                        .into_iter()
                        .flatten()
                        .collect();
                    if !calls.is_empty() {
                        // It makes one call a turn: several become a turn each.
                        for tool_call in calls {
                            let id =
                                tool_call.get("id").and_then(Value::as_str).unwrap_or_default();
                            mapped.push(function_call(tool_call, id, &content));
                            // Some count their ids anew in every turn: its result comes after it.
                            let later = messages.get(next..).unwrap_or_default();
                            mapped.extend(result_of(id, tool_call, later));
                            answered.push(id);
                            content = json!("");
                        }
                        continue;
                    }
                    "assistant"
                }
                "tool" => {
                    let id =
                        message.get("tool_call_id").and_then(Value::as_str).unwrap_or_default();
                    if !answered.contains(&id) {
                        mapped.push(function_result("", message));
                    }
                    continue;
                }
                "function" => {
                    let name = message.get("name").and_then(Value::as_str).unwrap_or_default();
                    mapped.push(function_result(name, message));
                    continue;
                }
                _ => "user",
            };
            let mut files = Vec::new();
            for part in message.get("content").and_then(Value::as_array).into_iter().flatten() {
                files.extend(self.upload(part, attempt)?);
            }
            let mut one = json!({"role": role, "content": content});
            for name in ["function_call", "functions_state_id", "attachments"] {
                copy(message, name, &mut one);
            }
            if let (false, Some(fields)) = (files.is_empty(), one.as_object_mut()) {
                fields.insert("attachments".to_owned(), json!(files));
            }
            if !merge(mapped.last_mut(), &one) {
                mapped.push(one);
            }
        }
        Ok(system.into_iter().chain(mapped).collect())
    }
}

impl Dialect for GigaChat {
    fn run(
        &self,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let model = self.config.model_for(request);
        answer.asked(request, model);
        match self.second {
            true => self.chat_second(model, request, attempt, answer),
            false => self.chat(model, request, attempt, answer),
        }
    }

    fn models(&self, attempt: &mut Attempt<'_>) -> Result<Vec<Model>> {
        let url = self.config.url("/models");
        let response = self.send(attempt, |mut headers| {
            headers.put("Accept", "application/json");
            Ok(HttpRequest::get(&url, headers))
        })?;
        let list = attempt.aside(response)?;
        let Some(entries) = list.get("data").and_then(Value::as_array) else {
            return Err(attempt.protocol_error("answered with no list of models"));
        };
        // Beside models that chat there are some that embed, filter and check.
        let chats = |entry: &&Value| entry.get("type").is_none_or(|kind| kind == "chat");
        Ok(entries.iter().filter(chats).filter_map(Model::from_entry).collect())
    }
}

/// The text of a message, its parts on lines of their own.
fn content_of(message: &Value) -> String {
    match message.get("content") {
        Some(Value::Array(parts)) => {
            let texts =
                parts.iter().filter(|part| part.get("type").is_none_or(|kind| kind == "text"));
            texts.map(text_of).collect::<Vec<_>>().join("\n")
        }
        Some(content) => text_of(content),
        None => String::new(),
    }
}

fn copy(from: &Value, name: &str, to: &mut Value) {
    if let (Some(value), Some(fields)) = (from.get(name), to.as_object_mut()) {
        fields.insert(name.to_owned(), value.clone());
    }
}

/// Joins a message to the one before it, where both are of one role and make no call.
fn merge(before: Option<&mut Value>, message: &Value) -> bool {
    let Some(before) = before else { return false };
    let plain = |message: &Value| {
        message.get("function_call").is_none() && message.get("attachments").is_none()
    };
    if role_of(before) != role_of(message) || !plain(before) || !plain(message) {
        return false;
    }
    let joined = format!("{}\n{}", content_of(before), content_of(message));
    if let Some(fields) = before.as_object_mut() {
        fields.insert("content".to_owned(), joined.into());
    }
    true
}

/// A tool call as the assistant's function call: arguments are an object here.
fn function_call(tool_call: &Value, id: &str, content: &Value) -> Value {
    let name = tool_call.pointer("/function/name").unwrap_or(&Value::Null);
    let arguments =
        tool_call.pointer("/function/arguments").and_then(Value::as_str).unwrap_or("{}");
    let arguments: Value = serde_json::from_str(arguments).unwrap_or_else(|_| json!({}));
    let mut message = json!({
        "role": "assistant",
        "content": content,
        "function_call": {"name": name, "arguments": arguments},
    });
    // Ids that other providers made mean nothing to it.
    if let (Ok(_), Some(fields)) = (Uuid::parse_str(id), message.as_object_mut()) {
        fields.insert("functions_state_id".to_owned(), id.into());
    }
    message
}

/// The message that answers a call.
fn result_of(id: &str, tool_call: &Value, messages: &[Value]) -> Option<Value> {
    let name = tool_call.pointer("/function/name").and_then(Value::as_str).unwrap_or_default();
    let answers = |message: &&Value| {
        role_of(message) == "tool" && message.get("tool_call_id").is_some_and(|known| known == id)
    };
    messages.iter().find(answers).map(|message| function_result(name, message))
}

fn not_base64() -> Error {
    Error::new(ErrorKind::Argument, "the data of an attachment is not base64")
}

/// A result is a JSON object, written out as text.
fn function_result(name: &str, message: &Value) -> Value {
    let text = content_of(message);
    let content = match serde_json::from_str::<Value>(&text) {
        Ok(Value::Object(_)) => text,
        Ok(other) => json!({"result": other}).to_string(),
        Err(_) => json!({"result": text}).to_string(),
    };
    json!({"role": "function", "name": name, "content": content})
}

/// The first version's body in the words of the second.
fn second_body(first: &Map<String, Value>, request: &Request) -> Value {
    const OPTIONS: &[&str] = &[
        "temperature",
        "top_p",
        "max_tokens",
        "repetition_penalty",
        "update_interval",
        "response_format",
    ];
    let mut body = Map::new();
    let mut options = Map::new();
    for (name, value) in first {
        match name.as_str() {
            "messages" => {
                let messages = value.as_array().into_iter().flatten().map(second_message).collect();
                body.insert(name.clone(), Value::Array(messages));
            }
            "functions" => {
                body.insert("tools".to_owned(), json!([{"functions": {"specifications": value}}]));
            }
            "function_call" => {
                let config = match value.get("name") {
                    Some(name) => json!({"mode": "forced", "function_name": name}),
                    None => json!({"mode": value}),
                };
                body.insert("tool_config".to_owned(), config);
            }
            "reasoning_effort" => {
                options.insert("reasoning".to_owned(), json!({"effort": value}));
            }
            name if OPTIONS.contains(&name) => {
                options.insert(name.to_owned(), value.clone());
            }
            name => {
                body.insert(name.to_owned(), value.clone());
            }
        }
    }
    // Tools that are built in are given as they are: they have no function inside.
    let tools = request.field("tools").and_then(Value::as_array).into_iter().flatten();
    let built_in: Vec<Value> =
        tools.filter(|tool| tool.get("function").is_none()).cloned().collect();
    if !built_in.is_empty() {
        match body.entry("tools").or_insert_with(|| Value::Array(Vec::new())) {
            Value::Array(all) => all.extend(built_in),
            other => *other = Value::Array(built_in),
        }
    }
    if !options.is_empty() {
        body.insert("model_options".to_owned(), Value::Object(options));
    }
    Value::Object(body)
}

fn second_message(message: &Value) -> Value {
    let mut parts = Vec::new();
    let text = content_of(message);
    let role = match role_of(message) {
        "function" => {
            let result: Value = serde_json::from_str(&text).unwrap_or_default();
            let name = message.get("name").unwrap_or(&Value::Null);
            parts.push(json!({"function_result": {"name": name, "result": result}}));
            "tool"
        }
        role => {
            if !text.is_empty() {
                parts.push(json!({"text": text}));
            }
            role
        }
    };
    let files = message.get("attachments").and_then(Value::as_array).into_iter().flatten();
    let files: Vec<Value> = files.map(|id| json!({"id": id})).collect();
    if !files.is_empty() {
        parts.push(json!({"files": files}));
    }
    if let Some(function_call) = message.get("function_call") {
        parts.push(json!({"function_call": function_call}));
    }
    let mut mapped = json!({"role": role, "content": parts});
    if let (Some(id), Some(fields)) = (message.get("functions_state_id"), mapped.as_object_mut()) {
        fields.insert("tools_state_id".to_owned(), id.clone());
    }
    mapped
}

/// Reads an answer of the second version, event by event or whole.
#[derive(Default)]
struct Second {
    calls: i64,
    files: Vec<String>,
    finished: bool,
}

impl Reader for Second {
    fn read(&mut self, event: Event<'_>, answer: &mut Answer<'_>) -> Result<Flow> {
        if event.data.trim_ascii().is_empty() {
            return Ok(Flow::More);
        }
        let event = answer.json(event.data)?;
        self.take(&event, answer);
        if self.files.len() > answer.max_tool_calls() {
            return Err(answer.too_many_calls());
        }
        let Some(reason) = event.get("finish_reason").and_then(Value::as_str) else {
            return Ok(Flow::More);
        };
        self.finished = true;
        answer.reason(0, reason);
        if let Some(usage) = event.get("usage").and_then(usage_of) {
            answer.usage(usage);
        }
        Ok(Flow::Done)
    }

    fn end(&mut self, answer: &mut Answer<'_>) -> Result<()> {
        match self.finished {
            true => Ok(()),
            false => Err(answer.truncated()),
        }
    }
}

impl Second {
    fn take(&mut self, event: &Value, answer: &mut Answer<'_>) {
        let text = |value: &Value, key: &str| {
            value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        answer.start("", &text(event, "model"));
        if let Some(tool) = event.get("tool_execution") {
            answer.progress(&format!("{} {}", text(tool, "name"), text(tool, "status")));
        }
        let ids = ["tools_state_id", "tool_state_id", "functions_state_id"];
        for message in event.get("messages").and_then(Value::as_array).into_iter().flatten() {
            let id = ids
                .iter()
                .map(|key| text(message, key))
                .chain(ids.iter().map(|key| text(event, key)));
            let id = id.into_iter().find(|id| !id.is_empty());
            let is_reasoning = role_of(message) == "reasoning";
            let mut say = |said: &str| match is_reasoning {
                true => answer.reasoning(0, said, "reasoning"),
                false => answer.text(0, said),
            };
            let parts = match message.get("content") {
                Some(Value::String(said)) => {
                    say(said);
                    continue;
                }
                Some(Value::Array(parts)) => parts,
                _ => continue,
            };
            for part in parts {
                say(&text(part, "text"));
            }
            for part in parts {
                if let Some(function) = part.get("function_call") {
                    self.take_call(function, id.as_deref(), answer);
                }
                for file in part.get("files").and_then(Value::as_array).into_iter().flatten() {
                    self.files.extend(Some(text(file, "id")).filter(|id| !id.is_empty()));
                }
            }
        }
    }

    fn take_call(&mut self, function: &Value, id: Option<&str>, answer: &mut Answer<'_>) {
        let name = function.get("name").and_then(Value::as_str).unwrap_or_default();
        let arguments = match function.get("arguments") {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let id = id.unwrap_or_default();
        answer.tool_call(0, Some(self.calls), id, name, &arguments);
        self.calls += 1;
    }
}

impl Access {
    fn new(config: &Config) -> Result<Access> {
        if let Some(token) = config.option("access_token") {
            return Ok(Access::Given(Secret::new(token)));
        }
        let account = match (config.option("user"), config.option("password")) {
            (Some(user), Some(password)) => Account {
                url: config.url("/token"),
                authorization: Secret::new(&format!(
                    "Basic {}",
                    BASE64.encode(format!("{user}:{password}"))
                )),
                scope: None,
                trust: Box::new(config.trust()),
            },
            _ => {
                let scheme =
                    if config.option("auth_scheme") == Some("bearer") { "Bearer" } else { "Basic" };
                Account {
                    url: config.option("auth_url").unwrap_or(AUTH_URL).to_owned(),
                    authorization: Secret::new(&format!(
                        "{scheme} {}",
                        config.credentials()?.expose()
                    )),
                    scope: Some(config.option("scope").unwrap_or("GIGACHAT_API_PERS").to_owned()),
                    trust: Box::new(config.trust()),
                }
            }
        };
        let tokens = match config.tape.is_used() {
            // Its tokens are those of the recording, which is to be whole by itself.
            true => Arc::new(Tokens::default()),
            false => Tokens::of(&account),
        };
        Ok(Access::Fetched { account, tokens })
    }

    /// A token other than the `refused` one, and whether it was fetched just now.
    fn token(&self, refused: Option<&Secret>, attempt: &mut Attempt<'_>) -> Result<(Secret, bool)> {
        match self {
            Access::Given(token) => Ok((token.clone(), true)),
            Access::Fetched { account, tokens } => tokens.get(account, refused, attempt),
        }
    }
}

/// The tokens of one account, shared by all clients that have it. One of them fetches,
/// the others wait for that.
#[derive(Default)]
struct Tokens {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<(Secret, SystemTime)>,
    /// Closed when the token that is being fetched is there, or is not to come.
    fetching: Option<Receiver<()>>,
}

/// The accounts of all clients of this process that live.
static ACCOUNTS: PerProcess<Mutex<Accounts>> = PerProcess::new();

type Accounts = Vec<(Account, Weak<Tokens>)>;

impl Tokens {
    fn of(account: &Account) -> Arc<Tokens> {
        let mut accounts = ACCOUNTS.get().lock().unwrap_or_else(PoisonError::into_inner);
        accounts.retain(|(_, tokens)| tokens.strong_count() > 0);
        let known = accounts.iter().find(|(known, _)| {
            known.url == account.url
                && known.scope == account.scope
                && known.authorization.expose() == account.authorization.expose()
                && known.trust == account.trust
        });
        if let Some(tokens) = known.and_then(|(_, tokens)| tokens.upgrade()) {
            return tokens;
        }
        let tokens = Arc::new(Tokens { state: Mutex::default() });
        accounts.push((account.clone(), Arc::downgrade(&tokens)));
        tokens
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(
        &self,
        account: &Account,
        refused: Option<&Secret>,
        attempt: &mut Attempt<'_>,
    ) -> Result<(Secret, bool)> {
        loop {
            let mut state = self.lock();
            let usable = |token: &Secret, end: &SystemTime| {
                lasts(*end, SystemTime::now())
                    && refused.is_none_or(|refused| refused.expose() != token.expose())
            };
            if let Some((token, _)) = state.token.as_ref().filter(|(token, end)| usable(token, end))
            {
                return Ok((token.clone(), false));
            }
            let under_way =
                |fetching: &Receiver<()>| fetching.try_recv() != Err(TryRecvError::Disconnected);
            if let Some(fetching) = state.fetching.clone().filter(under_way) {
                drop(state);
                attempt.wait_for(&fetching)?;
                continue;
            }
            let (done, fetching) = bounded(0);
            state.fetching = Some(fetching);
            drop(state);
            let fetched = fetch(account, attempt);
            let mut state = self.lock();
            state.fetching = None;
            drop(done);
            let (token, end) = fetched?;
            state.token = Some((token.clone(), end));
            return Ok((token, true));
        }
    }
}

/// Whether a token that ends then can be used now.
fn lasts(end: SystemTime, now: SystemTime) -> bool {
    end > now + EARLY
}

/// Asks for a token: it, and when it ends.
fn fetch(account: &Account, attempt: &mut Attempt<'_>) -> Result<(Secret, SystemTime)> {
    attempt.hide(&account.authorization);
    if let Some((_, key)) = account.authorization.expose().split_once(' ') {
        attempt.hide(&Secret::new(key));
    }
    let mut headers = Headers::default();
    headers.set("Authorization", account.authorization.expose())?;
    headers.set("RqUID", &Uuid::new_v4().to_string())?;
    headers.set("Content-Type", "application/x-www-form-urlencoded")?;
    headers.set("Accept", "application/json")?;
    let body = match &account.scope {
        Some(scope) => {
            format!("scope={}", utf8_percent_encode(scope, NON_ALPHANUMERIC)).replace("%5F", "_")
        }
        None => String::new(),
    };
    let request = HttpRequest::post(&account.url, headers, body.into_bytes());
    let response = attempt.send(HttpRequest { is_credential: true, ..request })?;
    let answer = attempt.aside(response)?;
    let token = answer.get("access_token").or_else(|| answer.get("tok")).and_then(Value::as_str);
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        return Err(Error::new(
            ErrorKind::Auth,
            "GigaChat's answer to the request for a token has none",
        ));
    };
    let end =
        answer.get("expires_at").or_else(|| answer.get("exp")).and_then(Value::as_u64).unwrap_or(0);
    // Seconds in the documents, milliseconds in truth.
    let end =
        if end < 100_000_000_000 { Duration::from_secs(end) } else { Duration::from_millis(end) };
    let end = SystemTime::UNIX_EPOCH.checked_add(end).unwrap_or(SystemTime::UNIX_EPOCH);
    Ok((Secret::new(token), end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_of_other_trust_have_tokens_of_their_own() {
        let tokens = |settings: &[(&str, &str)]| {
            let mut config = Config::new("gigachat").unwrap();
            for (key, value) in [("api_key", "of-the-test-of-trust")].iter().chain(settings) {
                config.set(key, Some(value)).unwrap();
            }
            match Access::new(&config).unwrap() {
                Access::Fetched { tokens, .. } => tokens,
                Access::Given(_) => panic!("there is no token yet"),
            }
        };
        let same = tokens(&[]);
        assert!(Arc::ptr_eq(&same, &tokens(&[("model", "GigaChat-2-Pro"), ("max_retries", "0")])));
        for setting in [
            ("base_url", "http://api.giga.chat/v1"),
            ("auth_url", "http://ngw.devices.sberbank.ru:9443/api/v2/oauth"),
            ("api_key", "other"),
            ("auth_scheme", "bearer"),
            ("scope", "GIGACHAT_API_CORP"),
            ("headers", "{\"X-Gateway\":\"a\"}"),
            ("proxy", "http://proxy.example:3128"),
            ("ca_file", "ca.pem"),
            ("ca_pem", "-----BEGIN"),
            ("tls_roots", "platform"),
            ("tls_verify", "false"),
            ("tls_pins", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
            ("client_cert", "cert.pem"),
            ("client_key", "key.pem"),
            ("record_file", "recording.jsonl"),
            ("replay_file", "recording.jsonl"),
        ] {
            let other = tokens(&[setting]);
            assert!(!Arc::ptr_eq(&same, &other), "{}", setting.0);
            if !setting.0.ends_with("_file") || setting.0 == "ca_file" {
                assert!(Arc::ptr_eq(&other, &tokens(&[setting])), "{}", setting.0);
            }
        }
    }

    #[test]
    fn token_is_renewed_at_59_seconds_before_its_end_and_not_at_61() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        assert!(!lasts(now + Duration::from_secs(59), now));
        assert!(!lasts(now + Duration::from_secs(60), now));
        assert!(lasts(now + Duration::from_secs(61), now));
    }
}
