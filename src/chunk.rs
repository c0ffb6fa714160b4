//! What an answer is made of: [`Chunk`], [`Usage`], and the [`Batch`] they travel in.

use std::ops::Range;

use crate::error::Result;
use crate::memory;

/// What a [`Chunk`] carries. The set is open: skip the kinds you do not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum ChunkKind {
    /// The answer begins. `text`: its id; `name`: the model that answers.
    Start = 1,
    /// A piece of the answer's text.
    Text = 2,
    /// A piece of the model's reasoning.
    Reasoning = 3,
    /// A piece of a refusal.
    Refusal = 4,
    /// A piece of a tool call. `id` and `name` on its first piece; `text`: arguments.
    ToolCall = 5,
    /// An image. `text`: its URL, or empty when `bytes` are given.
    Image = 6,
    /// A piece of audio in `bytes`; `text`: transcript.
    Audio = 7,
    /// A source. `text`: URL; `name`: title.
    Source = 8,
    /// What the provider says it is doing.
    Progress = 9,
    /// Token counts, in `usage`.
    Usage = 10,
    /// The answer's end. `text`: the reason in OpenAI's terms; `name`: as the provider put it.
    Finish = 11,
    /// Opt-in: `text` is the undecoded event.
    Raw = 12,
    /// `text`: opaque JSON of the provider's, which goes back with the reply.
    State = 13,
    /// `text`: how likely the answer's tokens were, as JSON in the provider's terms.
    Logprobs = 14,
}

/// Token counts; -1 where the provider did not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub input: i64,
    /// Tokens of the answer, reasoning included.
    pub output: i64,
    /// Tokens in all.
    pub total: i64,
    /// Tokens of the prompt that came from a cache.
    pub cached_input: i64,
    /// Tokens of the answer spent on reasoning.
    pub reasoning: i64,
    /// Tokens of the prompt that were written to a cache.
    pub cache_write: i64,
}

impl Default for Usage {
    fn default() -> Self {
        Usage { input: -1, output: -1, total: -1, cached_input: -1, reasoning: -1, cache_write: -1 }
    }
}

/// One piece of an answer, borrowed from the session until its next poll.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chunk<'a> {
    /// What this chunk carries.
    pub kind: ChunkKind,
    /// Which of `n` answers it belongs to.
    pub choice: i32,
    /// Which tool call, image or source of that answer, counted from 0 over all of it; 0
    /// for the other kinds. The pieces of one tool call share theirs.
    pub index: i32,
    /// Text in whole UTF-8 characters.
    pub text: &'a str,
    /// The id of a tool call.
    pub id: &'a str,
    /// A name; of what, depends on `kind`.
    pub name: &'a str,
    /// The media type of `bytes`.
    pub mime: &'a str,
    /// Binary payload of images and audio.
    pub bytes: &'a [u8],
    /// Token counts.
    pub usage: Usage,
}

impl<'a> Chunk<'a> {
    /// An empty chunk of `kind`, to be filled in with struct update syntax.
    pub(crate) fn new(kind: ChunkKind) -> Chunk<'a> {
        Chunk {
            kind,
            choice: 0,
            index: 0,
            text: "",
            id: "",
            name: "",
            mime: "",
            bytes: &[],
            usage: Usage::default(),
        }
    }
}

/// The fixed part of one chunk; its strings lie in the batch's arena.
struct Record {
    kind: ChunkKind,
    choice: i32,
    index: i32,
    // Ends of text, id, name, mime and bytes, which follow one another from `start`,
    // each string with a NUL behind it for the C side.
    start: usize,
    text: usize,
    id: usize,
    name: usize,
    mime: usize,
    bytes: usize,
    usage: Usage,
}

/// Chunks that travel together: two vectors, so that a recycled batch allocates nothing.
#[derive(Default)]
pub(crate) struct Batch {
    arena: Vec<u8>,
    records: Vec<Record>,
}

/// A batch that once carried something huge gives that memory back when it is emptied.
const KEPT_CAPACITY: usize = 256 * 1024;

impl Batch {
    /// Takes a copy of `chunk`. On failure the batch is as it was.
    pub(crate) fn push(&mut self, chunk: &Chunk<'_>) -> Result<()> {
        let texts = [chunk.text, chunk.id, chunk.name, chunk.mime];
        let size: usize = texts.iter().map(|text| text.len() + 1).sum();
        memory::reserve(&mut self.arena, size + chunk.bytes.len())?;
        memory::reserve(&mut self.records, 1)?;
        let start = self.arena.len();
        let text = self.append(chunk.text);
        let id = self.append(chunk.id);
        let name = self.append(chunk.name);
        let mime = self.append(chunk.mime);
        self.arena.extend_from_slice(chunk.bytes);
        self.records.push(Record {
            kind: chunk.kind,
            choice: chunk.choice,
            index: chunk.index,
            start,
            text,
            id,
            name,
            mime,
            bytes: self.arena.len(),
            usage: chunk.usage,
        });
        Ok(())
    }

    fn append(&mut self, text: &str) -> usize {
        self.arena.extend_from_slice(text.as_bytes());
        self.arena.push(0);
        self.arena.len() - 1
    }

    /// The chunk at `index`. Every string of it has a NUL byte behind its end.
    pub(crate) fn get(&self, index: usize) -> Option<Chunk<'_>> {
        let record = self.records.get(index)?;
        Some(Chunk {
            kind: record.kind,
            choice: record.choice,
            index: record.index,
            text: self.text(record.start..record.text),
            id: self.text(record.text + 1..record.id),
            name: self.text(record.id + 1..record.name),
            mime: self.text(record.name + 1..record.mime),
            bytes: self.arena.get(record.mime + 1..record.bytes).unwrap_or_default(),
            usage: record.usage,
        })
    }

    fn text(&self, range: Range<usize>) -> &str {
        std::str::from_utf8(self.arena.get(range).unwrap_or_default()).unwrap_or_default()
    }

    /// Makes room for all chunks of `other`.
    pub(crate) fn reserve(&mut self, other: &Batch) -> Result<()> {
        if self.records.is_empty() {
            return Ok(());
        }
        memory::reserve(&mut self.arena, other.arena.len())?;
        memory::reserve(&mut self.records, other.records.len())
    }

    /// Moves all chunks of `other` behind those of this batch, which has room for them.
    pub(crate) fn append_batch(&mut self, other: &mut Batch) {
        if self.records.is_empty() {
            std::mem::swap(self, other);
            return;
        }
        let offset = self.arena.len();
        self.arena.append(&mut other.arena);
        self.records.extend(other.records.drain(..).map(|record| Record {
            start: record.start + offset,
            text: record.text + offset,
            id: record.id + offset,
            name: record.name + offset,
            mime: record.mime + offset,
            bytes: record.bytes + offset,
            ..record
        }));
    }

    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.arena.clear();
        self.arena.shrink_to(KEPT_CAPACITY);
        self.records.shrink_to(KEPT_CAPACITY / size_of::<Record>());
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes in use: what the queue's bound counts.
    pub(crate) fn size(&self) -> usize {
        self.arena.len() + self.records.len() * size_of::<Record>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appended_batches_keep_every_field_and_order() {
        let mut first = Batch::default();
        let mut second = Batch::default();
        first.push(&Chunk { text: "привет", ..Chunk::new(ChunkKind::Text) }).unwrap();
        second
            .push(&Chunk {
                id: "call",
                name: "f",
                text: "{\0}",
                bytes: &[0, 255],
                ..Chunk::new(ChunkKind::ToolCall)
            })
            .unwrap();
        second.push(&Chunk { mime: "image/png", ..Chunk::new(ChunkKind::Image) }).unwrap();
        first.reserve(&second).unwrap();
        first.append_batch(&mut second);
        assert!(second.is_empty());
        assert_eq!(first.get(0).unwrap().text, "привет");
        let call = first.get(1).unwrap();
        assert_eq!(
            (call.id, call.name, call.text, call.bytes),
            ("call", "f", "{\0}", &[0u8, 255][..])
        );
        assert_eq!(first.get(2).unwrap().mime, "image/png");
        assert!(first.get(3).is_none());
    }

    #[test]
    fn an_emptied_batch_gives_huge_memory_back() {
        let mut batch = Batch::default();
        batch.push(&Chunk { bytes: &vec![7; 4 << 20], ..Chunk::new(ChunkKind::Image) }).unwrap();
        batch.clear();
        assert!(batch.arena.capacity() <= KEPT_CAPACITY);
    }
}
