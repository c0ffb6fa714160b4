import asyncio
import socket
import sys
import threading
from pathlib import Path

from support import (
    MANY, AsyncTestCase, ask, atext_of, auntil_text, scripted, unique,
    without_descriptors,
)
from tolmach import BusyError, ChunkKind, Client, RateLimitedError, SessionCancelledError

SESSIONS = 500


async def aread(client: Client, model: str, message: str) -> str:
    async with client.stream(ask(model, message)) as stream:
        return await atext_of(stream)


async def until_it_waits(task: "asyncio.Task[object]") -> None:
    """A task that was started has run up to its first wait."""
    await asyncio.sleep(0)
    assert not task.done()


class Asyncio(AsyncTestCase):
    async def test_text_is_in_hand_before_the_server_goes_on(self) -> None:
        message = unique()
        async with scripted() as client, client.stream(ask("gated", message)) as stream:
            self.assertEqual(await auntil_text(stream), "first ")
            self.assertEqual(await aread(client, "open", message), "opened")
            self.assertEqual(await atext_of(stream), "second")

    async def test_other_tasks_run_while_one_waits(self) -> None:
        message, turns = unique(), 0
        async with scripted() as client, client.stream(ask("gated", message)) as stream:
            self.assertEqual(await auntil_text(stream), "first ")
            waiting = asyncio.create_task(atext_of(stream))
            for turns in range(100):
                await until_it_waits(waiting)
            await aread(client, "open", message)
            self.assertEqual(await waiting, "second")

    async def test_other_tasks_run_while_one_reads_what_is_there(self) -> None:
        message, turns, reading = unique(), 0, True

        async def count() -> None:
            nonlocal turns
            while reading:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        async with scripted() as client, client.stream(ask("many", message)) as stream:
            self.assertTrue((await atext_of(stream)).endswith(f" {MANY - 1} "))
        reading = False
        await counting
        self.assertGreater(turns, MANY // 100)

    async def test_cancelling_the_task_ends_the_wait_and_the_request(self) -> None:
        message = unique()
        async with scripted() as client:
            # Not closed, so that the request ends by the cancellation.
            stream = client.stream(ask("held", message))
            self.assertEqual(await auntil_text(stream), "first ")
            waiting = asyncio.create_task(auntil_text(stream))
            await until_it_waits(waiting)
            waiting.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await waiting
            self.assertEqual(await aread(client, "was-closed", message), "closed")
            with self.assertRaises(SessionCancelledError):
                await auntil_text(stream)

    async def test_wait_for_ends_the_wait_and_the_request(self) -> None:
        message = unique()
        async with scripted() as client:
            stream = client.stream(ask("held", message))
            self.assertEqual(await auntil_text(stream), "first ")
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(auntil_text(stream), 0.05)
            self.assertEqual(await aread(client, "was-closed", message), "closed")

    if sys.version_info >= (3, 11):

        async def test_timeout_ends_the_wait_and_the_request(self) -> None:
            message = unique()
            async with scripted() as client:
                stream = client.stream(ask("held", message))
                self.assertEqual(await auntil_text(stream), "first ")
                with self.assertRaises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await auntil_text(stream)
                self.assertEqual(await aread(client, "was-closed", message), "closed")

    async def test_leaving_the_loop_ends_the_request(self) -> None:
        message = unique()
        async with scripted() as client:
            async with client.stream(ask("held", message)) as stream:
                async for chunk in stream:
                    if chunk.kind == ChunkKind.TEXT:
                        break
            self.assertEqual(await aread(client, "was-closed", message), "closed")

    async def test_closing_during_the_wait_of_another_task_ends_it(self) -> None:
        message = unique()
        async with scripted() as client, client.stream(ask("held", message)) as stream:
            self.assertEqual(await auntil_text(stream), "first ")
            waiting = asyncio.create_task(auntil_text(stream))
            await until_it_waits(waiting)
            stream.close()
            with self.assertRaises(SessionCancelledError):
                await waiting
            self.assertEqual(await aread(client, "was-closed", message), "closed")

    async def test_a_second_task_in_the_same_session_is_an_error(self) -> None:
        message = unique()
        async with scripted() as client, client.stream(ask("gated", message)) as stream:
            self.assertEqual(await auntil_text(stream), "first ")
            waiting = asyncio.create_task(atext_of(stream))
            await until_it_waits(waiting)
            with self.assertRaises(BusyError):
                await auntil_text(stream)
            with self.assertRaises(BusyError):
                next(stream)
            # The first one does not notice.
            await aread(client, "open", message)
            self.assertEqual(await waiting, "second")

    async def test_errors_are_raised_in_the_task(self) -> None:
        async with scripted(max_retries=0) as client:
            with self.assertRaises(RateLimitedError):
                await aread(client, "status-429", "hello")

    async def test_models_are_listed(self) -> None:
        async with scripted() as client:
            self.assertEqual([model.id for model in await client.models_async()], ["words", "emoji"])

    async def test_models_can_be_left_waiting(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
            async with scripted(base_url=url, first_byte_timeout_ms=600_000) as client:
                with self.assertRaises(asyncio.TimeoutError):
                    await asyncio.wait_for(client.models_async(), 0.05)

    async def test_without_a_descriptor_it_works_all_the_same(self) -> None:
        message, held = unique(), unique()
        with without_descriptors():
            async with scripted() as client, client.stream(ask("gated", message)) as stream:
                self.assertEqual(await auntil_text(stream), "first ")
                waiting = asyncio.create_task(atext_of(stream))
                await until_it_waits(waiting)
                await aread(client, "open", message)
                self.assertEqual(await waiting, "second")
                stopped = client.stream(ask("held", held))
                self.assertEqual(await auntil_text(stopped), "first ")
                with self.assertRaises(asyncio.TimeoutError):
                    await asyncio.wait_for(auntil_text(stopped), 0.05)
                self.assertEqual(await aread(client, "was-closed", held), "closed")


class ManySessions(AsyncTestCase):
    async def test_five_hundred_sessions_wait_at_once_in_one_thread(self) -> None:
        allow_descriptors(4 * SESSIONS)
        message, waiting = unique(), 0
        before = threads()

        async def one(client: Client, all_wait: asyncio.Event) -> str:
            nonlocal waiting
            async with client.stream(ask("gated", message)) as stream:
                first = await auntil_text(stream)
                waiting += 1
                if waiting == SESSIONS:
                    all_wait.set()
                return first + await atext_of(stream)

        async with scripted() as client:
            all_wait = asyncio.Event()
            tasks = [asyncio.create_task(one(client, all_wait)) for _ in range(SESSIONS)]
            await all_wait.wait()
            # The library has a worker for each; the binding adds nothing.
            self.assertLessEqual(threads(), before)
            await aread(client, "open", message)
            self.assertEqual(await asyncio.gather(*tasks), ["first second"] * SESSIONS)


def threads() -> int:
    """How many threads the process has beside the library's own."""
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        return threading.active_count()
    names = [name_of(task / "comm") for task in tasks.iterdir()]
    return len([name for name in names if name and not name.startswith("tolmach")])


def name_of(comm: Path) -> str:
    try:
        return comm.read_text()
    except OSError:
        # It has just ended.
        return ""


def allow_descriptors(number: int) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
