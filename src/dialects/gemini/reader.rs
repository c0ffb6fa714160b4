//! What generateContent answers: each event is a whole response that holds what is new.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::chunk::Usage;
use crate::dialects::{Flow, Piece, PieceKind, Reader};
use crate::error::Result;
use crate::json::mould::{Numbers, Places, Said};
use crate::log;
use crate::media;
use crate::memory;
use crate::wire::Event;

use super::args::Args;

/// The finish reason of an answer that another request goes on with.
const CONTINUATION: &str = "CONTINUATION";

/// What has come of an answer so far. It outlives a request that is continued.
#[derive(Default)]
pub(super) struct GeminiReader {
    candidates: Vec<Candidate>,
    /// The reason why the prompt was not answered.
    blocked: Option<String>,
    /// With which token the next request goes on.
    continuation: Option<String>,
    /// How many tool calls there were.
    calls: i64,
    /// The call whose arguments come in pieces.
    open: Option<OpenCall>,
    /// `None` before any count has come.
    usage: Option<Counts>,
    has_warned: bool,
}

struct Candidate {
    choice: i32,
    is_finished: bool,
    is_blocked: bool,
    /// Its latest part was text without a signature: more of it may follow.
    has_open_text: bool,
}

impl Candidate {
    fn of(choice: i32) -> Candidate {
        Candidate { choice, is_finished: false, is_blocked: false, has_open_text: false }
    }
}

struct OpenCall {
    choice: i32,
    wire_index: i64,
    id: String,
    name: String,
    args: Args,
    /// How much came of it.
    bytes: usize,
    /// What goes back with the call.
    with: Map<String, Value>,
}

/// The numbers of usageMetadata. Each event repeats those that are known by then.
#[derive(Default)]
struct Counts {
    prompt: Option<i64>,
    tool_prompt: Option<i64>,
    cached: Option<i64>,
    candidates: Option<i64>,
    thoughts: Option<i64>,
    total: Option<i64>,
}

/// The names of these numbers, in the order of [`Counts::take`].
const COUNTS: &[&str] = &[
    "promptTokenCount",
    "toolUsePromptTokenCount",
    "cachedContentTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
    "totalTokenCount",
];

/// The numbers of usageMetadata that are there.
fn counts_of(metadata: &Value) -> Numbers {
    let mut counts = Numbers::default();
    for (count, name) in counts.iter_mut().zip(COUNTS) {
        *count = metadata.get(*name).and_then(Value::as_i64);
    }
    counts
}

impl Counts {
    fn take(&mut self, counts: &Numbers) {
        let known = [
            &mut self.prompt,
            &mut self.tool_prompt,
            &mut self.cached,
            &mut self.candidates,
            &mut self.thoughts,
            &mut self.total,
        ];
        for (known, said) in known.into_iter().zip(counts) {
            *known = said.map(|said| said.max(0)).or(*known);
        }
    }

    fn usage(&self) -> Usage {
        let sum = |first: Option<i64>, second: Option<i64>| match (first, second) {
            (None, None) => -1,
            (first, second) => first.unwrap_or(0).saturating_add(second.unwrap_or(0)),
        };
        Usage {
            input: sum(self.prompt, self.tool_prompt),
            output: sum(self.candidates, self.thoughts),
            total: self.total.unwrap_or(-1),
            cached_input: self.cached.unwrap_or(-1),
            reasoning: self.thoughts.unwrap_or(-1),
            ..Usage::default()
        }
    }
}

impl Reader for GeminiReader {
    fn read(&mut self, event: Event<'_>, answer: &mut Answer<'_>) -> Result<Flow> {
        if event.name == b"error" {
            return Err(answer.error_of(event));
        }
        if event.data.trim_ascii().is_empty() || event.is_done() {
            return Ok(Flow::More);
        }
        match answer.json(event.data)? {
            // Without alt=sse the responses stand in a list.
            Value::Array(responses) => {
                for response in &responses {
                    if let Some(error) = answer.error_in(response) {
                        return Err(error);
                    }
                    self.response(response, answer)?;
                }
            }
            response => {
                if let Some((piece, text, numbers)) = piece_of(&response) {
                    begin(&response, answer);
                    return piece.take(&Said { text, numbers: &numbers }, self, answer);
                }
                self.response(&response, answer)?;
            }
        }
        Ok(Flow::More)
    }

    fn piece(&mut self, piece: &Piece, said: &Said<'_>, answer: &mut Answer<'_>) -> Result<()> {
        if let Some(at) = self.candidate_of(piece.choice, answer) {
            let is_thought = piece.kind != PieceKind::Text;
            let was_open = self.has_open_text(at);
            self.opens_text(at, !is_thought && (!said.text.is_empty() || was_open));
            // Only pieces of its arguments go on with a call.
            self.close_call(false, answer);
            match is_thought {
                true => answer.reasoning(piece.choice, said.text, "thought"),
                false => answer.text(piece.choice, said.text),
            }
        }
        if said.numbers.iter().any(Option::is_some) {
            self.usage.get_or_insert_default().take(said.numbers);
        }
        Ok(())
    }

    fn end(&mut self, answer: &mut Answer<'_>) -> Result<()> {
        if let Some(counts) = self.usage.take() {
            answer.usage(counts.usage());
        }
        if !answer.has_whole_body() {
            return Err(answer.truncated());
        }
        if self.continuation.is_some() {
            return Ok(());
        }
        self.close_call(true, answer);
        if self.blocked.is_some() && self.candidates.is_empty() {
            self.candidates.push(Candidate::of(0));
        }
        for open in self.candidates.iter_mut().filter(|candidate| !candidate.is_finished) {
            if let Some(reason) = &self.blocked {
                answer.blocked(open.choice, reason);
            } else if open.is_blocked {
                answer.blocked(open.choice, "SAFETY");
            }
            open.is_finished = self.blocked.is_some() || open.is_blocked;
        }
        let is_whole = self.candidates.iter().all(|candidate| candidate.is_finished);
        match is_whole && !self.candidates.is_empty() {
            true => Ok(()),
            false => Err(answer.truncated()),
        }
    }
}

impl GeminiReader {
    /// The token to go on with, once, where the answer asks for that.
    pub(super) fn continuation(&mut self) -> Option<String> {
        self.continuation.take()
    }

    /// The answer asks to be continued, and is not.
    pub(super) fn give_up(&self, answer: &mut Answer<'_>) {
        answer.reason(0, CONTINUATION);
    }

    fn response(&mut self, response: &Value, answer: &mut Answer<'_>) -> Result<()> {
        begin(response, answer);
        for candidate in list(response, "candidates") {
            self.candidate(candidate, answer);
        }
        if let Some(reason) = response.pointer("/promptFeedback/blockReason") {
            let reason = reason.as_str().filter(|reason| !is_unspecified(reason));
            self.blocked = reason.map(str::to_owned).or(self.blocked.take());
        }
        if let Some(metadata) = response.get("usageMetadata") {
            self.usage.get_or_insert_default().take(&counts_of(metadata));
        }
        if let Some(status) = response.get("modelStatus").filter(|status| status.is_object()) {
            self.warn(status);
        }
        Ok(())
    }

    /// Tells once that a model is going to be retired.
    fn warn(&mut self, status: &Value) {
        if !std::mem::replace(&mut self.has_warned, true) {
            let said = ["modelStage", "retirementTime", "message"].map(|key| text(status, key));
            log::line(
                log::Level::Warn,
                "gemini",
                format_args!("the status of the model: {}", said.join(" ").trim()),
            );
        }
    }

    /// Which candidate a choice is; none where there are too many.
    fn candidate_of(&mut self, choice: i32, answer: &mut Answer<'_>) -> Option<usize> {
        let known = self.candidates.iter().position(|known| known.choice == choice);
        if known.is_none() {
            if !answer.open(choice) {
                return None;
            }
            self.candidates.push(Candidate::of(choice));
        }
        Some(known.unwrap_or(self.candidates.len() - 1))
    }

    /// The latest part of a candidate is text that more may follow, or is not. Whether the one
    /// before it was.
    fn opens_text(&mut self, at: usize, is_open: bool) -> bool {
        let candidate = self.candidates.get_mut(at);
        candidate.is_some_and(|known| std::mem::replace(&mut known.has_open_text, is_open))
    }

    fn has_open_text(&self, at: usize) -> bool {
        self.candidates.get(at).is_some_and(|candidate| candidate.has_open_text)
    }

    fn candidate(&mut self, candidate: &Value, answer: &mut Answer<'_>) {
        let choice = choice_of(candidate);
        let Some(at) = self.candidate_of(choice, answer) else { return };
        let content = candidate.get("content").unwrap_or(&Value::Null);
        for part in list(content, "parts") {
            self.part(at, choice, part, answer);
        }
        if let Some(logprobs) = candidate.get("logprobsResult").filter(|said| said.is_object()) {
            answer.logprobs(choice, logprobs);
        }
        if let Some(average) = candidate.get("avgLogprobs").filter(|said| said.is_number()) {
            answer.logprobs(choice, &json!({"avgLogprobs": average}));
        }
        take_sources(choice, candidate, answer);
        let Some(known) = self.candidates.get_mut(at) else { return };
        known.is_blocked |= is_blocked(candidate);
        let reason = text(candidate, "finishReason");
        if is_unspecified(reason) {
            return;
        }
        let token = text(candidate, "continuationToken");
        let goes_on = reason == CONTINUATION && !token.is_empty();
        known.is_finished = !goes_on;
        if goes_on {
            self.continuation = Some(token.to_owned());
        } else {
            answer.reason(choice, reason);
        }
        if let Some(said) = candidate.get("finishMessage").and_then(Value::as_str) {
            answer.explain(said);
        }
    }

    fn part(&mut self, at: usize, choice: i32, whole: &Value, answer: &mut Answer<'_>) {
        let Some(part) = whole.as_object() else { return };
        let said = part.get("text").and_then(Value::as_str);
        let is_thought = part.get("thought") == Some(&Value::Bool(true));
        let is_plain = said.is_some() && !is_thought && more_than_text(part).is_empty();
        let was_open = self.has_open_text(at);
        let had_open_text = self.opens_text(at, is_plain && (said != Some("") || was_open));
        if let Some(call) = part.get("functionCall").and_then(Value::as_object) {
            return self.function_call(choice, part, call, answer);
        }
        // Only pieces of its arguments go on with a call.
        self.close_call(false, answer);
        if let Some(said) = said {
            if is_thought {
                answer.reasoning(choice, said, "thought");
            }
            let with = more_than_text(part);
            return match (is_thought || said.is_empty(), with.is_empty()) {
                (true, true) => {}
                (true, false) => answer.keep(choice, whole),
                (false, true) => answer.text(choice, said),
                (false, false) => {
                    if had_open_text {
                        answer.keep_text(choice, &json!({}));
                    }
                    answer.text(choice, said);
                    answer.keep_text(choice, &Value::Object(with));
                }
            };
        }
        if let Some(blob) = part.get("inlineData").filter(|_| !is_thought) {
            take_media(choice, blob, answer);
        }
        if SERVER_TOOLS.iter().any(|name| part.contains_key(*name)) {
            let shown = part.iter().filter(|(name, _)| *name != "thoughtSignature");
            match memory::json(&shown.collect::<BTreeMap<_, _>>()) {
                Ok(shown) => answer.progress(&shown),
                Err(error) => answer.fail(error),
            }
        }
        answer.goes_on();
        // Drafts of images are not wanted back, unless they are signed.
        if !is_thought || part.contains_key("thoughtSignature") {
            answer.keep(choice, whole);
        }
    }

    /// A function call: whole as a rule, else in pieces that follow one another.
    fn function_call(
        &mut self,
        choice: i32,
        part: &Map<String, Value>,
        call: &Map<String, Value>,
        answer: &mut Answer<'_>,
    ) {
        let word = |key| call.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let name = word("name");
        let goes_on = call.get("willContinue") == Some(&Value::Bool(true));
        if !name.is_empty() {
            self.close_call(false, answer);
            let wire_index = self.calls;
            self.calls += 1;
            let id = word("id");
            if goes_on {
                answer.tool_call(choice, Some(wire_index), &id, &name, "");
            }
            let (args, with) = (Args::default(), Map::new());
            self.open = Some(OpenCall { choice, wire_index, id, name, args, bytes: 0, with });
        }
        let Some(open) = self.open.as_mut().filter(|open| open.choice == choice) else { return };
        // A call may come in pieces without end.
        open.bytes += part.values().map(memory::weight).sum::<usize>();
        if let Err(error) = answer.check_held(open.bytes) {
            return answer.fail(error);
        }
        open.keep(part, call);
        answer.goes_on();
        open.args.take_whole(call.get("args"));
        for piece in call.get("partialArgs").and_then(Value::as_array).into_iter().flatten() {
            open.args.take_piece(piece);
        }
        if !goes_on {
            self.close_call(false, answer);
        }
    }

    /// Gives the arguments of the call that is open, if one is. Those that are cut must not
    /// be taken for whole.
    fn close_call(&mut self, is_cut: bool, answer: &mut Answer<'_>) {
        let Some(open) = self.open.take() else { return };
        let mut args = open.args.to_string();
        if is_cut {
            args.pop();
        }
        let index = Some(open.wire_index);
        answer.tool_call(open.choice, index, &open.id, &open.name, &args);
        if let Some(id) = answer.call_id(open.choice, index, "").map(str::to_owned) {
            answer.keep_call(open.choice, &id, &Value::Object(open.with));
        }
    }
}

impl OpenCall {
    /// Notes the fields that go back: all but the name and the arguments, which stand in
    /// the message itself.
    fn keep(&mut self, part: &Map<String, Value>, call: &Map<String, Value>) {
        const OWN: &[&str] = &["name", "args", "partialArgs", "willContinue"];
        for (name, value) in part.iter().filter(|(name, _)| *name != "functionCall") {
            self.with.insert(name.clone(), value.clone());
        }
        let fields = self.with.entry("functionCall").or_insert_with(|| json!({}));
        if let Some(fields) = fields.as_object_mut() {
            let kept = call.iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
            fields.extend(kept.map(|(name, value)| (name.clone(), value.clone())));
        }
    }
}

/// The piece that a response is, if it is nothing more.
fn piece_of(response: &Value) -> Option<(Piece, &str, Numbers)> {
    /// What is looked into, beside the candidates and the counts.
    const MORE: &[&str] = &["promptFeedback", "modelStatus"];
    /// The same of a candidate, beside its content.
    const MORE_OF_CANDIDATE: &[&str] = &[
        "logprobsResult",
        "avgLogprobs",
        "groundingMetadata",
        "citationMetadata",
        "urlContextMetadata",
    ];
    const UNREAD: &[&str] = &["createTime", "tokenCount"];
    let only = |items: &'_ Value| items.as_array().is_some_and(|items| items.len() == 1);
    let is_in = |value: &Value, names: &[&str]| names.iter().any(|name| value.get(name).is_some());
    let candidate = response.get("candidates").filter(|list| only(list))?.get(0)?;
    let parts = candidate.get("content")?.get("parts").filter(|list| only(list))?;
    let part = parts.get(0)?.as_object()?;
    let text = part.get("text").and_then(Value::as_str).filter(|text| !text.is_empty())?;
    let is_more = is_in(response, MORE)
        || is_in(candidate, MORE_OF_CANDIDATE)
        || is_blocked(candidate)
        || !is_unspecified(self::text(candidate, "finishReason"))
        || !more_than_text(part).is_empty();
    let numbers = match response.get("usageMetadata") {
        Some(metadata) => counts_of(metadata),
        None => Numbers::default(),
    };
    // Counts of which none is known still are counts.
    let has_counts = numbers.iter().any(Option::is_some);
    if is_more || has_counts != response.get("usageMetadata").is_some() {
        return None;
    }
    let kind = match part.get("thought") == Some(&Value::Bool(true)) {
        true => PieceKind::Reasoning("thought"),
        false => PieceKind::Text,
    };
    let places = Places { free: UNREAD, numbers: COUNTS, ..Places::default() };
    let choice = choice_of(candidate);
    let piece = Piece { choice, ..Piece::new(kind, "text").at(places) };
    Some((piece, text, numbers))
}

fn is_blocked(candidate: &Value) -> bool {
    list(candidate, "safetyRatings").any(|rating| rating.get("blocked") == Some(&Value::Bool(true)))
}

/// Which choice a candidate is.
fn choice_of(candidate: &Value) -> i32 {
    let choice = candidate.get("index").and_then(Value::as_i64);
    choice.and_then(|index| i32::try_from(index).ok()).unwrap_or(0).max(0)
}

/// The answer begins with the first response that is one.
fn begin(response: &Value, answer: &mut Answer<'_>) {
    const MARKS: &[&str] = &["candidates", "promptFeedback", "usageMetadata", "responseId"];
    if MARKS.iter().any(|mark| response.get(mark).is_some_and(|value| !value.is_null())) {
        answer.start(text(response, "responseId"), text(response, "modelVersion"));
    }
}

/// Parts that tell what the provider's own tools do.
const SERVER_TOOLS: &[&str] =
    &["executableCode", "codeExecutionResult", "toolCall", "toolResponse"];

/// What stands in a part beside its text.
fn more_than_text(part: &Map<String, Value>) -> Map<String, Value> {
    let more = part.iter().filter(|(name, _)| !matches!(&***name, "text" | "thought"));
    more.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn take_media(choice: i32, blob: &Value, answer: &mut Answer<'_>) {
    let mime = text(blob, "mimeType");
    let bytes = match media::decode_base64(text(blob, "data")) {
        Ok(bytes) => bytes.unwrap_or_default(),
        Err(error) => return answer.fail(error),
    };
    match mime.split('/').next() {
        _ if bytes.is_empty() => {}
        Some("image") => answer.image(choice, &bytes, ""),
        Some("audio") => answer.audio(choice, "", mime, &bytes, ""),
        _ => {}
    }
}

/// All that is named as a source of the answer.
fn take_sources(choice: i32, candidate: &Value, answer: &mut Answer<'_>) {
    let mut take = |url: &str, title: &str| {
        if !url.is_empty() {
            answer.source(choice, url, title);
        }
    };
    let of = |name: &str| candidate.get(name).unwrap_or(&Value::Null);
    for chunk in list(of("groundingMetadata"), "groundingChunks") {
        for source in ["web", "retrievedContext", "maps", "image"] {
            if let Some(source) = chunk.get(source) {
                let url = ["uri", "sourceUri"].map(|key| text(source, key)).concat();
                take(&url, text(source, "title"));
            }
        }
    }
    for citation in list(of("citationMetadata"), "citations")
        .chain(list(of("citationMetadata"), "citationSources"))
    {
        take(text(citation, "uri"), text(citation, "title"));
    }
    for page in list(of("urlContextMetadata"), "urlMetadata") {
        take(text(page, "retrievedUrl"), "");
    }
}

fn is_unspecified(reason: &str) -> bool {
    reason.is_empty() || reason.ends_with("_UNSPECIFIED")
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}
