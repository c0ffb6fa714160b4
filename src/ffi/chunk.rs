use std::ops::Range;

use super::text::tolmach_str;
use crate::chunk::{Batch, Chunk, ChunkKind, Plain, Usage};
use crate::error::Result;
use crate::memory;

/// What a chunk carries. The set is open: skip the kinds you do not know.
pub type tolmach_chunk_kind = i32;

/// The answer begins. text: its id; name: the model that answers.
pub const TOLMACH_CHUNK_START: tolmach_chunk_kind = 1;
/// A piece of the answer's text.
pub const TOLMACH_CHUNK_TEXT: tolmach_chunk_kind = 2;
/// A piece of the model's reasoning. name: the field of the protocol that it came in.
pub const TOLMACH_CHUNK_REASONING: tolmach_chunk_kind = 3;
/// A piece of a refusal.
pub const TOLMACH_CHUNK_REFUSAL: tolmach_chunk_kind = 4;
/// A piece of a tool call. id and name on the call's first piece; text: a piece of its
/// arguments, which are JSON once the answer has finished.
pub const TOLMACH_CHUNK_TOOL_CALL: tolmach_chunk_kind = 5;
/// An image. text: its URL, or empty when bytes are given; name: the prompt as the provider
/// revised it.
pub const TOLMACH_CHUNK_IMAGE: tolmach_chunk_kind = 6;
/// A piece of audio in bytes; text: its transcript.
pub const TOLMACH_CHUNK_AUDIO: tolmach_chunk_kind = 7;
/// A source. text: its URL; name: its title.
pub const TOLMACH_CHUNK_SOURCE: tolmach_chunk_kind = 8;
/// What the provider says it is doing.
pub const TOLMACH_CHUNK_PROGRESS: tolmach_chunk_kind = 9;
/// Token counts, in usage.
pub const TOLMACH_CHUNK_USAGE: tolmach_chunk_kind = 10;
/// The end of a choice. text: stop, length, tool_calls, content_filter, or another word of
/// the provider's; name: as the provider put it.
pub const TOLMACH_CHUNK_FINISH: tolmach_chunk_kind = 11;
/// With the config's raw_chunks alone: text is the undecoded event.
pub const TOLMACH_CHUNK_RAW: tolmach_chunk_kind = 12;
/// What the provider wants back with the next request, such as signed reasoning: opaque JSON
/// in text. The reply of the session has it already: see tolmach_session_reply().
pub const TOLMACH_CHUNK_STATE: tolmach_chunk_kind = 13;
/// How likely the tokens of the answer were, where the request asks for it with logprobs: JSON
/// in text, as the provider put it.
pub const TOLMACH_CHUNK_LOGPROBS: tolmach_chunk_kind = 14;
/// A model, of tolmach_session_open_models(). id: the name to ask for it by; name: who made or
/// serves it, empty when not said; text: the provider's whole entry, as JSON; index: its place
/// in the list; flags: what the entry says it can do, TOLMACH_CAN_ bits; usage.total: tokens
/// that fit its context, -1 when not said.
pub const TOLMACH_CHUNK_MODEL: tolmach_chunk_kind = 15;
/// An embedding, of a request with tolmach_request_input(). index: which input, counted from 0;
/// bytes: its numbers, IEEE 754 floats of 32 bits in little-endian order; bytes_len / 4 is its
/// number of dimensions. On a little-endian machine, copy the bytes to an array of float.
pub const TOLMACH_CHUNK_EMBEDDING: tolmach_chunk_kind = 16;
/// With the config's retry_chunks alone: the request has failed and is tried again after a wait,
/// which begins now. text: the error; index: the number of the attempt that follows, 2 for the
/// first retry; name: how long the wait is, in milliseconds, as digits. Such chunks come before
/// all others of the session.
pub const TOLMACH_CHUNK_RETRY: tolmach_chunk_kind = 17;
/// A piece of a response's body, of tolmach_session_open_raw(). bytes: as they arrived; pieces
/// may end anywhere. mime: the Content-Type of the response, empty where it has none.
pub const TOLMACH_CHUNK_BODY: tolmach_chunk_kind = 18;

/// Token counts; -1 where the provider did not say.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tolmach_usage {
    /// Of the prompt, cached ones included.
    pub input: i64,
    /// Of the answer, reasoning included.
    pub output: i64,
    /// In all.
    pub total: i64,
    /// Of the prompt, from a cache.
    pub cached_input: i64,
    /// Of the answer, spent on reasoning.
    pub reasoning: i64,
    /// Of the prompt, written to a cache.
    pub cache_write: i64,
}

/// One piece of an answer. Belongs to the session: it and all it points to are valid until
/// the next poll or free of that session. May grow at its end in later versions.
#[repr(C)]
pub struct tolmach_chunk {
    /// What it carries.
    pub kind: tolmach_chunk_kind,
    /// Which of n answers it belongs to.
    pub choice: i32,
    /// Which tool call, image or source of that answer, counted from 0 over all of it, or which
    /// model or embedding; of a retry, the number of the attempt that follows. 0 for the other
    /// kinds. The pieces of one tool call share theirs.
    pub index: i32,
    /// Of a model, what it can do: TOLMACH_CAN_ bits. 0 for the other kinds.
    pub flags: i32,
    /// Text, always in whole UTF-8 characters.
    pub text: tolmach_str,
    /// The id of a tool call, of audio or of a model.
    pub id: tolmach_str,
    /// A name; of what, the kind says.
    pub name: tolmach_str,
    /// The media type of bytes.
    pub mime: tolmach_str,
    /// An image, audio, an embedding or a piece of a body; NULL when there is none.
    pub bytes: *const u8,
    /// How many bytes.
    pub bytes_len: usize,
    /// Token counts; of a model, the size of its context.
    pub usage: tolmach_usage,
}

impl tolmach_chunk {
    /// `chunk` as C sees it. In its batch, each string that is not empty has a NUL after it.
    fn of(chunk: &Chunk<'_>) -> tolmach_chunk {
        let Usage { input, output, total, cached_input, reasoning, cache_write } = chunk.usage;
        tolmach_chunk {
            kind: chunk.kind as tolmach_chunk_kind,
            choice: chunk.choice,
            index: chunk.index,
            flags: chunk.flags,
            text: tolmach_str::of_terminated(chunk.text),
            id: tolmach_str::of_terminated(chunk.id),
            name: tolmach_str::of_terminated(chunk.name),
            mime: tolmach_str::of_terminated(chunk.mime),
            bytes: if chunk.bytes.is_empty() { std::ptr::null() } else { chunk.bytes.as_ptr() },
            bytes_len: chunk.bytes.len(),
            usage: tolmach_usage { input, output, total, cached_input, reasoning, cache_write },
        }
    }
}

/// The chunk that a session shows to C, filled in anew for each.
pub(super) struct View {
    chunk: tolmach_chunk,
    /// It is a plain one: the fields that plain chunks lack are empty.
    is_plain: bool,
}

impl View {
    pub(super) fn new() -> View {
        View { chunk: tolmach_chunk::of(&Chunk::new(ChunkKind::Raw)), is_plain: true }
    }

    /// Shows the chunk that is `plain`, or else `whole`. Most are plain and follow another
    /// such: then the fields that plain chunks lack are left as they are.
    #[inline]
    pub(super) fn show<'c>(
        &mut self,
        plain: Option<Plain<'c>>,
        whole: impl FnOnce() -> Option<Chunk<'c>>,
    ) -> *const tolmach_chunk {
        match plain {
            Some(plain) if self.is_plain => {
                self.chunk.kind = plain.kind as tolmach_chunk_kind;
                self.chunk.choice = plain.choice;
                self.chunk.index = plain.index;
                self.chunk.text = tolmach_str::of_terminated(plain.text);
                self.chunk.name = tolmach_str::of_terminated(plain.name);
            }
            plain => self.show_whole(plain.is_some(), whole),
        }
        &raw const self.chunk
    }

    #[cold]
    #[inline(never)]
    fn show_whole<'c>(&mut self, is_plain: bool, whole: impl FnOnce() -> Option<Chunk<'c>>) {
        self.is_plain = is_plain;
        if let Some(chunk) = whole() {
            self.chunk = tolmach_chunk::of(&chunk);
        }
    }
}

/// Several chunks that follow each other, in one array. Belongs to the session: it and all it
/// points to are valid until the next poll or free of that session. May grow at its end in
/// later versions.
#[repr(C)]
pub struct tolmach_batch {
    /// The first chunk.
    pub chunks: *const tolmach_chunk,
    /// How many chunks: at least 1.
    pub count: usize,
    /// How many bytes from one chunk to the next. A program that is compiled with an older
    /// header than the library's needs it to find the next chunk.
    pub chunk_size: usize,
    /// The block of memory that text, id, name and mime of all these chunks lie in, where they
    /// are not empty. A binding can copy it at once and cut its strings out of the copy.
    pub memory: tolmach_str,
}

/// The chunks that a session shows to C at once.
pub(super) struct Views {
    chunks: Vec<tolmach_chunk>,
    batch: tolmach_batch,
}

/// How many chunks are shown at once: few enough for a processor's cache, and so many that the
/// call costs next to nothing.
pub(super) const MOST_CHUNKS: usize = 256;

impl Views {
    pub(super) fn new() -> Views {
        let batch = tolmach_batch {
            chunks: std::ptr::null(),
            count: 0,
            chunk_size: size_of::<tolmach_chunk>(),
            memory: tolmach_str::EMPTY,
        };
        Views { chunks: Vec::new(), batch }
    }

    /// Makes room for [`MOST_CHUNKS`].
    pub(super) fn reserve(&mut self) -> Result<()> {
        self.chunks.clear();
        memory::reserve(&mut self.chunks, MOST_CHUNKS)
    }

    /// Shows the chunks in `range`, for which there is room.
    pub(super) fn show(&mut self, batch: &Batch, range: Range<usize>) -> *const tolmach_batch {
        let chunks = range.clone().map_while(|index| batch.get(index));
        self.chunks.extend(chunks.map(|chunk| tolmach_chunk::of(&chunk)));
        self.batch.chunks = self.chunks.as_ptr();
        self.batch.count = self.chunks.len();
        self.batch.memory = tolmach_str::of_terminated(batch.block(range));
        &raw const self.batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::Batch;

    /// Every field; of the strings and bytes where they are and how long.
    fn fields(chunk: &tolmach_chunk) -> impl PartialEq + std::fmt::Debug {
        let tolmach_chunk { kind, choice, index, flags, bytes, bytes_len, usage, .. } = *chunk;
        let strings = [chunk.text, chunk.id, chunk.name, chunk.mime];
        let tolmach_usage { input, output, total, cached_input, reasoning, cache_write } = usage;
        (
            (kind, choice, index, flags, bytes.addr(), bytes_len),
            strings.map(|string| (string.ptr.addr(), string.len)),
            [input, output, total, cached_input, reasoning, cache_write],
        )
    }

    #[test]
    fn view_shows_nothing_of_the_chunks_before() {
        let empty = Chunk::new(ChunkKind::Text);
        let chunks = [
            empty,
            Chunk { text: "a", choice: 1, ..empty },
            Chunk { kind: ChunkKind::Reasoning, text: "b", name: "reasoning", ..empty },
            Chunk { kind: ChunkKind::Usage, usage: Usage { input: 7, ..empty.usage }, ..empty },
            Chunk { id: "c", name: "d", text: "e", index: 2, ..Chunk::new(ChunkKind::ToolCall) },
            Chunk { mime: "f", bytes: b"g", ..Chunk::new(ChunkKind::Image) },
            Chunk { flags: 8, text: "h", ..Chunk::new(ChunkKind::Model) },
        ];
        // Each after each other, and after a pair.
        for order in 0..7_usize.pow(3) {
            let mut batch = Batch::default();
            let numbers = [order / 49, order / 7 % 7, order % 7];
            numbers.iter().for_each(|number| batch.push(&chunks[*number]).unwrap());
            let mut view = View::new();
            for index in 0..numbers.len() {
                view.show(batch.plain(index), || batch.get(index));
                let whole = tolmach_chunk::of(&batch.get(index).unwrap());
                assert_eq!(fields(&view.chunk), fields(&whole), "{numbers:?}");
            }
        }
    }
}
