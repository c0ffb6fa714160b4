//! The answers that the server gives, made before they are asked for.

/// How many events a block has. A stream's length is a multiple of it.
pub const BLOCK: usize = 250;

/// How many different blocks a stream with varying events has.
const BLOCKS: usize = 40;

/// An answer as it goes over the wire: HTTP chunks of events.
pub struct Stream {
    /// What comes before the counted events.
    pub first: Vec<u8>,
    /// `BLOCK` events each, sent in turn until the length is reached.
    pub blocks: Vec<Vec<u8>>,
    /// What comes after them, with the chunk that ends the body.
    pub last: Vec<u8>,
    /// Bytes of the answer's text in each block, and of one event on average.
    text: Vec<usize>,
    bytes: Vec<usize>,
}

impl Stream {
    /// Bytes of text in an answer of `events` events.
    pub fn text(&self, events: usize) -> usize {
        total(&self.text, events)
    }

    /// Bytes of the events in an answer of `events` events, without HTTP's framing.
    pub fn bytes(&self, events: usize) -> usize {
        total(&self.bytes, events)
    }
}

fn total(blocks: &[usize], events: usize) -> usize {
    blocks.iter().cycle().take(events / BLOCK).sum()
}

/// How an answer is cut into HTTP chunks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// A block of events in each chunk, as a fast server or a proxy sends them.
    Block,
    /// An event in each chunk.
    Event,
}

/// An event, and the bytes of the answer's text in it.
struct Event {
    wire: String,
    text: usize,
}

/// A dialect's events: the first, the one at an index, the last.
struct Dialect {
    first: fn(varied: bool) -> String,
    event: fn(usize, Option<&mut Random>) -> Event,
    last: fn(varied: bool) -> String,
}

pub const OPENAI: &str = "openai";

/// The dialects, as Tolmach's providers are called.
pub const DIALECTS: [&str; 5] = [OPENAI, "openai-responses", "anthropic", "gemini", "gigachat"];

/// The stream of this name: a dialect and `flood`, `varied` or `split`.
pub fn stream(dialect: &str, kind: &str) -> Option<Stream> {
    let dialect = match dialect {
        OPENAI => Dialect { first: openai_first, event: openai, last: openai_last },
        "openai-responses" => {
            Dialect { first: |_| responses_first(), event: responses, last: |_| responses_last() }
        }
        "anthropic" => {
            Dialect { first: |_| anthropic_first(), event: anthropic, last: |_| anthropic_last() }
        }
        "gemini" => Dialect { first: |_| String::new(), event: gemini, last: |_| gemini_last() },
        "gigachat" => {
            Dialect { first: |_| String::new(), event: gigachat, last: |_| gigachat_last() }
        }
        _ => return None,
    };
    let (varied, framing) = match kind {
        "flood" => (false, Framing::Block),
        "split" => (false, Framing::Event),
        "varied" => (true, Framing::Block),
        _ => return None,
    };
    Some(make(&dialect, varied, framing))
}

fn make(dialect: &Dialect, varied: bool, framing: Framing) -> Stream {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut stream = Stream {
        first: chunk(&(dialect.first)(varied)),
        blocks: Vec::new(),
        last: chunk(&(dialect.last)(varied)),
        text: Vec::new(),
        bytes: Vec::new(),
    };
    stream.last.extend_from_slice(b"0\r\n\r\n");
    for block in 0..BLOCKS {
        let events: Vec<Event> = (0..BLOCK)
            .map(|at| (dialect.event)(block * BLOCK + at, varied.then_some(&mut random)))
            .collect();
        let wires: Vec<&str> = events.iter().map(|event| event.wire.as_str()).collect();
        stream.text.push(events.iter().map(|event| event.text).sum());
        stream.bytes.push(wires.iter().map(|wire| wire.len()).sum());
        stream.blocks.push(match framing {
            Framing::Block => chunk(&wires.concat()),
            Framing::Event => wires.iter().flat_map(|wire| chunk(wire)).collect(),
        });
    }
    stream
}

/// An HTTP chunk; none for an empty text, which would end the body.
pub fn chunk(data: &str) -> Vec<u8> {
    if data.is_empty() {
        return Vec::new();
    }
    format!("{:x}\r\n{data}\r\n", data.len()).into_bytes()
}

/// A small generator of numbers, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap_or(0)
    }

    fn obfuscation(&mut self) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let length = 1 + self.below(16);
        (0..length).map(|_| char::from(LETTERS[self.below(LETTERS.len())])).collect()
    }

    /// A piece of text: as JSON has it, and its length in bytes.
    fn word(&mut self) -> (&'static str, usize) {
        const WORDS: [(&str, usize); 12] = [
            (" the", 4),
            (" of", 3),
            (" streaming", 10),
            (",", 1),
            (" library", 8),
            (".\\n\\n", 3),
            (" \\\"quoted\\\"", 9),
            (" речь", 9),
            (" a", 2),
            (" understanding", 14),
            (" 42", 3),
            (" word", 5),
        ];
        WORDS[self.below(WORDS.len())]
    }

    /// A piece of a tool call's arguments: within a string, so that the whole is JSON.
    fn argument(&mut self) -> &'static str {
        const PIECES: [&str; 4] = [" some", " value", "", " longer piece of it"];
        PIECES[self.below(PIECES.len())]
    }
}

/// What a varied stream's event at `index` carries: of 100, eight are reasoning and eight
/// are a tool call's.
#[derive(PartialEq, Eq)]
enum Carries {
    Text,
    Reasoning,
    ToolCall,
}

fn carries(index: usize) -> Carries {
    match index % 100 {
        20..28 => Carries::Reasoning,
        60..68 => Carries::ToolCall,
        _ => Carries::Text,
    }
}

// OpenAI's chat completions.

fn openai_event(created: usize, delta: &str, obfuscation: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-BkM3fJq0T4uXkqvXy1YV2m3hVn7aS\",\"object\":\"chat.completion.chunk\",\
         \"created\":{created},\"model\":\"gpt-4o-mini-2024-07-18\",\"system_fingerprint\":\"fp_34a54ae93c\",\
         \"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}]{obfuscation}}}\n\n"
    )
}

const CREATED: usize = 1_750_000_000;

/// A chunk with this text, as a paced stream sends it.
pub fn openai_text(text: &str) -> String {
    openai_event(CREATED, &format!("{{\"content\":\"{text}\"}}"), "", "null")
}

pub fn openai_first(with_call: bool) -> String {
    let first = "{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}";
    let call = "{\"tool_calls\":[{\"index\":0,\"id\":\"call_1\",\"type\":\"function\",\
        \"function\":{\"name\":\"save\",\"arguments\":\"{\\\"text\\\":\\\"\"}}]}";
    let first = openai_event(CREATED, first, "", "null");
    if with_call { first + &openai_event(CREATED, call, "", "null") } else { first }
}

fn openai(index: usize, random: Option<&mut Random>) -> Event {
    let Some(random) = random else {
        return Event { wire: openai_text(" word"), text: 5 };
    };
    let obfuscation = format!(",\"obfuscation\":\"{}\"", random.obfuscation());
    let (delta, text) = match carries(index) {
        Carries::Reasoning => (format!("{{\"reasoning_content\":\"{}\"}}", random.word().0), 0),
        Carries::ToolCall => (
            format!(
                "{{\"tool_calls\":[{{\"index\":0,\"function\":{{\"arguments\":\"{}\"}}}}]}}",
                random.argument()
            ),
            0,
        ),
        Carries::Text => {
            let (word, length) = random.word();
            (format!("{{\"content\":\"{word}\"}}"), length)
        }
    };
    Event { wire: openai_event(CREATED + index / 97, &delta, &obfuscation, "null"), text }
}

pub fn openai_last(with_call: bool) -> String {
    let call = "{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\\\"}\"}}]}";
    let call = if with_call { openai_event(CREATED, call, "", "null") } else { String::new() };
    let finish = if with_call { "\"tool_calls\"" } else { "\"stop\"" };
    call + &openai_event(CREATED, "{}", "", finish) + "data: [DONE]\n\n"
}

// OpenAI's Responses.

fn responses_event(kind: &str, rest: &str) -> String {
    format!("event: {kind}\ndata: {{\"type\":\"{kind}\",{rest}}}\n\n")
}

fn responses_first() -> String {
    let response = "\"sequence_number\":0,\"response\":{\"id\":\"resp_68a1\",\"object\":\"response\",\"status\":\"in_progress\",\
        \"model\":\"gpt-5-mini-2025-08-07\",\"error\":null,\"incomplete_details\":null,\"output\":[]}";
    let message = "\"sequence_number\":1,\"output_index\":0,\"item\":{\"id\":\"msg_68a1c0ffee\",\"type\":\"message\",\
        \"status\":\"in_progress\",\"role\":\"assistant\",\"content\":[]}";
    let part = "\"sequence_number\":2,\"item_id\":\"msg_68a1c0ffee\",\"output_index\":0,\"content_index\":0,\
        \"part\":{\"type\":\"output_text\",\"text\":\"\",\"annotations\":[],\"logprobs\":[]}";
    let reasoning = "\"sequence_number\":3,\"output_index\":1,\"item\":{\"id\":\"rs_68a1c0ffee\",\"type\":\"reasoning\",\"summary\":[]}";
    let call = "\"sequence_number\":4,\"output_index\":2,\"item\":{\"id\":\"fc_68a1c0ffee\",\"type\":\"function_call\",\
        \"status\":\"in_progress\",\"call_id\":\"call_1\",\"name\":\"save\",\"arguments\":\"\"}";
    [
        responses_event("response.created", response),
        responses_event("response.output_item.added", message),
        responses_event("response.content_part.added", part),
        responses_event("response.output_item.added", reasoning),
        responses_event("response.output_item.added", call),
        responses_arguments(5, "{\\\"text\\\":\\\"", ""),
    ]
    .concat()
}

fn responses_arguments(number: usize, piece: &str, obfuscation: &str) -> String {
    responses_event(
        "response.function_call_arguments.delta",
        &format!(
            "\"sequence_number\":{number},\"item_id\":\"fc_68a1c0ffee\",\"output_index\":2,\"delta\":\"{piece}\"{obfuscation}"
        ),
    )
}

fn responses(index: usize, random: Option<&mut Random>) -> Event {
    let number = index + 6;
    let text_delta = |word: &str, obfuscation: &str| {
        responses_event(
            "response.output_text.delta",
            &format!(
                "\"sequence_number\":{number},\"item_id\":\"msg_68a1c0ffee\",\"output_index\":0,\"content_index\":0,\
                 \"delta\":\"{word}\",\"logprobs\":[]{obfuscation}"
            ),
        )
    };
    let Some(random) = random else {
        return Event { wire: text_delta(" word", ""), text: 5 };
    };
    let obfuscation = format!(",\"obfuscation\":\"{}\"", random.obfuscation());
    let (wire, text) = match carries(index) {
        Carries::Reasoning => (
            responses_event(
                "response.reasoning_summary_text.delta",
                &format!(
                    "\"sequence_number\":{number},\"item_id\":\"rs_68a1c0ffee\",\"output_index\":1,\"summary_index\":0,\
                     \"delta\":\"{}\"{obfuscation}",
                    random.word().0
                ),
            ),
            0,
        ),
        Carries::ToolCall => (responses_arguments(number, random.argument(), &obfuscation), 0),
        Carries::Text => {
            let (word, length) = random.word();
            (text_delta(word, &obfuscation), length)
        }
    };
    Event { wire, text }
}

fn responses_last() -> String {
    let response = "\"sequence_number\":99,\"response\":{\"id\":\"resp_68a1\",\"object\":\"response\",\"status\":\"completed\",\
        \"model\":\"gpt-5-mini-2025-08-07\",\"error\":null,\"incomplete_details\":null,\"output\":[],\
        \"usage\":{\"input_tokens\":9,\"output_tokens\":9,\"total_tokens\":18}}";
    responses_arguments(98, "\\\"}", "") + &responses_event("response.completed", response)
}

// Anthropic's messages.

fn anthropic_event(kind: &str, rest: &str) -> String {
    format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{rest}}}\n\n")
}

fn anthropic_delta(index: usize, delta: &str) -> String {
    anthropic_event("content_block_delta", &format!(",\"index\":{index},\"delta\":{{{delta}}}"))
}

fn anthropic_first() -> String {
    let message = ",\"message\":{\"id\":\"msg_01XFDUDYJgAACzvnptvVoYEL\",\"type\":\"message\",\"role\":\"assistant\",\
        \"model\":\"claude-sonnet-4-20250514\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\
        \"usage\":{\"input_tokens\":9,\"output_tokens\":1}}";
    let text = ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}";
    let thinking = ",\"index\":1,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}";
    let call = ",\"index\":2,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_01\",\"name\":\"save\",\"input\":{}}";
    [
        anthropic_event("message_start", message),
        anthropic_event("content_block_start", text),
        anthropic_event("content_block_start", thinking),
        anthropic_event("content_block_start", call),
        anthropic_delta(2, "\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"text\\\":\\\"\""),
    ]
    .concat()
}

fn anthropic(index: usize, random: Option<&mut Random>) -> Event {
    let text_delta =
        |word: &str| anthropic_delta(0, &format!("\"type\":\"text_delta\",\"text\":\"{word}\""));
    let Some(random) = random else {
        return Event { wire: text_delta(" word"), text: 5 };
    };
    let (wire, text) = match carries(index) {
        Carries::Reasoning => (
            anthropic_delta(
                1,
                &format!("\"type\":\"thinking_delta\",\"thinking\":\"{}\"", random.word().0),
            ),
            0,
        ),
        Carries::ToolCall => (
            anthropic_delta(
                2,
                &format!(
                    "\"type\":\"input_json_delta\",\"partial_json\":\"{}\"",
                    random.argument()
                ),
            ),
            0,
        ),
        Carries::Text => {
            let (word, length) = random.word();
            (text_delta(word), length)
        }
    };
    Event { wire, text }
}

fn anthropic_last() -> String {
    [
        anthropic_delta(2, "\"type\":\"input_json_delta\",\"partial_json\":\"\\\"}\""),
        anthropic_event("content_block_stop", ",\"index\":0"),
        anthropic_event("content_block_stop", ",\"index\":1"),
        anthropic_event("content_block_stop", ",\"index\":2"),
        anthropic_event(
            "message_delta",
            ",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":9}",
        ),
        anthropic_event("message_stop", ""),
    ]
    .concat()
}

// Gemini. Its calls come whole, so a varied stream has thoughts alone.

fn gemini_event(part: &str, finish: &str, count: usize) -> String {
    format!(
        "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{{part}}}],\"role\":\"model\"}}{finish},\"index\":0}}],\
         \"usageMetadata\":{{\"promptTokenCount\":9,\"candidatesTokenCount\":{count},\"totalTokenCount\":{}}},\
         \"modelVersion\":\"gemini-2.5-flash\",\"responseId\":\"mAitaLmkHPPlz7IPvtfUqQ4\"}}\r\n\r\n",
        count + 9
    )
}

fn gemini(index: usize, random: Option<&mut Random>) -> Event {
    let Some(random) = random else {
        return Event { wire: gemini_event("\"text\":\" word\"", "", index), text: 5 };
    };
    let (word, length) = random.word();
    let thought = carries(index) != Carries::Text;
    let part = format!("\"text\":\"{word}\"{}", if thought { ",\"thought\":true" } else { "" });
    Event { wire: gemini_event(&part, "", index), text: if thought { 0 } else { length } }
}

fn gemini_last() -> String {
    gemini_event("\"text\":\"\"", ",\"finishReason\":\"STOP\"", 9)
}

// GigaChat. Its calls come whole, so a varied stream has reasoning alone.

fn gigachat_event(created: usize, delta: &str, finish: &str) -> String {
    format!(
        "data: {{\"choices\":[{{\"delta\":{{{delta}}},\"index\":0{finish}}}],\"created\":{created},\
         \"model\":\"GigaChat-2-Max:2.0.28.2\",\"object\":\"chat.completion\"}}\n\n"
    )
}

fn gigachat(index: usize, random: Option<&mut Random>) -> Event {
    let Some(random) = random else {
        let delta = "\"content\":\" word\",\"role\":\"assistant\"";
        return Event { wire: gigachat_event(CREATED, delta, ""), text: 5 };
    };
    let (word, length) = random.word();
    let text = carries(index) == Carries::Text;
    let field = if text { "content" } else { "reasoning_content" };
    let delta = format!("\"{field}\":\"{word}\",\"role\":\"assistant\"");
    Event {
        wire: gigachat_event(CREATED + index / 97, &delta, ""),
        text: if text { length } else { 0 },
    }
}

fn gigachat_last() -> String {
    gigachat_event(CREATED, "\"content\":\"\"", ",\"finish_reason\":\"stop\"") + "data: [DONE]\n\n"
}
