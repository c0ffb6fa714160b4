//! The batch whose chunks are being polled, and the reply that is gathered from them.
//!
//! A poll only counts the chunk it gives out. The reply takes the chunks that were counted
//! when the batch is done, or earlier where somebody asks for the reply.

use std::ops::Range;
use std::sync::PoisonError;

use super::reply::{Reply, WholeCall};
use crate::chunk::{Batch, Chunk, ChunkKind, Plain};
use crate::error::{Error, ErrorKind, Result};
use crate::host;
use crate::log;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex};

/// The batch whose chunks are being polled.
pub(super) struct Current {
    batch: Arc<Batch>,
    /// How many of its chunks were polled, and how many of them by earlier polls than the last.
    polled: usize,
    earlier: usize,
    replies: Replies,
}

/// What a session has delivered so far, put together; shared with it.
#[derive(Clone)]
pub struct Replies(Arc<Shared>);

struct Shared {
    /// The id of the session.
    session: u64,
    gathered: Mutex<Gathered>,
    /// How many chunks of `Gathered::batch` were polled. Set to 0 with that lock held.
    polled: AtomicUsize,
}

struct Gathered {
    reply: Reply,
    /// The batch that is being polled, and how many of its chunks the reply has.
    batch: Option<Arc<Batch>>,
    count: usize,
}

impl Current {
    /// No chunks of the session of that id. The reply may have `max_reply_bytes`.
    pub(super) fn new(session: u64, max_reply_bytes: usize) -> Current {
        let reply = Reply::new(max_reply_bytes);
        let gathered = Mutex::new(Gathered { reply, batch: None, count: 0 });
        let shared = Shared { session, gathered, polled: AtomicUsize::new(0) };
        let replies = Replies(Arc::new(shared));
        Current { batch: Arc::default(), polled: 0, earlier: 0, replies }
    }

    pub(super) fn replies(&self) -> &Replies {
        &self.replies
    }

    /// Whether every chunk was polled.
    #[inline]
    pub(super) fn is_done(&self) -> bool {
        self.polled == self.batch.len()
    }

    /// Up to `limit` more chunks are polled.
    #[inline]
    pub(super) fn advance(&mut self, limit: usize) {
        self.earlier = self.polled;
        self.polled += limit.min(self.batch.len() - self.polled);
        self.replies.0.polled.store(self.polled, Ordering::Release);
    }

    /// The chunk that was polled last.
    pub(super) fn chunk(&self) -> Option<Chunk<'_>> {
        self.batch.get(self.polled.checked_sub(1)?)
    }

    /// The same, where it is a plain one.
    #[inline]
    pub(super) fn plain(&self) -> Option<Plain<'_>> {
        self.batch.plain(self.polled.checked_sub(1)?)
    }

    /// The chunks of the last poll: their batch, and which of it they are.
    #[inline]
    pub(super) fn chunks(&self) -> (&Batch, Range<usize>) {
        (&self.batch, self.earlier..self.polled)
    }

    /// Which of them is the answer's start.
    #[inline]
    pub(super) fn start(&self) -> Option<usize> {
        let (batch, mut polled) = self.chunks();
        polled.find(|index| batch.kind(*index) == Some(ChunkKind::Start))
    }

    /// Drops the chunks, lets `fill` put others into the empty batch, and returns what it does.
    pub(super) fn exchange<T>(&mut self, fill: impl FnOnce(&mut Batch) -> T) -> Result<T> {
        if !self.batch.is_empty() {
            self.replies.put_away();
            (self.polled, self.earlier) = (0, 0);
        }
        // The reply gave its clone back, so there is no other.
        let batch = Arc::get_mut(&mut self.batch);
        let batch = batch.ok_or_else(|| Error::new(ErrorKind::Internal, "the batch is in use"))?;
        batch.clear();
        let outcome = fill(batch);
        if !self.batch.is_empty() {
            self.replies.show(&self.batch);
        }
        Ok(outcome)
    }

    /// Drops the chunks and their memory.
    pub(super) fn release(&mut self) {
        self.exchange(|batch| *batch = Batch::default()).ok();
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        self.release();
    }
}

impl Replies {
    /// The assistant's message so far, as JSON; empty where there is none to send back. Its
    /// field `incomplete` is true where the answer is longer than `max_reply_bytes`.
    ///
    /// # Errors
    /// [`ErrorKind::NoMemory`](crate::ErrorKind::NoMemory) when there is not enough for it.
    pub fn to_json(&self) -> Result<String> {
        self.gather(|gathered| gathered.reply.to_json())
    }

    /// What `show` makes of the text so far, which has a NUL after it where it is not empty, and
    /// stays where it is until the next poll.
    ///
    /// # Errors
    /// [`ErrorKind::NoMemory`](crate::ErrorKind::NoMemory) when there is not enough for the NUL.
    pub(crate) fn text<T>(&self, show: impl FnOnce(&str) -> T) -> Result<T> {
        self.gather(|gathered| gathered.reply.text().map(show))
    }

    /// What `show` makes of each tool call that arrived whole, whose strings are as those of
    /// [`Replies::text`].
    ///
    /// # Errors
    /// [`ErrorKind::NoMemory`](crate::ErrorKind::NoMemory) when there is not enough for them.
    pub(crate) fn calls<T>(&self, mut show: impl FnMut(WholeCall<'_>) -> T) -> Result<Vec<T>> {
        self.gather(|gathered| gathered.reply.calls().map(|call| call.map(&mut show)).collect())
    }

    /// The batch is done: the reply takes what was polled of it, and lets go of it.
    fn put_away(&self) {
        self.gather(|gathered| gathered.batch = None);
    }

    /// `batch` is polled from now on.
    fn show(&self, batch: &Arc<Batch>) {
        let mut gathered = self.0.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.polled.store(0, Ordering::Relaxed);
        gathered.batch = Some(Arc::clone(batch));
        gathered.count = 0;
    }

    /// Lets the reply take the chunks that were polled, and then does `work`.
    fn gather<T>(&self, work: impl FnOnce(&mut Gathered) -> T) -> T {
        let mut gathered = self.0.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        let was_cut = gathered.reply.is_incomplete();
        gathered.take(self.0.polled.load(Ordering::Acquire));
        let is_cut = gathered.reply.is_incomplete();
        let done = work(&mut gathered);
        drop(gathered);
        // The host's log is called without a lock: it may ask for the reply.
        if is_cut && !was_cut {
            let message =
                format_args!("the answer is longer than the reply may be (max_reply_bytes)");
            host::for_session(self.0.session, || log::line(log::Level::Warn, "reply", message));
        }
        done
    }
}

impl Gathered {
    /// Takes the chunks of the batch up to the number `polled`.
    fn take(&mut self, polled: usize) {
        let Some(batch) = &self.batch else { return };
        let mut missing = std::mem::replace(&mut self.count, polled)..polled;
        while !missing.is_empty() {
            let texts = batch.texts(missing.clone());
            let count = texts.len();
            if count > 1 && self.reply.take_texts(texts) {
                missing.start += count;
                continue;
            }
            // The others one by one, and texts where the reply may end within them.
            for index in missing.by_ref().take(count.max(1)) {
                let Some(chunk) = batch.get(index) else { return };
                self.reply.take(&chunk);
            }
        }
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    /// The reply after `take` on a reply of at most `bytes`.
    fn reply(bytes: usize, take: impl FnOnce(&mut Gathered)) -> String {
        let mut gathered = Gathered { reply: Reply::new(bytes), batch: None, count: 0 };
        take(&mut gathered);
        gathered.reply.to_json().unwrap()
    }

    #[test]
    fn start_is_found_wherever_it_stands_among_the_chunks_of_a_poll() {
        let mut current = Current::new(1, 1000);
        let kinds = [ChunkKind::Progress, ChunkKind::Start, ChunkKind::Text, ChunkKind::Text];
        let fill = |batch: &mut Batch| {
            kinds.iter().for_each(|kind| batch.push(&Chunk::new(*kind)).unwrap());
        };
        current.exchange(fill).unwrap();
        current.advance(3);
        assert_eq!(current.start(), Some(1));
        current.advance(3);
        assert_eq!(current.start(), None);
    }

    #[test]
    fn reply_is_the_same_however_many_chunks_are_taken_at_once_and_wherever_it_is_cut() {
        let text = |text| Chunk { text, ..Chunk::new(ChunkKind::Text) };
        let call = Chunk { id: "a", name: "f", text: "{}", ..Chunk::new(ChunkKind::ToolCall) };
        let item = "{\"tolmach\":{\"dialect\":\"d\",\"item\":{\"n\":1}}}";
        let chunks = [
            text("при"),
            text(""),
            text("a\0b"),
            Chunk { choice: 1, ..text("other") },
            text("вет"),
            Chunk { name: "reasoning", ..Chunk { kind: ChunkKind::Reasoning, ..text("hm") } },
            text("one"),
            Chunk { text: item, ..Chunk::new(ChunkKind::State) },
            text("two"),
            text("three"),
            Chunk { usage: crate::chunk::Usage { input: 1, ..call.usage }, ..text("rare") },
            call,
            text(" "),
            text("end"),
        ];
        let mut batch = Batch::default();
        chunks.iter().for_each(|chunk| batch.push(chunk).unwrap());
        let batch = Arc::new(batch);
        let mut cuts = 0;
        for bytes in 0..1000 {
            let one_by_one = reply(bytes, |gathered| {
                chunks.iter().for_each(|chunk| gathered.reply.take(chunk));
            });
            cuts += usize::from(one_by_one.contains("\"incomplete\":true"));
            for step in 1..=chunks.len() {
                let together = reply(bytes, |gathered| {
                    gathered.batch = Some(Arc::clone(&batch));
                    (0..chunks.len()).step_by(step).for_each(|polled| gathered.take(polled));
                    gathered.take(chunks.len());
                });
                assert_eq!(together, one_by_one, "{bytes} {step}");
            }
        }
        assert!((40..900).contains(&cuts), "{cuts}");
    }
}
