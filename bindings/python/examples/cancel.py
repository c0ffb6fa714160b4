"""Ends an answer that takes too long: cancel.py SECONDS PROVIDER [KEY=VALUE ...]

    python cancel.py 2.5 openai model=gpt-4o-mini
"""

import asyncio
import sys

from tolmach import ChunkKind, Client, Request, TolmachError


async def answer(client: Client, conversation: Request) -> None:
    async with client.stream(conversation) as stream:
        try:
            async for chunk in stream:
                if chunk.kind == ChunkKind.TEXT:
                    print(chunk.text, end="", flush=True)
        finally:
            # Also of an answer that is cut off, for the next turn.
            conversation.reply(stream)


async def chat(seconds: float, client: Client) -> None:
    conversation = Request().user("Tell me a long story.")
    try:
        # Cancelling the task cancels the session: the request ends at once.
        await asyncio.wait_for(answer(client, conversation), seconds)
    except asyncio.TimeoutError:
        print("[stopped]")
    print(f"{conversation.count} messages")


def main() -> int:
    if len(sys.argv) < 3:
        print("usage: cancel.py SECONDS PROVIDER [KEY=VALUE ...]", file=sys.stderr)
        return 2
    seconds, provider, *settings = sys.argv[1:]
    config = dict(setting.partition("=")[::2] for setting in settings)
    try:
        with Client.from_dict({"provider": provider, **config}) as client:
            asyncio.run(chat(float(seconds), client))
    except TolmachError as error:
        print(f"cancel: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
