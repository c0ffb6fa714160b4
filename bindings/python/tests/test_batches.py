import copy
import ctypes
import itertools
from dataclasses import fields

from support import PIXEL, TestCase, ask, scripted
from tolmach import Chunk, ChunkKind, Details, Usage, _native, _types

USAGE = Usage(1, 2, None, 4, 5, 6)
CHUNKS = [
    Chunk(ChunkKind.TEXT, "word"),
    Chunk(ChunkKind.TEXT, ""),
    Chunk(ChunkKind.TEXT, "a\0b"),
    Chunk(ChunkKind.TEXT, "Привет 👩‍👩‍👧"),
    Chunk(ChunkKind.TEXT, "other", Details(choice=1)),
    Chunk(ChunkKind.REASONING, "Hm.", Details(name="reasoning")),
    Chunk(ChunkKind.TOOL_CALL, "", Details(id="call_1", name="weather", index=2)),
    Chunk(ChunkKind.TOOL_CALL, "{}", Details(index=2)),
    Chunk(ChunkKind.IMAGE, "", Details(data=PIXEL, mime="image/png")),
    Chunk(ChunkKind.USAGE, "", Details(usage=USAGE)),
    Chunk(ChunkKind.MODEL, "{}", Details(id="m", name="o", usage=USAGE, flags=3)),
    Chunk(ChunkKind(77), "of a later library"),
]


class Library:
    """Gives out a batch as the library does, from memory of its own."""

    def __init__(
        self, chunks: "list[Chunk]", is_in_order: bool = True, with_empty: bool = False
    ) -> None:
        pieces, places = [], []
        size = 0
        for chunk in chunks:
            texts = [text.encode() for text in (chunk.id, chunk.mime, chunk.text, chunk.name)]
            ats = [(0, 0)] * 4
            for n in range(4) if is_in_order else reversed(range(4)):
                if texts[n] or with_empty and n >= 2:
                    pieces.append(texts[n] + b"\0")
                    ats[n] = size, len(texts[n])
                    size += len(texts[n]) + 1
            places.append(ats)
        self.memory = ctypes.create_string_buffer(b"".join(pieces)[:-1])
        start = ctypes.addressof(self.memory)
        self.structs = (_native.Chunk * len(chunks))()
        self.data = [ctypes.create_string_buffer(chunk.data or b"") for chunk in chunks]
        for c, chunk, place, data in zip(self.structs, chunks, places, self.data):
            c.kind, c.choice, c.index, c.flags = chunk.kind, chunk.choice, chunk.index, chunk.flags
            for string, (at, length) in zip((c.id, c.mime, c.text, c.name), place):
                string.ptr, string.len = start + at, length
            if chunk.data is not None:
                c.bytes, c.bytes_len = ctypes.addressof(data), len(chunk.data)
            usage = chunk.usage or Usage()
            for field in fields(Usage):
                count = getattr(usage, field.name)
                setattr(c.usage, field.name, -1 if count is None else count)
        self.batch = _native.Batch()
        self.batch.chunks = ctypes.addressof(self.structs)
        self.batch.count = len(chunks)
        self.batch.chunk_size = ctypes.sizeof(_native.Chunk)
        self.batch.memory.ptr, self.batch.memory.len = start, max(size - 1, 0)


class Batches(TestCase):
    def test_every_chunk_is_copied_whatever_is_beside_it(self) -> None:
        for chunks in itertools.chain(
            itertools.product(CHUNKS), itertools.product(CHUNKS, CHUNKS),
            itertools.permutations(CHUNKS, 3),
        ):
            for is_in_order, with_empty in itertools.product((True, False), repeat=2):
                library = Library(list(chunks), is_in_order, with_empty)
                copied, texts = _types.copy_batch(library.batch)
                if all(c == Chunk(ChunkKind.TEXT, c.text) for c in chunks):
                    self.assertEqual((copied, texts), ([], [c.text for c in chunks]))
                else:
                    self.assertEqual((copied, texts), (list(chunks), None))
                self.assertTrue(all(type(chunk.kind) is ChunkKind for chunk in copied))

    def test_a_chunk_of_a_later_library_may_be_larger(self) -> None:
        library = Library(CHUNKS)
        size = ctypes.sizeof(_native.Chunk)
        larger = b"".join(bytes(chunk) + b"\xff" * 16 for chunk in library.structs)
        structs = ctypes.create_string_buffer(larger)
        library.batch.chunks, library.batch.chunk_size = ctypes.addressof(structs), size + 16
        self.assertEqual(_types.copy_batch(library.batch)[0], CHUNKS)

    def test_chunks_are_equal_by_what_they_have(self) -> None:
        for one, other in itertools.product(CHUNKS, CHUNKS):
            self.assertEqual(one == other, one is other)
        self.assertEqual(len({*CHUNKS, *copy.deepcopy(CHUNKS)}), len(CHUNKS))
        self.assertNotEqual(CHUNKS[0], "word")
        self.assertEqual(
            repr(CHUNKS[7]), f"Chunk({ChunkKind.TOOL_CALL!r}, '{{}}', index=2)"
        )

    def test_texts_with_nul_characters_arrive(self) -> None:
        with scripted() as client:
            for text in ("a\0b", "\0", "\0\0\0", "é\0"):
                with client.stream(ask("echo", text)) as stream:
                    self.assertEqual(stream.answer().text, text)
