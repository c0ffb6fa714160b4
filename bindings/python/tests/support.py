"""What the tests share: the scripted server's client, and its scenes' constants."""

import base64
import contextlib
import faulthandler
import os
import subprocess
import sys
import threading
import time
import unittest
import uuid
from collections.abc import Iterator
from typing import Any, Callable
from unittest import mock

from tolmach import ChunkKind, Client, Request, Session, _native

EMOJI = "Привет, 世界 👋 👩‍👩‍👧 ok"
MANY = 20_000
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)

# Long enough for a slow machine, and an end for what would hang.
LONG = 600.0


class TestCase(unittest.TestCase):
    def setUp(self) -> None:
        faulthandler.dump_traceback_later(LONG, exit=True)
        self.addCleanup(faulthandler.cancel_dump_traceback_later)


class AsyncTestCase(unittest.IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        faulthandler.dump_traceback_later(LONG, exit=True)
        self.addCleanup(faulthandler.cancel_dump_traceback_later)


def scripted(**config: Any) -> Client:
    """A client of the scripted server."""
    config = {
        "base_url": os.environ["TOLMACH_TEST_URL"],
        "api_key": os.environ["TOLMACH_TEST_KEY"],
        "proxy": "direct",
        **config,
    }
    return Client("openai", **config)


def real(**config: Any) -> Client:
    """A client of the real server."""
    url, key = os.environ["TOLMACH_TEST_REAL_URL"], os.environ["TOLMACH_TEST_REAL_KEY"]
    return scripted(base_url=url, api_key=key, model="gpt-4o", **config)


def unique() -> str:
    """A message that no other test has."""
    return f"{uuid.uuid4()}"


def ask(model: str, message: str = "hello") -> Request:
    return Request(model).user(message)


def text_of(stream: Session) -> str:
    return "".join(chunk.text for chunk in stream if chunk.kind == ChunkKind.TEXT)


async def atext_of(stream: Session) -> str:
    return "".join([chunk.text async for chunk in stream if chunk.kind == ChunkKind.TEXT])


def read(client: Client, model: str, message: str = "hello") -> str:
    """The whole text of an answer."""
    with client.stream(ask(model, message)) as stream:
        return text_of(stream)


def until_text(stream: Session) -> str:
    """The next piece of text."""
    return next(chunk.text for chunk in stream if chunk.kind == ChunkKind.TEXT)


async def auntil_text(stream: Session) -> str:
    async for chunk in stream:
        if chunk.kind == ChunkKind.TEXT:
            return chunk.text
    raise AssertionError("no text came")


def eventually(is_so: Callable[[], bool]) -> bool:
    """Whether something of another thread's comes to be so."""
    end = time.monotonic() + LONG / 2
    while time.monotonic() < end:
        if is_so():
            return True
        time.sleep(0.01)
    return False


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def start_script(script: str, *arguments: str) -> "subprocess.Popen[str]":
    """A Python of its own that runs `script`, with this module at hand."""
    folder = os.path.dirname(os.path.abspath(__file__))
    # A shell has what it runs in the background ignore Ctrl-C, and all that this starts.
    heeding = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    # What asyncio says of a machine that is slow is no error.
    heeding += "import logging\nlogging.getLogger('asyncio').setLevel(logging.ERROR)\n"
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", heeding + script, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([folder, *sys.path])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def without_descriptors() -> Iterator[None]:
    """As on Windows."""
    with mock.patch.object(_native.lib, "tolmach_session_fd", lambda session: -1):
        yield
