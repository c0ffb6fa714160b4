//! The events of an answer of the Responses API, and the answer that comes as one document.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::answer::usage::usage_of;
use crate::dialects::{Flow, Piece, PieceKind, Reader};
use crate::error::{Error, ErrorKind, Result};
use crate::json::mould::{Numbers, Places, Said};
use crate::media;
use crate::memory;
use crate::wire::Event;

/// The state of one answer.
pub(super) struct ResponseReader {
    /// How much of the arguments of tool calls is held, at most.
    most_held: usize,
    held: usize,
    /// How many calls and messages are told apart, at most.
    most_calls: usize,
    id: String,
    model: String,
    started: bool,
    /// The number of the last event, and whether what comes now was asked for after it.
    last: Option<i64>,
    resumed: bool,
    /// How many events were part of the answer itself.
    said: u64,
    /// Texts or items have come before the answer's end: there they are only repeated.
    in_pieces: bool,
    /// The items whose text has come in pieces: their places, else their ids.
    spoken: BTreeSet<(i64, String)>,
    /// The ids of reasoning that came without its encrypted content.
    bare: Vec<String>,
    /// The part of the reasoning that came last: its item, kind and number.
    thought: Option<(i64, &'static str, i64)>,
    calls: Vec<Call>,
    finished: bool,
}

/// A tool call that is coming in.
#[derive(Default)]
struct Call {
    /// Where the call stands in the output, and the id of its item.
    place: Option<i64>,
    item: String,
    call_id: String,
    name: String,
    is_custom: bool,
    /// Held until they are known to be final.
    arguments: String,
    is_final: bool,
    /// The program knows of the call.
    begun: bool,
    /// The program has its arguments.
    given: bool,
}

impl ResponseReader {
    pub(super) fn new(most_held: usize, most_calls: usize) -> ResponseReader {
        ResponseReader {
            most_held,
            held: 0,
            most_calls,
            id: String::new(),
            model: String::new(),
            started: false,
            last: None,
            resumed: false,
            said: 0,
            in_pieces: false,
            spoken: BTreeSet::new(),
            thought: None,
            calls: Vec::new(),
            bare: Vec::new(),
            finished: false,
        }
    }

    /// The answer's id and the number of its last event, where it can be asked for again.
    pub(super) fn place(&self) -> Option<(&str, i64)> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let can_be = !self.id.is_empty() && self.id.chars().all(is_plain);
        self.last.filter(|_| can_be).map(|last| (&*self.id, last))
    }

    /// How many events were part of the answer itself, so far.
    pub(super) fn said(&self) -> u64 {
        self.said
    }

    /// What comes now was asked for after the last event: no event is taken twice.
    pub(super) fn resume(&mut self) {
        self.resumed = true;
    }

    fn take(&mut self, kind: &str, event: &Value, answer: &mut Answer<'_>) -> Result<Flow> {
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        let number = |name: &str| event.get(name).and_then(Value::as_i64);
        let delta = text("delta");
        match kind {
            // Nothing is said yet: what fails now can be asked again.
            "response.created" | "response.queued" | "response.in_progress" => {
                self.note(event.get("response").unwrap_or(&Value::Null))?;
                return Ok(Flow::More);
            }
            "response.completed"
            | "response.done"
            | "response.incomplete"
            | "response.failed"
            | "response.cancelled" => {
                let response = event.get("response").unwrap_or(&Value::Null);
                return self.take_end(kind.strip_prefix("response."), response, answer);
            }
            "response.output_text.delta" => {
                self.speaks(number("output_index"), text("item_id"), answer)?;
                answer.text(0, delta);
                give_logprobs(event, answer);
            }
            "response.refusal.delta"
            | "response.reasoning_summary_text.delta"
            | "response.reasoning_text.delta" => {
                // Without text: else it is a piece.
                self.speaks(number("output_index"), text("item_id"), answer)?;
            }
            "response.output_text.annotation.added" => {
                self.begin(answer);
                give_source(event.get("annotation").unwrap_or(&Value::Null), answer);
            }
            // Other items say nothing yet, and reasoning may take its time.
            "response.output_item.added" => {
                if let Some(item) = event.get("item").filter(|item| is_call(item)) {
                    self.begin(answer);
                    let at = self.call_of(number("output_index"), item, answer)?;
                    self.begin_call(at, item, answer)?;
                }
            }
            "response.output_item.done" => {
                if let Some(item) = event.get("item") {
                    self.begin(answer);
                    self.in_pieces |= !is_call(item);
                    self.take_item(number("output_index"), item, answer)?;
                }
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.take_arguments(number("output_index"), text("item_id"), delta, answer)?;
            }
            "response.function_call_arguments.done" | "response.custom_tool_call_input.done" => {
                let at = self.call_at(number("output_index"), text("item_id"), "", answer)?;
                let whole = [text("arguments"), text("input")];
                let whole = whole.into_iter().find(|whole| !whole.is_empty()).unwrap_or_default();
                self.hold(text("name").len() + whole.len())?;
                if let Some(call) = self.calls.get_mut(at).filter(|call| !call.given) {
                    call.is_final = true;
                    if call.name.is_empty() {
                        call.name = memory::text(text("name"))?;
                    }
                    if !whole.is_empty() {
                        self.held = self.held.saturating_sub(call.arguments.len());
                        call.arguments = memory::text(whole)?;
                    }
                }
                answer.goes_on();
            }
            "response.image_generation_call.partial_image" => {
                self.begin(answer);
                give_image(text("partial_image_b64"), "partial_image", answer)?;
            }
            "response.audio.delta" => {
                self.begin(answer);
                let bytes = media::decode_base64(delta)?.unwrap_or_default();
                answer.audio(0, "", "", &bytes, "");
            }
            "response.audio.transcript.delta" => {
                self.begin(answer);
                answer.audio(0, "", "", &[], delta);
            }
            kind => {
                self.take_progress(kind, event, answer);
                return Ok(Flow::More);
            }
        }
        self.said = self.said.saturating_add(1);
        Ok(Flow::More)
    }

    /// What the provider's own tools do. Anything else that is not known is passed over.
    fn take_progress(&mut self, kind: &str, event: &Value, answer: &mut Answer<'_>) {
        let Some(name) = kind.strip_prefix("response.") else { return };
        let subject = name.split('.').next().unwrap_or_default();
        let is_of_tool =
            subject.contains("_call") || matches!(subject, "mcp_list_tools" | "compaction");
        if !is_of_tool {
            return;
        }
        if name.ends_with(".delta") {
            return answer.goes_on();
        }
        self.begin(answer);
        let payload = ["code", "command", "diff", "arguments", "output"].iter().find_map(|field| {
            event.get(*field).and_then(Value::as_str).filter(|text| !text.is_empty())
        });
        match payload {
            Some(payload) => answer.progress(&format!("{name}: {payload}")),
            None => answer.progress(name),
        }
    }

    /// Whether an event of that number was taken before: only what was asked for after the
    /// last event can have been. Else it is the last now.
    fn was_taken(&mut self, number: Option<i64>) -> bool {
        let was_taken = self.resumed && number.is_some() && number <= self.last;
        self.last = self.last.max(number);
        was_taken
    }

    /// Remembers what the answer is called.
    fn note(&mut self, response: &Value) -> Result<()> {
        for (name, known) in [("id", &mut self.id), ("model", &mut self.model)] {
            let text = response.get(name).and_then(Value::as_str).unwrap_or_default();
            if known.is_empty() {
                *known = memory::text(text)?;
            }
        }
        Ok(())
    }

    /// The first piece of the answer is there.
    fn begin(&mut self, answer: &mut Answer<'_>) {
        if !self.started {
            self.started = true;
            answer.start(&self.id, &self.model);
        }
    }

    /// The text of an item comes in pieces.
    fn speaks(&mut self, place: Option<i64>, id: &str, answer: &mut Answer<'_>) -> Result<()> {
        self.begin(answer);
        self.in_pieces = true;
        self.speak(place, id, answer).map(drop)
    }

    /// The arguments of a call come in pieces.
    fn take_arguments(
        &mut self,
        place: Option<i64>,
        id: &str,
        text: &str,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let at = self.call_at(place, id, "", answer)?;
        if let Some(call) = self.calls.get_mut(at).filter(|call| !call.given) {
            memory::push_str(&mut call.arguments, text)?;
            self.hold(text.len())?;
        }
        answer.goes_on();
        Ok(())
    }

    /// The text of an item comes, in pieces or as a whole. Whether it is the first of it.
    fn speak(&mut self, place: Option<i64>, id: &str, answer: &Answer<'_>) -> Result<bool> {
        let item = match place {
            Some(place) => (place, String::new()),
            None => (-1, memory::text(id)?),
        };
        if self.spoken.contains(&item) {
            return Ok(false);
        }
        if self.spoken.len() >= self.most_calls {
            return Err(answer.too_many_calls());
        }
        self.hold(item.1.len())?;
        Ok(self.spoken.insert(item))
    }

    /// A piece of reasoning, with an empty line between its parts.
    fn think_part(&mut self, part: (i64, &'static str, i64), text: &str, answer: &mut Answer<'_>) {
        if text.is_empty() {
            return;
        }
        if self.thought.is_some_and(|last| last != part) {
            answer.reasoning(0, "\n\n", part.1);
        }
        self.thought = Some(part);
        answer.reasoning(0, text, part.1);
    }

    /// Counts what is held of arguments and names.
    fn hold(&mut self, bytes: usize) -> Result<()> {
        self.held = self.held.saturating_add(bytes);
        if self.held > self.most_held {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "the arguments of the tool calls are larger than {} bytes (max_event_bytes)",
                    self.most_held
                ),
            ));
        }
        Ok(())
    }

    /// Which call an item of the output is.
    fn call_of(&mut self, place: Option<i64>, item: &Value, answer: &Answer<'_>) -> Result<usize> {
        self.call_at(place, text_of(item, "id"), text_of(item, "call_id"), answer)
    }

    /// Which call stands at that place of the output, or has that id, its item's or its own;
    /// without all of them, the last that is open. Made where it is not known yet.
    fn call_at(
        &mut self,
        place: Option<i64>,
        item: &str,
        call_id: &str,
        answer: &Answer<'_>,
    ) -> Result<usize> {
        let is_it = |call: &Call| match (place, call.place) {
            (Some(place), Some(known)) => place == known,
            _ if !call_id.is_empty() && !call.call_id.is_empty() => call.call_id == call_id,
            // llama-server calls the item by the id of its call.
            _ if !item.is_empty() => call.item == item || call.call_id == item,
            _ => !call.given,
        };
        match self.calls.iter().rposition(is_it) {
            Some(at) => Ok(at),
            None => self.new_call(place, item, answer),
        }
    }

    fn new_call(&mut self, place: Option<i64>, item: &str, answer: &Answer<'_>) -> Result<usize> {
        if self.calls.len() >= self.most_calls {
            return Err(answer.too_many_calls());
        }
        self.hold(item.len())?;
        let call = Call { place, item: memory::text(item)?, ..Call::default() };
        memory::push(&mut self.calls, call)?;
        Ok(self.calls.len() - 1)
    }

    /// A call is announced, or is there as a whole: the program gets to know of it.
    fn begin_call(&mut self, at: usize, item: &Value, answer: &mut Answer<'_>) -> Result<()> {
        if self.calls.get(at).is_some_and(|call| !call.begun) {
            self.hold(text_of(item, "call_id").len() + text_of(item, "name").len())?;
        }
        if let Some(call) = self.calls.get_mut(at) {
            call.is_custom = text_of(item, "type") == "custom_tool_call";
            for (name, known) in [("call_id", &mut call.call_id), ("name", &mut call.name)] {
                if known.is_empty() {
                    *known = memory::text(text_of(item, name))?;
                }
            }
        }
        self.tell_of_call(at, answer);
        Ok(())
    }

    fn tell_of_call(&mut self, at: usize, answer: &mut Answer<'_>) {
        let call = self.calls.get_mut(at).filter(|call| !call.begun && !call.name.is_empty());
        if let Some(call) = call {
            call.begun = true;
            answer.tool_call(0, wire_index(at), &call.call_id, &call.name, "");
        }
    }

    /// Gives the arguments of a call: `whole`, else as far as they are there.
    fn give_arguments(
        &mut self,
        at: usize,
        whole: Option<String>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let Some(call) = self.calls.get_mut(at).filter(|call| call.begun && !call.given) else {
            return Ok(());
        };
        call.given = true;
        let pieces = std::mem::take(&mut call.arguments);
        self.held = self.held.saturating_sub(pieces.len());
        let arguments = whole.unwrap_or(pieces);
        // The input of a custom tool is plain text, but arguments are JSON: no more than a part
        // of it where the input was cut off.
        let arguments = match call.is_custom {
            true => {
                let mut json = memory::json(&json!({"input": arguments}))?;
                if !call.is_final {
                    json.truncate(json.len() - "\"}".len());
                }
                json
            }
            false => arguments,
        };
        if !arguments.is_empty() {
            answer.tool_call(0, wire_index(at), "", "", &arguments);
        }
        Ok(())
    }

    /// A call of a function or a custom tool, whole: what it says wins over its pieces.
    fn take_call(&mut self, at: usize, item: &Value, answer: &mut Answer<'_>) -> Result<()> {
        self.begin_call(at, item, answer)?;
        let Some(call) = self.calls.get_mut(at).filter(|call| call.begun && !call.given) else {
            return Ok(());
        };
        let whole = match item.get(if call.is_custom { "input" } else { "arguments" }) {
            Some(Value::String(whole)) if whole.is_empty() => None,
            Some(Value::String(whole)) => Some(memory::text(whole)?),
            Some(object @ Value::Object(_)) => Some(memory::json(object)?),
            _ => None,
        };
        // Also an item may be no more than what there is of it.
        call.is_final |= text_of(item, "status") != "incomplete";
        let of_call: &[&str] = match call.is_custom {
            true => &["call_id", "name", "input"],
            false => &["type", "call_id", "name", "arguments"],
        };
        self.give_arguments(at, whole, answer)?;
        keep_of_call(at, &without(item, of_call)?, answer);
        Ok(())
    }

    /// A tool of the provider's that the program has to run: a call like any other to it.
    fn take_own_call(
        &mut self,
        place: Option<i64>,
        item: &Value,
        name: &str,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let at = self.call_of(place, item, answer)?;
        let Some(call) = self.calls.get_mut(at).filter(|call| !call.given) else { return Ok(()) };
        (call.begun, call.given) = (true, true);
        let id = [text_of(item, "call_id"), text_of(item, "id")];
        let id = id.into_iter().find(|id| !id.is_empty()).unwrap_or_default();
        let arguments = memory::json(&without(item, &["type", "id", "call_id", "status"])?)?;
        answer.tool_call(0, wire_index(at), id, name, &arguments);
        keep_of_call(at, item, answer);
        Ok(())
    }

    /// An item of the output, whole.
    fn take_item(
        &mut self,
        place: Option<i64>,
        item: &Value,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        if is_call(item) {
            let at = self.call_of(place, item, answer)?;
            return self.take_call(at, item, answer);
        }
        let kind = text_of(item, "type");
        match kind {
            "" => return Ok(()),
            "message" => return self.take_message(place, item, answer),
            "reasoning" => {
                if !is_encrypted(item) && self.bare.len() < self.most_calls {
                    self.bare.push(text_of(item, "id").to_owned());
                }
                self.take_reasoning(place, item, answer)?;
            }
            "image_generation_call" => {
                give_image(text_of(item, "result"), text_of(item, "revised_prompt"), answer)?;
            }
            _ => {}
        }
        if let Some(name) = own_call(kind, item) {
            return self.take_own_call(place, item, name, answer);
        }
        for list in ["/action/sources", "/results"] {
            let sources = item.pointer(list).and_then(Value::as_array);
            sources.into_iter().flatten().for_each(|source| give_source(source, answer));
        }
        answer.keep(0, item);
        Ok(())
    }

    fn take_message(
        &mut self,
        place: Option<i64>,
        item: &Value,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let is_new = self.speak(place, text_of(item, "id"), answer)?;
        let mut says = false;
        for part in items_of(item, "content") {
            let text = text_of(part, "text");
            says |= !text.is_empty();
            if is_new {
                answer.text(0, text);
                answer.refusal(0, text_of(part, "refusal"));
                give_logprobs(part, answer);
            }
            items_of(part, "annotations").for_each(|source| give_source(source, answer));
        }
        if says {
            answer.keep_text(0, &without(item, &["type", "role", "content"])?);
        }
        Ok(())
    }

    fn take_reasoning(
        &mut self,
        place: Option<i64>,
        item: &Value,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        if !self.speak(place, text_of(item, "id"), answer)? {
            return Ok(());
        }
        let place = place.unwrap_or(-1);
        for (list, field) in [("summary", "summary"), ("content", "reasoning_text")] {
            for (number, part) in (0..).zip(items_of(item, list)) {
                self.think_part((place, field, number), text_of(part, "text"), answer);
            }
        }
        Ok(())
    }

    /// The answer is at its end, or is one whole document.
    fn take_end(
        &mut self,
        kind: Option<&str>,
        response: &Value,
        answer: &mut Answer<'_>,
    ) -> Result<Flow> {
        let status = text_of(response, "status");
        let is = |word: &str| status == word || kind == Some(word);
        if is("failed") || is("cancelled") {
            let error = answer.error_in(response);
            return Err(error.unwrap_or_else(|| {
                answer.failed(if status.is_empty() { kind.unwrap_or_default() } else { status })
            }));
        }
        self.note(response)?;
        if kind.is_none() && (is("queued") || is("in_progress")) {
            return Ok(Flow::More);
        }
        self.begin(answer);
        let (texts_came, calls_came) = (self.in_pieces, !self.calls.is_empty());
        for (place, item) in (0..).zip(items_of(response, "output")) {
            match is_call(item) {
                true if texts_came || calls_came => self.take_late_call(place, item, answer)?,
                false if texts_came => self.keep_fuller(item, answer),
                _ => self.take_item(Some(place), item, answer)?,
            }
        }
        for at in 0..self.calls.len() {
            // Nothing may have announced it but the end of its arguments.
            self.tell_of_call(at, answer);
            self.give_arguments(at, None, answer)?;
        }
        let citations = items_of(response, "citations").filter_map(Value::as_str);
        citations.for_each(|url| answer.source(0, url, ""));
        if let Some(usage) = response.get("usage").and_then(usage_of) {
            answer.usage(usage);
        }
        let reason = response.pointer("/incomplete_details/reason").and_then(Value::as_str);
        answer.reason(
            0,
            match reason {
                Some(reason) => reason,
                None if is("incomplete") => "incomplete",
                None => "completed",
            },
        );
        self.finished = true;
        Ok(Flow::Done)
    }

    /// Some servers encrypt reasoning in the output at the answer's end alone.
    fn keep_fuller(&self, item: &Value, answer: &mut Answer<'_>) {
        if is_encrypted(item) && self.bare.iter().any(|id| id == text_of(item, "id")) {
            answer.keep(0, item);
        }
    }

    /// A call in the output at the answer's end: its own end, or all of it, may not have come.
    fn take_late_call(&mut self, place: i64, item: &Value, answer: &mut Answer<'_>) -> Result<()> {
        let (id, call_id) = (text_of(item, "id"), text_of(item, "call_id"));
        if call_id.is_empty() {
            return Ok(());
        }
        // The places in this list may be others than those in the stream.
        let has_its_id = |call: &Call| call.call_id == call_id;
        let has_its_place =
            |call: &Call| !call.begun && (call.place == Some(place) || call.item == id);
        let at = self.calls.iter().position(has_its_id);
        let at = match at.or_else(|| self.calls.iter().position(has_its_place)) {
            Some(at) => at,
            None => self.new_call(None, id, answer)?,
        };
        self.take_call(at, item, answer)
    }
}

impl Reader for ResponseReader {
    fn read(&mut self, event: Event<'_>, answer: &mut Answer<'_>) -> Result<Flow> {
        if event.data.trim_ascii().is_empty() {
            return Ok(Flow::More);
        }
        if event.name == b"error" {
            return Err(answer.error_of(event));
        }
        if event.is_done() {
            return Ok(Flow::Done);
        }
        let value = answer.json(event.data)?;
        let name = std::str::from_utf8(event.name).unwrap_or_default();
        let kind = value.get("type").and_then(Value::as_str).unwrap_or(name);
        if let Some((piece, text)) = piece_of(kind, &value) {
            let mut numbers = Numbers::default();
            for (number, name) in numbers.iter_mut().zip(piece.places.numbers) {
                *number = number_of(&value, name);
            }
            return piece.take(&Said { text, numbers: &numbers }, self, answer);
        }
        if self.was_taken(number_of(&value, "sequence_number")) {
            return Ok(Flow::More);
        }
        match kind {
            "" if self.resumed && self.started => {
                Err(answer.protocol_error("answered with a document where a stream was to go on"))
            }
            "" if is_response(&value) => self.take_end(None, &value, answer),
            kind => self.take(kind, &value, answer),
        }
    }

    fn piece(&mut self, piece: &Piece, said: &Said<'_>, answer: &mut Answer<'_>) -> Result<()> {
        let [number, place, part, ..] = *said.numbers;
        if self.was_taken(number) {
            return Ok(());
        }
        let text = said.text;
        if piece.kind == PieceKind::Arguments {
            self.take_arguments(place, &piece.id, text, answer)?;
        } else {
            self.speaks(place, &piece.id, answer)?;
        }
        match piece.kind {
            PieceKind::Text => answer.text(0, text),
            PieceKind::Refusal => answer.refusal(0, text),
            PieceKind::Reasoning(field) => {
                let part = (place.unwrap_or(-1), field, part.unwrap_or(0));
                self.think_part(part, text, answer);
            }
            PieceKind::Arguments => {}
        }
        self.said = self.said.saturating_add(1);
        Ok(())
    }

    fn end(&mut self, answer: &mut Answer<'_>) -> Result<()> {
        if self.finished { Ok(()) } else { Err(answer.truncated()) }
    }
}

/// The piece that an event is, if it is nothing more, and its text.
fn piece_of<'v>(kind: &str, event: &'v Value) -> Option<(Piece, &'v str)> {
    let text = event.get("delta").and_then(Value::as_str).filter(|text| !text.is_empty())?;
    let (kind, numbers): (_, &[&str]) = match kind {
        "response.output_text.delta" if logprobs_of(event).is_none() => {
            (PieceKind::Text, &["sequence_number", "output_index"])
        }
        "response.refusal.delta" => (PieceKind::Refusal, &["sequence_number", "output_index"]),
        "response.reasoning_summary_text.delta" => {
            (PieceKind::Reasoning("summary"), &["sequence_number", "output_index", "summary_index"])
        }
        "response.reasoning_text.delta" => (
            PieceKind::Reasoning("reasoning_text"),
            &["sequence_number", "output_index", "content_index"],
        ),
        "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
            (PieceKind::Arguments, &["sequence_number", "output_index"])
        }
        _ => return None,
    };
    // A text is told by its place, and some servers give its item another id in each event.
    let is_told_by_id = number_of(event, "output_index").is_none() || kind == PieceKind::Arguments;
    let (id, free): (_, &[&str]) = match is_told_by_id {
        true => (text_of(event, "item_id").to_owned(), &["obfuscation"]),
        false => (String::new(), &["obfuscation", "item_id"]),
    };
    let places = Places { free, numbers, ..Places::default() };
    Some((Piece { id, ..Piece::new(kind, "delta").at(places) }, text))
}

fn number_of(event: &Value, name: &str) -> Option<i64> {
    event.get(name).and_then(Value::as_i64)
}

/// Whether a document is a response of this API, and not just any JSON.
fn is_response(value: &Value) -> bool {
    const STATES: &[&str] =
        &["completed", "incomplete", "failed", "cancelled", "queued", "in_progress"];
    value.get("output").is_some_and(Value::is_array) || STATES.contains(&text_of(value, "status"))
}

/// What a call is told by among the calls of the answer.
fn wire_index(at: usize) -> Option<i64> {
    i64::try_from(at).ok()
}

/// Whether `item` calls a tool of the program's.
fn is_call(item: &Value) -> bool {
    matches!(text_of(item, "type"), "function_call" | "custom_tool_call")
}

fn text_of<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn items_of<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// A copy of `item` without the fields of these names.
fn without(item: &Value, names: &[&str]) -> Result<Value> {
    let mut fields = Map::new();
    for (name, value) in item.as_object().into_iter().flatten() {
        if !names.contains(&name.as_str()) {
            fields.insert(memory::text(name)?, memory::value(value)?);
        }
    }
    Ok(Value::Object(fields))
}

fn keep_of_call(at: usize, fields: &Value, answer: &mut Answer<'_>) {
    let id = answer.call_id(0, wire_index(at), "").map(str::to_owned);
    if let Some(id) = id {
        answer.keep_call(0, &id, fields);
    }
}

/// What the program knows a call by that it has to answer, though no function is called.
fn own_call(kind: &str, item: &Value) -> Option<&'static str> {
    let runs_elsewhere =
        item.pointer("/environment/type").is_some_and(|kind| kind == "container_reference");
    Some(match kind {
        "computer_call" => "computer",
        "local_shell_call" => "local_shell",
        "shell_call" if !runs_elsewhere => "shell",
        "apply_patch_call" => "apply_patch",
        "mcp_approval_request" => "mcp_approval_request",
        _ => return None,
    })
}

/// The log probabilities of a piece of text, as chat's choice has them.
fn give_logprobs(part: &Value, answer: &mut Answer<'_>) {
    if let Some(content) = logprobs_of(part) {
        answer.logprobs(0, &json!({"content": content}));
    }
}

fn logprobs_of(part: &Value) -> Option<&Vec<Value>> {
    part.get("logprobs").and_then(Value::as_array).filter(|content| !content.is_empty())
}

/// Where a citation points to: a URL, or a file of the provider's by its id.
fn give_source(source: &Value, answer: &mut Answer<'_>) {
    let source = source.get("url_citation").unwrap_or(source);
    match (text_of(source, "url"), text_of(source, "file_id")) {
        ("", "") => {}
        ("", file) => answer.source(0, file, text_of(source, "filename")),
        (url, _) => answer.source(0, url, text_of(source, "title")),
    }
}

fn give_image(base64: &str, name: &str, answer: &mut Answer<'_>) -> Result<()> {
    if base64.is_empty() {
        return Ok(());
    }
    match media::decode_base64(base64)? {
        Some(bytes) => answer.image(0, &bytes, name),
        None => return Err(answer.protocol_error("returned an image that is not base64")),
    }
    Ok(())
}

/// Whether an item of reasoning can go back.
fn is_encrypted(item: &Value) -> bool {
    text_of(item, "type") == "reasoning" && !text_of(item, "encrypted_content").is_empty()
}
