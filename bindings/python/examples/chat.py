"""A chat in the terminal: chat.py PROVIDER [KEY=VALUE ...]

    python chat.py openai model=gpt-4o-mini

Ctrl-C ends an answer, Ctrl-D the chat.
"""

import sys

from tolmach import ChunkKind, Client, Request, TolmachError


def answer(client: Client, conversation: Request) -> None:
    """Prints the answer as it arrives, and keeps it for the next turn."""
    with client.stream(conversation) as stream:
        try:
            for chunk in stream:
                if chunk.kind == ChunkKind.TEXT:
                    print(chunk.text, end="", flush=True)
                elif chunk.kind == ChunkKind.FINISH and chunk.text != "stop":
                    print(f" [{chunk.text}]", end="")
        except KeyboardInterrupt:
            print(" [stopped]", end="")
        conversation.reply(stream)
        print()


def main() -> int:
    if len(sys.argv) < 2:
        print("usage: chat.py PROVIDER [KEY=VALUE ...]", file=sys.stderr)
        return 2
    provider, *settings = sys.argv[1:]
    config = dict(setting.partition("=")[::2] for setting in settings)
    try:
        with Client.from_dict({"provider": provider, **config}) as client:
            conversation = Request()
            while True:
                try:
                    question = input("> " if sys.stdin.isatty() else "")
                except (EOFError, KeyboardInterrupt):
                    return 0
                answer(client, conversation.user(question))
    except TolmachError as error:
        print(f"chat: {error}", file=sys.stderr)
        if error.retry_after is not None:
            print(f"chat: try again in {error.retry_after:g} seconds", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
