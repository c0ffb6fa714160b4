import asyncio
import copy
import gc
import logging
import os
import pickle
import signal
import sys
import tracemalloc
import unittest
import warnings
from typing import Any

import tolmach
from support import (
    PIXEL, TestCase, ask, eventually, in_thread, read, scripted, start_script, text_of, unique,
    until_text,
)
from tolmach import ArgumentError, Request, SessionCancelledError, TolmachError


class Misuse(TestCase):
    def test_a_closed_client_is_an_error(self) -> None:
        client = scripted()
        client.close()
        client.close()
        self.assertTrue(client.closed)
        self.assertRaises(ArgumentError, client.stream, ask("words"))
        self.assertRaises(ArgumentError, client.models)

    def test_a_closed_session_is_an_error(self) -> None:
        with scripted() as client:
            stream = client.stream(ask("words"))
            stream.close()
            stream.close()
            stream.cancel()
            self.assertTrue(stream.closed)
            self.assertRaises(SessionCancelledError, next, stream)
            self.assertRaises(SessionCancelledError, stream.fileno)
            self.assertRaises(SessionCancelledError, lambda: asyncio.run(anext_of(stream)))

    def test_a_session_outlives_its_client_and_request(self) -> None:
        client, request = scripted(), ask("words")
        stream = client.stream(request)
        client.close()
        del client, request
        gc.collect()
        with stream:
            self.assertEqual(text_of(stream), "One two three.")

    def test_a_signal_handler_may_cancel(self) -> None:
        with scripted() as client, client.stream(ask("silent", unique())) as stream:
            before = signal.signal(signal.SIGUSR1, lambda *_: stream.close())
            self.addCleanup(signal.signal, signal.SIGUSR1, before)
            signaller = in_thread(lambda: os.kill(os.getpid(), signal.SIGUSR1))
            self.assertRaises(SessionCancelledError, next, stream)
            signaller.join()

    def test_any_thread_may_do_anything_at_any_time(self) -> None:
        """Whatever comes of it is an error, never a crash."""
        with scripted() as client:
            for _ in range(20):
                request = ask("many", unique())
                stream = client.stream(request)

                def use() -> None:
                    try:
                        for _ in range(200):
                            next(stream, None)
                        request.reply(stream)
                        stream.fileno()
                        request.user("more").to_dict()
                        stream.close()
                    except TolmachError:
                        stream.cancel()

                for thread in [in_thread(use) for _ in range(4)]:
                    thread.join()
                stream.close()

    def test_what_is_printed_shows_no_key(self) -> None:
        with scripted() as client, client.stream(ask("words")) as stream:
            shown = f"{client!r} {client} {stream!r} {vars(client)} {ask('words')!r}"
        self.assertIn("openai", shown)
        self.assertNotIn(os.environ["TOLMACH_TEST_KEY"], shown)


class Copies(TestCase):
    def copies(self, original: Any) -> "list[Any]":
        protocols = range(pickle.HIGHEST_PROTOCOL + 1)
        pickled = [pickle.loads(pickle.dumps(original, protocol)) for protocol in protocols]
        return [copy.copy(original), copy.deepcopy(original), *pickled]

    def test_a_copy_of_a_request_goes_its_own_way(self) -> None:
        original = ask("words", "a\0b 👩‍👩‍👧").attach(PIXEL).set("temperature", 0.1)
        before = original.to_dict()
        copies = self.copies(original)
        original.user("more")
        for each in copies:
            self.assertEqual(each.to_dict(), before)
        after = original.to_dict()
        with scripted() as client:
            for each in copies:
                each.user("other")
                with client.stream(each) as stream:
                    self.assertEqual(text_of(stream), "One two three.")
        self.assertEqual(original.to_dict(), after)
        del original
        gc.collect()
        self.assertEqual(copies[0].to_dict()["messages"][1]["content"], "other")

    def test_a_copy_of_a_subclass_keeps_what_is_its_own(self) -> None:
        original = Titled("words")
        original.titles = ["one"]
        for each in self.copies(original):
            self.assertIsInstance(each, Titled)
            self.assertEqual((each.titles, each.to_dict()), (["one"], original.to_dict()))
        self.assertIs(copy.copy(original).titles, original.titles)
        self.assertIsNot(copy.deepcopy(original).titles, original.titles)

    def test_a_client_and_a_session_are_not_copied(self) -> None:
        with scripted() as client, client.stream(ask("words")) as stream:
            for original in (client, stream, client._handle):
                name = type(original).__name__
                for copied in (copy.copy, copy.deepcopy, pickle.dumps):
                    with self.assertRaisesRegex(TypeError, f"{name} can be neither copied nor"):
                        copied(original)
            self.assertEqual(text_of(stream), "One two three.")

    def test_what_is_a_value_is_copied(self) -> None:
        with scripted(max_retries=0) as client:
            with client.stream(ask("words")) as stream:
                values = [*stream, *tolmach.providers(), *client.models()]
            for each in self.copies(values):
                self.assertEqual(each, values)
            with self.assertRaises(TolmachError) as raised:
                read(client, "status-429")
        error = raised.exception
        for each in self.copies(error):
            self.assertIs(type(each), type(error))
            self.assertEqual((str(each), vars(each)), (str(error), vars(error)))


class Titled(Request):
    titles: "list[str]"


async def anext_of(stream: tolmach.Session) -> tolmach.Chunk:
    return await stream.__anext__()


class Leaks(TestCase):
    def test_a_dropped_session_is_freed_with_a_warning(self) -> None:
        message = unique()
        with scripted() as client:
            stream = client.stream(ask("held", message))
            until_text(stream)
            # In a cycle, so that the collector has to find it.
            cycle = [stream]
            cycle.append(cycle)  # type: ignore[arg-type]
            del stream, cycle
            with self.assertWarnsRegex(ResourceWarning, "Session was dropped"):
                gc.collect()
            self.assertEqual(read(client, "was-closed", message), "closed")

    def test_a_dropped_session_that_had_ended_gets_no_warning(self) -> None:
        with scripted() as client, warnings.catch_warnings():
            warnings.simplefilter("error")
            text_of(client.stream(ask("words")))
            client.stream(ask("silent", unique())).cancel()
            gc.collect()

    def test_hundreds_of_sessions_leave_nothing_behind(self) -> None:
        def cycles(client: tolmach.Client, count: int) -> None:
            for number in range(count):
                request = ask("words", unique()).attach(PIXEL)
                stream = client.stream(request)
                if number % 3 == 0:
                    text_of(stream)
                    request.reply(stream)
                if number % 3 == 1:
                    stream.close()
                del stream
                try:
                    scripted(no_such_key=1)
                except ArgumentError:
                    pass

        with scripted() as client, warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            cycles(client, 60)
            gc.collect()
            tracemalloc.start(10)
            self.addCleanup(tracemalloc.stop)
            cycles(client, 30)
            gc.collect()
            before, _ = tracemalloc.get_traced_memory()
            cycles(client, 300)
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        self.assertLess(after - before, 64 * 1024)

    @unittest.skipUnless(sys.platform == "linux", "reads /proc")
    def test_sessions_leave_no_descriptors(self) -> None:
        def descriptors() -> int:
            return len(os.listdir("/proc/self/fd"))

        before = descriptors()
        for _ in range(5):
            with scripted() as client, warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)
                for number in range(60):
                    stream = client.stream(ask("held", unique()))
                    if number % 2:
                        until_text(stream)
                    if number % 3 == 0:
                        stream.close()
                    del stream
        # The workers let go of theirs a moment later.
        self.assertTrue(eventually(lambda: descriptors() <= before), descriptors() - before)

    @unittest.skipUnless(sys.platform == "linux", "reads /proc")
    def test_what_is_dropped_gives_its_memory_back(self) -> None:
        def resident() -> int:
            with open("/proc/self/statm") as statm:
                return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

        megabyte = b"\x89PNG\r\n\x1a\n" + bytes(1 << 20)

        def drop(count: int) -> None:
            for _ in range(count):
                Request().user("look").attach(megabyte).to_dict()
            for _ in range(count):
                with self.assertRaises(ArgumentError):
                    Request.from_dict({"messages": "no list" * 100_000})

        drop(10)
        before = resident()
        drop(80)
        self.assertLess(resident() - before, 40 << 20)


class Interrupts(TestCase):
    def interrupt(self, script: str, *arguments: str) -> str:
        """What a script printed that got a Ctrl-C once it said that it waits."""
        with start_script(script, *arguments) as process:
            assert process.stdout is not None
            self.assertEqual(process.stdout.readline(), "waiting\n")
            # It is in its wait, as far as the system can tell.
            if sys.platform == "linux":
                self.assertTrue(eventually(lambda: main_thread_sleeps(process.pid)))
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate()
            self.assertEqual(process.returncode, 0, errors)
            self.assertEqual(errors, "")
            return output

    def test_control_c_ends_the_wait_at_once_and_the_request(self) -> None:
        message = unique()
        output = self.interrupt(
            """
import sys
from support import ask, scripted, until_text
with scripted() as client:
    try:
        with client.stream(ask("held", sys.argv[1])) as stream:
            until_text(stream)
            print("waiting", flush=True)
            for chunk in stream:
                print(chunk)
    except KeyboardInterrupt:
        print("KeyboardInterrupt")
""",
            message,
        )
        self.assertEqual(output, "KeyboardInterrupt\n")
        with scripted() as client:
            self.assertEqual(read(client, "was-closed", message), "closed")

    def test_control_c_ends_the_wait_for_models(self) -> None:
        output = self.interrupt(
            """
import socket
from support import in_thread, scripted
with socket.create_server(("127.0.0.1", 0)) as deaf:
    connections = []
    def accept():
        connections.append(deaf.accept())
        print("waiting", flush=True)
    accepting = in_thread(accept)
    url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
    with scripted(base_url=url, first_byte_timeout_ms=600_000) as client:
        try:
            client.models()
        except KeyboardInterrupt:
            print("KeyboardInterrupt")
    accepting.join()
    connections[0][0].close()
"""
        )
        self.assertEqual(output, "KeyboardInterrupt\n")

    def test_control_c_ends_asyncio_and_the_request(self) -> None:
        message = unique()
        output = self.interrupt(
            """
import asyncio, sys
from support import ask, auntil_text, scripted
async def main():
    async with scripted() as client, client.stream(ask("held", sys.argv[1])) as stream:
        await auntil_text(stream)
        asyncio.get_running_loop().call_soon(lambda: print("waiting", flush=True))
        async for chunk in stream:
            print(chunk)
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("KeyboardInterrupt")
""",
            message,
        )
        self.assertEqual(output, "KeyboardInterrupt\n")
        with scripted() as client:
            self.assertEqual(read(client, "was-closed", message), "closed")


def main_thread_sleeps(process: int) -> bool:
    with open(f"/proc/{process}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "S"


class Processes(TestCase):
    def run_script(self, script: str, *arguments: str) -> str:
        with start_script(script, *arguments) as process:
            output, errors = process.communicate()
            self.assertEqual((process.returncode, errors), (0, ""), errors)
            return output

    def test_a_fork_leaves_the_sessions_of_its_parent_alone(self) -> None:
        message = unique()
        output = self.run_script(
            """
import gc, os, sys, warnings
from support import ask, read, scripted, text_of, until_text
from tolmach import ArgumentError
warnings.simplefilter("ignore", DeprecationWarning)  # of fork() beside threads
client = scripted()
stream = client.stream(ask("gated", sys.argv[1]))
until_text(stream)
child = os.fork()
if child == 0:
    for use in (stream.__next__, stream.fileno, lambda: client.stream("hello"), client.models):
        try:
            use()
        except ArgumentError as error:
            assert "fork" in str(error), error
        else:
            raise AssertionError("no error")
    with scripted() as own:
        assert read(own, "words") == "One two three."
    stream.close()
    del stream, client
    gc.collect()
    sys.exit(0)
_, status = os.waitpid(child, 0)
assert status == 0, status
read(client, "open", sys.argv[1])
print(text_of(stream))
stream.close()
""",
            message,
        )
        self.assertEqual(output, "second\n")

    def test_a_process_without_descriptors_is_told_so(self) -> None:
        output = self.run_script(
            """
import asyncio, errno, os, resource, sys
from support import ask, auntil_text, read, scripted, until_text, without_descriptors
from tolmach import NoMemoryError

async def one(client, begun):
    async with client.stream(ask("gated", sys.argv[1])) as stream:
        try:
            return await auntil_text(stream)
        finally:
            begun.append(stream)
            while len(begun) < 300:
                await asyncio.sleep(0.01)

async def many():
    async with scripted(max_retries=0) as client:
        begun = []
        tasks = [one(client, begun) for _ in range(300)]
        return await asyncio.gather(*tasks, return_exceptions=True)

resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
outcomes = asyncio.run(many())
errors = [outcome for outcome in outcomes if outcome != "first "]
assert 0 < len(errors) < 300, len(errors)
for error in errors:
    assert type(error) is NoMemoryError, error
    assert "no file descriptors left: close sessions, or raise" in str(error), error

# One whose wait has no descriptor says so where it is asked for it, and goes on all the same.
message = sys.argv[1] + " alone"
with scripted() as client, client.stream(ask("gated", message)) as stream:
    with without_descriptors():
        until_text(stream)
    taken = []
    try:
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        assert error.errno == errno.EMFILE
    try:
        stream.fileno()
    except OSError as error:
        assert error.errno == errno.EMFILE and "ulimit -n" in str(error), error
    else:
        raise AssertionError("a descriptor beyond the limit")
    for descriptor in taken:
        os.close(descriptor)
    read(client, "open", message)
    print(until_text(stream))
""",
            unique(),
        )
        self.assertEqual(output, "second\n")

    def test_an_exit_in_the_midst_of_things_is_clean(self) -> None:
        for _ in range(3):
            output = self.run_script(
                """
import logging, threading, warnings
from support import ask, scripted, text_of, unique, until_text
import tolmach
warnings.simplefilter("ignore", ResourceWarning)
logger = logging.getLogger("lines")
logger.addHandler(logging.NullHandler())
logger.setLevel(1)
tolmach.log_to(logger)
client = scripted()
running = [client.stream(ask("many", unique())) for _ in range(8)]
waiting = client.stream(ask("silent", unique()))
threading.Thread(target=next, args=(waiting, None), daemon=True).start()
churning = lambda: [text_of(client.stream(ask("words"))) for _ in range(1000)]
threading.Thread(target=churning, daemon=True).start()
until_text(running[0])
print("exit")
"""
            )
            self.assertEqual(output, "exit\n")


class Log(TestCase):
    def test_lines_go_to_the_logger_until_it_is_removed(self) -> None:
        logger = logging.getLogger(f"test.{unique()}")
        logger.propagate = False
        logger.setLevel(1)
        with self.assertLogs(logger, 1) as logs:
            tolmach.log_to(logger)
            self.addCleanup(tolmach.log_to, None)
            with scripted() as client:
                read(client, "words", "a secret prompt")
        lines = "\n".join(logs.output)
        self.assertIn("127.0.0.1", lines)
        self.assertGreater(max(getattr(record, "session") for record in logs.records), 0)
        for secret in (os.environ["TOLMACH_TEST_KEY"], "a secret prompt", "two "):
            self.assertNotIn(secret, lines)

    def test_lines_below_the_level_are_not_made(self) -> None:
        logger = logging.getLogger(f"test.{unique()}")
        logger.propagate = False
        logger.setLevel(logging.CRITICAL)
        lines: "list[logging.LogRecord]" = []
        handler = logging.Handler()
        handler.emit = lines.append  # type: ignore[method-assign,assignment]
        logger.addHandler(handler)
        tolmach.log_to(logger)
        self.addCleanup(tolmach.log_to, None)
        logger.setLevel(1)
        with scripted() as client:
            read(client, "words")
        self.assertEqual(lines, [])
