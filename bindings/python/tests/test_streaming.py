import select
import threading

from support import (
    EMOJI, LONG, MANY, PIXEL, TestCase, ask, in_thread, read, scripted, text_of, unique, until_text,
    without_descriptors,
)
from tolmach import (
    Capability, Chunk, ChunkKind, Session, SessionCancelledError, Usage, __version__, providers,
    version,
)


def next_texts(stream: Session, most: int) -> "list[Chunk]":
    """The next chunks of text, one by one."""
    chunks = [next(stream, None) for _ in range(most)]
    return [chunk for chunk in chunks if chunk is not None and chunk.kind == ChunkKind.TEXT]


class Streaming(TestCase):
    def test_text_is_in_hand_before_the_server_goes_on(self) -> None:
        message = unique()
        with scripted() as client, client.stream(ask("gated", message)) as stream:
            self.assertEqual(until_text(stream), "first ")
            self.assertEqual(read(client, "open", message), "opened")
            self.assertEqual(text_of(stream), "second")

    def test_an_answer_has_all_its_chunks(self) -> None:
        with scripted() as client, client.stream(ask("words")) as stream:
            chunks = list(stream)
        kinds = [chunk.kind for chunk in chunks]
        self.assertEqual(kinds[0], ChunkKind.START)
        of_kind = {kind: [c for c in chunks if c.kind == kind] for kind in kinds}
        self.assertEqual([c.text for c in of_kind[ChunkKind.REASONING]], ["Hm."])
        self.assertEqual("".join(c.text for c in of_kind[ChunkKind.TEXT]), "One two three.")
        self.assertEqual([c.text for c in of_kind[ChunkKind.FINISH]], ["stop"])
        (usage,) = [c.usage for c in of_kind[ChunkKind.USAGE]]
        assert isinstance(usage, Usage)
        self.assertEqual((usage.input, usage.output, usage.cached_input), (3, 5, None))
        self.assertIsNone(usage.cache_write)

    def test_usage_has_every_count(self) -> None:
        with scripted() as client, client.stream(ask("counted")) as stream:
            usages = [chunk.usage for chunk in stream if chunk.kind == ChunkKind.USAGE]
        self.assertEqual(usages, [Usage(
            input=9, output=5, total=14, cached_input=4, reasoning=2, cache_write=3,
        )])

    def test_an_ended_session_stays_ended(self) -> None:
        with scripted() as client, client.stream(ask("words")) as stream:
            self.assertTrue(list(stream))
            self.assertEqual(list(stream), [])
            self.assertEqual(stream.reply["content"], "One two three.")

    def test_a_string_is_a_user_message(self) -> None:
        with scripted(model="words") as client, client.stream("hello") as stream:
            self.assertEqual(text_of(stream), "One two three.")

    def test_characters_split_across_reads_arrive_whole(self) -> None:
        with scripted() as client, client.stream(ask("emoji")) as stream:
            pieces = [chunk.text for chunk in stream if chunk.kind == ChunkKind.TEXT]
        self.assertEqual("".join(pieces), EMOJI)
        for piece in pieces:
            self.assertIn(piece, EMOJI)

    def test_nul_and_astral_characters_go_in_unharmed(self) -> None:
        message = f"{unique()} a\0b 👩‍👩‍👧 𝄞"
        request = ask("gated", message)
        self.assertEqual(request.to_dict()["messages"][0]["content"], message)
        with scripted() as client, client.stream(request) as stream:
            self.assertEqual(until_text(stream), "first ")
            # Another message would open another gate.
            self.assertEqual(read(client, "open", message), "opened")
            self.assertEqual(text_of(stream), "second")

    def test_many_pieces_arrive_in_order(self) -> None:
        with scripted() as client, client.stream(ask("many")) as stream:
            pieces = [chunk.text for chunk in stream if chunk.kind == ChunkKind.TEXT]
        self.assertEqual("".join(pieces), "".join(f"{number} " for number in range(MANY)))

    def test_a_loop_goes_on_where_another_was_left(self) -> None:
        with scripted() as client, client.stream(ask("many")) as stream:
            numbers: "list[int]" = []
            while len(numbers) < MANY:
                # It is in the midst of what was polled at once.
                for chunk in stream:
                    if chunk.kind == ChunkKind.TEXT:
                        numbers.append(int(chunk.text))
                        if len(numbers) % 7 == 0:
                            break
                numbers += [int(chunk.text) for chunk in next_texts(stream, 2)]
            self.assertEqual(numbers, list(range(MANY)))
            self.assertEqual(stream.answer().text, "".join(f"{n} " for n in numbers))

    def test_a_slow_reader_gets_everything(self) -> None:
        with scripted(queue_bytes=1024) as client, client.stream(ask("many")) as stream:
            until_text(stream)
            # The server is held up meanwhile; others are not.
            self.assertEqual(read(client, "words"), "One two three.")
            self.assertTrue(text_of(stream).endswith(f" {MANY - 1} "))

    def test_the_descriptor_is_readable_while_next_would_not_wait(self) -> None:
        message = unique()
        with scripted() as client, client.stream(ask("gated", message)) as stream:
            until_text(stream)
            self.assertEqual(select.select([stream], [], [], 0), ([], [], []))
            read(client, "open", message)
            self.assertEqual(select.select([stream], [], [], LONG), ([stream], [], []))
            self.assertEqual(until_text(stream), "second")

    def test_without_a_descriptor_it_works_all_the_same(self) -> None:
        message = unique()
        with without_descriptors(), scripted() as client:
            with client.stream(ask("gated", message)) as stream:
                self.assertEqual(until_text(stream), "first ")
                read(client, "open", message)
                self.assertEqual(text_of(stream), "second")


class Cancelling(TestCase):
    def test_leaving_the_loop_ends_the_request(self) -> None:
        message = unique()
        with scripted() as client:
            with client.stream(ask("held", message)) as stream:
                for chunk in stream:
                    if chunk.kind == ChunkKind.TEXT:
                        break
            self.assertEqual(read(client, "was-closed", message), "closed")

    def test_an_exception_in_the_loop_ends_the_request(self) -> None:
        message = unique()
        with scripted() as client:
            with self.assertRaises(ZeroDivisionError):
                with client.stream(ask("held", message)) as stream:
                    for chunk in stream:
                        if chunk.kind == ChunkKind.TEXT:
                            1 / 0
            self.assertEqual(read(client, "was-closed", message), "closed")

    def test_cancel_from_another_thread_ends_the_wait(self) -> None:
        message = unique()
        with scripted() as client, client.stream(ask("held", message)) as stream:
            self.assertEqual(until_text(stream), "first ")
            canceller = in_thread(stream.cancel)
            with self.assertRaises(SessionCancelledError):
                next(stream)
            canceller.join()
            with self.assertRaises(SessionCancelledError):
                next(stream)
            self.assertEqual(read(client, "was-closed", message), "closed")

    def test_close_during_the_wait_of_another_thread_ends_it(self) -> None:
        for _ in range(50):
            message = unique()
            with scripted() as client, client.stream(ask("held", message)) as stream:
                first, ends = threading.Event(), []

                def iterate() -> None:
                    try:
                        for chunk in stream:
                            if chunk.kind == ChunkKind.TEXT:
                                first.set()
                    except SessionCancelledError as error:
                        ends.append(error)
                    finally:
                        # Whatever else ends it fails the test and does not hold it up.
                        first.set()

                iterating = in_thread(iterate)
                first.wait()
                stream.close()
                iterating.join()
                self.assertEqual(len(ends), 1)
                self.assertEqual(read(client, "was-closed", message), "closed")

    def test_without_a_descriptor_cancel_ends_the_wait(self) -> None:
        message = unique()
        with without_descriptors(), scripted() as client:
            with client.stream(ask("held", message)) as stream:
                self.assertEqual(until_text(stream), "first ")
                canceller = in_thread(stream.cancel)
                with self.assertRaises(SessionCancelledError):
                    next(stream)
                canceller.join()
            self.assertEqual(read(client, "was-closed", message), "closed")


class Images(TestCase):
    def test_an_image_goes_in_as_bytes(self) -> None:
        seen = f"image/png {len(PIXEL)} bytes, sum {sum(PIXEL)}."
        with scripted() as client:
            for image in (PIXEL, bytearray(PIXEL), memoryview(PIXEL)):
                with client.stream(ask("look").attach(image)) as stream:
                    self.assertEqual(text_of(stream), seen)
            with client.stream(ask("look").attach(PIXEL, mime="image/png").attach(PIXEL)) as stream:
                self.assertEqual(text_of(stream), f"{seen} {seen}")

    def test_an_image_comes_out_as_bytes(self) -> None:
        with scripted() as client, client.stream(ask("gpt-image-1", "a pixel")) as stream:
            images = [chunk for chunk in stream if chunk.kind == ChunkKind.IMAGE]
        self.assertEqual([(image.data, image.mime) for image in images], [(PIXEL, "image/png")])

    def test_an_image_may_be_a_url(self) -> None:
        request = ask("look").attach_url("https://example.org/cat.png")
        self.assertIn("https://example.org/cat.png", str(request.to_dict()))


class Listing(TestCase):
    def test_models_are_listed(self) -> None:
        with scripted() as client:
            models = client.models(timeout=60)
        self.assertEqual([model.id for model in models], ["words", "emoji"])
        for model in models:
            self.assertEqual((model.owner, model.context_length), ("stage", 4096))
            self.assertIn('"context_length"', model.json)

    def test_models_may_be_streamed_and_cancelled(self) -> None:
        with scripted() as client:
            with client.stream_models() as stream:
                chunks = list(stream)
            self.assertEqual([chunk.kind for chunk in chunks], [ChunkKind.MODEL] * 2)
            self.assertEqual([(chunk.id, chunk.index) for chunk in chunks], [("words", 0), ("emoji", 1)])
            stopped = client.stream_models()
            stopped.cancel()
            self.assertRaises(SessionCancelledError, next, stopped)
            stopped.close()

    def test_providers_are_listed(self) -> None:
        (openai,) = [provider for provider in providers() if provider.name == "openai"]
        self.assertEqual(openai.api_key_env, "OPENAI_API_KEY")
        self.assertTrue(openai.capabilities & Capability.STREAM)
        self.assertGreater(len(providers()), 3)

    def test_the_package_has_the_version_of_its_library(self) -> None:
        self.assertEqual(version(), __version__)


class Threads(TestCase):
    def test_threads_share_a_client(self) -> None:
        answers = []
        with scripted() as client:
            threads = [
                in_thread(lambda: answers.append(read(client, "words"))) for _ in range(20)
            ]
            for thread in threads:
                thread.join()
        self.assertEqual(answers, ["One two three."] * 20)
