//! [`Answer`]: what every answer needs, written once for all dialects.
//!
//! A dialect's reader tells it what an event says. It makes the chunks: the start once, tool
//! calls with their indexes and ids, usage merged, the reasons in OpenAI's terms, the end.
//! Chunks of one read travel together: they are handed over just before the next read could
//! block.

mod blocks;
mod reasons;
pub(crate) mod usage;

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::cancel_token::CancelToken;
use crate::chunk::{Batch, Chunk, ChunkKind, Usage};
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::fault;
use crate::json;
use crate::json::halves::{self, Halves};
use crate::kept;
use crate::media;
use crate::memory;
use crate::model::Model;
use crate::prompt;
use crate::request::Request;
use crate::times::Stage;
use crate::wire::Event;
use blocks::Blocks;

/// Who takes the chunks of an answer.
pub(crate) trait Sink {
    /// Takes all chunks of `batch` and leaves it empty; waits while there is no room.
    fn deliver(&self, batch: &mut Batch) -> Result<()>;
}

pub(crate) struct Answer<'a> {
    config: &'a Config,
    token: &'a Arc<CancelToken>,
    sink: &'a dyn Sink,
    batch: Batch,
    /// Who answers, for errors.
    host: String,
    /// The name under which the reply keeps what goes back.
    dialect: &'static str,
    /// The model asked, which is named where the answer names none.
    model: String,
    started: bool,
    /// Once the answer held half a character: those that wait for their other half.
    halves: Option<Halves<Stream>>,
    /// A chunk was taken: the request is not sent again.
    answered: bool,
    /// A chunk was handed over.
    delivered: bool,
    /// Something came since the last flush that made no chunk.
    went_on: bool,
    /// Why a chunk could not be taken: the answer ends there.
    failure: Option<Error>,
    /// How many images and sources each choice has had.
    counts: HashMap<(ChunkKind, i32), i32>,
    /// The sources that each choice has had, by the hashes of their URLs.
    sources: HashSet<u64>,
    /// The choices that have said something.
    choices: Vec<i32>,
    calls: Vec<ToolCall>,
    /// The blocks that the provider wants back, of each choice.
    blocks: Blocks,
    /// The counts so far, and those of requests before this one for the same answer.
    usage: Option<Usage>,
    earlier: Option<Usage>,
    /// What usage is estimated from, where the config asks for that.
    estimate: Option<Usage>,
    /// The end mark has come.
    done: bool,
    /// The reason that each finished choice gave.
    reasons: Vec<(i32, String)>,
    /// The choices that were blocked, whatever the reason is called.
    blocked: Vec<i32>,
    /// What the provider added to the reason.
    explanation: String,
}

/// How many sources of an answer are remembered.
const MOST_SOURCES: usize = 4096;

/// A text whose pieces follow one another: its kind, choice, index, and name.
type Stream = (ChunkKind, i32, i32, String);

/// A tool call whose pieces are coming in.
struct ToolCall {
    choice: i32,
    /// Index and id on the wire, where given.
    wire_index: Option<i64>,
    wire_id: String,
    /// The one that the program knows it by.
    id: String,
    index: i32,
    named: bool,
}

impl<'a> Answer<'a> {
    pub(crate) fn new(
        config: &'a Config,
        token: &'a Arc<CancelToken>,
        sink: &'a dyn Sink,
    ) -> Answer<'a> {
        Answer {
            config,
            token,
            sink,
            batch: Batch::default(),
            host: String::new(),
            dialect: config.provider.dialect.name(),
            model: String::new(),
            started: false,
            halves: None,
            answered: false,
            delivered: false,
            went_on: false,
            failure: None,
            counts: HashMap::new(),
            sources: HashSet::new(),
            choices: Vec::new(),
            calls: Vec::new(),
            blocks: Blocks::new(),
            usage: None,
            earlier: None,
            estimate: None,
            done: false,
            reasons: Vec::new(),
            blocked: Vec::new(),
            explanation: String::new(),
        }
    }

    /// The request that is to be answered, and the model that is asked.
    pub(crate) fn asked(&mut self, request: &Request, model: &str) {
        model.clone_into(&mut self.model);
        if self.config.estimate_usage {
            let contents = request.messages().iter().filter_map(|message| message.get("content"));
            let contents = contents.chain(request.inputs().into_iter().flatten());
            let input = contents.map(|content| tokens_of(prompt::text_of(content).len()) + 4);
            self.estimate =
                Some(Usage { input: 1 + input.sum::<i64>(), output: 0, ..Usage::default() });
        }
    }

    /// Who answers.
    pub(crate) fn comes_from(&mut self, host: &str) {
        host.clone_into(&mut self.host);
    }

    /// The answer begins. Only the first call counts; without a `model`, it is the one asked.
    pub(crate) fn start(&mut self, id: &str, model: &str) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let asked = std::mem::take(&mut self.model);
        let model = if model.is_empty() { &asked } else { model };
        self.take(&Chunk { text: id, name: model, ..Chunk::new(ChunkKind::Start) });
        self.model = asked;
    }

    /// A piece of text.
    #[inline]
    pub(crate) fn text(&mut self, choice: i32, text: &str) {
        if !text.is_empty() {
            if let Some(usage) = &mut self.estimate {
                usage.output += tokens_of(text.len() + 2);
            }
            self.say(ChunkKind::Text, choice, 0, text, "");
        }
    }

    /// A piece of reasoning, and the field that it came in.
    #[inline]
    pub(crate) fn reasoning(&mut self, choice: i32, text: &str, field: &str) {
        if !text.is_empty() {
            self.say(ChunkKind::Reasoning, choice, 0, text, field);
        }
    }

    /// A piece of a refusal.
    #[inline]
    pub(crate) fn refusal(&mut self, choice: i32, text: &str) {
        if !text.is_empty() {
            self.say(ChunkKind::Refusal, choice, 0, text, "");
        }
    }

    /// What the provider says it is doing.
    pub(crate) fn progress(&mut self, text: &str) {
        self.take(&Chunk { text, ..Chunk::new(ChunkKind::Progress) });
    }

    /// An image in bytes; what kind they are, they tell themselves. `name`: its prompt, as
    /// the provider revised it.
    pub(crate) fn image(&mut self, choice: i32, bytes: &[u8], name: &str) {
        let mime = media::sniff(bytes).unwrap_or_default();
        let index = self.next_index(ChunkKind::Image, choice);
        self.take(&Chunk { choice, index, mime, bytes, name, ..Chunk::new(ChunkKind::Image) });
    }

    /// An image that lies elsewhere, or in a data URL.
    pub(crate) fn image_at(&mut self, choice: i32, url: &str, name: &str) {
        match media::decode_data_url(url) {
            Ok(Some(bytes)) => return self.image(choice, &bytes, name),
            Ok(None) => {}
            Err(error) => return self.fail(error),
        }
        let index = self.next_index(ChunkKind::Image, choice);
        self.take(&Chunk { choice, index, text: url, name, ..Chunk::new(ChunkKind::Image) });
    }

    /// A source: where it is, and its title. Each is given once; of more than
    /// [`MOST_SOURCES`], the later ones as often as they come.
    pub(crate) fn source(&mut self, choice: i32, url: &str, title: &str) {
        let source = self.sources.hasher().hash_one((choice, url));
        if self.sources.contains(&source) {
            return;
        }
        if self.sources.len() < MOST_SOURCES {
            self.sources.insert(source);
        }
        let index = self.next_index(ChunkKind::Source, choice);
        let chunk = Chunk::new(ChunkKind::Source);
        self.take(&Chunk { choice, index, text: url, name: title, ..chunk });
    }

    /// A piece of audio, and what is said in it.
    pub(crate) fn audio(
        &mut self,
        choice: i32,
        id: &str,
        mime: &str,
        bytes: &[u8],
        transcript: &str,
    ) {
        if !bytes.is_empty() || !transcript.is_empty() {
            let chunk = Chunk::new(ChunkKind::Audio);
            self.take(&Chunk { choice, text: transcript, id, mime, bytes, ..chunk });
        }
    }

    /// How likely the tokens were, as the provider put it.
    pub(crate) fn logprobs(&mut self, choice: i32, logprobs: &impl Serialize) {
        match memory::json(logprobs) {
            Ok(text) => {
                self.take(&Chunk { choice, text: &text, ..Chunk::new(ChunkKind::Logprobs) });
            }
            Err(error) => self.fail(error),
        }
    }

    /// An undecoded event.
    pub(crate) fn raw(&mut self, text: &str) {
        self.take(&Chunk { text, ..Chunk::new(ChunkKind::Raw) });
    }

    /// The embedding of the input at `index`.
    pub(crate) fn embedding(&mut self, index: i32, bytes: &[u8]) {
        self.take(&Chunk { index, bytes, ..Chunk::new(ChunkKind::Embedding) });
    }

    /// A piece of the body that a raw call is answered with.
    pub(crate) fn body(&mut self, mime: &str, bytes: &[u8]) {
        self.take(&Chunk { mime, bytes, ..Chunk::new(ChunkKind::Body) });
    }

    /// A model of a list.
    pub(crate) fn model(&mut self, model: &Model) {
        let index = self.next_index(ChunkKind::Model, 0);
        let context = model.context_length.and_then(|length| i64::try_from(length).ok());
        self.take(&Chunk {
            index,
            id: &model.id,
            name: &model.owner,
            text: &model.json,
            flags: model.capabilities.bits(),
            usage: Usage { total: context.unwrap_or(-1), ..Usage::default() },
            ..Chunk::new(ChunkKind::Model)
        });
    }

    /// Which chunk of that kind comes next. Counted over the whole answer: most servers
    /// count anew in every event, or not at all.
    fn next_index(&mut self, kind: ChunkKind, choice: i32) -> i32 {
        let count = self.counts.entry((kind, choice)).or_default();
        let index = *count;
        *count = index.saturating_add(1);
        index
    }

    /// A choice says something; false where there are too many to tell apart.
    #[inline]
    pub(crate) fn open(&mut self, choice: i32) -> bool {
        if self.choices.contains(&choice) {
            return true;
        }
        // The list is searched one by one, so it has to stay short.
        if self.choices.len() >= self.config.max_tool_calls {
            self.fail(self.too_many_calls());
            return false;
        }
        self.choices.push(choice);
        true
    }

    /// A piece of a tool call. It belongs to the call of its index, else of its id, else to
    /// the latest. A new id, or a name where nothing else tells, begins a new call.
    pub(crate) fn tool_call(
        &mut self,
        choice: i32,
        wire_index: Option<i64>,
        wire_id: &str,
        name: &str,
        text: &str,
    ) {
        let ours = |known: &&mut ToolCall| known.choice == choice;
        let known = self.calls.iter_mut().rev().filter(ours).find(|known| match wire_index {
            Some(_) => known.wire_index == wire_index,
            None if !wire_id.is_empty() => known.wire_id == wire_id,
            None => name.is_empty(),
        });
        let another = |known: &ToolCall| {
            !wire_id.is_empty() && !known.wire_id.is_empty() && known.wire_id != wire_id
        };
        if let Some(known) = known.filter(|known| !another(known)) {
            let name = if known.named { "" } else { name };
            known.named |= !name.is_empty();
            if !name.is_empty() || !text.is_empty() {
                let index = known.index;
                self.say(ChunkKind::ToolCall, choice, index, text, name);
            }
            return;
        }
        if self.calls.len() >= self.config.max_tool_calls {
            return self.fail(self.too_many_calls());
        }
        let index = self.calls.iter().filter(|known| known.choice == choice).count();
        let index = i32::try_from(index).unwrap_or(i32::MAX);
        let id = match wire_id {
            "" => format!("call_{}", Uuid::new_v4().simple()),
            given => given.to_owned(),
        };
        // A call that is sent back without the reasoning that led to it is refused.
        let blocks = self.blocks.take_before_end(choice);
        self.give_blocks(choice, blocks);
        let named = !name.is_empty();
        self.take(&Chunk { choice, index, text, id: &id, name, ..Chunk::new(ChunkKind::ToolCall) });
        let wire_id = wire_id.to_owned();
        self.calls.push(ToolCall { choice, wire_index, wire_id, id, index, named });
    }

    /// The id that the program knows a tool call by: that of a wire index or, without one, of
    /// a wire id or, without both, the latest.
    pub(crate) fn call_id(&self, choice: i32, index: Option<i64>, id: &str) -> Option<&str> {
        let ours = self.calls.iter().rev().filter(|known| known.choice == choice);
        let known = ours.into_iter().find(|known| match index {
            Some(_) => known.wire_index == index,
            None => id.is_empty() || known.wire_id == id,
        });
        known.map(|known| &*known.id)
    }

    /// Whether a choice made a tool call other than that of a wire index.
    pub(crate) fn calls_tools(&self, choice: i32, but: Option<i64>) -> bool {
        self.calls
            .iter()
            .any(|known| known.choice == choice && (but.is_none() || known.wire_index != but))
    }

    /// An object of the provider's, whose fields go back with the reply, or with its tool calls.
    pub(crate) fn state(&mut self, choice: i32, state: &impl Serialize) {
        match memory::json(state) {
            Ok(text) => {
                self.take(&Chunk { choice, text: &text, ..Chunk::new(ChunkKind::State) });
            }
            Err(error) => self.fail(error),
        }
    }

    /// Keeps blocks, or pieces of blocks, that go back in `field` of the reply. They are given
    /// before the next tool call, and at the end.
    pub(crate) fn keep_blocks(&mut self, choice: i32, field: &str, pieces: &[Map<String, Value>]) {
        if let Err(error) = self.blocks.keep(choice, field, pieces) {
            self.fail(error);
        }
    }

    fn give_blocks(&mut self, choice: i32, blocks: Result<Option<Value>>) {
        match blocks {
            Ok(Some(blocks)) => self.state(choice, &blocks),
            Ok(None) => {}
            Err(error) => self.fail(error),
        }
    }

    /// An item goes back whole, in its place among the texts and tool calls of the answer.
    pub(crate) fn keep(&mut self, choice: i32, item: &Value) {
        self.state(choice, &kept::Note::item(self.dialect, item));
    }

    /// The text since the last item goes back as an item of its own, with fields of `with`.
    pub(crate) fn keep_text(&mut self, choice: i32, with: &Value) {
        self.state(choice, &kept::Note::text(self.dialect, with));
    }

    /// A tool call goes back with fields of `with`.
    pub(crate) fn keep_call(&mut self, choice: i32, id: &str, with: &Value) {
        self.state(choice, &kept::Note::call(self.dialect, id, with));
    }

    /// The answer comes in another dialect than that of the provider.
    pub(crate) fn speaks(&mut self, dialect: &'static str) {
        self.dialect = dialect;
    }

    /// Token counts. Numbers that are known replace those of before.
    pub(crate) fn usage(&mut self, usage: Usage) {
        self.usage = Some(self.usage.unwrap_or_default().merged(usage));
    }

    /// A further request goes on with this answer: its counts are added to those so far.
    pub(crate) fn add_usage(&mut self) {
        self.earlier = match (self.earlier, self.usage.take()) {
            (Some(earlier), Some(usage)) => Some(earlier.plus(usage)),
            (earlier, usage) => earlier.or(usage),
        };
    }

    /// A choice is finished, for a reason in the provider's words.
    pub(crate) fn reason(&mut self, choice: i32, raw: &str) {
        self.reasons.retain(|(finished, _)| *finished != choice);
        self.reasons.push((choice, raw.to_owned()));
    }

    /// A filter blocked the prompt of a choice, for a reason in the provider's words.
    pub(crate) fn blocked(&mut self, choice: i32, raw: &str) {
        self.blocked.push(choice);
        self.reason(choice, raw);
    }

    /// Explains the reason. An error says it.
    pub(crate) fn explain(&mut self, text: &str) {
        text.clone_into(&mut self.explanation);
    }

    /// Whether the body of the response ended properly. Where no event marks the end of the
    /// answer, only that tells it from one that was cut.
    pub(crate) fn has_whole_body(&self) -> bool {
        self.token.is_whole()
    }

    /// The end mark has come.
    pub(crate) fn done(&mut self) {
        self.done = true;
    }

    /// The answer is at its end: with the end mark, or where every choice gave a reason.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] otherwise.
    pub(crate) fn close(&mut self) -> Result<()> {
        let is_finished = |choice: &i32| self.reasons.iter().any(|(known, _)| known == choice);
        let open: Vec<i32> =
            self.choices.iter().copied().filter(|choice| !is_finished(choice)).collect();
        if !self.done && (self.reasons.is_empty() || !open.is_empty()) {
            return Err(self.truncated());
        }
        for choice in self.choices.clone() {
            let blocks = self.blocks.take(choice);
            self.give_blocks(choice, blocks);
        }
        self.reasons.extend(open.into_iter().map(|choice| (choice, String::new())));
        Ok(())
    }

    /// Gives usage and then the finish reasons. They come last: after a finish nothing is missing.
    ///
    /// # Errors
    /// [`ErrorKind::Server`] where a reason is a failure.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.end_texts();
        self.give_usage();
        self.give_reasons()
    }

    /// Gives usage, which comes after all that was counted.
    pub(crate) fn give_usage(&mut self) {
        self.add_usage();
        let estimate = self.estimate.take();
        let estimate = estimate.map(|usage| Usage { total: usage.input + usage.output, ..usage });
        if let Some(usage) = self.earlier.take().or(estimate) {
            self.take(&Chunk { usage: usage.totalled(), ..Chunk::new(ChunkKind::Usage) });
        }
    }

    fn give_reasons(&mut self) -> Result<()> {
        let mut reasons = std::mem::take(&mut self.reasons);
        if reasons.is_empty() {
            reasons.push((0, String::new()));
        }
        reasons.sort_by_key(|(choice, _)| *choice);
        for (choice, raw) in &reasons {
            let reason = match self.blocked.contains(choice) {
                true => Some("content_filter"),
                false => reasons::unified(raw, self.calls_tools(*choice, None)),
            };
            let Some(reason) = reason else {
                return Err(self.failed(raw));
            };
            let chunk = Chunk::new(ChunkKind::Finish);
            self.take(&Chunk { choice: *choice, text: reason, name: raw, ..chunk });
        }
        Ok(())
    }

    /// A chunk that has nothing but a text and a name.
    #[inline(never)]
    fn say(&mut self, kind: ChunkKind, choice: i32, index: i32, text: &str, name: &str) {
        if !self.started || self.failure.is_some() || self.halves.is_some() {
            return self.take(&Chunk { choice, index, text, name, ..Chunk::new(kind) });
        }
        self.answered = true;
        if let Err(error) = self.batch.push_text(kind, choice, index, text, name) {
            self.fail(error);
        }
    }

    /// Any chunk. What a server says of an answer it never began begins it.
    fn take(&mut self, chunk: &Chunk<'_>) {
        self.answered = true;
        // Some servers leave the beginning out.
        let has_no_start = matches!(
            chunk.kind,
            ChunkKind::Start
                | ChunkKind::Raw
                | ChunkKind::State
                | ChunkKind::Progress
                | ChunkKind::Model
                | ChunkKind::Body
        );
        if !self.started && !has_no_start {
            self.start("", "");
        }
        if self.failure.is_some() {
            return;
        }
        let taken = match &mut self.halves {
            None => self.batch.push(chunk),
            Some(halves) => push_joined(chunk, halves, &mut self.batch),
        };
        if let Err(error) = taken {
            self.fail(error);
        }
    }

    /// A chunk cannot be taken: the answer ends with `error`, after what came before.
    #[cold]
    #[inline(never)]
    pub(crate) fn fail(&mut self, error: Error) {
        self.failure.get_or_insert(error);
    }

    /// No more text comes: what waits for the other half of a character waits in vain.
    pub(crate) fn end_texts(&mut self) {
        let waiting: Vec<Stream> = self.halves.iter_mut().flat_map(Halves::take).collect();
        for (kind, choice, index, name) in waiting {
            let text = "\u{fffd}";
            let chunk = Chunk { choice, index, text, name: &name, ..Chunk::new(kind) };
            if let Err(error) = self.batch.push(&chunk) {
                self.fail(error);
            }
        }
    }

    /// Something of the answer arrived that makes no chunk yet: the idle limit counts anew
    /// with the next read.
    pub(crate) fn goes_on(&mut self) {
        self.went_on = true;
    }

    /// Whether a chunk was taken.
    pub(crate) fn answered(&self) -> bool {
        self.answered
    }

    /// Hands over what was taken since the last time.
    ///
    /// # Errors
    /// Why a chunk could not be taken.
    pub(crate) fn flush(&mut self) -> Result<()> {
        // Keep-alives are no progress: they cannot hide a stall.
        let went_on = std::mem::take(&mut self.went_on) || !self.batch.is_empty();
        if !self.batch.is_empty() {
            // Before the program has it: it may ask when that was.
            if !std::mem::replace(&mut self.delivered, true) {
                self.token.times().reach(Stage::FirstChunk);
            }
            self.sink.deliver(&mut self.batch)?;
        }
        if went_on {
            self.token.progress();
        }
        self.failure.clone().map_or(Ok(()), Err)
    }

    /// What an event says, mended where it has to be.
    ///
    /// # Errors
    /// The error that it says, or why it cannot be read.
    pub(crate) fn json(&mut self, data: &[u8]) -> Result<Value> {
        let value = match serde_json::from_slice(data) {
            Ok(value) => value,
            Err(error) => self.repair(data, &error)?,
        };
        self.error_in(&value).map_or(Ok(value), Err)
    }

    /// What an event is that serde refused with `error`, repaired. Characters that it cuts in
    /// two are joined with what comes.
    pub(crate) fn repair(&mut self, data: &[u8], error: &serde_json::Error) -> Result<Value> {
        let value = json::repair(data, error)?;
        if self.halves.is_none() && halves::are_in(&memory::json(&value)?) {
            self.halves = Some(Halves::default());
        }
        Ok(value)
    }

    /// The error that `value` says, if it says one.
    pub(crate) fn error_in(&self, value: &Value) -> Option<Error> {
        if !fault::may_be_in(value) {
            return None;
        }
        if let Err(error) = fault::room_for_error(memory::weight(value)) {
            return Some(error);
        }
        let settled = self.halves.as_ref().map(|_| halves::settle(&value.to_string()));
        let settled = settled.and_then(|text| serde_json::from_slice(text.as_bytes()).ok());
        fault::in_event(&self.host, settled.as_ref().unwrap_or(value))
    }

    /// The error that an event of that name says.
    pub(crate) fn error_of(&self, event: Event<'_>) -> Error {
        match fault::room_for_error(event.data.len()) {
            Ok(()) => fault::of_event(&self.host, event.data),
            Err(error) => error,
        }
    }

    /// Whether a reader may hold so many bytes back, which are to make one chunk.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] where it may not.
    pub(crate) fn check_held(&self, bytes: usize) -> Result<()> {
        let most = self.config.max_event_bytes;
        match bytes <= most {
            true => Ok(()),
            false => Err(self.error(
                ErrorKind::TooLarge,
                &format!("sent a tool call larger than {most} bytes (max_event_bytes)"),
            )),
        }
    }

    /// How many choices, tool calls and files of an answer are told apart.
    pub(crate) fn max_tool_calls(&self) -> usize {
        self.config.max_tool_calls
    }

    /// There are more than that.
    pub(crate) fn too_many_calls(&self) -> Error {
        let most = self.config.max_tool_calls;
        self.error(
            ErrorKind::TooLarge,
            &format!(
                "answered with more than {most} tool calls, choices or files (max_tool_calls)"
            ),
        )
    }

    /// The answer stopped without its terminal mark.
    pub(crate) fn truncated(&self) -> Error {
        self.error(ErrorKind::Truncated, "stopped before the end of its answer")
    }

    /// The provider says that it gave up.
    pub(crate) fn failed(&self, reason: &str) -> Error {
        let colon = if self.explanation.is_empty() { "" } else { ": " };
        let explanation = &self.explanation;
        let said = format!("ended its answer with the reason {reason:?}{colon}{explanation}");
        self.error(ErrorKind::Server, &said)
    }

    /// The answer is none of this protocol.
    pub(crate) fn protocol_error(&self, what: &str) -> Error {
        self.error(ErrorKind::Protocol, what)
    }

    fn error(&self, kind: ErrorKind, what: &str) -> Error {
        Error::new(kind, format!("{} {what}", self.host))
    }
}

/// Puts `chunk` into `batch`, its text joined with what came before and without marks.
fn push_joined(chunk: &Chunk<'_>, halves: &mut Halves<Stream>, batch: &mut Batch) -> Result<()> {
    let (kind, choice, index) = (chunk.kind, chunk.choice, chunk.index);
    let (id, name) = (halves::settle(chunk.id), halves::settle(chunk.name));
    let chunk = Chunk { id: &id, name: &name, ..*chunk };
    let streams = [ChunkKind::Text, ChunkKind::Reasoning, ChunkKind::Refusal, ChunkKind::ToolCall];
    if !streams.contains(&kind) {
        return batch.push(&Chunk { text: &halves::settle(chunk.text), ..chunk });
    }
    let field = if kind == ChunkKind::Reasoning { name.clone() } else { String::new() };
    let is_same = |known: &Stream| (known.0, known.1, known.2) == (kind, choice, index);
    let text = halves.join((kind, choice, index, field), is_same, chunk.text);
    if !text.is_empty() || !id.is_empty() || kind == ChunkKind::ToolCall && !name.is_empty() {
        batch.push(&Chunk { text: &text, ..chunk })?;
    }
    Ok(())
}

/// A token is four bytes, more or less.
fn tokens_of(bytes: usize) -> i64 {
    i64::try_from(bytes / 4).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;

    struct Nobody;

    impl Sink for Nobody {
        fn deliver(&self, batch: &mut Batch) -> Result<()> {
            batch.clear();
            Ok(())
        }
    }

    #[test]
    fn sources_are_given_once_and_remembered_within_a_limit() {
        let config = Config::new("openai").unwrap();
        let limits = Limits { connect: None, first_byte: None, idle: None, total: None };
        let token = CancelToken::new(limits);
        let mut answer = Answer::new(&config, &token, &Nobody);
        let given = |answer: &Answer<'_>, choice| answer.counts[&(ChunkKind::Source, choice)];
        let most = i32::try_from(MOST_SOURCES).unwrap() + 10;
        for number in 0..most {
            answer.source(0, &format!("https://example.org/{number}"), "");
        }
        answer.source(0, "https://example.org/0", "");
        answer.source(1, "https://example.org/0", "");
        assert_eq!([given(&answer, 0), given(&answer, 1)], [most, 1]);
        assert_eq!(answer.sources.len(), MOST_SOURCES);
    }

    #[test]
    fn answer_starts_once_and_before_all_it_says() {
        let config = Config::new("openai").unwrap();
        let limits = Limits { connect: None, first_byte: None, idle: None, total: None };
        let token = CancelToken::new(limits);
        let mut answer = Answer::new(&config, &token, &Nobody);
        answer.asked(&Request::new(None), "m");
        answer.progress("thinks");
        answer.text(0, "Hi");
        answer.start("late", "other");
        let chunks = (0..answer.batch.len()).filter_map(|index| answer.batch.get(index));
        let chunks: Vec<_> = chunks.map(|chunk| (chunk.kind, chunk.name.to_owned())).collect();
        let wanted = [(ChunkKind::Progress, ""), (ChunkKind::Start, "m"), (ChunkKind::Text, "")];
        assert_eq!(chunks, wanted.map(|(kind, name)| (kind, name.to_owned())));
    }
}
