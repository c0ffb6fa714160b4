//! The events of OpenAI's chat completions, which several dialects answer in.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::tags::{Files, Think};
use crate::answer::Answer;
use crate::answer::usage::usage_of;
use crate::dialects::{self, Flow, PieceKind, Reader};
use crate::error::Result;
use crate::json::mould::{NO_NUMBERS, Said};
use crate::json::{self, Content, Int, List, Maybe, Text, TextOrJson};
use crate::media;
use crate::memory;
use crate::wire;

/// How the text of an answer is read.
enum Reading {
    AsItIs,
    /// Reasoning stands between tags, for each choice.
    ThinkTags(Vec<(i32, Think)>),
    /// Tags show files.
    FileTags(Files),
}

/// Reads chat's events, or a whole answer, which has the same shape.
pub(crate) struct ChatReader {
    reading: Reading,
    /// A piece has come: whole messages now only repeat what was said.
    in_pieces: bool,
    /// The function call of each choice, held while tool calls may come instead of it.
    functions: Vec<FunctionCall>,
    /// Files that the text shows, in their order.
    files: Vec<String>,
    /// Base64 of audio that more is to come of, for each choice.
    audio: Vec<(i32, String)>,
    /// The media type of audio, as it was asked for.
    audio_mime: &'static str,
}

/// What the provider wants back with a tool call.
#[derive(Serialize)]
struct StateOfCall<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_specific_fields: Option<&'a Value>,
    id: &'a str,
}

/// A call in the legacy field `function_call`. Some servers send it in addition to the same
/// call in `tool_calls`, which is then the one that counts.
struct FunctionCall {
    choice: i32,
    id: String,
    name: String,
    arguments: String,
}

/// The wire index of a function call among tool calls, which have none below 0.
const FUNCTION_CALL: i64 = -1;

/// Longer arguments of a function call are not held: no tool calls come after so much.
const LONGEST_HELD: usize = 64 * 1024;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    model: Text<'a>,
    #[serde(borrow)]
    choices: List<Choice<'a>>,
    usage: Option<Box<Value>>,
    x_groq: Option<Box<Value>>,
    citations: Option<Box<Value>>,
    /// Perplexity's sources again, with their titles.
    #[serde(borrow)]
    search_results: List<Link<'a>>,
    conversation: Option<Box<Value>>,
    // Marks of an error, looked into only where there is one.
    error: Option<IgnoredAny>,
    error_message: Option<IgnoredAny>,
    base_resp: Option<IgnoredAny>,
    #[serde(borrow)]
    object: Text<'a>,
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Choice<'a> {
    index: Int,
    /// In a stream.
    #[serde(borrow)]
    delta: Maybe<Message<'a>>,
    /// In a whole answer.
    #[serde(borrow)]
    message: Maybe<Box<Message<'a>>>,
    /// In a completion that is older than chat.
    #[serde(borrow)]
    text: Text<'a>,
    #[serde(borrow)]
    finish_reason: Text<'a>,
    logprobs: Option<Box<Value>>,
    usage: Option<Box<Value>>,
    error: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message<'a> {
    #[serde(borrow)]
    role: Text<'a>,
    #[serde(borrow)]
    content: Content<'a, Part<'a>>,
    #[serde(borrow)]
    reasoning_content: Text<'a>,
    #[serde(borrow)]
    reasoning: Text<'a>,
    /// OpenRouter's, and LiteLLM's: blocks of reasoning, which it wants back.
    reasoning_details: List<Map<String, Value>>,
    thinking_blocks: List<Map<String, Value>>,
    #[serde(borrow)]
    refusal: Text<'a>,
    #[serde(borrow)]
    tool_calls: List<Piece<'a>>,
    #[serde(borrow)]
    function_call: Maybe<Box<Function<'a>>>,
    /// GigaChat's id of that call.
    #[serde(borrow)]
    functions_state_id: Text<'a>,
    #[serde(borrow)]
    audio: Maybe<Box<Audio<'a>>>,
    #[serde(borrow)]
    images: List<Image<'a>>,
    #[serde(borrow)]
    annotations: List<Annotation<'a>>,
}

impl Message<'_> {
    fn says(&self) -> bool {
        let texts = [
            &self.content.text,
            &self.reasoning_content,
            &self.reasoning,
            &self.refusal,
            &self.functions_state_id,
        ];
        texts.iter().any(|text| !text.is_empty())
            || [self.content.parts.len(), self.reasoning_details.len(), self.tool_calls.len()]
                .iter()
                .chain(&[self.thinking_blocks.len(), self.images.len(), self.annotations.len()])
                .any(|count| *count > 0)
            || self.function_call.0.is_some()
            || self.audio.0.is_some()
    }

    /// The piece that it is, if it is nothing more.
    fn piece(&self) -> Option<(dialects::Piece, &str)> {
        let lists = [
            self.content.parts.len(),
            self.reasoning_details.len(),
            self.thinking_blocks.len(),
            self.images.len(),
            self.annotations.len(),
        ];
        let is_more = lists.iter().any(|count| *count > 0)
            || &*self.role == "function_in_progress"
            || !self.functions_state_id.is_empty()
            || self.function_call.0.is_some()
            || self.audio.0.is_some();
        if is_more {
            return None;
        }
        let (reasoning, field) = self.reasoning();
        let (call, index, id) = match &*self.tool_calls {
            [] => ("", None, ""),
            [piece] => (piece.more_of_call()?, piece.index.0, &*piece.id),
            _ => return None,
        };
        let texts = [
            (&*self.content.text, PieceKind::Text, "content"),
            (reasoning, PieceKind::Reasoning(field), field),
            (&*self.refusal, PieceKind::Refusal, "refusal"),
            (call, PieceKind::Arguments, "arguments"),
        ];
        let mut said = texts.into_iter().filter(|(text, ..)| !text.is_empty());
        let (Some((text, kind, key)), None) = (said.next(), said.next()) else { return None };
        let mut piece = dialects::Piece::new(kind, key);
        // Some servers give reasoning twice. Without the first, the second counts.
        let may_be_twice = field == "reasoning_content";
        piece.places.needs_text = may_be_twice;
        piece.places.free = if may_be_twice { UNREAD_BESIDE_IT } else { UNREAD };
        (piece.index, piece.id) = (index, id.to_owned());
        Some((piece, text))
    }

    /// The first of the names of reasoning that says something, and which it is.
    fn reasoning(&self) -> (&str, &'static str) {
        match self.reasoning_content.is_empty() {
            true => (&self.reasoning, "reasoning"),
            false => (&self.reasoning_content, "reasoning_content"),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Part<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    text: Text<'a>,
    #[serde(borrow)]
    refusal: Text<'a>,
    #[serde(borrow)]
    thinking: Content<'a, Thought<'a>>,
    #[serde(borrow)]
    signature: Text<'a>,
    /// Of a source that a tool found.
    #[serde(borrow)]
    tool: Text<'a>,
    #[serde(borrow)]
    url: Text<'a>,
    #[serde(borrow)]
    title: Text<'a>,
}

impl Part<'_> {
    /// A part that is reasoning, as the provider wants it back.
    fn as_thinking(&self) -> Option<Map<String, Value>> {
        if &*self.kind != "thinking" {
            return None;
        }
        let thinking = match self.thinking.parts.is_empty() {
            true => json!(&*self.thinking.text),
            false => self.thinking.parts.iter().map(Thought::to_value).collect(),
        };
        let mut block = Map::new();
        block.insert("type".to_owned(), "thinking".into());
        block.insert("thinking".to_owned(), thinking);
        if !self.signature.is_empty() {
            block.insert("signature".to_owned(), (*self.signature).into());
        }
        Some(block)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Thought<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    text: Text<'a>,
    #[serde(borrow)]
    tool: Text<'a>,
    #[serde(borrow)]
    url: Text<'a>,
    #[serde(borrow)]
    title: Text<'a>,
}

impl Thought<'_> {
    /// It as it goes back.
    fn to_value(&self) -> Value {
        let kind = if self.kind.is_empty() { "text" } else { &*self.kind };
        let mut value = Map::new();
        value.insert("type".to_owned(), kind.into());
        let fields = [("tool", &self.tool), ("url", &self.url), ("title", &self.title)];
        for (name, field) in fields.into_iter().filter(|(_, field)| !field.is_empty()) {
            value.insert(name.to_owned(), (**field).into());
        }
        if kind == "text" {
            value.insert("text".to_owned(), (*self.text).into());
        }
        Value::Object(value)
    }
}

/// A piece of a tool call.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Piece<'a> {
    index: Int,
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    function: Maybe<Function<'a>>,
    /// Gemini's and LiteLLM's: the signature of the reasoning that led to the call.
    extra_content: Option<Box<Value>>,
    provider_specific_fields: Option<Box<Value>>,
}

impl Piece<'_> {
    /// The arguments, where they go on with a call and there is nothing else.
    fn more_of_call(&self) -> Option<&str> {
        let is_more = self.extra_content.is_some() || self.provider_specific_fields.is_some();
        let function = self.function.0.as_ref().filter(|function| function.name.is_empty())?;
        Some(&*function.arguments.0).filter(|arguments| !arguments.is_empty() && !is_more)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Function<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    arguments: TextOrJson<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Audio<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    data: Text<'a>,
    #[serde(borrow)]
    transcript: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Image<'a> {
    #[serde(borrow)]
    image_url: Maybe<Link<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Annotation<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    url_citation: Maybe<Link<'a>>,
    #[serde(borrow)]
    file_citation: Maybe<File<'a>>,
    /// Where it is not nested.
    #[serde(borrow)]
    url: Text<'a>,
    #[serde(borrow)]
    title: Text<'a>,
    #[serde(borrow)]
    file_id: Text<'a>,
    #[serde(borrow)]
    filename: Text<'a>,
}

impl Annotation<'_> {
    /// Where the source is, and its title.
    fn source(&self) -> (&str, &str) {
        if let Some(link) = &self.url_citation.0 {
            return (&link.url, &link.title);
        }
        if let Some(file) = &self.file_citation.0 {
            return (&file.file_id, &file.filename);
        }
        match &*self.kind {
            "url_citation" => (&self.url, &self.title),
            "file_citation" | "container_file_citation" => (&self.file_id, &self.filename),
            _ => ("", ""),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct File<'a> {
    #[serde(borrow)]
    file_id: Text<'a>,
    #[serde(borrow)]
    filename: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Link<'a> {
    #[serde(borrow)]
    url: Text<'a>,
    #[serde(borrow)]
    title: Text<'a>,
}

impl Event<'_> {
    /// Whether there is anything that needs a closer look.
    fn may_be_error(&self) -> bool {
        let marks = [&self.error, &self.error_message, &self.base_resp];
        marks.iter().any(|mark| mark.is_some())
            || [&self.object, &self.kind].iter().any(|kind| &***kind == "error")
            || self.choices.iter().any(|choice| choice.error.is_some())
    }

    /// The piece that it is, if it is nothing more.
    fn piece(&self) -> Option<(dialects::Piece, &str)> {
        let more = [&self.usage, &self.x_groq, &self.citations, &self.conversation];
        let [choice] = &*self.choices else { return None };
        if more.iter().any(|field| field.is_some()) || !self.search_results.is_empty() {
            return None;
        }
        let (piece, text) = choice.piece()?;
        Some((dialects::Piece { choice: choice.number(), ..piece }, text))
    }
}

/// Fields that change from event to event, and are not read in a piece: beside a delta, `text`
/// repeats it.
const UNREAD: &[&str] =
    &["created", "obfuscation", "p", "service_tier", "system_fingerprint", "text"];

/// The same beside the first of the names of reasoning.
const UNREAD_BESIDE_IT: &[&str] =
    &["created", "obfuscation", "p", "reasoning", "service_tier", "system_fingerprint", "text"];

impl Choice<'_> {
    fn number(&self) -> i32 {
        self.index.0.and_then(|index| i32::try_from(index).ok()).unwrap_or(0)
    }

    /// The piece that it is, if it is nothing more.
    fn piece(&self) -> Option<(dialects::Piece, &str)> {
        let is_more = self.message.0.is_some()
            || !self.finish_reason.is_empty()
            || self.logprobs.as_deref().is_some_and(says_anything)
            || self.usage.is_some();
        self.delta.0.as_ref().filter(|_| !is_more)?.piece()
    }
}

impl ChatReader {
    pub(crate) fn new() -> ChatReader {
        ChatReader {
            reading: Reading::AsItIs,
            in_pieces: false,
            functions: Vec::new(),
            files: Vec::new(),
            audio: Vec::new(),
            audio_mime: "",
        }
    }

    /// For an answer whose audio was asked for in `format`.
    pub(crate) fn with_audio(self, format: &str) -> ChatReader {
        let audio_mime = match format {
            "wav" => "audio/wav",
            "mp3" => "audio/mpeg",
            "flac" => "audio/flac",
            "opus" => "audio/opus",
            "aac" => "audio/aac",
            // 24000 samples a second, of 16 bits each, the lower byte first.
            "pcm16" => "audio/pcm",
            _ => "",
        };
        ChatReader { audio_mime, ..self }
    }

    /// For an answer whose reasoning stands between `<think>` and `</think>`.
    pub(crate) fn thinking_in_tags() -> ChatReader {
        ChatReader { reading: Reading::ThinkTags(Vec::new()), ..ChatReader::new() }
    }

    /// For an answer whose text shows files.
    pub(crate) fn showing_files() -> ChatReader {
        ChatReader { reading: Reading::FileTags(Files::default()), ..ChatReader::new() }
    }

    /// The files that the text showed.
    pub(crate) fn files(&mut self) -> Vec<String> {
        std::mem::take(&mut self.files)
    }

    /// Takes one event, or a whole answer, which has the same shape.
    fn take(&mut self, data: &[u8], answer: &mut Answer<'_>) -> Result<Flow> {
        if data.trim_ascii().is_empty() {
            return Ok(Flow::More);
        }
        if let Ok(Maybe(Some(event))) = serde_json::from_slice::<Maybe<Event<'_>>>(data) {
            if !event.may_be_error() {
                if let Some((piece, text)) = event.piece() {
                    answer.start(&event.id, &event.model);
                    let said = Said { text, numbers: NO_NUMBERS };
                    return piece.take(&said, self, answer);
                }
                self.take_event(&event, answer);
                return Ok(Flow::More);
            }
        }
        // An error, something that is no event, or JSON that has to be mended.
        let value: Value =
            serde_json::from_slice(data).or_else(|error| answer.repair(data, &error))?;
        // Some put the whole answer in a list.
        let value = match value {
            Value::Array(items) => items.into_iter().next().unwrap_or_default(),
            value => value,
        };
        let choices = value.get("choices").and_then(Value::as_array).into_iter().flatten();
        if let Some(error) =
            [&value].into_iter().chain(choices).find_map(|part| answer.error_in(part))
        {
            return Err(error);
        }
        // Read from its text: a second parser of all the types above, from a value, would be
        // as large as the first.
        let text = memory::json(&value)?;
        drop(value);
        json::room_to_parse(text.as_bytes())?;
        if let Ok(Maybe(Some(event))) = serde_json::from_slice::<Maybe<Event<'_>>>(text.as_bytes())
        {
            self.take_event(&event, answer);
        }
        Ok(Flow::More)
    }

    fn take_event(&mut self, event: &Event<'_>, answer: &mut Answer<'_>) {
        let says = !event.id.is_empty() || !event.model.is_empty() || !event.choices.is_empty();
        if says {
            answer.start(&event.id, &event.model);
        }
        for choice in event.choices.iter() {
            self.take_choice(choice, answer);
        }
        if let Some(conversation) = &event.conversation {
            answer.state(0, &BTreeMap::from([("conversation", conversation)]));
        }
        // They are repeated in every event, and each is given once: with its title, if any.
        for link in event.search_results.iter() {
            give_source(0, &link.url, &link.title, answer);
        }
        let citations = event.citations.as_deref().and_then(Value::as_array);
        for url in citations.into_iter().flatten().filter_map(Value::as_str) {
            give_source(0, url, "", answer);
        }
        let groq = event.x_groq.as_deref().and_then(|groq| groq.get("usage"));
        let counts = groq.into_iter().chain(event.usage.as_deref()).filter_map(usage_of);
        counts.for_each(|counts| answer.usage(counts));
    }

    fn take_choice(&mut self, choice: &Choice<'_>, answer: &mut Answer<'_>) {
        let number = choice.number();
        if !answer.open(number) {
            return;
        }
        let delta = choice.delta.0.as_ref();
        self.in_pieces |= delta.is_some_and(Message::says);
        // Perplexity repeats all that was said beside each piece, MiniMax behind the last,
        // Together the piece itself as text.
        let whole = choice.message.0.as_deref().filter(|_| !self.in_pieces);
        for message in delta.into_iter().chain(whole) {
            self.take_message(number, message, answer);
        }
        if delta.is_none() && choice.message.0.is_none() {
            self.take_text(number, &choice.text, answer);
        }
        let logprobs = choice.logprobs.as_deref().filter(|logprobs| says_anything(logprobs));
        if let Some(logprobs) = logprobs {
            answer.logprobs(number, logprobs);
        }
        if let Some(counts) = choice.usage.as_deref().and_then(usage_of) {
            answer.usage(counts);
        }
        // A whole answer is finished even where nobody says why.
        if !choice.finish_reason.is_empty() || (whole.is_some() && delta.is_none()) {
            answer.reason(number, &choice.finish_reason);
        }
    }

    fn take_message(&mut self, choice: i32, message: &Message<'_>, answer: &mut Answer<'_>) {
        if &*message.role == "function_in_progress" {
            return answer.progress(&message.content.text);
        }
        take_reasoning(choice, message, answer);
        keep_blocks(choice, message, answer);
        self.take_text(choice, &message.content.text, answer);
        for part in message.content.parts.iter() {
            self.take_text(choice, if &*part.kind == "thinking" { "" } else { &part.text }, answer);
            answer.refusal(choice, &part.refusal);
            if &*part.kind == "tool_reference" {
                give_source(choice, &part.url, source_name(&part.title, &part.tool), answer);
            }
            for thought in part.thinking.parts.iter() {
                let name = source_name(&thought.title, &thought.tool);
                give_source(choice, &thought.url, name, answer);
            }
        }
        answer.refusal(choice, &message.refusal);
        for piece in message.tool_calls.iter() {
            let function = piece.function.0.as_ref();
            let name = function.map_or("", |function| &*function.name);
            let text = function.map_or("", |function| &*function.arguments.0);
            // Some send an empty piece while the model still reasons: it begins no call.
            if ![&*piece.id, name, text].iter().all(|said| said.is_empty()) {
                answer.tool_call(choice, piece.index.0, &piece.id, name, text);
            }
            give_state_of_call(choice, piece, answer);
        }
        if let Some(function) = message.function_call.0.as_deref() {
            self.take_function_call(choice, &message.functions_state_id, function, answer);
        }
        if let Some(audio) = &message.audio.0 {
            let bytes = self.audio_of(choice, &audio.data).unwrap_or_else(|error| {
                answer.fail(error);
                Vec::new()
            });
            answer.audio(choice, &audio.id, self.audio_mime, &bytes, &audio.transcript);
        }
        let links = message.images.iter().filter_map(|image| image.image_url.0.as_ref());
        for link in links {
            answer.image_at(choice, &link.url, "");
        }
        for (url, title) in message.annotations.iter().map(Annotation::source) {
            give_source(choice, url, title, answer);
        }
    }

    /// Holds a piece of a function call.
    fn take_function_call(
        &mut self,
        choice: i32,
        id: &str,
        function: &Function<'_>,
        answer: &mut Answer<'_>,
    ) {
        // It makes no chunk yet, but the answer goes on.
        answer.goes_on();
        let at = self.functions.iter().position(|held| held.choice == choice);
        let at = at.unwrap_or(self.functions.len());
        if at == self.functions.len() {
            let (id, name, arguments) = Default::default();
            self.functions.push(FunctionCall { choice, id, name, arguments });
        }
        let Some(held) = self.functions.get_mut(at) else { return };
        if held.id.is_empty() {
            held.id.push_str(id);
        }
        if held.name.is_empty() {
            held.name.push_str(&function.name);
        }
        held.arguments.push_str(&function.arguments.0);
        if held.arguments.len() > LONGEST_HELD {
            let held = self.functions.swap_remove(at);
            ChatReader::give_function_call(&held, answer);
        }
    }

    /// Gives a function call as a tool call, unless the choice made tool calls.
    fn give_function_call(held: &FunctionCall, answer: &mut Answer<'_>) {
        let index = Some(FUNCTION_CALL);
        if !answer.calls_tools(held.choice, index) {
            answer.tool_call(held.choice, index, &held.id, &held.name, &held.arguments);
        }
    }

    /// The bytes of a piece of audio; what is cut off inside of four letters of its base64
    /// waits for the next piece.
    fn audio_of(&mut self, choice: i32, data: &str) -> Result<Vec<u8>> {
        let at = self.audio.iter().position(|(known, _)| *known == choice);
        let at = at.unwrap_or(self.audio.len());
        if at == self.audio.len() {
            self.audio.push((choice, String::new()));
        }
        let Some((_, held)) = self.audio.get_mut(at) else { return Ok(Vec::new()) };
        memory::push_str(held, data)?;
        let whole = if data.ends_with('=') { held.len() } else { held.len() / 4 * 4 };
        let later = held.get(whole..).unwrap_or_default().to_owned();
        let now = std::mem::replace(held, later);
        Ok(media::decode_base64(now.get(..whole).unwrap_or_default())?.unwrap_or_default())
    }

    #[inline]
    fn take_text(&mut self, choice: i32, text: &str, answer: &mut Answer<'_>) {
        match &mut self.reading {
            Reading::AsItIs => answer.text(choice, text),
            Reading::FileTags(files) => {
                self.files.extend(files.take(text, |text| answer.text(choice, text)));
                if self.files.len() > answer.max_tool_calls() {
                    answer.fail(answer.too_many_calls());
                }
            }
            Reading::ThinkTags(thinks) => {
                if !thinks.iter().any(|(known, _)| *known == choice) {
                    thinks.push((choice, Think::default()));
                }
                for (_, think) in thinks.iter_mut().filter(|(known, _)| *known == choice) {
                    think.take(text, |inside, text| thought_or_text(inside, choice, text, answer));
                }
            }
        }
    }

    /// No more text comes.
    fn close(&mut self, answer: &mut Answer<'_>) {
        match &mut self.reading {
            Reading::AsItIs => {}
            Reading::FileTags(files) => files.end(|text| answer.text(0, text)),
            Reading::ThinkTags(thinks) => {
                for (choice, think) in thinks {
                    think.end(|inside, text| thought_or_text(inside, *choice, text, answer));
                }
            }
        }
        for held in std::mem::take(&mut self.functions) {
            ChatReader::give_function_call(&held, answer);
        }
    }
}

impl Reader for ChatReader {
    fn read(&mut self, event: wire::Event<'_>, answer: &mut Answer<'_>) -> Result<Flow> {
        if event.name == b"error" {
            return Err(answer.error_of(event));
        }
        if event.is_done() {
            answer.done();
            return Ok(Flow::Done);
        }
        self.take(event.data, answer)
    }

    fn piece(
        &mut self,
        piece: &dialects::Piece,
        said: &Said<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let (choice, text) = (piece.choice, said.text);
        if !answer.open(choice) {
            return Ok(());
        }
        self.in_pieces = true;
        match piece.kind {
            PieceKind::Text => self.take_text(choice, text, answer),
            PieceKind::Reasoning(field) => answer.reasoning(choice, text, field),
            PieceKind::Refusal => answer.refusal(choice, text),
            PieceKind::Arguments if text.is_empty() && piece.id.is_empty() => {}
            PieceKind::Arguments => answer.tool_call(choice, piece.index, &piece.id, "", text),
        }
        Ok(())
    }

    fn end(&mut self, answer: &mut Answer<'_>) -> Result<()> {
        self.close(answer);
        answer.close()
    }
}

fn give_source(choice: i32, url: &str, title: &str, answer: &mut Answer<'_>) {
    if !url.is_empty() {
        answer.source(choice, url, title);
    }
}

/// The title of a source, else the tool that found it.
fn source_name<'a>(title: &'a str, tool: &'a str) -> &'a str {
    if title.is_empty() { tool } else { title }
}

/// Whether an object has a field that is neither null nor empty.
fn says_anything(object: &Value) -> bool {
    let says = |value: &Value| match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        _ => true,
    };
    object.as_object().is_some_and(|fields| fields.values().any(says))
}

fn thought_or_text(inside: bool, choice: i32, text: &str, answer: &mut Answer<'_>) {
    if inside { answer.reasoning(choice, text, "think") } else { answer.text(choice, text) }
}

/// The first of the names of reasoning that says something.
fn take_reasoning(choice: i32, message: &Message<'_>, answer: &mut Answer<'_>) {
    let (text, field) = message.reasoning();
    if !text.is_empty() {
        return answer.reasoning(choice, text, field);
    }
    let text = |block: &Map<String, Value>, name| {
        block.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    for detail in message.reasoning_details.iter() {
        answer.reasoning(choice, &text(detail, "text"), "reasoning_details");
        answer.reasoning(choice, &text(detail, "summary"), "reasoning_details");
    }
    if !message.reasoning_details.is_empty() {
        return;
    }
    for block in message.thinking_blocks.iter() {
        answer.reasoning(choice, &text(block, "thinking"), "thinking_blocks");
    }
    for part in message.content.parts.iter().filter(|part| &*part.kind == "thinking") {
        answer.reasoning(choice, &part.thinking.text, "thinking");
        for thought in part.thinking.parts.iter() {
            answer.reasoning(choice, &thought.text, "thinking");
        }
    }
}

/// Keeps the reasoning that the provider wants back.
fn keep_blocks(choice: i32, message: &Message<'_>, answer: &mut Answer<'_>) {
    let lists = [message.thinking_blocks.len(), message.reasoning_details.len()];
    if lists == [0, 0] && message.content.parts.is_empty() {
        return;
    }
    let parts = message.content.parts.iter().filter_map(Part::as_thinking);
    let parts: Vec<Map<String, Value>> = parts.collect();
    let fields = [
        ("thinking_blocks", &*message.thinking_blocks),
        ("reasoning_details", &*message.reasoning_details),
        ("content", &*parts),
    ];
    for (field, pieces) in fields.into_iter().filter(|(_, pieces)| !pieces.is_empty()) {
        answer.keep_blocks(choice, field, pieces);
    }
}

/// Gives what the provider wants back with the call that `piece` is of.
fn give_state_of_call(choice: i32, piece: &Piece<'_>, answer: &mut Answer<'_>) {
    let (extra_content, provider_specific_fields) =
        (piece.extra_content.as_deref(), piece.provider_specific_fields.as_deref());
    if extra_content.is_none() && provider_specific_fields.is_none() {
        return;
    }
    if let Some(id) = answer.call_id(choice, piece.index.0, &piece.id) {
        let state = StateOfCall { extra_content, provider_specific_fields, id };
        let state = serde_json::to_value(BTreeMap::from([("tool_calls", [state])]));
        answer.state(choice, &state.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audio_is_whole_wherever_its_base64_is_cut() {
        let data = "AAECAwQFBgcICQ==";
        for cut in 0..data.len() {
            let (first, second) = data.split_at(cut);
            let mut reader = ChatReader::new();
            let bytes = [first, second].map(|data| reader.audio_of(0, data).unwrap()).concat();
            assert_eq!(bytes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "cut at {cut}");
        }
    }
}
