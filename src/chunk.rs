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
    /// A model of a list. `id`: the name to ask for it by; `name`: who made or serves it;
    /// `text`: the provider's whole entry, as JSON; `index`: its place in the list; `flags`:
    /// its capabilities; `usage.total`: tokens that fit its context.
    Model = 15,
    /// The embedding of an input. `index`: which input; `bytes`: its numbers, 32-bit floats in
    /// little-endian order.
    Embedding = 16,
    /// Opt-in: the request is tried again after a wait. `text`: why; `index`: the number of the
    /// attempt that follows, which is 2 at least; `name`: the wait, in milliseconds.
    Retry = 17,
    /// A piece of the body that a raw call is answered with: `bytes`; `mime`: its type.
    Body = 18,
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
    /// Of a model, the bits of its [`Capabilities`](crate::Capabilities); else 0.
    pub flags: i32,
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
            flags: 0,
            text: "",
            id: "",
            name: "",
            mime: "",
            bytes: &[],
            usage: Usage::default(),
        }
    }
}

/// A chunk whose other fields are empty, as those of nearly all chunks are.
pub(crate) struct Plain<'a> {
    pub(crate) kind: ChunkKind,
    pub(crate) choice: i32,
    pub(crate) index: i32,
    pub(crate) text: &'a str,
    pub(crate) name: &'a str,
}

/// The part of a chunk that every chunk has. Its text and name lie in the batch's arena.
#[derive(Clone, Copy)]
struct Record {
    kind: ChunkKind,
    choice: i32,
    index: i32,
    /// Where [`Rare`] of this chunk is, or [`NOT_RARE`].
    rare: u32,
    /// The text, and where it ends. A NUL follows it, for the C side.
    start: usize,
    text: usize,
    /// Where the name ends. It follows the text's NUL, and has one of its own; an empty name
    /// takes no space and ends where the text does.
    name: usize,
}

/// A chunk without any of the fields of [`Rare`].
const NOT_RARE: u32 = u32::MAX;

/// What few chunks have.
struct Rare {
    flags: i32,
    id: Range<usize>,
    mime: Range<usize>,
    bytes: Range<usize>,
    usage: Usage,
}

/// Chunks that travel together. A recycled batch allocates nothing.
#[derive(Default)]
pub(crate) struct Batch {
    /// All strings. What is written as text is not checked again when it is read.
    arena: String,
    records: Vec<Record>,
    rares: Vec<Rare>,
    /// The binary payloads.
    bytes: Vec<u8>,
}

/// A batch that once carried something huge gives that memory back when it is emptied.
const KEPT_CAPACITY: usize = 256 * 1024;

impl Batch {
    /// Takes a copy of `chunk`. On failure the batch is as it was.
    pub(crate) fn push(&mut self, chunk: &Chunk<'_>) -> Result<()> {
        let Chunk { kind, choice, index, text, name, .. } = *chunk;
        if !Rare::is_in(chunk) {
            return self.push_text(kind, choice, index, text, name);
        }
        memory::reserve(&mut self.records, 1)?;
        // The last step that can fail; where it does, it adds nothing.
        let rare = self.push_rare(chunk)?;
        self.add((kind, choice, index), rare, text, name);
        Ok(())
    }

    /// The same of a chunk that has nothing else.
    #[inline]
    pub(crate) fn push_text(
        &mut self,
        kind: ChunkKind,
        choice: i32,
        index: i32,
        text: &str,
        name: &str,
    ) -> Result<()> {
        memory::reserve_text(&mut self.arena, text.len() + name.len() + 2)?;
        memory::reserve(&mut self.records, 1)?;
        self.add((kind, choice, index), NOT_RARE, text, name);
        Ok(())
    }

    /// Adds a record and its strings, for which there is room.
    #[inline]
    fn add(
        &mut self,
        (kind, choice, index): (ChunkKind, i32, i32),
        rare: u32,
        text: &str,
        name: &str,
    ) {
        let Range { start, end: text } = append(&mut self.arena, text);
        let name = match name {
            "" => text,
            name => append(&mut self.arena, name).end,
        };
        self.records.push(Record { kind, choice, index, rare, start, text, name });
    }

    /// Takes a copy of the rare fields, and makes room for the strings of the whole chunk.
    #[cold]
    #[inline(never)]
    fn push_rare(&mut self, chunk: &Chunk<'_>) -> Result<u32> {
        let strings = [chunk.text, chunk.name, chunk.id, chunk.mime];
        let size = strings.iter().map(|string| string.len() + 1).sum();
        let at = u32::try_from(self.rares.len()).ok().filter(|at| *at != NOT_RARE);
        let at = at.ok_or_else(memory::no_memory)?;
        memory::reserve_text(&mut self.arena, size)?;
        memory::reserve(&mut self.rares, 1)?;
        memory::append(&mut self.bytes, chunk.bytes)?;
        let bytes = self.bytes.len() - chunk.bytes.len()..self.bytes.len();
        let id = append(&mut self.arena, chunk.id);
        let mime = append(&mut self.arena, chunk.mime);
        self.rares.push(Rare { flags: chunk.flags, id, mime, bytes, usage: chunk.usage });
        Ok(at)
    }

    /// The chunk at `index`. Every string of it that is not empty has a NUL byte after its end.
    pub(crate) fn get(&self, index: usize) -> Option<Chunk<'_>> {
        let record = self.records.get(index)?;
        let Plain { kind, choice, index, text, name } = self.common(record);
        let plain = Chunk { choice, index, text, name, ..Chunk::new(kind) };
        Some(match record.rare {
            NOT_RARE => plain,
            at => self.with_rare(plain, at),
        })
    }

    /// The block of memory that all strings of the chunks in `range` lie in, which are at
    /// least one. As a string, it has a NUL byte after its end.
    pub(crate) fn block(&self, range: Range<usize>) -> &str {
        // Strings are added in the order of their chunks, and the name is a chunk's last.
        let end = |count: usize| Some(self.records.get(count.checked_sub(1)?)?.name);
        let start = end(range.start).map_or(0, |end| end + 1);
        self.string(start..end(range.end).unwrap_or_default())
    }

    /// The chunk at `index`, if there is one and it is plain.
    #[inline]
    pub(crate) fn plain(&self, index: usize) -> Option<Plain<'_>> {
        let record = self.records.get(index).filter(|record| record.rare == NOT_RARE)?;
        Some(self.common(record))
    }

    /// The kind of the chunk at `index`.
    #[inline]
    pub(crate) fn kind(&self, index: usize) -> Option<ChunkKind> {
        Some(self.records.get(index)?.kind)
    }

    /// The texts of the chunks in `range`, up to the first that is no text of the first choice.
    #[inline]
    pub(crate) fn texts(&self, range: Range<usize>) -> impl ExactSizeIterator<Item = &str> + Clone {
        let records = self.records.get(range).unwrap_or_default();
        let is_text = |record: &Record| record.kind == ChunkKind::Text && record.choice == 0;
        let count = records.iter().position(|record| !is_text(record)).unwrap_or(records.len());
        records.iter().take(count).map(|record| self.string(record.start..record.text))
    }

    /// The fields of [`Plain`] in any chunk.
    #[inline]
    fn common(&self, record: &Record) -> Plain<'_> {
        let name = match record.name == record.text {
            true => "",
            false => self.string(record.text + 1..record.name),
        };
        let text = self.string(record.start..record.text);
        let Record { kind, choice, index, .. } = *record;
        Plain { kind, choice, index, text, name }
    }

    #[cold]
    #[inline(never)]
    fn with_rare<'c>(&'c self, chunk: Chunk<'c>, at: u32) -> Chunk<'c> {
        let rare = usize::try_from(at).ok().and_then(|at| self.rares.get(at));
        let Some(rare) = rare else { return chunk };
        Chunk {
            flags: rare.flags,
            id: self.string(rare.id.clone()),
            mime: self.string(rare.mime.clone()),
            bytes: self.bytes.get(rare.bytes.clone()).unwrap_or_default(),
            usage: rare.usage,
            ..chunk
        }
    }

    #[inline]
    fn string(&self, range: Range<usize>) -> &str {
        self.arena.get(range).unwrap_or_default()
    }

    /// Makes room for all chunks of `other`.
    pub(crate) fn reserve(&mut self, other: &Batch) -> Result<()> {
        if self.records.is_empty() {
            return Ok(());
        }
        let rares = self.rares.len() + other.rares.len();
        if u32::try_from(rares).is_err() {
            return Err(memory::no_memory());
        }
        memory::reserve_text(&mut self.arena, other.arena.len())?;
        memory::reserve(&mut self.records, other.records.len())?;
        memory::reserve(&mut self.rares, other.rares.len())?;
        memory::reserve(&mut self.bytes, other.bytes.len())
    }

    /// Moves all chunks of `other` behind those of this batch, which has room for them.
    pub(crate) fn append_batch(&mut self, other: &mut Batch) {
        if self.records.is_empty() {
            std::mem::swap(self, other);
            return;
        }
        let arena = self.arena.len();
        let bytes = self.bytes.len();
        // There are few enough: see `reserve`.
        let rares = u32::try_from(self.rares.len()).unwrap_or(NOT_RARE);
        let moved = |range: Range<usize>, by: usize| range.start + by..range.end + by;
        self.arena.push_str(&other.arena);
        self.bytes.append(&mut other.bytes);
        self.records.extend(other.records.iter().map(|record| Record {
            rare: if record.rare == NOT_RARE { NOT_RARE } else { record.rare + rares },
            start: record.start + arena,
            text: record.text + arena,
            name: record.name + arena,
            ..*record
        }));
        self.rares.extend(other.rares.drain(..).map(|rare| Rare {
            flags: rare.flags,
            id: moved(rare.id, arena),
            mime: moved(rare.mime, arena),
            bytes: moved(rare.bytes, bytes),
            usage: rare.usage,
        }));
        other.arena.clear();
        other.records.clear();
    }

    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.records.shrink_to(KEPT_CAPACITY / size_of::<Record>());
        self.arena.clear();
        self.arena.shrink_to(KEPT_CAPACITY);
        self.rares.clear();
        self.rares.shrink_to(KEPT_CAPACITY / size_of::<Rare>());
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_CAPACITY);
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes in use: what the queue's bound counts.
    pub(crate) fn size(&self) -> usize {
        self.arena.len()
            + self.bytes.len()
            + self.records.len() * size_of::<Record>()
            + self.rares.len() * size_of::<Rare>()
    }
}

impl Rare {
    /// Whether `chunk` has any of these fields.
    fn is_in(chunk: &Chunk<'_>) -> bool {
        let strings = chunk.id.len() | chunk.mime.len() | chunk.bytes.len();
        let Usage { input, output, total, cached_input, reasoning, cache_write } = chunk.usage;
        let counts = input & output & total & cached_input & reasoning & cache_write;
        // -1 is the default of them all, and has every bit.
        strings != 0 || counts != -1 || chunk.flags != 0
    }
}

/// Adds `text` and a NUL to `arena`, which has room for them. Returns where the text is.
#[inline]
fn append(arena: &mut String, text: &str) -> Range<usize> {
    let start = arena.len();
    arena.push_str(text);
    arena.push('\0');
    start..arena.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A chunk with something in every field.
    fn full() -> Chunk<'static> {
        Chunk {
            kind: ChunkKind::ToolCall,
            choice: -1,
            index: i32::MAX,
            flags: i32::MIN,
            text: "{\0}",
            id: "call",
            name: "имя",
            mime: "image/png",
            bytes: &[0, 255],
            usage: Usage { input: 7, ..Usage::default() },
        }
    }

    /// Chunks that differ from an empty one in one field each, empty ones, and a full one.
    fn chunks() -> Vec<Chunk<'static>> {
        let empty = Chunk::new(ChunkKind::Text);
        let full = full();
        vec![
            Chunk { text: "привет", ..empty },
            empty,
            Chunk { kind: ChunkKind::Reasoning, text: "hm", name: "reasoning_content", ..empty },
            full,
            Chunk { id: full.id, ..empty },
            Chunk { name: full.name, ..empty },
            Chunk { mime: full.mime, ..empty },
            Chunk { bytes: full.bytes, ..empty },
            Chunk { usage: full.usage, ..empty },
            Chunk { flags: full.flags, ..empty },
            Chunk { usage: Usage { cache_write: 0, ..Usage::default() }, ..empty },
            Chunk { choice: 3, index: -4, text: "\0", ..empty },
        ]
    }

    fn batch_of(chunks: &[Chunk<'_>]) -> Batch {
        let mut batch = Batch::default();
        chunks.iter().for_each(|chunk| batch.push(chunk).unwrap());
        batch
    }

    fn contents(batch: &Batch) -> Vec<Chunk<'_>> {
        (0..=batch.len()).map_while(|index| batch.get(index)).collect()
    }

    #[test]
    fn batch_gives_what_was_put_into_it() {
        let chunks = chunks();
        let batch = batch_of(&chunks);
        assert_eq!(contents(&batch), chunks);
        assert!(batch.get(chunks.len()).is_none());
    }

    #[test]
    fn appended_batches_keep_every_field_and_order() {
        let chunks = chunks();
        for split in 0..=chunks.len() {
            let (start, end) = chunks.split_at(split);
            let (mut first, mut second) = (batch_of(start), batch_of(end));
            let size = first.size() + second.size();
            first.reserve(&second).unwrap();
            first.append_batch(&mut second);
            assert!(second.is_empty());
            assert_eq!(second.size(), 0);
            assert_eq!(first.size(), size);
            assert_eq!(contents(&first), chunks, "{split}");
        }
    }

    #[test]
    fn strings_that_are_not_empty_have_a_nul_after_them() {
        let batch = batch_of(&chunks());
        for chunk in contents(&batch) {
            for string in [chunk.text, chunk.id, chunk.name, chunk.mime] {
                let arena = batch.arena.as_bytes();
                let at = string.as_ptr().addr().wrapping_sub(arena.as_ptr().addr());
                assert!(string.is_empty() || arena[at + string.len()] == 0, "{string}");
            }
        }
    }

    #[test]
    fn block_of_chunks_has_all_their_strings_and_no_others() {
        let chunks = chunks();
        let batch = batch_of(&chunks);
        for start in 0..chunks.len() {
            for end in start + 1..=chunks.len() {
                let block = batch.block(start..end).as_bytes().as_ptr_range();
                for (index, chunk) in contents(&batch).iter().enumerate() {
                    for string in [chunk.text, chunk.id, chunk.name, chunk.mime] {
                        let string = string.as_bytes().as_ptr_range();
                        let is_within = block.start <= string.start && string.end <= block.end;
                        let is_asked = (start..end).contains(&index);
                        assert!(
                            string.is_empty() || is_within == is_asked,
                            "{start} {end} {index}"
                        );
                    }
                }
            }
        }
        assert_eq!(batch.block(0..chunks.len()).len() + 1, batch.arena.len());
    }

    #[test]
    fn recycled_batches_allocate_nothing() {
        let chunks = chunks();
        let mut batches = [batch_of(&chunks), batch_of(&chunks)];
        let places = |batches: &[Batch; 2]| {
            let places = batches.each_ref().map(|batch| {
                let (arena, records) = (batch.arena.as_ptr().addr(), batch.records.as_ptr().addr());
                (arena, records, batch.rares.as_ptr().addr(), batch.bytes.as_ptr().addr())
            });
            std::collections::BTreeSet::from(places)
        };
        let before = places(&batches);
        for _ in 0..100 {
            let [taken, given] = &mut batches;
            taken.clear();
            given.clear();
            chunks.iter().for_each(|chunk| given.push(chunk).unwrap());
            taken.reserve(given).unwrap();
            taken.append_batch(given);
            assert_eq!(contents(taken), chunks);
        }
        assert_eq!(places(&batches), before);
    }

    #[test]
    fn an_emptied_batch_gives_huge_memory_back() {
        let huge = "x".repeat(4 << 20);
        let text = Chunk::new(ChunkKind::Text);
        let mut batch = batch_of(&[Chunk { text: &huge, bytes: huge.as_bytes(), ..text }]);
        for number in 0..100_000 {
            batch.push(&Chunk { usage: Usage { input: number, ..text.usage }, ..text }).unwrap();
        }
        batch.clear();
        let capacities = [
            batch.arena.capacity(),
            batch.bytes.capacity(),
            batch.records.capacity() * size_of::<Record>(),
            batch.rares.capacity() * size_of::<Rare>(),
        ];
        assert!(capacities.iter().all(|capacity| *capacity <= KEPT_CAPACITY), "{capacities:?}");
    }
}
